# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets in a few words, for tests of the planner."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Abilities,
    Capacity,
    Factors,
    Fleet,
    Interface,
    Network,
    Node,
    Observed,
    ObservedNode,
    ObservedServer,
    Rule,
    Server,
    Size,
    Template,
)

SMALL = Size(cores=1, memory=1024, disk=1024)
ONCE = Factors(cores=1.0)


def node(name: str, **facts: Any) -> Node:
    """A node whose cores may be promised once, unless told otherwise."""
    return Node(**{"name": name, "address": f"10.0.0.{abs(hash(name)) % 200 + 1}", "overcommit": ONCE, **facts})


def server(name: str, **facts: Any) -> Server:
    """A small server with an address."""
    legs = (Interface("lan", f"10.1.0.{sum(map(ord, name)) % 250 + 1}"),)
    return Server(**{"name": name, "size": SMALL, "template": "tiny", "interfaces": legs, **facts})


def fleet(nodes: Iterable[Node], servers: Iterable[Server], rules: Iterable[Rule] = (), **facts: Any) -> Fleet:
    """A fleet with one network and the template tiny."""
    return Fleet(
        **{
            "name": "test",
            "engine": "incus",
            "nodes": {item.name: item for item in nodes},
            "servers": {item.name: item for item in servers},
            "templates": {"tiny": Template("tiny"), "debian": Template("debian")},
            "networks": {"lan": Network("lan", "10.1.0.0/16")},
            "rules": tuple(rules),
            **facts,
        }
    )


def seen(name: str, *, cores: float = 8, memory: int = 8192, disk: int = 8192, **facts: Any) -> ObservedNode:
    """A node that answers, of eight small servers' size, with the template tiny."""
    capacity = Capacity(cores=cores, memory=memory, pools={"default": disk})
    base = ObservedNode(name=name, reach="online", capacity=capacity, templates=frozenset({("tiny", "1")}))
    return replace(base, **facts)


def silent(name: str) -> ObservedNode:
    """A node that does not answer."""
    return ObservedNode(name=name, reach="offline", error="timed out")


def guest(of: Server, on: str, **facts: Any) -> ObservedServer:
    """A declared server as it runs on a node."""
    base = ObservedServer(
        name=of.name,
        node=on,
        state="running",
        size=of.size,
        pool=of.pool,
        fleet="test",
        interfaces=of.interfaces,
        class_name=of.class_name,
        template=of.template,
        tenant=of.tenant,
    )
    return replace(base, **facts)


def stranger(name: str, on: str, size: Size = SMALL, **facts: Any) -> ObservedServer:
    """A guest that is not ours."""
    return replace(ObservedServer(name=name, node=on, state="running", size=size), **facts)


def observed(nodes: Iterable[ObservedNode], guests: Iterable[ObservedServer] = (), **facts: Any) -> Observed:
    """What is there."""
    return Observed(nodes={item.name: item for item in nodes}, servers=tuple(guests), **facts)


def apart(*names: str, **facts: Any) -> Rule:
    """Anti-affinity among all of these."""
    return Rule(**{"kind": "apart", "subjects": frozenset(names), "others": frozenset(names), **facts})


def together(*names: str, **facts: Any) -> Rule:
    """Affinity among all of these."""
    return Rule(**{"kind": "together", "subjects": frozenset(names), "others": frozenset(names), **facts})


def per_node(placement: Mapping[str, str]) -> dict[str, list[str]]:
    """Node -> its servers."""
    found: dict[str, list[str]] = {}
    for name, where in sorted(placement.items()):
        found.setdefault(where, []).append(name)
    return found


def crowded(seed: int) -> tuple[Fleet, Observed]:
    """Nine nodes all but full and one half full, all of which reach every disk; what is big has cores, and is on every
    other node."""
    chance, names = random.Random(seed), [f"n{number}" for number in range(10)]
    servers, guests = [], []
    for number, name in enumerate(names):
        big = 0 if number % 2 or number == len(names) - 1 else chance.randint(8, 14)
        for count in range(11 if number == len(names) - 1 else 21):
            item = server(f"{name}x{count}", size=Size(8 if count < big else 2, 8192, 1024))
            servers.append(item)
            guests.append(guest(item, name))
    places = [seen(name, cores=66, memory=22 * 8192, disk=65536) for name in names]
    limits = [node(name, overcommit=Factors(cores=4.0)) for name in names]
    shared = Abilities(shared_pools=frozenset({"default"}))
    return fleet(limits, servers), observed(places, guests, abilities=shared)
