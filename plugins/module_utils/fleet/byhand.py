# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that is asked for by options, declared among those of the inventory for as long as one task takes.

Options are read as the inventory's variables are. What a server that exists is not told, it keeps.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from .inventory.mistakes import InventoryError, Mistake, show
from .model import Fleet, Interface, ObservedServer, Server
from .spec import parse

OPTIONS: Final[Mapping[str, str]] = {
    "class_name": "vs_class",
    "template": "vs_template",
    "cores": "vs_cores",
    "memory": "vs_memory",
    "disk": "vs_disk",
    "io": "vs_io",
    "pool": "vs_pool",
    "network": "vs_network",
    "address": "vs_address",
    "interfaces": "vs_interfaces",
    "tenant": "vs_tenant",
    "site": "vs_site",
    "devices": "vs_devices",
    "affinity": "vs_affinity",
    "anti_affinity": "vs_anti_affinity",
    "checks": "vs_checks",
}
"""Option of a task -> the variable that says the same in an inventory."""
_SIZES: Final = ("vs_cores", "vs_memory", "vs_disk", "vs_io")
_LEGS: Final = {"vs_network", "vs_address", "vs_interfaces"}

Hosts = Mapping[str, Mapping[str, Any]]
Groups = Mapping[str, Sequence[str]]


def declared(groups: Groups, name: str) -> bool:
    """Whether the inventory has the server."""
    return name in groups.get("virtual_servers", ())


def with_options(
    hosts: Hosts, groups: Groups, name: str, given: Mapping[str, Any], like: ObservedServer | None
) -> Fleet:
    """The fleet with the server in it, as ``given`` (variable -> value) says.

    ``like``: how it is, or whom it is to be a copy of; it keeps what nobody says otherwise. Of a server that is in the
    inventory already, options may only say the same.
    Raises InventoryError, with the names of options for those of variables.
    """
    if declared(groups, name):
        fleet = parse(hosts, groups)
        _only_the_same(fleet, hosts, groups, name, given)
        return fleet
    said = dict(given)
    if like is not None:
        said = {**_kept(parse(hosts, groups), like, given), **said}
    fleet = _parsed(hosts, groups, name, said)
    if like is None:
        return fleet
    server = _as_it_is(fleet.servers[name], like, given)
    return replace(fleet, servers={**fleet.servers, name: server})


def fitting(fleet: Fleet, exported: ObservedServer) -> ObservedServer:
    """A server of another time, or another fleet, without what this fleet does not have: its class, addresses that are
    in none of its networks."""
    legs = []
    for leg in exported.interfaces:
        network = fleet.networks.get(leg.network)
        here = bool(network and leg.address and network.cidr and _within(leg.address, network.cidr))
        legs += [leg if here else replace(leg, address="")] if network else []
    if not legs and exported.interfaces:
        # It is to be reached, wherever it came from.
        legs = [Interface(network, "") for network in list(fleet.networks)[:1]]
    class_name = exported.class_name if exported.class_name in fleet.classes else ""
    return replace(exported, class_name=class_name, interfaces=tuple(legs))


