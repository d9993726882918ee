# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nodes and guests take right now: two looks at everything a node counts, a second apart.

Incus tells neither how long a node is up nor how busy its cores are; of disks it counts nothing that is fresh enough
for a rate (its metrics are up to eight seconds old).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from ...fleet.model import Figures, FileSystem, Fleet, Statistics, Traffic, Use
from ..base import Refused, Untrusted
from . import measure
from .client import Client
from .several import ask_all

_ATTEMPT = "read statistics"
_BETWEEN = 1.0
"""Seconds between the two looks."""
_MIB = 1024 * 1024

Counters = Mapping[str, Any]
"""``bytes_received`` and ``bytes_sent`` of a network card, since it is there."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What a node counted at one moment (seconds of this machine's clock)."""

    at: float
    guests: list[dict[str, Any]]
    uplinks: Mapping[str, Counters]


def statistics(fleet: Fleet, clients: Iterable[Client]) -> Statistics:
    """All nodes side by side. Five requests per node, and two per network card that leads out of it."""
    answers = ask_all(clients, lambda client: _node(client, _bridges(fleet, client.node)))
    nodes: dict[str, Figures] = {}
    servers: dict[tuple[str, str], Figures] = {}
    for name, answer in answers.items():
        if isinstance(answer, Untrusted):
            raise answer
        if isinstance(answer, tuple):
            nodes[name] = answer[0]
            servers.update({(name, guest): figures for guest, figures in answer[1].items()})
    return Statistics(nodes, servers)


def _bridges(fleet: Fleet, node: str) -> list[str]:
    """The bridges of a node that servers are connected to."""
    return list(
        dict.fromkeys((fleet.nodes[node].bridge, *(each.bridge for each in fleet.networks.values() if each.bridge)))
    )


def _node(client: Client, bridges: Iterable[str]) -> tuple[Figures, dict[str, Figures]]:
    """One node's figures, and those of its guests by the name they are observed under."""
    resources = client.get("/1.0/resources", _ATTEMPT).metadata or {}
    first = _look(client, bridges)
    time.sleep(max(0.0, first.at + _BETWEEN - time.monotonic()))
    second = _look(client, bridges)
    seconds = second.at - first.at
    uses = measure.uses(first.guests, second.guests, seconds)
    before = {measure.key(raw): raw for raw in first.guests}
    guests = {}
    for raw in second.guests:
        project, name = measure.key(raw)
        figures = guest(before.get((project, name)), raw, uses.get((project, name)), seconds)
        if figures is not None:
            guests[name if project == "default" else f"{project}/{name}"] = figures
    return node(resources, first.uplinks, second.uplinks, seconds), guests


def _look(client: Client, bridges: Iterable[str]) -> _Look:
    at = time.monotonic()
    guests = client.get("/1.0/instances?all-projects=true&recursion=2", _ATTEMPT).metadata or []
    # What a bridge counts itself is what comes to the node; what its guests say to the world passes its ports.
    inside = {card.get("host_name") for raw in guests for card in _cards(raw).values()}
    uplinks = {}
    for bridge in bridges:
        ports = ((_network(client, bridge).get("bridge") or {}).get("upper_devices")) or []
        uplinks.update({port: _network(client, port).get("counters") or {} for port in ports if port not in inside})
    return _Look(at, guests, uplinks)


def _network(client: Client, name: str) -> dict[str, Any]:
    """How a network card of a node is; empty for one that is not there."""
    try:
        found: dict[str, Any] = client.get(f"/1.0/networks/{quote(name, safe='')}/state", _ATTEMPT).metadata or {}
    except Refused:
        return {}
    return found


# ---------------------------------------------------------------- pure


def node(
    resources: Mapping[str, Any], first: Mapping[str, Counters], second: Mapping[str, Counters], seconds: float
) -> Figures:
    """A node's figures, of its resources and two looks at its network cards that many seconds apart."""
    load = resources.get("load") or {}
    # The kernel's third average is over fifteen minutes, whatever Incus calls it.
    averages = [load.get(f"Average{minutes}Min") for minutes in (1, 5, 10)]
    memory = int((resources.get("memory") or {}).get("used") or 0)
    return Figures(
        memory=memory // _MIB or None,
        load=(float(averages[0]), float(averages[1]), float(averages[2])) if None not in averages else None,
        processes=int(load["Processes"]) if load.get("Processes") else None,
        traffic=_traffic(first, second, seconds),
    )


def guest(
    first: Mapping[str, Any] | None, second: Mapping[str, Any], use: Use | None, seconds: float
) -> Figures | None:
    """A guest's figures, of two looks at it; ``None`` for one that does not run."""
    state = second.get("state") or {}
    if int(state.get("pid") or 0) <= 0:
        return None
    disks = state.get("disk") or {}
    now = {name: card.get("counters") or {} for name, card in _cards(second).items()}
    then = {name: card.get("counters") or {} for name, card in _cards(first or {}).items()}
    return Figures(
        cores=use.cores if use else None,
        memory=use.memory if use else None,
        uptime=_since(str(state.get("started_at") or "")),
        processes=int(state["processes"]) if int(state.get("processes") or -1) > 0 else None,
        file_systems=tuple(
            FileSystem(name, int(disk.get("total") or 0) // _MIB, -(-int(disk["usage"]) // _MIB))
            for name, disk in sorted(disks.items())
            if disk.get("usage")
        ),
        traffic=_traffic(then, now, seconds),
    )


def _cards(raw: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """A guest's network cards, without the one it talks to itself through."""
    network = (raw.get("state") or {}).get("network") or {}
    return {name: card for name, card in network.items() if card.get("type") != "loopback"}


def _traffic(first: Mapping[str, Counters], second: Mapping[str, Counters], seconds: float) -> Traffic:
    """The rates of all cards that were there at both looks; a counter that went back began anew."""
    both = [(first[name], second[name]) for name in second if first.get(name) and second[name]]
    if not both or seconds <= 0:
        return Traffic()

    def rate(counter: str) -> float:
        return round(sum(max(0, int(now[counter]) - int(then[counter])) for then, now in both) / seconds, 1)

    return Traffic(network_receive=rate("bytes_received"), network_send=rate("bytes_sent"))


def _since(moment: str) -> float | None:
    """Seconds since a moment as Incus writes it (RFC 3339, to the nanosecond, in any zone)."""
    try:
        began = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return round(max(0.0, time.time() - began.timestamp()), 1) if began.year > 1970 else None
