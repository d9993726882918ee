# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The legs of a server, in the words both containers and VMs are told them in. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...fleet.model import Fleet, Interface, Network, Node, Server
from ..hardware_address import hardware_address


@dataclass(frozen=True, slots=True)
class Leg:
    """One network card, and what it is to be told of addresses."""

    index: int
    hardware: str
    """MAC address, upper case."""
    bridge: str
    vlan: int
    mtu: int
    addresses: dict[str, str]
    """``ip`` or ``ip6`` with its prefix length, ``gw`` or ``gw6``; empty: nothing is declared."""

    @property
    def link(self) -> dict[str, str]:
        """Bridge, and VLAN where there is one."""
        return {"bridge": self.bridge} | ({"tag": str(self.vlan)} if self.vlan else {})


def legs(server: Server, node: Node, fleet: Fleet) -> Iterator[Leg]:
    """One per interface. The first network that has a gateway gives the default route, one for IPv4, one for IPv6."""
    routed: set[int] = set()
    for index, interface in enumerate(server.interfaces):
        network = _network(fleet, interface)
        yield Leg(
            index,
            hardware_address(fleet.name, server.name, index).upper(),
            network.bridge or node.bridge,
            network.vlan,
            network.mtu,
            _addresses(interface, network, routed),
        )


def resolvers(server: Server, fleet: Fleet) -> str:
    """The name servers of the server's networks, each once, in order, divided by blanks."""
    found = [address for interface in server.interfaces for address in _network(fleet, interface).dns]
    return " ".join(dict.fromkeys(found))


def searched(server: Server, fleet: Fleet) -> dict[str, str]:
    """The key with the domains in which short names are looked up: those of the server's networks, each once, in order,
    divided by blanks. Where none are declared, nothing: somebody may have written some by hand."""
    found = [domain for interface in server.interfaces for domain in _network(fleet, interface).search]
    return {"searchdomain": " ".join(dict.fromkeys(found))} if found else {}


def _addresses(interface: Interface, network: Network, routed: set[int]) -> dict[str, str]:
    if not (interface.address and network.cidr):
        return {}
    address: Any = ipaddress.ip_address(interface.address)
    prefix = ipaddress.ip_network(network.cidr, strict=False).prefixlen
    six = "6" if address.version == 6 else ""
    options = {f"ip{six}": f"{address}/{prefix}"}
    if network.gateway and address.version not in routed:
        options[f"gw{six}"] = network.gateway
        routed.add(address.version)
    return options


def _network(fleet: Fleet, interface: Interface) -> Network:
    return fleet.networks.get(interface.network, Network(interface.network, ""))
