# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node dies, and comes back: what the HA manager does, what a person is told to do, and the way home."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .conftest import World, changed

AUTO = {"vs_replication": "1m", "vs_failover": "auto"}
BY_HAND = {**AUTO, "vs_failover": "manual"}
NODES: dict[str, Any] = {"pve1": {}, "pve2": {}, "pve3": {"node_backup": "pve2"}}
FAST = 0.003
SLOW = 1.0
"""As on a real cluster: it takes the HA manager two minutes to take a node for dead."""


def until(true: Callable[[], object], what: str) -> None:
    """Wait for what the HA manager does in the end."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def lived_on_pve3(world: World, servers: dict[str, dict[str, Any]]) -> None:
    """A fleet at home, and its home dead for a moment."""
    world.declare({name: {**said, "vs_node": "pve3"} for name, said in servers.items()}, NODES)
    world.play("site")
    world.declare(servers, NODES)
    world.double.world.clock.latency = SLOW
    world.double.faults.kill("pve3")


def recovered(world: World, *names: str) -> None:
    """The HA manager has started these where their replicas are."""
    world.double.world.clock.latency = FAST
    until(lambda: all(world.running().get(name) == "pve2" for name in names), "they run on their backup")


def test_the_ha_manager_is_left_to_it_and_failback_brings_home(world: World) -> None:
    lived_on_pve3(world, {"pbx01": AUTO})
    writes = [call for call in world.writes() if "/pools" not in call]
    # It waits until that is done, and names who does not serve: here nobody can, within a second.
    output = world.play("failover", failover_nodes="pve3", failover_patience=1, good=False)
    assert "the platform starts pbx01 by itself, and is left to" in output
    assert "1 of 1 servers do not serve" in output
    assert [call for call in world.writes() if "/pools" not in call] == writes
    recovered(world, "pbx01")
    assert "pve3 does not answer" in world.play("failback")
    world.double.faults.revive("pve3")
    assert "has to be up for" in world.play("failback", failback_hold=3600, good=False)
    world.play("failback", failback_hold=0)
    assert world.running() == {"pbx01": "pve3"}
    assert "everybody is at home" in world.play("failback", failback_hold=0)
    assert changed(world.play("site")) == 0


def test_who_fails_over_by_hand_is_refused_with_what_a_person_does_and_site_goes_on_from_it(world: World) -> None:
    lived_on_pve3(world, {"pbx01": AUTO, "pbx02": BY_HAND})
    sure = {"failover_nodes": "pve3", "failover_dead": "pve3", "failover_sure": "pve3"}
    output = world.play("failover", good=False, **sure)
    assert "mv /etc/pve/nodes/DEAD/lxc/VMID.conf /etc/pve/nodes/BACKUP/lxc/" in output
    assert world.there()["pbx02"] == ("pve3", False)
    recovered(world, "pbx01")
    # What the person does.
    guest = next(each for each in world.double.world.cluster.guests.values() if each.name == "pbx02")
    guest.node = "pve2"
    world.double.world.cluster.observe(guest)
    output = world.play("site")
    assert world.running() == {"pbx01": "pve2", "pbx02": "pve2"}
    assert "broken now" not in output
    world.double.faults.revive("pve3")
    output = world.play("site")
    jobs = {job.id: (job.source, job.target, job.last_sync > 0) for job in world.double.world.replicator.jobs.values()}
    assert set(jobs.values()) == {("pve2", "pve3", True)}
    rules = [rule.nodes for rule in world.double.world.ha.rules.values()]
    assert rules == [{"pve2": 2, "pve3": 1}], "its new node is its home"
    assert changed(world.play("site")) == 0


def test_on_paper_every_failure_is_told_and_nothing_is_touched(world: World) -> None:
    world.declare({"pbx01": AUTO, "pbx02": BY_HAND, "pbx03": {}}, NODES)
    world.play("site")
    writes = world.writes()
    output = world.play("drill", drill_save=str(world.inventory / "drill.json"))
    assert all(f"{node} dies" in output for node in NODES)
    assert world.writes() == writes
    assert (world.inventory / "drill.json").exists()
