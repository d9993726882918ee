# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replicas on pools whose snapshots cost nothing: the state before a refresh that was cut off is there.

The nodes of a lab have directories, and containers may not make a btrfs of their own: this needs servers with such a
pool, given by SWITCHYARD_ENGINE_NODES (see bed.py). Two are enough.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.engine import IncusEngine
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guests import Guests
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.refresh import refresh
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Failover, Replication, Server

from .conftest import World, silent
from .cutting import Killed, cut
from .incus_platform import Incus

FILE = "/root/data"


class Copies:
    """A server on the first node, asleep, with a replica on the second."""

    def __init__(self, world: World, incus: Incus) -> None:
        self.incus = incus
        self.home, self.backup = world.nodes[:2]
        plain = world.server(legs=0)
        self.server: Server = replace(
            plain, replication=Replication("interval", 300), failover=Failover("auto"), state="stopped"
        )
        engine = world.engine(world.fleet(self.server))
        assert isinstance(engine, IncusEngine)
        self.engine = engine
        engine.create(self.server, self.home, silent)
        self.write("v1")
        engine.replicate(self.server, self.home, self.backup, silent)

    def write(self, text: str) -> None:
        self.incus.write(self.home, self.server.name, FILE, text)

    def read(self, node: str) -> str:
        return self.incus.read(node, self.server.name, FILE)

    def refresh(self, source: str, target: str) -> None:
        here, there = (Guests(self.engine.fleet, self.engine._clients[node]) for node in (source, target))
        refresh(here, there, self.server.name)

    def states(self, node: str) -> list[str]:
        return [each for each in self.incus.snapshots(node, self.server.name) if each.startswith("switchyard-")]


@pytest.fixture
def copies(world: World) -> Copies:
    if not isinstance(world.platform, Incus):
        pytest.skip("Proxmox VE's replication has snapshots of its own")
    for node in world.nodes[:2]:
        driver = world.platform.get(node, f"/1.0/storage-pools/{world.bed.pool}")["driver"]
        if driver not in ("btrfs", "zfs"):
            pytest.skip(f"the pool on {node} is of type {driver}")
    world.platform.agents()
    return Copies(world, world.platform)


def test_the_two_have_one_state_in_common_and_few_are_kept(copies: Copies) -> None:
    for text in ("v2", "v3", "v4"):
        copies.write(text)
        copies.refresh(copies.home, copies.backup)
        assert copies.read(copies.backup) == text
        (state,) = copies.states(copies.home)
        assert state in copies.states(copies.backup) and len(copies.states(copies.backup)) <= 2
    copies.engine.unreplicate(copies.server.name, copies.home, copies.backup)
    assert copies.states(copies.home) == []


@pytest.mark.parametrize("killed", [0, 1], ids=["", "killed-right-after-going-back"])
def test_a_refresh_that_was_cut_off_is_gone_back_from(
    copies: Copies, monkeypatch: pytest.MonkeyPatch, killed: int
) -> None:
    engine, server = copies.engine, copies.server
    copies.write("complete")
    copies.refresh(copies.home, copies.backup)
    copies.write("half")
    with cut(monkeypatch, engine, 0, after=False) as whole:
        copies.refresh(copies.home, copies.backup)
    pulled = whole.writes.index(f"POST {copies.backup} /1.0/instances") + 1
    copies.write("never acknowledged as complete")
    with cut(monkeypatch, engine, pulled, after=True), suppress(Killed):
        copies.refresh(copies.home, copies.backup)
    if killed:
        with cut(monkeypatch, engine, killed, after=True), suppress(Killed):
            engine.promote(server, copies.backup, [copies.home])
        assert {each.node: each.role for each in engine.observe().servers} == {
            copies.home: "primary",
            copies.backup: "replica",
        }, "nobody takes it for the server until it is"
    engine.promote(server, copies.backup, [copies.home])
    assert copies.read(copies.backup) == "half", "the last state that was complete"
    found = next(each for each in engine.observe().servers if each.node == copies.backup)
    assert (found.role, found.generation, found.home) == ("primary", 1000, copies.home)


def test_after_they_changed_places_it_goes_on_both_ways(copies: Copies) -> None:
    copies.refresh(copies.home, copies.backup)
    copies.engine.move(copies.server, copies.home, copies.backup, "switch", silent)
    for text in ("w1", "w2"):
        copies.incus.write(copies.backup, copies.server.name, FILE, text)
        copies.refresh(copies.backup, copies.home)
        assert copies.read(copies.home) == text
    copies.engine.move(copies.server, copies.backup, copies.home, "switch", silent)
    for text in ("x1", "x2"):
        copies.write(text)
        copies.refresh(copies.home, copies.backup)
        assert copies.read(copies.backup) == text
