# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers as plain values for other programs. Everything is a JSON type.

What a server is and where is always told, the other parts as asked for.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from ..census import take_census
from ..layout import ours
from ..model import Copying, Fleet, Interface, Observed, ObservedServer, Server, ServerState, Statistics
from .figures import taken

PARTS: Final = ("usage", "throughput", "replicas")


def servers(
    fleet: Fleet,
    observed: Observed,
    statistics: Statistics,
    parts: Collection[str],
    *,
    now: float,
    strangers: bool = False,
) -> list[dict[str, Any]]:
    """Every server of this fleet by name, declared or not, there or not; with ``strangers`` all other guests too.

    A server of which several copies call themselves primary is told once for each, with the trouble that is. ``now``
    is in seconds since the epoch.
    """
    return _Account(fleet, observed, statistics, frozenset(parts), now).rows(strangers=strangers)


def server_row(server: Server, guest: ObservedServer | None, fleet: Fleet, *, declared: bool) -> dict[str, Any]:
    """One server's head and configuration, as it is or, where it does not exist, as it is to be."""
    row = _head(fleet, server.name, guest.node if guest else "", guest.state if guest else "absent", declared=declared)
    return row | (_config_seen(guest) if guest else _config_wanted(server))


def copy_row(guest: ObservedServer, now: float) -> dict[str, Any]:
    """How current a replica is, how big its disk is, and how its refreshes went."""
    kept = guest.copying or Copying()
    return {
        "complete": guest.complete,
        "age_seconds": _since(kept.refreshed, now),
        "interval_seconds": kept.interval if guest.copying else None,
        "refresh_seconds": kept.took or None,
        "disk_mib": guest.size.disk or None,
        "changing_mib": kept.changing,
        "failures": kept.failures if guest.copying else None,
        "failed_seconds_ago": _since(kept.tried, now),
        "failure": kept.failure,
    }


def _since(moment: float, now: float) -> float | None:
    return round(max(0.0, now - moment), 1) if moment else None


class _Account:
    """One look at all servers."""

    def __init__(
        self, fleet: Fleet, observed: Observed, statistics: Statistics, parts: Collection[str], now: float
    ) -> None:
        self.fleet, self.observed, self.statistics, self.parts, self.now = fleet, observed, statistics, parts, now
        self.census = take_census(fleet, observed)
        self.trouble = {**{each.subject: each.reason for each in self.census.taken}, **self.census.unclear}
        self.replicas: dict[str, list[ObservedServer]] = {}
        for guest in observed.servers:
            if ours(fleet, guest) and guest.role == "replica":
                self.replicas.setdefault(guest.name, []).append(guest)

    def rows(self, *, strangers: bool) -> list[dict[str, Any]]:
        found, there = [], set()
        for guest in self.observed.servers:
            own = ours(self.fleet, guest)
            if own and (guest.name in self.census.unclear or self.census.primaries.get(guest.name) == guest):
                if guest.role == "primary":
                    found.append(self._there(guest))
                    there.add(guest.name)
            elif strangers and not own:
                found.append(self._stranger(guest))
        found += [self._absent(server) for name, server in self.fleet.servers.items() if name not in there]
        return sorted(found, key=lambda row: (row["name"], row["node"]))

    def _there(self, guest: ObservedServer) -> dict[str, Any]:
        declared = guest.name in self.fleet.servers
        row = _head(self.fleet, guest.name, guest.node, guest.state, declared=declared)
        return row | {"trouble": self.trouble.get(guest.name, "")} | self._parts(guest)

    def _stranger(self, guest: ObservedServer) -> dict[str, Any]:
        row = _head(self.fleet, guest.name, guest.node, guest.state, declared=False)
        return row | {"fleet": guest.fleet, "trouble": ""} | self._parts(guest)

    def _absent(self, server: Server) -> dict[str, Any]:
        row = _head(self.fleet, server.name, "", "absent", declared=True)
        row |= {"trouble": self.trouble.get(server.name, ""), **_config_wanted(server)}
        return row | taken(None, self.parts) | self._copies(server.name, None)

    def _parts(self, guest: ObservedServer) -> dict[str, Any]:
        figures = self.statistics.servers.get((guest.node, guest.name))
        return _config_seen(guest) | taken(figures, self.parts) | self._copies(guest.name, guest)

    def _copies(self, name: str, guest: ObservedServer | None) -> dict[str, Any]:
        """Replicas of a server of ours, and what the platform does by itself when its node dies."""
        if "replicas" not in self.parts:
            return {}
        own = guest is None or ours(self.fleet, guest)
        kept = guest.protection if guest else None
        return {
            "replicas": [self._replica(each) for each in self.replicas.get(name, ())] if own else [],
            "failover_nodes": list(kept.nodes) if kept else [],
            "failover_trouble": kept.trouble if kept else "",
        }

    def _replica(self, guest: ObservedServer) -> dict[str, Any]:
        return {"node": guest.node, **copy_row(guest, self.now)}


def _head(fleet: Fleet, name: str, node: str, state: ServerState | str, *, declared: bool) -> dict[str, Any]:
    place = fleet.nodes.get(node)
    return {
        "name": name,
        "node": node,
        "site": place.site if place else "",
        "state": state,
        "fleet": fleet.name,
        "declared": declared,
    }


def _config_seen(guest: ObservedServer) -> dict[str, Any]:
    """As it is configured on the platform; ``None`` where that sets no limit."""
    return {
        "class_name": guest.class_name,
        "template": guest.template,
        "template_version": guest.template_version,
        "tenant": guest.tenant,
        "cpu_cores": guest.size.cores or None,
        "memory_mib": guest.size.memory or None,
        "disk_mib": guest.size.disk or None,
        "io": guest.size.io,
        "pool": guest.pool,
        **_legs(guest.interfaces, guest.addresses),
    }


def _config_wanted(server: Server) -> dict[str, Any]:
    return {
        "class_name": server.class_name,
        "template": server.template,
        "template_version": "",
        "tenant": server.tenant,
        "cpu_cores": server.size.cores,
        "memory_mib": server.size.memory,
        "disk_mib": server.size.disk,
        "io": server.size.io,
        "pool": server.pool,
        **_legs(server.interfaces, ()),
    }


def _legs(interfaces: tuple[Interface, ...], addresses: tuple[str, ...]) -> dict[str, Any]:
    own = [leg.address for leg in interfaces if leg.address]
    return {
        "interfaces": [{"network": leg.network, "address": leg.address} for leg in interfaces],
        "addresses": list(dict.fromkeys([*own, *addresses])),
    }
