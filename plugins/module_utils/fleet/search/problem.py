# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The question a planner is asked, in numbers: servers, nodes and resources by index.

Nothing here changes while a plan is made; ``state`` holds what does. Index order is the inventory's for
nodes and by name for servers, so equal input gives equal numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..census import take_census
from ..fit import standing
from ..layout import Bond, Layout, ours
from ..model import Fleet, Node, Observed, ObservedServer, Scope, Server, Size

CORES, MEMORY, IO = 0, 1, 2
"""Columns of every vector; from ``DISKS`` on there is one column per storage pool."""
DISKS = 3

Vector = tuple[float, ...]

SCOPES: tuple[Scope, ...] = ("node", "failure_domain", "site")


@dataclass(frozen=True, slots=True)
class Loss:
    """A failure to live through: the nodes that die together."""

    name: str
    over: Scope
    nodes: frozenset[int]


@dataclass(frozen=True, slots=True)
class Problem:
    """Who there is and what holds for them. ``[i]`` is a server, ``[j]`` a node."""

    fleet: Fleet
    observed: Observed
    nodes: tuple[str, ...]
    servers: tuple[str, ...]
    """Every server of ours whose one right copy is known, declared in the inventory, on a node of it."""
    columns: tuple[str, ...]
    """``cores``, ``memory``, ``io``, then a pool's name each."""
    limit: tuple[Vector, ...]
    """[j] What may be promised; infinite where nobody set a limit."""
    base: tuple[Vector, ...]
    """[j] What is taken there by whoever is not one of ``servers``: strangers, orphans, others' replicas."""
    demand: tuple[Vector, ...]
    """[i] What a server takes where it is, and where it goes."""
    weight: tuple[Vector, ...]
    """[i] What it counts for balance: declared, measured, or a mix of both."""
    disk: tuple[int, ...]
    """[i] The column of its pool."""
    start: tuple[int, ...]
    """[i] The node it is on."""
    backup: tuple[int, ...]
    """[i] The node it would be started on if its own died; -1: none is known yet, or it does not fail over."""
    failing_over: tuple[bool, ...]
    """[i] It has to run again after its node's death."""
    replicated: tuple[bool, ...]
    """[i] Its disk takes room on its backup as well."""
    stuck: tuple[str, ...]
    """[i] Why it cannot be moved at all; empty: it can."""
    closed: tuple[str, ...]
    """[j] Why the node takes nobody new; empty: it does."""
    allowed: tuple[frozenset[int] | None, ...]
    """[i] Where pins, sites, devices and dedicated nodes let it be; ``None``: anywhere."""
    solitary: tuple[bool, ...]
    """[i] It wants its node to itself."""
    others: tuple[int, ...]
    """[j] Running guests there that are none of ``servers``."""
    bonds: tuple[tuple[Bond, ...], ...]
    """[i] Its part in every rule that names it."""
    domains: Mapping[Scope, tuple[int, ...]]
    """Scope -> [j] the number of the node's domain."""
    units: tuple[tuple[int, ...], ...]
    """[i] The servers that can only move together with it, itself among them, by hard affinity over nodes."""
    losses: tuple[Loss, ...]
    """Every node by itself, at its own index; then every failure domain of more than one node."""
    losses_of: tuple[tuple[int, ...], ...]
    """[j] The losses in which the node dies."""
    node_index: Mapping[str, int]
    server_index: Mapping[str, int]

    def server(self, i: int) -> Server:
        """The declaration of a server."""
        return self.fleet.servers[self.servers[i]]

    def node(self, j: int) -> Node:
        """The declaration of a node."""
        return self.fleet.nodes[self.nodes[j]]


