# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks, from the cards of guests: one for each range on each bridge and VLAN. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .existing import Card, ExistingGuest
from .guests import LeftOut

Range = Any
"""ipaddress.IPv4Network or IPv6Network."""


@dataclass(slots=True)
class Found:
    """A network, and who is on it."""

    bridge: str
    vlan: int
    cidr: Range
    guests: set[str] = field(default_factory=set)
    gateways: Counter[str] = field(default_factory=Counter)
    mtus: Counter[int] = field(default_factory=Counter)
    dns: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def declared(self) -> dict[str, Any]:
        """Its entry in ``fleet_networks``."""
        said = {
            "cidr": str(self.cidr),
            "gateway": self.gateway,
            "bridge": self.bridge,
            "vlan": self.vlan,
            "mtu": _most(self.mtus, 0),
            "dns": list(_most(self.dns, ())),
        }
        return {key: value for key, value in said.items() if value}

    @property
    def gateway(self) -> str:
        """What most of its guests use, where that can be one."""
        good = Counter({each: count for each, count in self.gateways.items() if each and self._may_route(each)})
        return str(_most(good, ""))

    def _may_route(self, gateway: str) -> bool:
        address = ipaddress.ip_address(gateway)
        edges = (self.cidr.network_address, self.cidr.broadcast_address) if self.cidr.num_addresses > 2 else ()
        return address in self.cidr and address not in edges


def networks(guests: Sequence[ExistingGuest]) -> tuple[dict[str, Found], list[LeftOut], list[str]]:
    """(networks by name, guests that fit into none of them, what is worth knowing).

    Ranges of an inventory must not overlap: of those that do, the one with the most guests stays.
    """
    found: dict[tuple[str, int, Range], Found] = {}
    for guest in guests:
        for card in guest.cards:
            key = _key(card)
            here = found.setdefault(key, Found(*key))
            here.guests.add(guest.place)
            here.gateways.update(card.gateways[:1])
            here.mtus[card.mtu] += 1
            here.dns[_resolvers(guest, here.cidr)] += 1
    ranked = sorted(found.values(), key=lambda each: (-len(each.guests), each.bridge, each.vlan, str(each.cidr)))
    kept: list[Found] = []
    rivals: dict[tuple[str, int, Range], Found] = {}
    for each in ranked:
        rival = next((other for other in kept if _overlap(other.cidr, each.cidr)), None)
        if rival:
            rivals[each.bridge, each.vlan, each.cidr] = rival
        else:
            kept.append(each)
    bad = [out for guest in guests if (out := _misfit(guest, rivals))]
    gone = {out.guest.place for out in bad}
    named = _named([each for each in kept if each.guests - gone])
    return named, bad, _deviations((guest for guest in guests if guest.place not in gone), named)


def network_of(card: Card, known: Mapping[str, Found]) -> str:
    """The name of a card's network."""
    return next(name for name, each in known.items() if (each.bridge, each.vlan, each.cidr) == _key(card))


def _key(card: Card) -> tuple[str, int, Range]:
    return card.bridge, card.vlan, ipaddress.ip_interface(card.addresses[0]).network


def _misfit(guest: ExistingGuest, rivals: Mapping[tuple[str, int, Range], Found]) -> LeftOut | None:
    for card in guest.cards:
        rival = rivals.get(_key(card))
        if rival:
            where = f"{card.bridge}{f' VLAN {card.vlan}' if card.vlan else ''}"
            there = f"{rival.bridge}{f' VLAN {rival.vlan}' if rival.vlan else ''}"
            why = f"{card.name} has {card.addresses[0]} on {where}, where {len(rival.guests)} others have {rival.cidr}"
            if where != there:
                why = f"{card.name} has {card.addresses[0]} on {where}, and {rival.cidr} is on {there}"
            return LeftOut(guest, why, "ranges must not overlap: give it the prefix length and bridge of the others")
    return None


def _deviations(guests: Iterable[ExistingGuest], known: Mapping[str, Found]) -> list[str]:
    """Guests that are told something else than their network's others; the network's would be theirs once changed."""
    notes = []
    for guest in guests:
        for card in guest.cards:
            name = network_of(card, known)
            network = known[name]
            said = ", ".join(card.gateways)
            if card.gateways and card.gateways[0] != network.gateway:
                notes.append(
                    f"{guest.name}: its gateway is {said}, that of network {name} is {network.gateway or 'none'}; "
                    "it keeps its own until its network is changed"
                )
    return notes


def _named(found: Iterable[Found]) -> dict[str, Found]:
    """By bridge and VLAN; where several ranges share these, by their range as well."""
    ordered = sorted(found, key=lambda each: (each.bridge, each.vlan, each.cidr.version, each.cidr))
    short = Counter(_name(each) for each in ordered)
    named = {}
    for each in ordered:
        name = _name(each)
        if short[name] > 1:
            name += "-" + re.sub(r"[^0-9a-f]+", "-", str(each.cidr.network_address)).strip("-")
        named[name if name not in named else f"{name}-{each.cidr.prefixlen}"] = each
    return named


def _name(network: Found) -> str:
    plain = re.sub(r"[^A-Za-z0-9-]+", "-", network.bridge).strip("-") or "network"
    return f"{plain}-vlan{network.vlan}" if network.vlan else plain


def _resolvers(guest: ExistingGuest, cidr: Range) -> tuple[str, ...]:
    return tuple(each for each in guest.dns if ipaddress.ip_address(each).version == cidr.version)


def _overlap(one: Range, other: Range) -> bool:
    return bool(one.version == other.version and one.overlaps(other))


def _most(counted: Counter[Any], otherwise: Any) -> Any:
    """What is said most often; of equals the first in order."""
    return min(counted, key=lambda each: (-counted[each], str(each))) if counted else otherwise
