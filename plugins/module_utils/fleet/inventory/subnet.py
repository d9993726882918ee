# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses of a network may be a server's: arithmetic on ranges of integers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..model import Network

try:
    import netaddr
except ImportError:  # spec.parse says so before anything here is asked
    netaddr = None

Address = tuple[int, int]
"""IP version and number: quick to compare, and never equal across versions."""


def parse(written: str) -> Address | None:
    """An address as numbers; ``None`` for what is none (a host name, say)."""
    try:
        address = netaddr.IPAddress(written, flags=netaddr.INET_PTON)
    except (netaddr.AddrFormatError, ValueError, TypeError):
        return None
    return int(address.version), int(address)


@dataclass(frozen=True)
class Subnet:
    """A network as numbers: from ``first`` to ``last``, without what is reserved."""

    name: str
    cidr: str
    version: int
    first: int
    last: int
    ends_usable: bool
    """Point-to-point and single-address networks have no network and no broadcast address."""
    gateway: Address | None
    reserved: tuple[tuple[int, int, str], ...]
    """First and last number, and how it was written; sorted, and inside the network."""
    free: tuple[tuple[int, int], ...]
    """Ranges a server may have an address in: no ends, nothing reserved, no gateway."""

    @classmethod
    def of(cls, network: Network) -> Subnet:
        """Work out the ranges of a declared network."""
        net = netaddr.IPNetwork(network.cidr)
        version, first, last = int(net.version), int(net.first), int(net.last)
        ends_usable = last - first < 2
        reserved = tuple(sorted((*span(entry)[1:], entry) for entry in network.reserved))
        gateway = parse(network.gateway) if network.gateway else None
        blocked = [(low, high) for low, high, _entry in reserved]
        if gateway:
            blocked.append((gateway[1], gateway[1]))
        if not ends_usable:
            # IPv6 has no broadcast, and its first address is the routers' anycast: both ends are left alone.
            blocked += [(first, first), (last, last)]
        free = tuple(_gaps(first, last, sorted(blocked)))
        return cls(network.name, network.cidr, version, first, last, ends_usable, gateway, reserved, free)

    @property
    def size(self) -> int:
        """How many addresses there are for servers."""
        return sum(high - low + 1 for low, high in self.free)

    def why_not(self, address: Address) -> str:
        """Why a server must not have this address here; empty if it may."""
        version, value = address
        if version != self.version or not self.first <= value <= self.last:
            return f"outside network {self.name} ({self.cidr})"
        if address == self.gateway:
            return f"the gateway of network {self.name}"
        if not self.ends_usable and value == self.first:
            return f"the network address of {self.name}"
        if not self.ends_usable and value == self.last:
            return f"the broadcast address of {self.name}" if version == 4 else f"the last address of {self.name}"
        for low, high, entry in self.reserved:
            if low <= value <= high:
                return f"reserved in network {self.name} ({entry})"
        return ""


def text(address: Address) -> str:
    """An address as people write it."""
    version, value = address
    return str(netaddr.IPAddress(value, version))


def span(entry: str) -> tuple[int, int, int]:
    """IP version, first and last number of a reserved entry: an address, ``first-last``, or a CIDR."""
    if "/" in entry:
        net = netaddr.IPNetwork(entry)
        return int(net.version), int(net.first), int(net.last)
    first, _dash, last = entry.partition("-")
    low, high = netaddr.IPAddress(first), netaddr.IPAddress(last or first)
    return int(low.version), int(low), int(high)


def _gaps(first: int, last: int, blocked: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    start = first
    for low, high in blocked:
        if low > start:
            yield start, min(low - 1, last)
        start = max(start, high + 1)
    if start <= last:
        yield start, last
