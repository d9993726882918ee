# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is full where the replica is: the server goes on, the replica grows old and says so."""

from __future__ import annotations

import pytest
from support.guarded import until
from support.watch import Watch

pytestmark = [pytest.mark.lab, pytest.mark.long]


def test_a_full_backup_disk_costs_what_came_after_and_nothing_else(watch: Watch) -> None:
    fleet = watch.fleet
    name = "pbx06"
    with watch.scenario():
        node = fleet.where()[name]
        backup = next(each.node for each in fleet.copies() if each.server == name and each.role == "replica")
        console = fleet.outside.console
        console(backup, "sh", "-c", "cat /dev/zero > /srv/small/filler; true")
        console(node, "incus", "exec", name, "--", "dd", "if=/dev/urandom", "of=/srv/much", "bs=1M", "count=8")

        def said() -> list[str]:
            return console(backup, "switchyard-agent", "check", check=False).splitlines()

        # On a busy node it is only late at first.
        until(lambda: any(line.startswith(f"{name}: ") and "No space left" in line for line in said()), 240, said)
        watch.cut_power(node)
        # Who has no room to start waits for some, and takes nobody along.
        watch.all_answer(but=[name])
        console(backup, "rm", "/srv/small/filler")
        watch.all_answer()
        fleet.outside.restore_power(node)
        fleet.calm()
        console(fleet.where()[name], "incus", "exec", name, "--", "rm", "-f", "/srv/much")
