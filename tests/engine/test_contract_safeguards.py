# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replicas, and servers the platform starts elsewhere by itself: on engines that have them. The others say so."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Engine, EngineError, Refused
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Arrangement,
    Failover,
    ObservedServer,
    Replication,
    Server,
)

from .conftest import World

LONG = 120.0
"""Seconds a test waits for what has to happen in the end; far more than it takes."""


def silent(_words: str) -> None:
    """Progress nobody looks at."""


def safe(world: World, name: str = "a") -> Server:
    """Replicated every five minutes, and started elsewhere by itself."""
    return replace(world.server(name), replication=Replication("interval", 300), failover=Failover("auto"))


@pytest.fixture
def nodes(world: World) -> list[str]:
    return sorted(world.bed.nodes)


@pytest.fixture
def copied(world: World, nodes: list[str]) -> tuple[Engine, Server]:
    """A server that runs on the first node, with a replica on the second."""
    server = safe(world)
    engine = world.engine(world.fleet(server))
    world.platform.agents()
    if not engine.observe().abilities.replicates:
        with pytest.raises(Refused, match="does no such thing"):
            engine.replicate(server, nodes[0], nodes[1], silent)
        pytest.skip(f"the engine {engine.name} keeps no replicas, and says so")
    engine.create(server, nodes[0], silent)
    engine.start(server.name, nodes[0])
    engine.replicate(server, nodes[0], nodes[1], silent)
    return engine, server


@pytest.fixture
def guarded(copied: tuple[Engine, Server], nodes: list[str]) -> tuple[Engine, Server]:
    """The same server, started on its replica's node when its own dies."""
    engine, server = copied
    if not engine.observe().abilities.protects:
        with pytest.raises(Refused, match="does no such thing"):
            engine.protect(server, nodes[0], [nodes[1]])
        pytest.skip(
            f"on these nodes {engine.name} starts nothing elsewhere by itself, and says so: see tests/lab/failover"
        )
    engine.protect(server, nodes[0], [nodes[1]])
    return engine, server


def of(engine: Engine, server: Server) -> tuple[ObservedServer, dict[str, ObservedServer]]:
    """(the server, its replicas by node)."""
    mine = [each for each in engine.observe().servers if each.name == server.name]
    primaries = [each for each in mine if each.role == "primary"]
    assert len(primaries) == 1, mine
    return primaries[0], {each.node: each for each in mine if each.role == "replica"}


def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + LONG
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_a_replica_is_complete_when_it_is_said_to_be(copied: tuple[Engine, Server], nodes: list[str]) -> None:
    engine, server = copied
    home, replicas = of(engine, server)
    assert (home.node, home.state, list(replicas)) == (nodes[0], "running", [nodes[1]])
    copy = replicas[nodes[1]]
    assert copy.complete and copy.size.disk == server.size.disk and copy.pool == server.pool
    assert copy.copying is not None and (copy.copying.interval, copy.copying.foreign) == (300, False)
    engine.replicate(server, nodes[0], nodes[1], silent)
    assert list(of(engine, server)[1]) == [nodes[1]], "asked twice"


def test_a_second_replica_comes_before_the_first_goes(copied: tuple[Engine, Server], nodes: list[str]) -> None:
    engine, server = copied
    engine.replicate(server, nodes[0], nodes[2], silent)
    assert sorted(of(engine, server)[1]) == nodes[1:]
    engine.unreplicate(server.name, nodes[0], nodes[1])
    assert list(of(engine, server)[1]) == [nodes[2]]
    engine.unreplicate(server.name, nodes[0], nodes[1])
    assert of(engine, server)[0].state == "running"


def test_switched_to_its_replica_it_has_its_data_and_the_old_copy_is_the_replica(
    world: World, copied: tuple[Engine, Server], nodes: list[str]
) -> None:
    engine, server = copied
    world.platform.write(nodes[0], server.name, "/root/voicemail", "call me back")
    engine.move(server, nodes[0], nodes[1], "switch", silent)
    home, replicas = of(engine, server)
    assert (home.node, home.state, list(replicas)) == (nodes[1], "running", [nodes[0]])
    assert world.platform.read(nodes[1], server.name, "/root/voicemail") == "call me back"