def _within(address: str, cidr: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(cidr, strict=False)


def variables(server: Server, given: Mapping[str, Any]) -> dict[str, Any]:
    """What to write into an inventory so that it declares the server as it is now."""
    if "vs_class" in given or (server.class_name and not set(_SIZES) & set(given)):
        found: dict[str, Any] = {"vs_class": server.class_name}
        found |= {name: given[name] for name in _SIZES if name in given}
    else:
        size = server.size
        found = {"vs_cores": size.cores, "vs_memory": f"{size.memory}MiB", "vs_disk": f"{size.disk}MiB"}
        found |= {"vs_io": size.io} if size.io else {}
        found |= {"vs_class": server.class_name} if server.class_name else {}
    found["vs_template"] = server.template
    if len(server.interfaces) == 1:
        found |= {"vs_network": server.interfaces[0].network, "vs_address": server.interfaces[0].address}
    elif server.interfaces:
        found["vs_interfaces"] = [{"network": leg.network, "address": leg.address} for leg in server.interfaces]
    if server.tenant:
        found["vs_tenant"] = server.tenant
    others = {name: given[name] for name in OPTIONS.values() if name in given and name not in found}
    return found | {name: value for name, value in others.items() if name not in _LEGS}


def _parsed(hosts: Hosts, groups: Groups, name: str, said: Mapping[str, Any]) -> Fleet:
    first = next(iter([*groups.get("nodes", ()), *groups.get("virtual_servers", ())]), "")
    shared = {key: value for key, value in hosts.get(first, {}).items() if key.startswith("fleet_")}
    servers = [*groups.get("virtual_servers", ()), name]
    try:
        return parse({**hosts, name: {**shared, **said}}, {**groups, "virtual_servers": servers})
    except InventoryError as error:
        raise InventoryError(_as_option(mistake, name) for mistake in error.mistakes) from None


def _as_option(mistake: Mistake, name: str) -> Mistake:
    """A mistake of this server in the words of a task."""
    if mistake.host != name:
        return mistake
    variable, problem, accepted = map(_in_options, (mistake.variable, mistake.problem, mistake.accepted))
    return replace(mistake, variable=variable, problem=problem, accepted=accepted)


def _in_options(text: str) -> str:
    """A text with the names of options for those of variables."""
    named = {variable: option for option, variable in OPTIONS.items()}
    return re.sub(r"\bvs_[a-z_]+", lambda found: named.get(found[0], found[0]), text)


def _only_the_same(fleet: Fleet, hosts: Hosts, groups: Groups, name: str, given: Mapping[str, Any]) -> None:
    mistakes = []
    for variable, value in given.items():
        try:
            other = parse({**hosts, name: {**hosts[name], variable: value}}, groups)
        except InventoryError as error:
            raise InventoryError(_as_option(mistake, name) for mistake in error.mistakes) from None
        if other.servers[name] != fleet.servers[name] or other.rules != fleet.rules:
            problem = "is said otherwise by the inventory, which this server is in"
            accepted = f"nothing: change {variable} there, and this task brings the server to it"
            mistakes.append(Mistake(name, _in_options(variable), show(value), problem, accepted))
    if mistakes:
        raise InventoryError(mistakes)


def _kept(fleet: Fleet, like: ObservedServer, given: Mapping[str, Any]) -> dict[str, Any]:
    """Variables that say what it is, as far as they can be read again; ``_as_it_is`` has the rest."""
    kept: dict[str, Any] = {}
    if "vs_class" not in given:
        size = like.size
        kept |= {"vs_cores": max(size.cores, 0.1), "vs_memory": max(size.memory, 1), "vs_disk": max(size.disk, 1)}
        kept["vs_io"] = size.io
    known = like.template if like.template in fleet.templates else next(iter(fleet.templates), "")
    kept |= {"vs_template": known} if known else {}
    if not _LEGS & set(given) and fleet.networks:
        networks = [leg.network for leg in like.interfaces if leg.network in fleet.networks]
        kept["vs_interfaces"] = networks or [next(iter(fleet.networks))]
    return kept


def _as_it_is(server: Server, like: ObservedServer, given: Mapping[str, Any]) -> Server:
    """The server with what it is where nothing was said."""
    same = like.name == server.name
    if "vs_class" not in given:
        size = server.size
        server = replace(
            server,
            class_name=like.class_name,
            size=replace(
                like.size,
                **{part: getattr(size, part) for part in ("cores", "memory", "disk", "io") if f"vs_{part}" in given},
            ),
        )
    if "vs_template" not in given:
        server = replace(server, template=like.template)
    if "vs_pool" not in given:
        server = replace(server, pool=like.pool)
    if same and "vs_tenant" not in given:
        server = replace(server, tenant=like.tenant)
    if same and not _LEGS & set(given):
        server = replace(server, interfaces=like.interfaces)
    if same and "vs_address" not in given and "vs_interfaces" not in given:
        had = {leg.network: leg.address for leg in like.interfaces}
        legs = (replace(leg, address=leg.address or had.get(leg.network, "")) for leg in server.interfaces)
        server = replace(server, interfaces=tuple(legs))
    return server
