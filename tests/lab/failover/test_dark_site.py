# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All nodes go at once, and come back at once: nobody is left to take over, and nothing has to be lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.guarded import GuardedFleet, until
from support.watch import Watch

pytestmark = [pytest.mark.lab, pytest.mark.long]


def shut_down(fleet: GuardedFleet) -> None:
    """Every node is told to power off, none waits for another; each does so in its own time."""
    for node in fleet.lab.facts["nodes"]:
        fleet.outside.console(node, "systemctl", "poweroff", "--no-block", check=False)


def cut(fleet: GuardedFleet) -> None:
    """The site's mains fail."""
    fleet.outside.cut_power(*fleet.lab.facts["nodes"])


@pytest.mark.parametrize("end", [shut_down, cut])
def test_a_whole_site_that_was_dark_comes_back_by_itself(watch: Watch, end: Callable[[GuardedFleet], None]) -> None:
    fleet = watch.fleet
    with watch.scenario():
        end(fleet)
        # Nobody is fenced, and nobody waits for long for a backup that shuts down as well.
        watch.note(f"dark {until(lambda: not fleet.outside.powered(), 180):.1f} s later")
        fleet.outside.restore_power(*fleet.lab.facts["nodes"])
        # Nothing is excused: every server has its own disk again, or a replica with the last of it.
        watch.all_answer(300)
        assert not [each for each in fleet.copies() if each.aside], "nothing diverged"
