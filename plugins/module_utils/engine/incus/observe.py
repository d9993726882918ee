# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything on every node, in a number of requests that does not depend on the number of guests."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from ...fleet.model import Abilities, Fleet, Observed, ObservedNode, ObservedServer, Size, Use
from ..base import Refused, Untrusted
from . import activation, agent_report, ledger, maintenance, measure, recognise
from .activation import Peer
from .client import ROLE_HINT, Client
from .guest import MARK
from .kept import Agents, kept
from .several import ask_all

_ATTEMPT = "observe"
_BETWEEN = 1.0
"""Seconds between two looks at the CPU time of guests."""
_ALL = "/1.0/instances?all-projects=true&recursion="

ABILITIES = Abilities(copy_rate=80.0, restart=2.5, start=0.5, refresh=0.5, promotes=True)
"""What it can do where no agents are on the nodes. Containers do not move while they run: CRIU fails on many a guest,
and Incus then leaves it where it is. Independent servers share no pool. Rates are estimates, for telling plans apart:
disks copied file by file over a network of 1 Gbit/s; a clean shutdown and a start; a last look at what changed in a few
thousand files."""


@dataclass(frozen=True, slots=True)
class _Seen:
    node: ObservedNode
    servers: tuple[ObservedServer, ...]
    ledger: str
    report: agent_report.Report
    marks: dict[str, dict[str, str]]
    """Copy of ours -> its configuration."""
    book: dict[str, Peer]
    """Server -> the peer this node is to call when the server's node dies."""


def observe(fleet: Fleet, clients: Iterable[Client], *, measured: bool = False) -> Observed:
    """All nodes, asked side by side; with ``measured`` what each guest takes. Raises Untrusted if any of them is."""
    answers = ask_all(clients, lambda client: _node(client, fleet, measured=measured))
    for answer in answers.values():
        if isinstance(answer, Untrusted):
            raise answer
    seen = {name: answer for name, answer in answers.items() if isinstance(answer, _Seen)}
    nodes = {
        name: answer.node
        if isinstance(answer, _Seen)
        else ObservedNode(name, "offline", error=answer.answer + (f" ({answer.hint})" if answer.hint else ""))
        for name, answer in answers.items()
    }
    for name in fleet.nodes:
        nodes.setdefault(name, ObservedNode(name, "offline", error="never installed; the site playbook does that"))
    servers = [server for answer in seen.values() for server in answer.servers]
    remembered = ledger.newest(answer.ledger for answer in seen.values())
    servers += _lost(fleet, nodes, servers, remembered)
    servers = [_undecided(server, nodes) for server in servers]
    carriers = frozenset(name for name in seen if name in fleet.nodes and not fleet.nodes[name].witness)
    books = {name: answer.book for name, answer in seen.items()}
    agents = Agents({name: answer.report for name, answer in seen.items()}, carriers, books)
    abilities = agents.abilities(ABILITIES)
    marks = {(name, node): config for node, answer in seen.items() for name, config in answer.marks.items()}
    servers = kept(fleet, servers, marks, agents, abilities)
    return Observed(
        nodes=nodes,
        servers=tuple(sorted(servers, key=lambda server: (server.name, server.node))),
        quorate=2 * len(seen) > len(fleet.nodes),
        abilities=abilities,
        at=time.time(),
    )


def _undecided(server: ObservedServer, nodes: Mapping[str, ObservedNode]) -> ObservedServer:
    """A server that was leaving for a node that does not answer now may run there, or not: nobody may start it."""
    gone = server.moving in nodes and nodes[server.moving].reach == "offline"
    if gone and server.role == "primary" and server.state == "stopped":
        return replace(server, state="unknown")
    return server


def _node(client: Client, fleet: Fleet, *, measured: bool) -> _Seen:
    """One node's account of itself. The first question finds out at the cost of one timeout that it is dead;
    the guests come from its database, so a node whose database hangs is offline as well."""
    server = client.get("/1.0", _ATTEMPT).metadata
    if server.get("auth") != "trusted":
        answer = "the node does not know this controller's certificate"
        raise Untrusted(client.node, _ATTEMPT, answer, ROLE_HINT)
    uses, instances = _measured(client) if measured else ({}, client.get(f"{_ALL}1", _ATTEMPT).metadata or [])
    images = client.get("/1.0/images?recursion=1", _ATTEMPT).metadata or []
    resources = client.get("/1.0/resources", _ATTEMPT).metadata or {}
    pools = {}
    for pool in client.get("/1.0/storage-pools?recursion=1", _ATTEMPT).metadata or []:
        try:
            usage = client.get(f"/1.0/storage-pools/{quote(pool['name'], safe='')}/resources", _ATTEMPT)
        except Refused:
            # A pool that is not there (a disk that failed) takes nothing; the node's others may be well.
            continue
        pools[pool["name"]] = usage.metadata
    account = recognise.Account(server, resources, pools, instances, images)
    config = ledger.config(server)
    report = agent_report.read(config, fleet.name)
    node = replace(
        recognise.node(client.node, account),
        maintenance=maintenance.is_on(config, fleet.name),
        uptime=max(0.0, time.time() - report.since) if report.since else None,
    )
    return _Seen(
        node=node,
        servers=tuple(
            replace(recognise.guest(raw, client.node, fleet, node.capacity.memory), use=uses.get(measure.key(raw)))
            for raw in instances
        ),
        ledger=config.get(ledger.key(fleet.name), ""),
        report=report,
        book=activation.parse(config.get(activation.key(fleet.name), "")),
        marks={
            raw["name"]: raw["config"]
            for raw in instances
            if raw.get("project", "default") == "default" and raw["config"].get(f"{MARK}fleet") == fleet.name
        },
    )


def _measured(client: Client) -> tuple[dict[measure.Key, Use], list[dict[str, Any]]]:
    """What every guest takes, and the guests themselves: two requests, a second apart."""
    began = time.monotonic()
    first = client.get(f"{_ALL}2", _ATTEMPT).metadata or []
    time.sleep(max(0.0, began + _BETWEEN - time.monotonic()))
    again = time.monotonic()
    # Incus looks at one guest after the other, in the same order both times.
    second = client.get(f"{_ALL}2", _ATTEMPT).metadata or []
    return measure.uses(first, second, again - began), second


def _lost(
    fleet: Fleet, nodes: Mapping[str, ObservedNode], seen: Iterable[ObservedServer], remembered: ledger.Ledger
) -> list[ObservedServer]:
    """What the ledger says of nodes that are offline, unless it runs elsewhere by now."""
    elsewhere = {server.name for server in seen if server.fleet == fleet.name and server.role == "primary"}
    found = []
    for name, (places, addresses) in remembered.servers.items():
        silent = [node for node in places if node in nodes and nodes[node].reach == "offline"]
        if name in elsewhere or not silent:
            continue
        # Where it was moving, the node it was leaving is the first: more often right than not.
        node = silent[0]
        lost = ObservedServer(name, node, "unknown", Size(0, 0, 0), fleet=fleet.name, addresses=addresses)
        declared = fleet.servers.get(name)
        if declared:
            # Nobody can ask how big it is. What it should be is the best there is to plan with.
            lost = replace(
                lost,
                size=declared.size,
                pool=declared.pool,
                interfaces=declared.interfaces,
                class_name=declared.class_name,
                template=declared.template,
                tenant=declared.tenant,
            )
        found.append(lost)
    return found
