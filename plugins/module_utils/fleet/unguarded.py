# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is declared of replication and failover that an engine, or a pool, has no way to do. Known before anything is
changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from .fit import some
from .model import Abilities, Fleet, Refusal, Server

_LISTED = 8


@dataclass(frozen=True, slots=True)
class Unguarded:
    """Why not: what can never be, and what this engine leaves undone."""

    refusals: tuple[Refusal, ...]
    notes: tuple[str, ...]


def unguarded(fleet: Fleet, abilities: Abilities, pools: Mapping[str, str]) -> Unguarded:
    """Compare what is declared with what the engine can do. ``pools``: server that is there -> the pool it is on."""
    copied = [server for server in fleet.servers.values() if server.replication.mode != "none"]
    guarded = [
        server
        for server in fleet.servers.values()
        if server.failover.mode == "auto" and server.failover.action == "relocate"
    ]
    refusals: list[Refusal] = []
    notes: list[str] = []
    if not abilities.replicates:
        now_and_then = [server for server in copied if fleet.engine != "incus" or server.replication.mode != "sync"]
        notes += _undone(fleet, now_and_then, "vs_replication", "keeps no replicas yet")
        # Whoever wants nothing lost is not to learn afterwards that there is no second copy at all.
        refusals += _out_of_step(fleet, [server for server in copied if server not in now_and_then], abilities)
    else:
        refusals += _unreplicable(fleet, copied, abilities, pools)
        notes += _rounded(copied, abilities)
    if not abilities.protects:
        notes += _undone(fleet, guarded, "vs_failover: auto", "starts no servers elsewhere by itself yet")
    else:
        refusals += _stranded(guarded, abilities, pools)
    return Unguarded(tuple(refusals), tuple(notes))


def _undone(fleet: Fleet, servers: Collection[Server], variable: str, lack: str) -> list[str]:
    if not servers:
        return []
    names = some((server.name for server in servers), _LISTED)
    return [f"{variable} of {names} is checked and kept, without effect: the engine {fleet.engine} {lack}"]


def _unreplicable(
    fleet: Fleet, servers: Collection[Server], abilities: Abilities, pools: Mapping[str, str]
) -> list[Refusal]:
    """By pool, so that one line says what is wrong with all of them."""
    refusals = []
    by_pool: dict[str, list[str]] = {}
    for server in servers:
        pool = pools.get(server.name, server.pool)
        if pool in abilities.unreplicable:
            by_pool.setdefault(pool, []).append(server.name)
    for pool, names in sorted(by_pool.items()):
        refusals.append(Refusal(some(names, _LISTED), f"vs_replication: pool {pool} {abilities.unreplicable[pool]}"))
    return [*refusals, *_out_of_step(fleet, servers, abilities)]


def _out_of_step(fleet: Fleet, servers: Collection[Server], abilities: Abilities) -> list[Refusal]:
    in_step = [server.name for server in servers if server.replication.mode == "sync"]
    if in_step and not abilities.synchronous:
        why = f"vs_replication: sync is not to be had with engine {fleet.engine}; declare an interval, such as 1m"
        if fleet.engine == "incus":
            # Independent Incus servers have no pools all nodes share.
            why = (
                "vs_replication: sync needs DRBD and the agent on every node: run the site playbook against all of "
                "them, or declare an interval, such as 1m"
            )
        else:
            why += ", or a pool all nodes share"
        return [Refusal(some(in_step, _LISTED), why)]
    return []


def _rounded(servers: Collection[Server], abilities: Abilities) -> list[str]:
    """Intervals shorter than the engine's shortest."""
    least = abilities.shortest_interval
    short = sorted(
        {server.replication.interval for server in servers if server.replication.mode == "interval"}
        & set(range(1, least))
    )
    names = [server.name for server in servers if 0 < server.replication.interval < least]
    if not short:
        return []
    seconds = ", ".join(f"{each} s" for each in short)
    return [f"vs_replication {seconds} of {some(names, _LISTED)} is rounded up to {least} s, the shortest there is"]


def _stranded(servers: Collection[Server], abilities: Abilities, pools: Mapping[str, str]) -> list[Refusal]:
    """Servers that would be started where their disk is not."""
    names = [
        server.name
        for server in servers
        if server.replication.mode == "none" and pools.get(server.name, server.pool) not in abilities.shared_pools
    ]
    if not names:
        return []
    why = "vs_failover: auto, but its disk would be nowhere else: declare vs_replication, or a pool all nodes share"
    return [Refusal(some(names, _LISTED), why)]
