# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks and addresses the inventory declares: each inside its network, and somebody's alone."""

from __future__ import annotations

from dataclasses import replace

from ..model import Fleet, Network
from .reading import Draft
from .subnet import Address, Subnet, parse, span


def check(draft: Draft, fleet: Fleet) -> None:
    """Note what is wrong with networks, with addresses of nodes, and with those of servers."""
    subnets = {name: _network(draft, network) for name, network in fleet.networks.items()}
    _overlaps(draft, subnets)
    owners = _nodes(draft, fleet)
    for server in fleet.servers.values():
        values = draft.servers[server.name]
        for leg in server.interfaces:
            subnet = subnets.get(leg.network)
            number = parse(leg.address) if leg.address and subnet else None
            if subnet is None or number is None:
                continue
            problem = subnet.why_not(number)
            if not problem and number in owners:
                problem = f"already the address of {owners[number]}"
            owners.setdefault(number, server.name)
            if problem:
                variable = "vs_interfaces" if "vs_interfaces" in values else "vs_address"
                accepted = f"a free address of {subnet.cidr}; or none, and one is allocated"
                draft.notes(values).wrong(variable, leg.address, problem, accepted)


def _network(draft: Draft, network: Network) -> Subnet:
    """A network as numbers, without what of its declaration is wrong."""
    notes, at = draft.notes(draft.fleet), f"fleet_networks.{network.name}"
    bare = Subnet.of(Network(network.name, network.cidr))
    gateway = parse(network.gateway) if network.gateway else None
    if gateway and (problem := bare.why_not(gateway)):
        notes.wrong(f"{at}.gateway", network.gateway, problem, f"an address of {network.cidr}")
        network = replace(network, gateway="")
    for text in network.reserved:
        version, low, high = span(text)
        if version != bare.version or low < bare.first or high > bare.last:
            problem = f"outside network {network.name} ({network.cidr})"
            notes.wrong(f"{at}.reserved", text, problem, f"addresses of {network.cidr}")
            network = replace(network, reserved=tuple(each for each in network.reserved if each != text))
    return Subnet.of(network)


def _overlaps(draft: Draft, subnets: dict[str, Subnet]) -> None:
    """An address has to tell its network, so no two networks may share any."""
    ordered = sorted(subnets.values(), key=lambda subnet: (subnet.version, subnet.first, -subnet.last, subnet.name))
    widest: Subnet | None = None
    for subnet in ordered:
        if widest and widest.version == subnet.version and subnet.first <= widest.last:
            problem = f"overlaps network {widest.name} ({widest.cidr})"
            draft.notes(draft.fleet).wrong(
                f"fleet_networks.{subnet.name}.cidr", subnet.cidr, problem, "a range of its own"
            )
        if not widest or widest.version != subnet.version or subnet.last > widest.last:
            widest = subnet


def _nodes(draft: Draft, fleet: Fleet) -> dict[Address, str]:
    """Addresses of the nodes; the same address twice is a mistake, unless the engines' ports differ."""
    seen: dict[tuple[str, int], str] = {}
    owners: dict[Address, str] = {}
    for node in fleet.nodes.values():
        values = draft.nodes[node.name]
        other = seen.setdefault((node.address.lower(), node.port), node.name)
        if other != node.name and not {"node_address", "node_port"} & values.wrong:
            problem = f"already the address of node {other}"
            draft.notes(values).wrong(values.address_variable, node.address, problem, "an address of its own")
        if number := parse(node.address):
            owners.setdefault(number, f"node {node.name}")
    return owners