def formulate(fleet: Fleet, observed: Observed, measured: float = 0.0) -> Problem:
    """Put a fleet and what was observed of it into numbers.

    ``measured`` from 0 to 1: how much of what balance counts is measured use instead of declared size.
    A server nobody measured counts as declared.
    """
    census = take_census(fleet, observed)
    layout = Layout(fleet, observed)
    nodes = tuple(fleet.nodes)
    node_index = {name: j for j, name in enumerate(nodes)}
    servers = tuple(
        name for name, guest in sorted(census.primaries.items()) if name in fleet.servers and guest.node in node_index
    )
    pools = sorted({pool for load in layout.loads.values() for pool in (*load.limit.pools, *load.pools)})
    columns = ("cores", "memory", "io", *pools)
    guests = [census.primaries[name] for name in servers]
    replicas = _replicas(fleet, observed, frozenset(servers), node_index)
    closed = tuple(standing(node, observed) for node in fleet.nodes.values())
    demand = tuple(_vector(*layout.size_of(name), columns) for name in servers)
    losses, losses_of = _losses(fleet, nodes)
    return Problem(
        fleet=fleet,
        observed=observed,
        nodes=nodes,
        servers=servers,
        columns=columns,
        limit=tuple(_limit(layout, name, columns) for name in nodes),
        base=_base(layout, nodes, columns, guests=guests, demand=demand, replicas=replicas),
        demand=demand,
        weight=tuple(_weight(guest, own, measured) for guest, own in zip(guests, demand, strict=True)),
        disk=tuple(columns.index(layout.size_of(name)[1], DISKS) for name in servers),
        start=tuple(node_index[guest.node] for guest in guests),
        backup=tuple(_backup(fleet, guest, replicas, node_index) for guest in guests),
        failing_over=tuple(_fails_over(fleet.servers[name]) for name in servers),
        replicated=tuple(fleet.servers[name].replication.mode != "none" for name in servers),
        stuck=tuple(_stuck(guest, observed) for guest in guests),
        closed=closed,
        allowed=_allowed(fleet, servers),
        solitary=tuple(fleet.servers[name].dedicated for name in servers),
        others=_others(layout, nodes, frozenset(servers)),
        bonds=tuple(tuple(layout.bonds(name)) for name in servers),
        domains={over: _domains(layout, nodes, over) for over in SCOPES},
        units=_units(layout, servers),
        losses=losses,
        losses_of=losses_of,
        node_index=node_index,
        server_index={name: i for i, name in enumerate(servers)},
    )


# ---------------------------------------------------------------- numbers


def _vector(size: Size, pool: str, columns: Sequence[str]) -> Vector:
    disks = [0.0] * (len(columns) - DISKS)
    disks[columns.index(pool, DISKS) - DISKS] = float(size.disk)
    return (float(size.cores), float(size.memory), float(size.io), *disks)


def _limit(layout: Layout, node: str, columns: Sequence[str]) -> Vector:
    limit = layout.loads[node].limit
    io = float(limit.io) if limit.io >= 0 else math.inf
    return (limit.cores, float(limit.memory), io, *(float(limit.pools.get(pool, 0)) for pool in columns[DISKS:]))


def _base(
    layout: Layout,
    nodes: Sequence[str],
    columns: Sequence[str],
    *,
    guests: Sequence[ObservedServer],
    demand: Sequence[Vector],
    replicas: Mapping[str, ObservedServer],
) -> tuple[Vector, ...]:
    """Everything the layout counts, less the servers and those replicas that ``State`` counts itself."""
    rest: dict[str, list[float]] = {}
    for name in nodes:
        load = layout.loads[name]
        rest[name] = [
            load.cores,
            float(load.memory),
            float(load.io),
            *(float(load.pools.get(pool, 0)) for pool in columns[DISKS:]),
        ]
    for guest, own in zip(guests, demand, strict=True):
        rest[guest.node] = [a - b for a, b in zip(rest[guest.node], own, strict=True)]
        replica = replicas.get(guest.name)
        if replica is not None:
            rest[replica.node][columns.index(replica.pool, DISKS)] -= replica.size.disk
    return tuple(tuple(0.0 if abs(value) < 1e-9 else value for value in rest[name]) for name in nodes)


def _weight(guest: ObservedServer, declared: Vector, measured: float) -> Vector:
    if guest.use is None or not measured:
        return declared
    used = (guest.use.cores, float(guest.use.memory), *declared[IO:])
    return tuple(measured * now + (1 - measured) * promised for now, promised in zip(used, declared, strict=True))


# ---------------------------------------------------------------- who may be where


def _stuck(guest: ObservedServer, observed: Observed) -> str:
    seen = observed.nodes.get(guest.node)
    if guest.state == "unknown" or seen is None or seen.reach != "online":
        return f"is on {guest.node}, which does not answer"
    return ""


