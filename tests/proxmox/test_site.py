# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an inventory to running servers, again and again."""

from __future__ import annotations

from support.disturb import kill, said, standing_still

from .conftest import World, changed, names, requests


def test_site_brings_servers_up_without_logging_in_to_a_node(world: World) -> None:
    world.declare(names(1, 6))
    output = world.play("site")
    assert sorted(world.running()) == sorted(names(1, 6))
    assert sorted(world.running().values()) == ["pve1", "pve1", "pve2", "pve2", "pve3", "pve3"]
    assert "unreachable=0" in output
    assert "unreachable=1" not in output
    assert changed(world.play("site")) == 0


def test_site_installs_no_nodes_of_proxmox_and_says_who_does(world: World) -> None:
    world.declare(names(1, 1))
    assert "ansible-playbook switchyard.fleet.proxmox" in world.play("site", good=False, site_install=True)
    assert world.there() == {}


def test_a_second_run_right_after_the_first_finds_nothing_to_do(world: World) -> None:
    """Lists are ten seconds behind, a guest's own node three, as on a real cluster; and it is all over in less."""
    world.double.world.staleness = 1 / world.double.world.clock.latency
    world.declare(names(1, 4))
    world.apply()
    writes = [call for call in world.writes() if "/pools" not in call]
    assert changed(world.apply()) == 0
    world.declare({**names(1, 3), "pbx04": {"vs_state": "stopped"}, "pbx05": {"vs_memory": "96MiB"}})
    world.apply()
    after = [call for call in world.writes() if "/pools" not in call]
    assert sorted(after) == sorted(
        [*writes, "POST /nodes/{node}/lxc", "POST /nodes/{node}/lxc/{vmid}/status/start", SHUTDOWN]
    )
    assert changed(world.apply()) == 0


SHUTDOWN = "POST /nodes/{node}/lxc/{vmid}/status/shutdown"


def test_a_converged_run_asks_as_often_for_200_servers_as_for_20(world: World) -> None:
    calls = {}
    for count in (20, 200):
        world.declare(names(1, count))
        world.apply()
        world.double.advance(30)
        calls[count] = requests(world.apply())
    assert calls[20] == calls[200]


def test_a_check_shows_what_would_be_and_changes_nothing(world: World) -> None:
    world.declare(names(1, 2))
    world.apply()
    world.double.advance(30)
    before = world.writes()
    world.declare({"pbx01": {"vs_memory": "96MiB"}, "pbx03": {}})
    output = world.play("site", "--check", "--diff")
    assert "-memory: 64" in output
    assert "+memory: 96" in output
    assert "create pbx03" in output
    assert "pbx02" in output
    assert world.writes() == before


def test_a_run_that_was_killed_is_finished_by_the_next(world: World) -> None:
    world.double.world.clock.latency = 0.5
    world.declare(names(1, 9))
    run = world.begin("site", node_concurrency=1)
    said(run, r"start pbx\d+ on \S+ … ok")
    kill(run, world.inventory)
    world.double.world.clock.latency = 0.003
    world.double.settle()
    assert len(world.running()) < 9
    output = world.play("site")
    assert "taking over the lock" in output
    assert sorted(world.running()) == sorted(names(1, 9))
    assert changed(world.play("site")) == 0


def test_prune_deletes_what_left_the_inventory_and_strangers_are_never_touched(world: World) -> None:
    stranger = world.double.add_guest(150, "pve2", name="pbx09", running=True)
    before = dict(stranger.config)
    world.declare(names(1, 3))
    world.apply()
    world.double.advance(30)
    world.declare(names(1, 1))
    assert "left alone" in world.apply()
    assert sorted(world.there()) == ["pbx01", "pbx02", "pbx03"]
    world.apply(apply_prune=["pbx02"])
    assert sorted(world.there()) == ["pbx01", "pbx03"]
    world.apply(apply_prune="all")
    assert sorted(world.there()) == ["pbx01"]
    world.declare({**names(1, 1), "pbx09": {}})
    assert "pbx09" in world.apply(good=False)
    assert world.double.world.cluster.guests[150].config == before
    assert world.double.world.cluster.guests[150].running


def test_the_second_of_two_runs_is_told_who_holds_the_fleet(world: World) -> None:
    world.double.world.clock.latency = 0.3
    world.declare(names(1, 6))
    run = world.begin("site")
    said(run, r"create pbx\d+ on \S+ … ok")
    with standing_still(world.inventory):
        output = world.apply(good=False)
    assert "is held by" in output
    assert "apply_break_lock=" in output
    run.communicate(timeout=120)
    assert run.returncode == 0
    assert sorted(world.running()) == sorted(names(1, 6))
