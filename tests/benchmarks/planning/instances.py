# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded fleets, piled up on part of their nodes, as the planner and its peers are measured on.

Sixty percent of the nodes are 80 to 92 % full of memory, the rest 5 to 25 %; nodes are one, one and a half or two
units big; a fifth of the servers are in anti-affinity groups of 2 to 4; 3 % are pinned. ``tight`` is ten equal nodes,
nine of them 96 % full and one half full. A full node promises about two virtual cores per core.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Abilities,
    Capacity,
    Class,
    Factors,
    Failover,
    Fleet,
    Node,
    Observed,
    ObservedNode,
    ObservedServer,
    Replication,
    Rule,
    Server,
    Size,
    Template,
)

Storage = Literal["external", "local", "replicas"]
"""``external``: every node reaches the disks; ``local``: a move copies the disk; ``replicas``: local, and each
server's disk is also on a backup node."""

FLEET = "bench"
TEMPLATE = Template("bench", kind="vm")
SHARED, LOCAL = "shared", "default"
SHARED_MIB = 1 << 40
"""External storage is as good as endless: it is not what is being balanced."""
OVERCOMMIT = Factors(cores=4.0)
"""What hbal allows where no policy says otherwise."""


def _classes(*rows: tuple[str, int, int, int, float]) -> tuple[tuple[Class, float], ...]:
    return tuple((Class(name, Size(cores, memory, disk)), share) for name, cores, memory, disk, share in rows)


CLASSES = _classes(
    ("sip", 2, 1024, 8192, 0.20),
    ("pbx_small", 1, 1024, 10240, 0.35),
    ("pbx_medium", 2, 2048, 20480, 0.21),
    ("pbx_large", 4, 4096, 40960, 0.10),
    ("web", 4, 6144, 30720, 0.04),
    ("db", 4, 8192, 81920, 0.04),
    ("db_large", 10, 16384, 163840, 0.04),
    ("log", 12, 20480, 262144, 0.02),
)
"""Name, cores, memory, disk, and how much of the fleet is of it. A few are large, as on real fleets."""
TIGHT_CLASSES = _classes(
    ("media", 8, 8192, 10240, 0.3),
    ("db", 2, 8192, 81920, 0.7),
)
"""All take the same memory, which is more than a full node has left, and what wants most cores is on one half of the
nodes: once the free node is full no single move leads anywhere, and two servers must change places."""
HUNGRY = 8
"""Cores from which on a server of ``tight`` is on that half."""
CORES_PER_MIB = 0.375 / 1024
DISK_FILLED = 0.35
"""Share of all local disk that the servers take, without replicas."""
GROUPED, PINNED = 0.20, 0.03


@dataclass(frozen=True, slots=True)
class Shape:
    """How many nodes and servers, and how full which nodes are."""

    nodes: int
    servers: int
    tight: bool = False


SHAPES = {
    "10x200": Shape(10, 200),
    "40x1000": Shape(40, 1000),
    "80x4000": Shape(80, 4000),
    "256x10000": Shape(256, 10000),
    "tight": Shape(10, 200, tight=True),
}


def instance(shape: Shape, seed: int = 1, storage: Storage = "external") -> tuple[Fleet, Observed]:
    """A fleet and where it runs. The same arguments give the same fleet; the storage changes no placement."""
    draw = random.Random(f"{shape} {seed}")
    classes = TIGHT_CLASSES if shape.tight else CLASSES
    servers = _servers(draw, classes, shape.servers, storage)
    factors = [1.0] * shape.nodes if shape.tight else [draw.choice((1.0, 1.5, 2.0)) for _node in range(shape.nodes)]
    fills = _fills(draw, shape)
    nodes = _nodes(servers, factors, fills)
    rules = _groups(draw, servers)
    hungry = nodes[::2] if shape.tight else nodes
    fill = {node.name: share for node, share in zip(nodes, fills, strict=True)}
    where = _pile_up(draw, servers, nodes, hungry, fills=fill, rules=rules)
    pinned = draw.sample(range(len(servers)), round(PINNED * len(servers)))
    for number in pinned:
        servers[number] = replace(servers[number], node=where[servers[number].name])
    guests = [_guest(server, where[server.name]) for server in servers]
    if storage == "replicas":
        guests += _replicas(servers, nodes, where)
    return (
        Fleet(
            name=FLEET,
            engine="proxmox",
            # One move at a time on a node, as in hbal's job sets.
            nodes={node.name: Node(node.name, "", overcommit=OVERCOMMIT, concurrency=1) for node in nodes},
            servers={server.name: server for server in servers},
            templates={TEMPLATE.name: TEMPLATE},
            classes={kind.name: kind for kind, _share in classes},
            rules=rules,
        ),
        Observed({node.name: node for node in nodes}, tuple(guests), abilities=abilities(storage)),
    )


def abilities(storage: Storage) -> Abilities:
    """Virtual machines move while they run where the storage lets them."""
    if storage == "external":
        return Abilities(live=frozenset({"vm"}), shared_pools=frozenset({SHARED}))
    return Abilities()


