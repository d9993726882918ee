# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copies of servers there are on nodes, as the nodes' own records have them; and what is wrong with that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import safekeeping
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guest import MARK


@dataclass(frozen=True, slots=True)
class Copy:
    """One of them."""

    server: str
    node: str
    running: bool
    role: str
    generation: int
    refreshed: float
    """Of a replica: what was written before this moment (seconds since the epoch) is in it; 0: it is not complete."""
    refreshing: bool
    """Of a replica: a refresh has begun, and not ended."""
    pair: tuple[str, str] | None
    replicas: tuple[str, ...]
    aside: str
    """The server it was a copy of, where it was put aside."""


def copies(guests: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[Copy]:
    """Node -> its guests, as Incus describes them."""
    return [
        Copy(
            guest["name"],
            node,
            guest["status"] != "Stopped",
            guest["config"].get(f"{MARK}role", ""),
            int(safekeeping.number(guest["config"].get(f"{MARK}generation", ""))),
            safekeeping.copying(guest["config"]).refreshed,
            bool(guest["config"].get(safekeeping.REFRESHING)),
            safekeeping.pair(guest["config"]),
            safekeeping.replicas(guest["config"]),
            guest["config"].get(safekeeping.ASIDE, ""),
        )
        for node, found in sorted(guests.items())
        for guest in found
    ]


def not_once(found: Iterable[Copy], servers: Iterable[str]) -> list[str]:
    """What is wrong where every one of these servers has to run exactly once: as its only primary. Empty: nothing."""
    wrong = []
    everywhere = list(found)
    for server in sorted(servers):
        running = [each for each in everywhere if server in (each.server, each.aside) and each.running]
        primaries = [each for each in everywhere if each.server == server and each.role == "primary"]
        where = ", ".join(f"{each.server} on {each.node}" for each in running) or "nowhere"
        if len(running) != 1:
            wrong.append(f"{server} runs {len(running)} times: {where}")
        if len(primaries) != 1:
            which = ", ".join(f"{each.node} (generation {each.generation})" for each in primaries) or "nowhere"
            wrong.append(f"{server} has {len(primaries)} primaries: {which}")
        if len(running) == len(primaries) == 1 and running != primaries:
            wrong.append(f"{server} runs as {where}, and its primary is on {primaries[0].node}")
    return wrong


def refreshed(found: Iterable[Copy]) -> dict[str, float]:
    """Server -> the moment up to which its newest replica has everything."""
    newest: dict[str, float] = {}
    for each in found:
        if each.role == "replica" and each.refreshed:
            newest[each.server] = max(newest.get(each.server, 0.0), each.refreshed)
    return newest
