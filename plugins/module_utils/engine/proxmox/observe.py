# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole cluster, in a number of requests that does not depend on the number of guests."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ...fleet.model import Abilities, Fleet, Observed, ObservedNode, ObservedServer
from ..base import EngineError, Unreachable
from . import archives, jobs, maintenance, recognise, safety
from .client import Client, quorate
from .fresh import freshened
from .recognise import Row
from .safety import Safety
from .templates import holders

_ATTEMPT = "observe"
_WORKERS = 16
_DETECTION = 120.0
"""Seconds until the HA manager, which waits for the dead node's watchdog, starts its guests elsewhere."""


def observe(fleet: Fleet, client: Client, *, measured: bool = False) -> Observed:
    """Four requests, and those of ``safety``; one per node; one per node and storage that may hold templates, and per
    template that is a guest; a few per guest of which the list cannot be believed yet (see ``fresh``).

    Raises Untrusted.
    """
    try:
        status = client.get("/cluster/status", _ATTEMPT)
        rows = client.get("/cluster/resources", _ATTEMPT)
        pools = client.get("/pools", _ATTEMPT)
        version = str(client.get("/version", _ATTEMPT).get("version", ""))
    except Unreachable as error:
        nodes = {name: ObservedNode(name, "offline", error=error.answer) for name in fleet.nodes}
        return Observed(nodes=nodes, servers=(), quorate=False)
    online = _online(status, rows)
    templates = _templates(client, recognise.rows_of(rows, "storage"), online)
    for name, pairs in holders(client, fleet, rows, online).items():
        templates.setdefault(name, set()).update(pairs)
    nodes = _nodes(fleet, rows, online, version, templates)
    for name, there in _bridges(client, sorted(online & set(fleet.nodes))).items():
        nodes[name] = replace(nodes[name], bridges=there)
    for name in maintenance.nodes(pools, fleet.name) & set(nodes):
        nodes[name] = replace(nodes[name], maintenance=True)
    guests = freshened(client, fleet, recognise.rows_of(rows, "lxc", "qemu"), online)
    where = {int(row["vmid"]): str(row.get("node", "")) for row in guests}
    safe = safety.observe(fleet, client, version, where, online)
    known = {
        int(row["vmid"]): _guest(row, fleet, online=str(row.get("node")) in online, measured=measured) for row in guests
    }
    return Observed(
        nodes=nodes,
        servers=tuple(sorted(safe.beside(known), key=lambda server: (server.name, server.node))),
        quorate=quorate(status),
        abilities=_abilities(recognise.rows_of(rows, "storage"), online, safe),
        arrangements=safe.arrangements(known),
        at=time.time(),
    )


def _online(status: Iterable[Row], rows: Iterable[Row]) -> set[str]:
    """Nodes both say to be up: membership is known at once, their own reports stop after a while."""
    members = {str(row["name"]) for row in status if row.get("type") == "node" and row.get("online")}
    reporting = {str(row["node"]) for row in recognise.rows_of(rows, "node") if row.get("status") == "online"}
    return members & reporting


def _nodes(
    fleet: Fleet,
    rows: Iterable[Row],
    online: set[str],
    version: str,
    templates: Mapping[str, set[tuple[str, str]]],
) -> dict[str, ObservedNode]:
    storages = recognise.rows_of(rows, "storage")
    found = {}
    for row in recognise.rows_of(rows, "node"):
        name = str(row["node"])
        if name not in online:
            found[name] = ObservedNode(name, "offline", error="the cluster does not see it")
            continue
        own = [each for each in storages if each.get("node") == name]
        found[name] = recognise.node(row, own, version=version, templates=templates.get(name, ()))
    unknown = f"the cluster has no node of this name; it has {', '.join(sorted(found))}"
    for name in fleet.nodes:
        found.setdefault(name, ObservedNode(name, "offline", error=unknown))
    return found


def _bridges(client: Client, nodes: Sequence[str]) -> dict[str, frozenset[str] | None]:
    """Node -> bridges that a card can be connected to, networks of the cluster's own (SDN) among them."""

    def there(node: str) -> frozenset[str] | None:
        try:
            rows = client.get(f"/nodes/{node}/network", _ATTEMPT, node=node, type="any_bridge")
        except EngineError:
            return None
        # Who may use none is shown none: that does not tell what there is, and the cluster refuses in better words.
        return frozenset(str(row["iface"]) for row in rows) or None

    with ThreadPoolExecutor(_WORKERS) as pool:
        return dict(zip(nodes, pool.map(there, nodes), strict=True))


def _templates(client: Client, storages: Iterable[Row], online: set[str]) -> dict[str, set[tuple[str, str]]]:
    """Node -> (template, version) pairs it can make containers of."""
    places = archives.places(storages, online)

    def content(place: tuple[str, str, tuple[str, ...]]) -> list[dict[str, Any]]:
        node, storage, _seen_by = place
        try:
            path = f"/nodes/{node}/storage/{storage}/content"
            found: list[dict[str, Any]] = client.get(path, _ATTEMPT, node=node, content=archives.CONTENT)
        except EngineError:
            # A storage that does not answer gives nobody a template; its node may be well.
            return []
        return found

    pairs: dict[str, set[tuple[str, str]]] = {}
    with ThreadPoolExecutor(_WORKERS) as pool:
        for (_node, _storage, seen_by), volumes in zip(places, pool.map(content, places), strict=True):
            found = {each for volume in volumes if (each := archives.pair(str(volume["volid"])))}
            for name in seen_by:
                pairs.setdefault(name, set()).update(found)
    return pairs


def _guest(row: Row, fleet: Fleet, *, online: bool, measured: bool) -> ObservedServer:
    found = recognise.guest(row, fleet, online=online, measured=measured)
    declared = fleet.servers.get(found.name)
    if declared and found.fleet == fleet.name and "maxmem" not in row:
        # Nobody has reported how big it is yet. What it should be is the best there is to plan with.
        return replace(found, size=declared.size, state="unknown" if not online else "stopped")
    return found


def _abilities(storages: Iterable[Row], online: set[str], safe: Safety) -> Abilities:
    """VMs move while they run; from a storage that every node reaches nothing is copied.

    Rates are estimates, for telling plans apart: disks over a network of 1 Gbit/s, a clean shutdown and a start.
    """
    seen: dict[str, set[str]] = {}
    unreplicable: dict[str, str] = {}
    for row in storages:
        name, kind = str(row["storage"]), str(row.get("plugintype") or "unknown")
        if row.get("shared"):
            unreplicable[name] = "is shared by all nodes, and needs no replicas: declare vs_replication: none"
        elif kind != jobs.REPLICABLE:
            unreplicable[name] = f"is of type {kind}; only disks on type {jobs.REPLICABLE} are replicated: see vs_pool"
        if row.get("shared") and row.get("status") == "available":
            seen.setdefault(str(row["storage"]), set()).add(str(row["node"]))
    shared = frozenset(name for name, nodes in seen.items() if online and online <= nodes)
    return Abilities(
        live=frozenset({"vm"}),
        resized_at_start=frozenset({"vm"}),
        shared_pools=shared,
        copy_rate=100.0,
        restart=5.0,
        start=3.0,
        refresh=2.0,
        detection=_DETECTION,
        replicates=True,
        shortest_interval=jobs.SHORTEST,
        unreplicable=unreplicable,
        protects=safe.registered is not None,
        arranges=safe.arranges and safe.registered is not None,
    )
