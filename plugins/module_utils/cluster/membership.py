# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How nodes become a Corosync cluster, and stay one as nodes come and go. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from . import corosync
from .corosync import Device, Member, Ring

LEAST = 3
"""Votes, at least: of two that lose each other, neither can know that it is not the one that is cut off."""
MOST = 32
"""Members, at most, that Corosync is made for."""
_LINKS = 8


@dataclass(frozen=True, slots=True)
class State:
    """What a node is to a cluster."""

    name: str
    configuration: str = ""
    """Its corosync.conf."""
    key: str = ""
    """What tells its authkey from others."""
    running: bool = False
    heard: tuple[str, ...] = ()
    """Members that are there, as it hears them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done."""

    refused: tuple[str, ...]
    """Why nothing can be done, a line each."""
    configuration: str = ""
    """corosync.conf, the same on all."""
    reload_on: str = ""
    """The member that tells all others to take up the new file, as it is running; empty: none need."""
    restart: tuple[str, ...] = ()
    """Members that take up what is new only when Corosync starts anew."""
    asks_device: bool = False
    """Whether members ask the quorum device for its vote."""
    ask_anew: tuple[str, ...] = ()
    """Members that ask it already, and are to ask otherwise."""


def plan(
    found: Sequence[State],
    name: str,
    links: Mapping[str, Sequence[str]],
    ring: Ring,
    key: str,
    *,
    device: Device | None = None,
    former: str = "",
) -> Plan:
    """Decide. ``links``: every node of the inventory, also one not looked at. ``key``: what the authkey is to be.
    ``former``: the name the fleet had before it got the one it has."""
    # Beside an odd number of members a vote more would be worse than none: of four votes three are needed, so the
    # device and one node may not fail together, while three nodes alone bear the loss of any.
    asked = device if device is not None and len(links) % 2 == 0 else None
    refused = (*_impossible(links, asked), *_anothers(found, {name, former}), *_estranged(found, links))
    if refused:
        return Plan(refused)
    known: dict[str, int] = {}
    for state in found:
        known.update(corosync.numbers(state.configuration) if not _unused(state) else {})
    numbers = corosync.numbered(list(links), known)
    members = [Member(node, numbers[node], tuple(addresses)) for node, addresses in links.items()]
    text = corosync.text(name, members, ring, asked)
    running = [state for state in found if state.running]
    restart = [
        state.name
        for state in running
        if state.key not in ("", key)
        or _unused(state)
        or corosync.needs_restart(state.configuration, text)
        or state.name not in corosync.numbers(state.configuration)
    ]
    outdated = [state for state in running if state.configuration != text]
    told = [state.name for state in running if state.name not in restart]
    anew = [state.name for state in running if corosync.device_differs(state.configuration, text)]
    reload_on = told[0] if outdated and told else ""
    return Plan((), text, reload_on, tuple(restart), asked is not None, tuple(anew) if asked else ())


def _unused(state: State) -> bool:
    """Its file is none, or the one that came with the package."""
    return not state.configuration.startswith(corosync.HEADER)


def _impossible(links: Mapping[str, Sequence[str]], device: Device | None) -> list[str]:
    problems = []
    if len(links) + (device is not None) < LEAST:
        problems.append(
            f"{len(links)} members cannot tell which of them is cut off: add one that only votes (node_witness: true),"
            " or for two of them a fleet_quorum_device"
        )
    if len(links) > MOST:
        problems.append(f"{len(links)} members are more than Corosync is made for, which is {MOST}")
    counts = {node: len(addresses) for node, addresses in links.items()}
    most = max(counts.values(), default=0)
    problems += [
        f"{node}: node_cluster_addresses has {count}, and others have {most}"
        for node, count in counts.items()
        if count != most
    ]
    if most > _LINKS:
        problems.append(f"node_cluster_addresses: {most} links are more than Corosync has, which is {_LINKS}")
    seen: dict[str, str] = {}
    for node, addresses in links.items():
        for address in addresses:
            if address in seen:
                problems.append(f"{node}: node_cluster_addresses {address} is {seen[address]}'s already")
            seen.setdefault(address, node)
    return problems


def _anothers(found: Sequence[State], names: Collection[str]) -> list[str]:
    """Members of another fleet's cluster: what this fleet declares would take its place, and its servers would be left
    to nobody."""
    return [
        f"{state.name} is a member of the cluster of fleet {theirs}, which looks after its servers, and a node is a"
        f" member of one cluster. If this fleet was called {theirs}, say so once: -e failover_former_fleet={theirs}"
        for state in found
        if state.running and (theirs := corosync.cluster_name(state.configuration)) and theirs not in names
    ]


def _estranged(found: Sequence[State], links: Mapping[str, Sequence[str]]) -> list[str]:
    problems = [
        f"{state.name} is a member of a cluster that is not Switchyard's: /etc/corosync/corosync.conf is somebody's"
        for state in found
        if corosync.foreign(state.configuration)
    ]
    left = sorted({name for state in found for name in state.heard if name not in links})
    problems += [
        f"{name} is no longer in the inventory, and still a member: drain it, then stop it there with"
        " systemctl disable --now pacemaker corosync"
        for name in left
        if not problems
    ]
    return problems