def _allowed(fleet: Fleet, servers: Sequence[str]) -> tuple[frozenset[int] | None, ...]:
    """By everything that does not depend on who else is where. Witnesses carry nobody."""
    nodes = tuple(fleet.nodes.values())
    claimed = [j for j, node in enumerate(nodes) if node.dedicated]
    plain = not claimed and not any(node.witness for node in nodes)
    known: dict[tuple[str, str, frozenset[str]], frozenset[int]] = {}
    found: list[frozenset[int] | None] = []
    for name in servers:
        server = fleet.servers[name]
        if plain and not (server.node or server.site or server.devices):
            found.append(None)
            continue
        wishes = (server.node, server.site, server.devices)
        if wishes not in known:
            known[wishes] = frozenset(j for j, node in enumerate(nodes) if admits(node, server))
        found.append(known[wishes] - {j for j in claimed if name not in nodes[j].dedicated})
    return tuple(found)


def admits(node: Node, server: Server) -> bool:
    """Whether a server's own declaration lets it be on a node: pin, site, devices. Witnesses carry nobody."""
    return (
        not node.witness
        and server.node in ("", node.name)
        and server.site in ("", node.site)
        and server.devices <= node.devices
    )


def _others(layout: Layout, nodes: Sequence[str], servers: frozenset[str]) -> tuple[int, ...]:
    count = dict(layout.strangers)
    for name, node in layout.where.items():
        if name not in servers:
            count[node] += 1
    return tuple(count[name] for name in nodes)


def _domains(layout: Layout, nodes: Sequence[str], over: Scope) -> tuple[int, ...]:
    names = [layout.domain(name, over) for name in nodes]
    number = {name: at for at, name in enumerate(dict.fromkeys(names))}
    return tuple(number[name] for name in names)


def _units(layout: Layout, servers: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Servers tied to each other, directly or through others."""
    index = {name: i for i, name in enumerate(servers)}
    leader = list(range(len(servers)))

    def find(i: int) -> int:
        while leader[i] != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    for rule in layout.fleet.rules:
        if rule.kind == "together" and rule.hard and rule.over == "node" and rule.subjects and rule.others:
            tied = sorted(index[name] for name in rule.subjects | rule.others if name in index)
            for other in tied[1:]:
                first, second = sorted((find(tied[0]), find(other)))
                leader[second] = first
    members: dict[int, list[int]] = {}
    for i in range(len(servers)):
        members.setdefault(find(i), []).append(i)
    return tuple(tuple(members[find(i)]) for i in range(len(servers)))


# ---------------------------------------------------------------- failures


def _fails_over(server: Server) -> bool:
    return server.failover.mode != "off" and server.failover.action == "relocate" and server.state == "running"


def _replicas(
    fleet: Fleet, observed: Observed, servers: frozenset[str], node_index: Mapping[str, int]
) -> dict[str, ObservedServer]:
    """Each server's newest replica on a node of the fleet."""
    newest: dict[str, ObservedServer] = {}
    for guest in observed.servers:
        if ours(fleet, guest) and guest.role == "replica" and guest.name in servers and guest.node in node_index:
            if guest.moving or fleet.servers[guest.name].replication.mode == "none":
                continue
            known = newest.get(guest.name)
            if known is None or guest.generation > known.generation:
                newest[guest.name] = guest
    return newest


def _backup(
    fleet: Fleet, guest: ObservedServer, replicas: Mapping[str, ObservedServer], node_index: Mapping[str, int]
) -> int:
    server = fleet.servers[guest.name]
    if guest.name in replicas:
        return node_index[replicas[guest.name].node]
    if not _fails_over(server) and server.replication.mode == "none":
        return -1
    return node_index.get(fleet.nodes[guest.node].backup, -1)


def _losses(fleet: Fleet, nodes: Sequence[str]) -> tuple[tuple[Loss, ...], tuple[tuple[int, ...], ...]]:
    losses = [Loss(name, "node", frozenset({j})) for j, name in enumerate(nodes)]
    by_domain: dict[str, list[int]] = {}
    for j, name in enumerate(nodes):
        by_domain.setdefault(fleet.nodes[name].domain, []).append(j)
    losses += [
        Loss(domain, "failure_domain", frozenset(members)) for domain, members in by_domain.items() if len(members) > 1
    ]
    return tuple(losses), tuple(
        tuple(number for number, loss in enumerate(losses) if j in loss.nodes) for j in range(len(nodes))
    )
