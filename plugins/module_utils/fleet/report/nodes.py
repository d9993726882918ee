# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes as plain values for other programs. Everything is a JSON type; name, place and state are always told."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from ..fit import standing
from ..layout import Layout, ours
from ..model import Figures, Fleet, Observed, ObservedNode, ObservedServer, Statistics
from ..usage import Load
from .figures import taken
from .servers import copy_row

PARTS: Final = ("capacity", "usage", "throughput", "servers")


def nodes(
    fleet: Fleet, observed: Observed, statistics: Statistics, parts: Collection[str], *, now: float
) -> list[dict[str, Any]]:
    """Every declared node, in the inventory's order, and after them those only the platform knows.

    ``now`` is in seconds since the epoch.
    """
    layout = Layout(fleet, observed)
    here: dict[str, list[ObservedServer]] = {}
    for guest in observed.servers:
        here.setdefault(guest.node, []).append(guest)
    rows = []
    for name in dict.fromkeys([*fleet.nodes, *observed.nodes]):
        seen = observed.nodes.get(name, ObservedNode(name, "offline", error="not observed"))
        figures = statistics.nodes.get(name)
        row = _head(fleet, observed, seen)
        if "capacity" in parts:
            row |= _capacity(seen, layout.loads.get(name))
        row |= taken(figures, parts)
        if "usage" in parts:
            row |= _measured(seen, figures)
        if "servers" in parts:
            row |= _carried(fleet, here.get(name, []), now)
        rows.append(row)
    return rows


def _head(fleet: Fleet, observed: Observed, seen: ObservedNode) -> dict[str, Any]:
    declared = fleet.nodes.get(seen.name)
    online = seen.reach == "online"
    closed = seen.maintenance or (declared is not None and declared.state == "maintenance")
    return {
        "name": seen.name,
        "address": declared.address if declared else "",
        "site": declared.site if declared else "",
        "failure_domain": declared.domain if declared else "",
        "witness": declared is not None and declared.witness,
        "declared": declared is not None,
        "state": "offline" if not online else "maintenance" if closed else "active",
        "error": seen.error,
        "takes_servers": declared is not None and not standing(declared, observed),
        "version": seen.version,
    }


def _capacity(seen: ObservedNode, load: Load | None) -> dict[str, Any]:
    """What a node has and, where it is one of the fleet's, may promise and has promised."""
    found: dict[str, Any] = {
        "cpu_cores": seen.capacity.cores or None,
        "memory_mib": seen.capacity.memory or None,
        "pools": [
            {"name": pool, "size_mib": size, "used_mib": seen.pools_used.get(pool)}
            for pool, size in sorted(seen.capacity.pools.items())
        ],
        "templates": [f"{template} {version}" for template, version in sorted(seen.templates)],
    }
    if load:
        share = load.share()
        found |= {
            "usable_cpu_cores": load.limit.cores,
            "usable_memory_mib": load.limit.memory,
            "usable_disk_mib": dict(load.limit.pools),
            "usable_io": load.limit.io if load.limit.io >= 0 else None,
            "promised_cpu_cores": round(load.cores, 4),
            "promised_memory_mib": load.memory,
            "promised_disk_mib": dict(sorted(load.pools.items())),
            "promised_io": load.io,
            "fullest_resource": share.fullest,
            "fullest_percent": round(share.worst * 100, 1) if share.worst < 1e6 else None,
        }
    return found


def _measured(seen: ObservedNode, figures: Figures | None) -> dict[str, Any]:
    """What a node's own account adds to the figures."""
    load = figures.load if figures else None
    memory = figures.memory if figures and figures.memory is not None else seen.memory_used or None
    return {
        "memory_used_mib": memory,
        "load_1min": load[0] if load else seen.load,
        "load_5min": load[1] if load else None,
        "load_15min": load[2] if load else None,
    }


def _carried(fleet: Fleet, here: Collection[ObservedServer], now: float) -> dict[str, Any]:
    own = [guest for guest in here if ours(fleet, guest)]
    copies = sorted((guest for guest in own if guest.role == "replica"), key=lambda guest: guest.name)
    return {
        "servers": sorted({guest.name for guest in own if guest.role == "primary"}),
        "servers_running": sum(1 for guest in own if guest.state == "running"),
        "replicas": sorted({guest.name for guest in copies}),
        "replicas_kept": [{"server": guest.name, **copy_row(guest, now)} for guest in copies],
        "strangers": sorted(guest.name for guest in here if not ours(fleet, guest)),
    }
