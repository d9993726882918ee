# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A declared server as an Incus instance: its marks, limits, devices and what it reads about itself. Pure."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from typing import Any

from ...fleet.model import Fleet, Interface, Network, Node, Server, Template
from ..hardware_address import hardware_address
from .units import cpu_limits, mib, mib_text

MARK = "user.switchyard."
"""Configuration keys of ours begin so. A guest is ours if ``MARK + "fleet"`` is this fleet's name."""

Config = dict[str, str]
Devices = dict[str, dict[str, str]]

INSTANCE_TYPES = {"container": "container", "vm": "virtual-machine"}


def alias(template: str, version: str) -> str:
    """Name of a template's image on every node."""
    return f"switchyard/{template}/{version}"


def instance(server: Server, node: Node, fleet: Fleet) -> dict[str, Any]:
    """Request body that creates the server on a node: whole, ours from its first moment, stopped."""
    template = fleet.templates.get(server.template, Template(server.template))
    config = birth_marks(server, fleet) | settings(server, fleet) | limits(server)
    return {
        "name": server.name,
        "type": INSTANCE_TYPES[template.kind],
        "source": {"type": "image", "alias": alias(template.name, template.version)},
        # No profiles: what the server is, is written on it and nowhere else.
        "profiles": [],
        "config": {key: value for key, value in config.items() if value},
        "devices": {"root": root_disk(server), **nics(server, node, fleet)},
    }


def birth_marks(server: Server, fleet: Fleet) -> Config:
    """What is true of a guest since its creation, and not changed by configuring it."""
    template = fleet.templates.get(server.template, Template(server.template))
    return {
        f"{MARK}fleet": fleet.name,
        f"{MARK}server": server.name,
        f"{MARK}role": "primary",
        f"{MARK}generation": "1",
        f"{MARK}template": template.name,
        f"{MARK}template_version": template.version,
    }


def settings(server: Server, fleet: Fleet) -> Config:
    """What ``configure`` keeps in step; an empty value is the key's absence."""
    return {
        f"{MARK}class": server.class_name,
        f"{MARK}tenant": server.tenant,
        f"{MARK}interfaces_spec": json.dumps([[leg.network, leg.address] for leg in server.interfaces]),
        f"{MARK}network": interfaces_file(server, fleet),
        f"{MARK}resolv": resolv_file(server, fleet),
        f"{MARK}ssh_keys": "".join(f"{key}\n" for key in fleet.ssh_keys),
        # boot.autostart itself is left out: Incus then brings back with the node what ran on it, and only that. With
        # it set, a daemon that died while creating a guest would start the half of it at its return.
        "boot.autostart.priority": str(1000 - server.start_order),
    }


def limits(server: Server) -> Config:
    """Cores and memory as Incus limits them, and the io budget, which only we keep account of."""
    return {
        **cpu_limits(server.size.cores),
        "limits.memory": mib_text(server.size.memory),
        f"{MARK}io": str(server.size.io) if server.size.io else "",
    }


def root_disk(server: Server) -> dict[str, str]:
    """The guest's root file system."""
    disk = {"type": "disk", "path": "/", "pool": server.pool}
    return disk | {"size": mib_text(server.size.disk)} if server.size.disk else disk


def nics(server: Server, node: Node, fleet: Fleet) -> Devices:
    """One network card per leg: eth0, eth1, ..."""
    return {
        f"eth{index}": _nic(index, leg, node, fleet) | {"hwaddr": hardware_address(fleet.name, server.name, index)}
        for index, leg in enumerate(server.interfaces)
    }


def _nic(index: int, leg: Interface, node: Node, fleet: Fleet) -> dict[str, str]:
    network = fleet.networks.get(leg.network, Network(leg.network, ""))
    nic = {
        "type": "nic",
        "nictype": "bridged",
        "parent": network.bridge or node.bridge,
        "name": f"eth{index}",
    }
    if network.vlan:
        nic["vlan"] = str(network.vlan)
    if network.mtu:
        nic["mtu"] = str(network.mtu)
    return nic


