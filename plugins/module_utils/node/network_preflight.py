# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Can a node have the network that is declared for it? Facts and devices in, a list of what is wrong out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .interfaces import Device
from .preflight import Unfit

MANAGERS: Mapping[str, str] = {
    "systemd-networkd.service": "systemd-networkd",
    "NetworkManager.service": "NetworkManager",
}
"""Services that configure networks by themselves, and what people call them."""


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """A node's network, as it is."""

    links: Mapping[str, str]
    """Every device -> hardware address."""
    made: frozenset[str] = frozenset()
    """Those of them that are bridges, bonds, VLANs and the like, and no cards."""
    dead: frozenset[str] = frozenset()
    """Those that are up, and at whose other end nobody is."""
    kernel: frozenset[str] = frozenset()
    """Of ``vlan``, ``bond`` and ``filtering`` (VLANs on bridges): what the kernel has."""
    managers: tuple[str, ...] = ()
    """Who else configures the network: names as in MANAGERS, ``netplan``."""
    file: bool = True
    """Whether /etc/network/interfaces exists."""
    packages: frozenset[str] = field(default_factory=frozenset)


def judge(facts: NetworkFacts, devices: Sequence[Device]) -> list[Unfit]:
    """Everything that is wrong, in the order an operator would look."""
    return [*_manager(facts), *_links(facts, devices), *_kernel(facts, devices)]


def _manager(facts: NetworkFacts) -> Iterator[Unfit]:
    needed = "ifupdown (or ifupdown2) and /etc/network/interfaces alone; or leave node_interfaces out"
    for manager in facts.managers:
        yield Unfit("network", f"{manager} configures it", needed)
    if not facts.managers and not facts.file:
        yield Unfit("network", "no /etc/network/interfaces", needed)


def _links(facts: NetworkFacts, devices: Sequence[Device]) -> Iterator[Unfit]:
    users = {lower: device.name for device in devices for lower in device.lower}
    guests = {name for name in facts.links if name.startswith(("veth", "tap"))}
    cards = ", ".join(sorted(set(facts.links) - facts.made - guests - {"lo"})) or "none"
    for device in devices:
        if device.kind != "nic":
            continue
        where = f"part of {users[device.name]}" if device.name in users else "with an address of its own"
        if device.name not in facts.links:
            yield Unfit("link", f"no {device.name} ({where})", f"node_interfaces with cards there are: {cards}")
        elif device.name in facts.dead:
            yield Unfit("link", f"{device.name} ({where}) has no carrier", "a cable, and somebody at its other end")


def _kernel(facts: NetworkFacts, devices: Sequence[Device]) -> Iterator[Unfit]:
    vlans = [device.name for device in devices if device.kind == "vlan"]
    if vlans and "vlan" not in facts.kernel:
        yield Unfit("vlan", f"the kernel has no 8021q, for {', '.join(vlans)}", "its module, or untagged networks")
    bonds = [device.name for device in devices if device.kind == "bond"]
    if bonds and "bond" not in facts.kernel:
        yield Unfit("bond", f"the kernel has no bonding, for {', '.join(bonds)}", "its module, or no bonds")
    aware = [device.name for device in devices if "bridge-vlan-aware yes" in device.lines]
    if aware and "filtering" not in facts.kernel:
        needed = "CONFIG_BRIDGE_VLAN_FILTERING, or a bridge for each VLAN"
        yield Unfit("vlan", f"the kernel's bridges know no VLANs, for {', '.join(aware)}", needed)