def _servers(draw: random.Random, classes: Sequence[tuple[Class, float]], count: int, storage: Storage) -> list[Server]:
    kinds = draw.choices([kind for kind, _share in classes], [share for _kind, share in classes], k=count)
    width = len(str(count))
    return [
        Server(
            name=f"vs{number:0{width}}",
            size=kind.size,
            template=TEMPLATE.name,
            class_name=kind.name,
            pool=SHARED if storage == "external" else LOCAL,
            # Without a copy elsewhere a disk is lost with its node, and nothing can be failed over.
            failover=Failover("off" if storage == "local" else "auto"),
            replication=Replication("interval", 300) if storage == "replicas" else Replication(),
        )
        for number, kind in enumerate(kinds, start=1)
    ]


def _fills(draw: random.Random, shape: Shape) -> list[float]:
    """How full of memory each node is."""
    if shape.tight:
        return [0.96] * (shape.nodes - 1) + [0.5]
    full = round(0.6 * shape.nodes)
    fills = [draw.uniform(0.80, 0.92) if number < full else draw.uniform(0.05, 0.25) for number in range(shape.nodes)]
    draw.shuffle(fills)
    return fills


def _nodes(servers: Sequence[Server], factors: Sequence[float], fills: Sequence[float]) -> list[ObservedNode]:
    """Nodes just big enough that their servers fill them so."""
    wanted = sum(server.size.memory for server in servers)
    unit = math.ceil(wanted / sum(factor * fill for factor, fill in zip(factors, fills, strict=True)) / 2048) * 2048
    disk = sum(server.size.disk for server in servers) / DISK_FILLED / sum(factors)
    width = len(str(len(factors)))
    return [
        ObservedNode(
            name=f"node{number:0{width}}",
            reach="online",
            capacity=Capacity(
                cores=float(round(unit * factor * CORES_PER_MIB)),
                memory=int(unit * factor),
                pools={SHARED: SHARED_MIB, LOCAL: int(disk * factor)},
            ),
            templates=frozenset({(TEMPLATE.name, TEMPLATE.version)}),
        )
        for number, factor in enumerate(factors, start=1)
    ]


def _groups(draw: random.Random, servers: Sequence[Server]) -> tuple[Rule, ...]:
    """A fifth of the servers in groups of 2 to 4 that no node may carry two of."""
    names = [server.name for server in servers]
    draw.shuffle(names)
    left = names[: round(GROUPED * len(names))]
    rules = []
    while len(left) > 1:
        size = min(len(left), draw.randint(2, 4))
        # Nobody is left over alone.
        size += 0 if len(left) - size != 1 else 1 if size < 4 else -1
        group, left = frozenset(left[:size]), left[size:]
        rules.append(Rule("apart", group, group, label=f"group{len(rules) + 1}"))
    return tuple(rules)


def _pile_up(
    draw: random.Random,
    servers: Iterable[Server],
    nodes: Sequence[ObservedNode],
    hungry: Sequence[ObservedNode],
    *,
    fills: dict[str, float],
    rules: Iterable[Rule],
) -> dict[str, str]:
    """Put the servers where the nodes reach their fill, large ones first, so that the small ones even it out.

    Those that want many cores go to the ``hungry`` nodes while there is room.
    """
    lacking = {node.name: node.capacity.memory * fills[node.name] for node in nodes}
    free = {node.name: node.capacity.memory for node in nodes}
    at_home = {node.name for node in hungry}
    barred = {name: rule.subjects for rule in rules for name in rule.subjects}
    taken: dict[str, set[str]] = {name: set() for name in lacking}
    where = {}
    for server in sorted(
        servers, key=lambda server: (-server.size.memory, server.name not in barred, -server.size.cores)
    ):
        apart = barred.get(server.name, frozenset())
        able = [name for name in lacking if free[name] >= server.size.memory and not apart & taken[name]]
        roomy = [name for name in able if lacking[name] >= server.size.memory]
        if server.size.cores >= HUNGRY:
            roomy = [name for name in roomy if name in at_home] or roomy
        if roomy:
            chosen = draw.choices(roomy, [lacking[name] for name in roomy])[0]
        else:
            chosen = max(able, key=lambda name: lacking[name])
        where[server.name] = chosen
        lacking[chosen] -= server.size.memory
        free[chosen] -= server.size.memory
        taken[chosen].add(server.name)
    return where


def _replicas(servers: Iterable[Server], nodes: Sequence[ObservedNode], where: dict[str, str]) -> list[ObservedServer]:
    """A copy of each server on the node with most room once the server's own node were dead."""
    memory = {node.name: float(node.capacity.memory) for node in nodes}
    disk = {node.name: float(node.capacity.pools[LOCAL]) for node in nodes}
    for server in servers:
        memory[where[server.name]] -= server.size.memory
        disk[where[server.name]] -= server.size.disk
    called: dict[tuple[str, str], float] = {}
    found = []
    for server in servers:
        home = where[server.name]
        able = [node.name for node in nodes if node.name != home and disk[node.name] >= server.size.disk]
        backup = max(able, key=lambda name: memory[name] - called.get((home, name), 0.0))
        called[home, backup] = called.get((home, backup), 0.0) + server.size.memory
        disk[backup] -= server.size.disk
        found.append(replace(_guest(server, backup), role="replica", state="stopped"))
    return found


def _guest(server: Server, node: str) -> ObservedServer:
    return ObservedServer(
        name=server.name,
        node=node,
        state="running",
        size=server.size,
        pool=server.pool,
        fleet=FLEET,
        class_name=server.class_name,
        template=server.template,
        template_version=TEMPLATE.version,
    )
