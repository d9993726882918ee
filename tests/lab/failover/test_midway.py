# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deaths in the middle of something: a refresh, a move, a failback. The failover itself: test_power."""

from __future__ import annotations

import pytest
from support.disturb import said
from support.guarded import GuardedFleet, until
from support.watch import Watch

pytestmark = [pytest.mark.lab, pytest.mark.long]

MUCH = 400
"""MiB: a refresh that has this to bring takes seconds."""


def refreshing(fleet: GuardedFleet, name: str) -> str:
    """The node whose replica of a server is being refreshed right now; empty: none."""
    return next((each.node for each in fleet.copies() if each.server == name and each.refreshing), "")


@pytest.mark.parametrize("dies", ["the server's node", "its backup"])
def test_a_node_dies_during_a_refresh(watch: Watch, dies: str) -> None:
    fleet = watch.fleet
    with watch.scenario():
        node = fleet.busiest()
        name = min(fleet.of(node))
        write = f"incus exec {name} -- dd if=/dev/urandom of=/srv/much bs=1M count={MUCH} 2>/dev/null"
        fleet.outside.console(node, "sh", "-c", write)
        until(lambda: refreshing(fleet, name), 120, lambda: f"{name} is not refreshed: {fleet.copies()}", pause=0.1)
        backup = refreshing(fleet, name)
        victim = node if dies == "the server's node" else backup
        watch.cut_power(victim)
        watch.all_answer()
        watch.boot(victim)
        fleet.calm()
        fleet.outside.console(fleet.where()[name], "incus", "exec", name, "--", "rm", "-f", "/srv/much")


@pytest.mark.parametrize("dies", ["where it leaves", "where it goes"])
def test_a_node_dies_during_a_move(watch: Watch, dies: str) -> None:
    fleet = watch.fleet
    with watch.scenario():
        source = fleet.busiest()
        target = next(node for node in fleet.nodes if node != source)
        # One after the other, so that there is a middle.
        fleet.write(node_concurrency=1)
        leaving = fleet.of(source)
        victim = source if dies == "where it leaves" else target
        with watch.lossy(victim, also=leaving):
            asked = {"migrate_servers": sorted(leaving), "migrate_node": target}
            moving = fleet.lab.begin("migrate", inventory=fleet.inventory, extra=asked)
            said(moving, r"\[ *1/")
            fleet.outside.cut_power(victim)
        output, _nothing = moving.communicate(timeout=300)
        watch.note(output[-1500:])
        watch.boot(victim)
        # Who was on its way is brought to one end by whoever runs next; all others by the cluster.
        until(lambda: fleet.lab.ssh(victim, "true", check=False) == "", 120)
        fleet.write()
        fleet.play("site")
        watch.all_answer()


def test_a_node_dies_during_a_failback(watch: Watch) -> None:
    fleet = watch.fleet
    with watch.scenario():
        home = fleet.busiest()
        gone = fleet.of(home)
        watch.cut_power(home)
        watch.all_answer()
        watch.boot(home)
        fleet.calm()
        fleet.write(node_concurrency=1)
        with watch.lossy(home, also=gone):
            returning = fleet.lab.begin("failback", inventory=fleet.inventory, extra={"failback_hold": 0})
            said(returning, r"\[ *1/")
            fleet.outside.cut_power(home)
        output, _nothing = returning.communicate(timeout=300)
        watch.note(output[-1500:])
        watch.all_answer()
        watch.boot(home)
        fleet.calm()
        fleet.write()
        fleet.play("failback", failback_hold=0)
        assert "changed=0" in fleet.play("failback", failback_hold=0), "everybody is home"
