# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server moves from node to node with everything in it; what is refused; and nodes are drained."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Refused
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Replication, Size

from .conftest import HEAVY, World, seen, silent
from .cutting import cut
from .moving import BEFORE, DURING, WRITES, answers, generation, never_two, up, where

# ---------------------------------------------------------------- the move itself


def test_a_running_server_moves_with_its_data_addresses_and_identity(world: World) -> None:
    server = world.server()
    source, target, *_others = world.nodes
    engine = world.engine(world.fleet(server))
    up(world, engine, server, source)
    answers(world, server)
    before = world.platform.guest(source, server.name)
    with never_two(world, server.name):
        gap = engine.move(server, source, target, "copy", silent, arrived=lambda: answers(world, server))
    print(f"without service: {gap:.2f} s")
    assert 0 < gap < 5
    assert where(world, server.name) == {target: "Running"}
    assert world.platform.read(target, server.name, BEFORE) == "kept"
    after = world.platform.guest(target, server.name)
    assert before
    assert after
    assert after["same"] == before["same"]
    found = seen(engine.observe(), server.name)
    assert found is not None
    assert (found.role, found.moving, found.interfaces) == ("primary", "", server.interfaces)
    assert found.generation == generation(world, 2)


def test_what_is_written_while_it_is_copied_is_there_afterwards(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.needs("copies while it runs")
    server = world.server()
    source, target, *_others = world.nodes
    engine = world.engine(world.fleet(server))
    up(world, engine, server, source)

    def watch(request: str) -> None:
        # It is marked as leaving once the copy made while it ran is there.
        if request.startswith("PATCH") and world.platform.read(source, server.name, DURING) == "":
            world.platform.write(source, server.name, DURING, "too")

    with cut(monkeypatch, engine, 0, after=False, watch=watch) as controller:
        engine.move(server, source, target, "copy", silent)
    assert len(controller.writes) == WRITES, controller.writes
    assert world.platform.read(target, server.name, DURING) == "too"


def test_a_stopped_server_moves_and_stays_stopped(world: World) -> None:
    server = replace(world.server(), state="stopped")
    source, target, *_others = world.nodes
    engine = world.engine(world.fleet(server))
    up(world, engine, server, source, running=False)
    with never_two(world, server.name) as states:
        assert engine.move(server, source, target, "copy", silent) == 0.0
    assert states == [()]
    assert where(world, server.name) == {target: "Stopped"}
    assert world.platform.read(target, server.name, BEFORE) == "kept"
    engine.start(server.name, target)
    answers(world, server)


def test_a_move_asked_for_again_is_done_already(world: World) -> None:
    server = world.server()
    source, target, *_others = world.nodes
    engine = world.engine(world.fleet(server))
    up(world, engine, server, source)
    engine.move(server, source, target, "copy", silent)
    before = world.platform.guest(target, server.name)
    assert engine.move(server, source, target, "copy", silent) == 0.0
    assert world.platform.guest(target, server.name) == before


def test_there_and_back_again(world: World) -> None:
    server = world.server()
    source, target, *_others = world.nodes
    engine = world.engine(world.fleet(server))
    up(world, engine, server, source)
    for here, there in ((source, target), (target, source), (source, target)):
        engine.move(server, here, there, "copy", silent)
    assert where(world, server.name) == {target: "Running"}
    assert world.platform.read(target, server.name, BEFORE) == "kept"
    found = seen(engine.observe(), server.name)
    assert found is not None
    assert found.generation == generation(world, 4)


def test_with_manner_switch_the_old_copy_stays_as_a_replica_and_the_way_back_is_short(world: World) -> None:
    world.needs("leftover copies")
    server = replace(world.server(), replication=Replication("interval", 60))
    source, target, *_others = world.nodes
    engine = world.engine(world.fleet(server))
    up(world, engine, server, source)
    engine.move(server, source, target, "switch", silent)
    assert where(world, server.name) == {source: "Stopped", target: "Running"}
    old = next(guest for guest in engine.observe().servers if guest.node == source)
    assert (old.role, old.moving) == ("replica", "")
    with pytest.raises(Refused, match="replica"):
        engine.start(server.name, source)
    world.platform.write(target, server.name, DURING, "newer")
    engine.move(server, target, source, "switch", silent)
    assert where(world, server.name) == {source: "Running", target: "Stopped"}
    assert world.platform.read(source, server.name, DURING) == "newer"


def test_a_server_without_replication_leaves_no_copy_behind_however_it_moves(world: World) -> None:
    server = world.server()
    source, target, *_others = world.nodes
    engine = world.engine(world.fleet(server))
    up(world, engine, server, source)
    engine.move(server, source, target, "switch", silent)
    assert where(world, server.name) == {target: "Running"}


def test_snapshots_travel_along(world: World) -> None:
    server = world.server()
    source, target, *_others = world.nodes
    engine = world.engine(world.fleet(server))
    up(world, engine, server, source)
    world.platform.snapshot(source, server.name, "monday")
    engine.move(server, source, target, "copy", silent)
    engine.move(server, target, source, "copy", silent)
    assert world.platform.snapshots(source, server.name) == ["monday"]


def test_a_big_server_is_copied_while_it_runs_and_the_gap_stays_small(world: World) -> None:
    world.needs("copies while it runs")
    server = world.server(template=HEAVY, size=Size(1, 64, 2000))
    source, target, *_others = world.nodes
    engine = world.engine(world.fleet(server))
    up(world, engine, server, source)
    answers(world, server)
    words: list[str] = []
    began = time.monotonic()
    gap = engine.move(server, source, target, "copy", words.append, arrived=lambda: answers(world, server))
    took = time.monotonic() - began
    print(f"900 MiB: {took:.1f} s, {gap:.2f} s of it without service; told: {words[:2]}")
    assert gap < took / 2
    assert gap < 5


# ---------------------------------------------------------------- what is refused


def test_a_strangers_guest_on_the_target_is_not_touched(world: World) -> None:
    world.needs("names per node")
    server = world.server()
    source, target, *_others = world.nodes
    engine = world.engine(world.fleet(server))
    up(world, engine, server, source)
    world.platform.stranger(target, server.name)
    before = world.platform.guest(target, server.name)
    with pytest.raises(Refused, match="not bear the mark"):
        engine.move(server, source, target, "copy", silent)
    assert world.platform.guest(target, server.name) == before
    assert where(world, server.name)[source] == "Running"


def test_a_server_with_a_disk_of_its_node_stays(world: World) -> None:
    server = world.server()
    source, target, *_others = world.nodes
    engine = world.engine(world.fleet(server))
    up(world, engine, server, source, running=False)
    world.platform.tie(source, server.name)
    with pytest.raises(Refused, match=r"(device data|mount mp0) is a (disk|directory) of this node"):
        engine.move(server, source, target, "copy", silent)
    assert where(world, server.name) == {source: "Stopped"}


def test_a_server_that_is_gone_is_refused(world: World) -> None:
    source, target, *_others = world.nodes
    server = world.server()
    with pytest.raises(Refused, match="not there any more"):
        world.engine(world.fleet(server)).move(server, source, target, "copy", silent)
    assert where(world, server.name) == {}


@pytest.mark.parametrize("manner", ["live", "shared"])
def test_ways_the_platform_does_not_have_are_refused(world: World, manner: Any) -> None:
    if manner == "shared":
        world.needs("disks of one node")
    source, target, *_others = world.nodes
    server = world.server()
    engine = world.engine(world.fleet(server))
    up(world, engine, server, source)
    with pytest.raises(Refused, match=f"{manner}|while they run"):
        engine.move(server, source, target, manner, silent)
    assert where(world, server.name) == {source: "Running"}
    assert manner not in engine.observe().abilities.live


# ---------------------------------------------------------------- drained nodes, and what servers really take


def test_the_platform_remembers_that_a_node_is_drained(world: World) -> None:
    node, other, *_others = world.nodes
    engine = world.engine()
    for on in (True, True, False, False):
        engine.set_maintenance(node, on)
        observed = world.engine().observe()
        assert observed.nodes[node].maintenance is on
        assert not observed.nodes[other].maintenance
    engine.set_maintenance(node, True)
    assert not world.engine(world.fleet(name="contract-other")).observe().nodes[node].maintenance
    engine.set_maintenance(node, False)


def test_measuring_costs_one_request_per_node_more_whatever_runs_there(world: World) -> None:
    servers = [world.server(name) for name in "abcd"]
    engine = world.engine(world.fleet(*servers))

    def calls(measure: bool) -> int:
        before = engine.calls
        engine.observe(measure=measure)
        return engine.calls - before

    plain, measured = calls(False), calls(True)
    assert measured in (plain, plain + len(world.nodes))
    for server in servers:
        up(world, engine, server, world.nodes[0])
    assert (calls(False), calls(True)) == (plain, measured)
    uses = {server.name: server.use for server in engine.observe(measure=True).servers}
    # A kernel that keeps no account of a guest's memory tells nothing: then nothing is made up.
    assert all(use is None or (use.memory > 0 and 0 <= use.cores < 64) for use in uses.values())
    assert all(server.use is None for server in engine.observe().servers)
