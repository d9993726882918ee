# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One contract, every engine: Incus on the real nodes of a lab, Proxmox VE on the double, which needs nothing."""

from __future__ import annotations

import itertools
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Engine, LockRecord
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.connect import connect
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Fleet,
    Interface,
    Limits,
    Node,
    Observed,
    ObservedServer,
    Server,
    Size,
    Template,
)

from . import bed as beds
from . import images, proxmox_platform
from .incus_platform import Incus
from .platform import FLEET, Platform

TINY = Template(f"{FLEET}-tiny")
HEAVY = Template(f"{FLEET}-heavy")
"""Takes seconds to unpack: time enough for things to go wrong in the middle."""
LIMITS = Limits(connect=2.0, request=10.0, operation=60.0, stop=5.0)


def silent(_words: str) -> None:
    """Progress nobody looks at."""


@dataclass
class World:
    """A fleet without servers on real nodes, and the console of the platform."""

    bed: beds.Bed
    platform: Platform
    engines: list[Engine] = field(default_factory=list)
    counter: Iterator[int] = field(default_factory=itertools.count)

    @property
    def nodes(self) -> list[str]:
        return sorted(self.bed.nodes)

    def fleet(self, *servers: Server, name: str = FLEET, limits: Limits = LIMITS, **nodes: Node) -> Fleet:
        """The fleet that declares these servers; ``node1=Node(...)`` replaces or adds a node."""
        return Fleet(
            name,
            self.bed.engine,
            {**self.bed.nodes, **nodes},
            {server.name: server for server in servers},
            templates={template.name: template for template in (TINY, HEAVY)},
            networks={self.bed.network.name: self.bed.network},
            limits=limits,
        )

    def engine(self, fleet: Fleet | None = None, pki: str = "") -> Engine:
        """A connection of its own; closed after the test."""
        engine = connect(fleet or self.fleet(), pki or self.bed.pki)
        self.engines.append(engine)
        return engine

    def server(self, name: str = "a", *, legs: int = 1, template: Template = TINY, size: Size | None = None) -> Server:
        """A small server on the test network."""
        addresses = [self.bed.addresses[next(self.counter) % len(self.bed.addresses)] for _again in range(legs)]
        return Server(
            f"{FLEET}-{name}",
            size or Size(1, 64, 100),
            template.name,
            pool=self.bed.pool,
            interfaces=tuple(Interface(self.bed.network.name, address) for address in addresses),
        )

    def needs(self, what: str) -> None:
        """Skip the test where the platform has no such thing."""
        if what in self.platform.lacks:
            pytest.skip(self.platform.lacks[what])

    def behind(self, node: str, port: int) -> Node:
        """The same node, reached through a port of this machine."""
        return replace(self.bed.nodes[node], address="127.0.0.1", port=port)


def seen(observed: Observed, name: str) -> ObservedServer | None:
    """The one guest of that name, anywhere."""
    found = [server for server in observed.servers if server.name == name]
    assert len(found) < 2, found
    return found[0] if found else None


def lock_record(purpose: str = "test") -> LockRecord:
    """A run like any other."""
    now = time.time()
    return LockRecord(uuid.uuid4().hex, "tester@here", purpose, "machine", os.getpid(), now, now)


@pytest.fixture(scope="session", params=[pytest.param("incus", marks=pytest.mark.lab), "proxmox"])
def console(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[beds.Bed, Platform]]:
    """Every platform, one after the other, with the suite's templates on it."""
    if request.param == "proxmox":
        with proxmox_platform.running(tmp_path_factory.mktemp("pki")) as (bed, platform):
            _prepare(bed, platform, b"", b"")
            yield bed, platform
        return
    bed = beds.find()
    if bed is None:
        pytest.skip("no servers: start a lab (playbooks lab and site), or set SWITCHYARD_ENGINE_NODES")
    incus = Incus(bed)
    incus.clean(images=True)
    _prepare(bed, incus, images.tiny(TINY.name, TINY.version), images.heavy(HEAVY.name, HEAVY.version, 900))
    yield bed, incus
    incus.clean(images=True)


def _prepare(bed: beds.Bed, platform: Platform, tiny: bytes, heavy: bytes) -> None:
    for node in bed.nodes:
        platform.image(node, TINY, tiny)
    platform.image(sorted(bed.nodes)[0], HEAVY, heavy)


@pytest.fixture
def world(console: tuple[beds.Bed, Platform]) -> Iterator[World]:
    bed, platform = console
    world = World(bed, platform)
    yield world
    for engine in world.engines:
        engine.close()
    platform.clean()


@pytest.fixture
def engine(world: World) -> Engine:
    return world.engine()
