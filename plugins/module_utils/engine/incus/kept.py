# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of servers together with what the nodes' agents tell of themselves: what keeps them alive, and how far
that has come. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ...fleet.model import Abilities, Copying, Fleet, ObservedServer, Protection, Server
from . import protect_activate
from .activation import Peer
from .agent_report import Report
from .safekeeping import FAILOVER, LEAP, outdated, pair, replicas

Marks = Mapping[tuple[str, str], Mapping[str, str]]
"""(server, node) -> the configuration of that copy, where it is ours."""

_INTERVAL = 10
"""Seconds between two refreshes, at least: the agents look every few."""
_DETECTION = 5.0
"""Seconds until a dead node is known to be dead, and fenced."""


@dataclass(frozen=True, slots=True)
class Agents:
    """What the agents of the nodes that answer do, by node."""

    reports: Mapping[str, Report]
    carriers: frozenset[str]
    """Nodes that answer and may carry servers."""
    books: Mapping[str, Mapping[str, Peer]] = field(default_factory=dict)
    """Node -> server -> the peer it is to call when the server's node dies."""

    def abilities(self, plain: Abilities) -> Abilities:
        """What the engine can do where these agents are; a node without one makes it a promise that cannot be kept."""
        if not self.carriers:
            return plain
        of = [self.reports.get(node, Report()) for node in sorted(self.carriers)]
        protects = all(report.protects for report in of)
        return replace(
            plain,
            replicates=all(report.replicates for report in of),
            # Which of two copies has every write, only a cluster knows.
            synchronous=protects and all(report.in_step for report in of),
            shortest_interval=_INTERVAL,
            protects=protects,
            activates=protects,
            detection=_DETECTION if protects else 0.0,
        )

    def waits_for(self, nodes: tuple[str, str]) -> str:
        """What protection by a pair of nodes waits for; empty: the cluster looks after them."""
        known = {pair for report in self.reports.values() for pair in report.pairs}
        if {nodes, nodes[::-1]} <= known:
            return ""
        return f"the cluster is about to take up the pair {nodes[0]} {nodes[1]}"

    def trouble(self, name: str, node: str) -> str:
        """What the agent of its node has to say of a server."""
        report = self.reports.get(node, Report())
        return report.servers.get(name, "") or report.trouble


def kept(
    fleet: Fleet, servers: Iterable[ObservedServer], marks: Marks, agents: Agents, abilities: Abilities
) -> list[ObservedServer]:
    """The servers seen, with what is known of their safekeeping; and replicas that are only marked so far."""
    seen = list(servers)
    right = _right(fleet, seen)
    found = [_looked_at(fleet, server, right.get(server.name), marks, agents, abilities) for server in seen]
    places = {(server.name, server.node) for server in seen}
    for name, server in right.items():
        for node in replicas(marks.get((name, server.node), {})):
            if node in agents.carriers and (name, node) not in places:
                found.append(_missing(server, node))
    return found


def _right(fleet: Fleet, servers: Iterable[ObservedServer]) -> dict[str, ObservedServer]:
    """Server -> its primary of the highest generation."""
    found: dict[str, ObservedServer] = {}
    for server in servers:
        if server.fleet == fleet.name and server.role == "primary":
            best = found.get(server.name)
            if best is None or best.generation < server.generation:
                found[server.name] = server
    return found


def _looked_at(  # noqa: PLR0917 - all there is to know of one copy
    fleet: Fleet,
    server: ObservedServer,
    right: ObservedServer | None,
    marks: Marks,
    agents: Agents,
    abilities: Abilities,
) -> ObservedServer:
    if server.fleet != fleet.name:
        return server
    if server.role == "primary":
        if right is not None and right.generation // LEAP > server.generation // LEAP:
            # What it holds, nobody else may have: it ran until its node died, the other was promoted because of that.
            return replace(server, diverged=True, protection=None)
        if server.state == "unknown":
            return replace(server, protection=_lost(server, marks))
        if server.protection is None:
            return server
        waits = agents.waits_for((server.protection.nodes[0], server.protection.nodes[1])) if abilities.protects else ""
        trouble = agents.trouble(server.name, server.node)
        strict = not _misinformed(fleet, server, agents)
        return replace(server, protection=replace(server.protection, strict=strict, waits=waits, trouble=trouble))
    declared = fleet.servers.get(server.name)
    if server.copying is None or declared is None or right is None:
        return server
    known = marks.get((right.name, right.node), {})
    if FAILOVER in known:
        return replace(server, copying=replace(server.copying, outdated=outdated(known, _addressed(declared, right))))
    return server


def _addressed(declared: Server, seen: ObservedServer) -> Server:
    """A declared server with the addresses it was given where it declares none."""
    given = dict(enumerate(seen.interfaces))
    legs = tuple(
        given[index] if not leg.address and index in given and given[index].network == leg.network else leg
        for index, leg in enumerate(declared.interfaces)
    )
    return replace(declared, interfaces=legs)


def _misinformed(fleet: Fleet, server: ObservedServer, agents: Agents) -> bool:
    """Whether the node that is to call a server's peer knows of none, or of another one than is declared."""
    declared = fleet.servers.get(server.name)
    if declared is None or not protect_activate.wanted(declared) or server.protection is None:
        return False
    book = agents.books.get(server.protection.nodes[1])
    return book is not None and not protect_activate.known(book, declared, server.node)


def _lost(server: ObservedServer, marks: Marks) -> Protection | None:
    """Of a server whose node does not answer: what its replica's label promises."""
    for (name, node), config in marks.items():
        label = pair(config)
        if name == server.name and label == (server.node, node):
            waits = f"{server.node} does not answer; the cluster starts it on {node} once it is certainly dead"
            return Protection(nodes=label, strict=True, keeps="running", waits=waits)
    return None


def _missing(server: ObservedServer, node: str) -> ObservedServer:
    """A replica that is marked and not there: not made yet, or not quite given up."""
    return replace(
        server,
        node=node,
        state="stopped",
        role="replica",
        use=None,
        moving="",
        home="",
        copying=Copying(),
        protection=None,
    )