def test_deleted_it_leaves_no_replica(copied: tuple[Engine, Server], nodes: list[str]) -> None:
    engine, server = copied
    engine.stop(server.name, nodes[0])
    engine.delete(server.name, nodes[0])
    assert [each for each in engine.observe().servers if each.name == server.name] == []


def test_a_strangers_guest_is_neither_replicated_nor_protected(
    world: World, copied: tuple[Engine, Server], nodes: list[str]
) -> None:
    engine, _server = copied
    stranger = safe(world, "stranger")
    world.platform.stranger(nodes[0], stranger.name)
    before = world.platform.guest(nodes[0], stranger.name)
    with pytest.raises(EngineError):
        engine.replicate(stranger, nodes[0], nodes[1], silent)
    with pytest.raises(EngineError):
        engine.protect(stranger, nodes[0], [nodes[1]])
    assert world.platform.guest(nodes[0], stranger.name) == before
    assert [each.role for each in engine.observe().servers if each.name == stranger.name] == ["primary"]


def test_protected_it_goes_on_and_is_seen_so(guarded: tuple[Engine, Server], nodes: list[str]) -> None:
    engine, server = guarded
    home, _replicas = of(engine, server)
    assert home.state == "running" and home.protection is not None
    assert (home.protection.nodes, home.protection.strict) == ((nodes[0], nodes[1]), True)
    assert (home.protection.keeps, home.protection.foreign) == ("running", False)
    engine.protect(server, nodes[0], [nodes[1]])
    engine.unprotect(server.name, nodes[0])
    home, _replicas = of(engine, server)
    assert (home.protection, home.state) == (None, "running")
    engine.unprotect(server.name, nodes[0])


def test_stopped_and_started_it_is_kept_as_it_was_left(guarded: tuple[Engine, Server], nodes: list[str]) -> None:
    engine, server = guarded
    engine.stop(server.name, nodes[0])
    until(lambda: (seen := of(engine, server)[0].protection) and seen.keeps == "stopped", "it is kept stopped")
    assert of(engine, server)[0].state == "stopped"
    engine.start(server.name, nodes[0])
    until(lambda: (seen := of(engine, server)[0].protection) and seen.keeps == "running", "it is kept running")
    assert of(engine, server)[0].state == "running"


def test_it_moves_where_its_protection_did_not_reach(guarded: tuple[Engine, Server], nodes: list[str]) -> None:
    engine, server = guarded
    engine.move(server, nodes[0], nodes[2], "copy", silent)
    engine.protect(server, nodes[2], [nodes[1]])
    home, replicas = of(engine, server)
    assert (home.node, home.state, list(replicas)) == (nodes[2], "running", [nodes[1]])
    assert home.protection is not None and home.protection.nodes == (nodes[2], nodes[1])


def test_its_nodes_death_starts_it_on_its_replica(
    world: World, guarded: tuple[Engine, Server], nodes: list[str]
) -> None:
    engine, server = guarded
    until(lambda: (seen := of(engine, server)[0].protection) and not seen.waits, "the platform looks after it")
    world.platform.crash(nodes[0])
    assert of(engine, server)[0].state == "unknown"
    until(lambda: of(engine, server)[0].node == nodes[1], "it is on its replica's node")
    until(lambda: of(engine, server)[0].state == "running", "it runs")


def test_sets_are_kept_once_and_let_go(world: World, guarded: tuple[Engine, Server], nodes: list[str]) -> None:
    engine, server = guarded
    if not engine.observe().abilities.arranges:
        pytest.skip(f"the engine {engine.name} keeps no sets")
    other = safe(world, "b")
    engine.create(other, nodes[2], silent)
    engine.replicate(other, nodes[2], nodes[1], silent)
    engine.protect(replace(other, state="stopped"), nodes[2], [nodes[1]])
    apart = Arrangement("apart", frozenset({server.name, other.name}))
    for _again in range(2):
        engine.arrange(apart, on=True)
        assert engine.observe().arrangements == {apart}
    for _again in range(2):
        engine.arrange(apart, on=False)
        assert engine.observe().arrangements == frozenset()