def interfaces_file(server: Server, fleet: Fleet) -> str:
    """The text of /etc/network/interfaces. The first network that has a gateway gives the default route,
    one for IPv4 and one for IPv6."""
    blocks = ["auto lo\niface lo inet loopback\n"]
    routed: set[int] = set()
    for index, leg in enumerate(server.interfaces):
        network = fleet.networks.get(leg.network, Network(leg.network, ""))
        lines = [f"auto eth{index}"]
        if leg.address and network.cidr:
            address = ipaddress.ip_address(leg.address)
            prefix = ipaddress.ip_network(network.cidr, strict=False).prefixlen
            lines.append(f"iface eth{index} {'inet' if address.version == 4 else 'inet6'} static")
            # Two lines, as busybox's ifup wants it; Debian's takes either.
            lines.append(f"    address {address}")
            lines.append(f"    netmask {prefix}")
            if network.gateway and address.version not in routed:
                lines.append(f"    gateway {network.gateway}")
                routed.add(address.version)
        else:
            lines.append(f"iface eth{index} inet manual")
        if network.mtu:
            lines.append(f"    mtu {network.mtu}")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def resolv_file(server: Server, fleet: Fleet) -> str:
    """The text of /etc/resolv.conf: search domains and name servers of the server's networks, each once, in order."""
    networks = [fleet.networks[leg.network] for leg in server.interfaces if leg.network in fleet.networks]
    domains = dict.fromkeys(domain for network in networks for domain in network.search)
    servers = dict.fromkeys(address for network in networks for address in network.dns)
    search = f"search {' '.join(domains)}\n" if domains else ""
    return search + "".join(f"nameserver {address}\n" for address in servers)


def configured(
    current: dict[str, Any], server: Server, node: Node, fleet: Fleet, more: Mapping[str, str] | None = None
) -> dict[str, Any] | None:
    """The instance with network, class, tenant and marks as declared, and ``more`` keys; None: nothing differs.

    Devices that are not network cards named ``ethN`` stay, as do keys that are not ours.
    """
    cards = nics(server, node, fleet)
    kept = {
        name: device
        for name, device in current["devices"].items()
        if not (device.get("type") == "nic" and name.startswith("eth") and name[3:].isdigit())
    }
    for name, card in cards.items():
        # A card keeps its options that we have no opinion on (hwaddr, limits.ingress, ...).
        old = current["devices"].get(name, {})
        kept[name] = {key: value for key, value in old.items() if key not in ("vlan", "mtu")} | card
        known = old.get("hwaddr") or current["config"].get(f"volatile.{name}.hwaddr")
        if known and current["config"].get(f"{MARK}adopted"):
            # Somebody else made it, and its neighbours know it by this.
            kept[name]["hwaddr"] = known
    return _changed(current, settings(server, fleet) | dict(more or {}), kept)


def resized(current: dict[str, Any], server: Server) -> dict[str, Any] | None:
    """The instance with cores, memory and disk as declared; None: nothing differs."""
    name, disk = root_of(current)
    devices = dict(current["devices"])
    if server.size.disk and mib(disk.get("size", "")) != server.size.disk:
        devices[name] = disk | {"size": mib_text(server.size.disk)}
    return _changed(current, limits(server), devices)


def root_of(current: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Name and options of the root disk, which may come from a profile."""
    for name, device in (current.get("expanded_devices") or current.get("devices") or {}).items():
        if device.get("type") == "disk" and device.get("path") == "/":
            return name, dict(device)
    return "root", {"type": "disk", "path": "/"}


def _changed(current: dict[str, Any], config: Config, devices: Devices) -> dict[str, Any] | None:
    """What to PUT so that ``config`` and ``devices`` hold, everything else unchanged; None: it holds already."""
    merged = dict(current["config"])
    for key, value in config.items():
        if value:
            merged[key] = value
        else:
            merged.pop(key, None)
    if merged == current["config"] and devices == current["devices"]:
        return None
    unchanged = {
        key: current[key]
        for key in ("architecture", "description", "ephemeral", "profiles", "stateful")
        if key in current
    }
    return unchanged | {"config": merged, "devices": devices}
