# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests that are there, made servers of the fleet: looked at first, so that no mark says what is not so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .engine.base import Engine, Refused
from .fleet.importing.existing import Existing, ExistingGuest
from .fleet.inventory.subnet import parse
from .fleet.model import Fleet, Network, Server, Template

Changes = Mapping[str, tuple[str, str]]


@dataclass(slots=True)
class Adoption:
    """What became, or would become, of those that were named."""

    changed: dict[str, Changes] = field(default_factory=dict)
    """Server -> key of the platform's -> (before, after)."""
    ours: list[str] = field(default_factory=list)
    """Those that are ours already."""
    refused: dict[str, str] = field(default_factory=dict)
    """Server -> why it was left alone, and what to do."""


def adopt(fleet: Fleet, engine: Engine, names: Iterable[str], *, check: bool) -> Adoption:
    """Make these servers ours, one by one; with ``check`` only tell. One that cannot be is told and left alone.

    Raises EngineError where the platform does not answer.
    """
    existing, result = engine.describe(), Adoption()
    for name in names:
        guest, problem = _find(existing, fleet.servers[name], fleet)
        if guest is None:
            result.refused[name] = problem
            continue
        try:
            changes = engine.adopt(fleet.servers[name], guest.node, check=check)
        except Refused as error:
            result.refused[name] = str(error)
            continue
        if changes:
            result.changed[name] = changes
        else:
            result.ours.append(name)
    return result


def _find(existing: Existing, server: Server, fleet: Fleet) -> tuple[ExistingGuest | None, str]:
    """The guest that a server is, or why there is none."""
    found = [guest for guest in existing.guests if guest.name == server.name]
    if len(found) != 1:
        if not found:
            return None, "no guest has its name: the site playbook would create it"
        places = ", ".join(guest.place for guest in found)
        return None, f"it is there {len(found)} times ({places}): rename all but one"
    guest = found[0]
    problem = guest.error or ("" if guest.fleet == fleet.name else _difference(server, guest, fleet))
    return (None, problem) if problem else (guest, "")


def _difference(server: Server, guest: ExistingGuest, fleet: Fleet) -> str:
    """What is declared and is not so, of what a mark would claim; empty: nothing."""
    if guest.node not in fleet.nodes:
        return f"it is on {guest.node}, which is no node of the inventory: declare that"
    kind = fleet.templates.get(server.template, Template(server.template)).kind
    if guest.kind != kind:
        return f"it is a {guest.kind}, and its template {server.template} is of a {kind}: declare another vs_template"
    if len(server.interfaces) != len(guest.cards):
        return f"it has {len(guest.cards)} network cards, and {len(server.interfaces)} are declared: declare all"
    for leg, card in zip(server.interfaces, guest.cards, strict=True):
        network = fleet.networks.get(leg.network, Network(leg.network, ""))
        bridge = network.bridge or fleet.nodes[guest.node].bridge
        has = [each.partition("/")[0] for each in card.addresses]
        if not leg.address or [parse(leg.address)] != [parse(each) for each in has]:
            told = ", ".join(has) or "no fixed address"
            return f"its {card.name} has {told}, and {leg.address or 'none'} is declared: declare what it has"
        if (card.bridge, card.vlan) != (bridge, network.vlan):
            seen = f"{card.bridge}, VLAN {card.vlan}" if card.vlan else card.bridge
            return f"its {card.name} is on {seen}, and network {leg.network} is elsewhere: mend fleet_networks"
    return ""
