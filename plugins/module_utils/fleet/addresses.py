# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An address for every interface that declares none, and the same one for ever after.

A server that exists keeps the address it was made with, wherever its node is. A new one gets a position
worked out from its name, so that runs that know nothing of each other agree; the next free one where that
is taken. What others come or go changes nobody's address.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import accumulate

from .inventory.mistakes import InventoryError, Mistake
from .inventory.subnet import Address, Subnet, parse, text
from .layout import ours
from .model import Fleet, Interface, Observed, ObservedServer, Server


def allocate(fleet: Fleet, observed: Observed) -> Fleet:
    """The fleet with an address on every interface.

    Raises InventoryError, with a mistake for each server a full network has no address for.
    """
    if all(leg.address for server in fleet.servers.values() for leg in server.interfaces):
        return fleet
    declared = _declared(fleet)
    kept = _recorded(fleet, observed, {name: Subnet.of(net) for name, net in fleet.networks.items()}, declared)
    taken = declared | set(kept.values()) | _observed(observed)
    rooms = {name: _Room(Subnet.of(network), taken) for name, network in fleet.networks.items()}
    mistakes: list[Mistake] = []
    servers: dict[str, Server] = {}
    for name in sorted(fleet.servers):
        server = fleet.servers[name]
        legs = list(server.interfaces)
        for number, leg in enumerate(legs):
            if leg.address:
                continue
            address = kept.get((name, number))
            if address is None:
                room = rooms[leg.network]
                address = room.take(f"{fleet.name}/{name}/{leg.network}" + (f"/{number}" if number else ""))
                if address is None:
                    mistakes.append(_full(name, room))
                    continue
            legs[number] = Interface(leg.network, text(address))
        servers[name] = replace(server, interfaces=tuple(legs))
    if mistakes:
        raise InventoryError(mistakes)
    return replace(fleet, servers={name: servers[name] for name in fleet.servers})


def _full(server: str, room: _Room) -> Mistake:
    subnet = room.subnet
    problem = f"network {subnet.name} ({subnet.cidr}) is full: {subnet.size} addresses for servers, none of them free"
    accepted = "a wider cidr, fewer reserved addresses, or another network"
    return Mistake(server, "vs_address", "", problem, accepted)


def _declared(fleet: Fleet) -> set[Address]:
    """Addresses the inventory says something about: nobody is given them unasked."""
    written = [leg.address for server in fleet.servers.values() for leg in server.interfaces if leg.address]
    written += [node.address for node in fleet.nodes.values()]
    for network in fleet.networks.values():
        written += [network.gateway, *network.dns]
    return set(filter(None, map(parse, written)))


def _observed(observed: Observed) -> set[Address]:
    """Addresses somebody is known, or seen, to have."""
    written = set(observed.answering)
    for guest in observed.servers:
        written.update(guest.addresses, (leg.address for leg in guest.interfaces))
    return set(filter(None, map(parse, written)))


def _recorded(
    fleet: Fleet, observed: Observed, subnets: dict[str, Subnet], declared: set[Address]
) -> dict[tuple[str, int], Address]:
    """(server, interface number) -> the address it was made with, where it may keep that."""
    kept: dict[tuple[str, int], Address] = {}
    taken = set(declared)
    # Of several copies of a server the one that is right comes first: primary, newest.
    guests = sorted(
        (guest for guest in observed.servers if ours(fleet, guest) and guest.name in fleet.servers),
        key=lambda guest: (guest.name, guest.role != "primary", -guest.generation, guest.node),
    )
    for guest in guests:
        had = _addresses(guest)
        for number, leg in enumerate(fleet.servers[guest.name].interfaces):
            if leg.address or (guest.name, number) in kept:
                continue
            subnet = subnets[leg.network]
            for network, address in had:
                if network in ("", leg.network) and address not in taken and not subnet.why_not(address):
                    kept[guest.name, number] = address
                    taken.add(address)
                    break
    return kept


def _addresses(guest: ObservedServer) -> list[tuple[str, Address]]:
    """(network, address) of a guest. Of one on a node that is off, the networks may not be known: empty."""
    named = [(leg.network, parse(leg.address)) for leg in guest.interfaces]
    known = {address for _network, address in named}
    unnamed = [("", address) for address in map(parse, guest.addresses) if address not in known]
    return [(network, address) for network, address in named + unnamed if address]


class _Room:
    """The free addresses of one network."""

    def __init__(self, subnet: Subnet, taken: set[Address]) -> None:
        self.subnet = subnet
        self._ends = list(accumulate(high - low + 1 for low, high in subnet.free))
        self._taken = {address for _version, address in taken if _version == subnet.version}
        inside = sum(1 for address in self._taken if not subnet.why_not((subnet.version, address)))
        self._left = subnet.size - inside

    def take(self, key: str) -> Address | None:
        """The free address at or after the key's own position; None where there is none left."""
        if self._left <= 0:
            return None
        for address in self._from(int.from_bytes(sha256(key.encode()).digest()[:16], "big") % self._ends[-1]):
            if address not in self._taken:
                self._taken.add(address)
                self._left -= 1
                return self.subnet.version, address
        return None

    def _from(self, position: int) -> Iterator[int]:
        """Every address there is for servers, once, from a position on and around."""
        start = bisect_right(self._ends, position)
        low, high = self.subnet.free[start]
        first = high - (self._ends[start] - 1 - position)
        yield from range(first, high + 1)
        for index in range(start + 1, start + len(self.subnet.free)):
            a, b = self.subnet.free[index % len(self.subnet.free)]
            yield from range(a, b + 1)
        yield from range(low, first)
