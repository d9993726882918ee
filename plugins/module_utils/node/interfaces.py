# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's /etc/network/interfaces, as ifupdown2 reads it: from what is declared, whole. Pure.

Everything that can be seen to cut the node off is a mistake here; what only the network itself can tell is found out
under a timer that takes it back.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}")
_VLAN = re.compile(r"(?P<device>.+)\.(?P<tag>[0-9]{1,4})")
BOND_MODES = (
    "balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb",
)  # fmt: skip
_KNOWN = {
    "nic": set(),
    "bond": {"slaves", "mode", "primary", "hash"},
    "bridge": {"ports", "vlan_aware", "vids", "stp", "hwaddress"},
    "vlan": {"device", "tag"},
}
_ALL = {"mtu", "addresses", "gateway", "gateway6", "comment", "network"}


@dataclass(frozen=True, slots=True)
class Device:
    """One device. ``lower`` are those it is made of."""

    name: str
    kind: str
    lower: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    mtu: int = 0
    lines: tuple[str, ...] = ()
    """What only its kind has."""
    comment: str = ""
    network: str = ""
    """What it is for; nodes reach each other on devices of the same one."""


class Mistaken(Exception):
    """A network that cannot be; ``mistakes`` has every one."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(mistakes))


@dataclass
class _Reader:
    """Gathers mistakes while it reads."""

    mistakes: list[str] = field(default_factory=list)

    def device(self, entry: Mapping[str, Any], number: int) -> Device | None:
        name = str(entry.get("name") or "")
        where = name or f"device {number}"
        if not NAME.fullmatch(name):
            self.mistakes.append(f"{where}: a name has 1 to 15 letters, digits and _ . - and begins with a letter")
            return None
        kind = str(entry.get("kind") or _kind(name))
        if kind not in _KNOWN:
            self.mistakes.append(f"{where}: kind {kind!r} is none of {', '.join(_KNOWN)}")
            return None
        for key in sorted(set(entry) - _KNOWN[kind] - _ALL - {"name", "kind"}):
            self.mistakes.append(f"{where}: a {kind} has no {key} (it has {', '.join(sorted(_KNOWN[kind] | _ALL))})")
        lower, lines = {"bond": self._bond, "bridge": self._bridge, "vlan": self._vlan}.get(kind, _nothing)(
            entry, where
        )
        return Device(
            name,
            kind,
            lower,
            self._addresses(entry, where),
            self._gateways(entry, where),
            self._number(entry, "mtu", where, 576, 65520),
            lines,
            " ".join(str(entry.get("comment") or "").split()),
            self._network(entry, where),
        )

    def _network(self, entry: Mapping[str, Any], where: str) -> str:
        network = str(entry.get("network") or "")
        if network and not _names(entry.get("addresses")):
            self.mistakes.append(f"{where}: network {network} needs an address of the node in it")
        return network

    def _bond(self, entry: Mapping[str, Any], where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        slaves, mode = _names(entry.get("slaves")), str(entry.get("mode") or "active-backup")
        if not slaves:
            self.mistakes.append(f"{where}: a bond needs slaves")
        if mode not in BOND_MODES:
            self.mistakes.append(f"{where}: mode {mode} is none of {', '.join(BOND_MODES)}")
        lines = [f"bond-slaves {' '.join(slaves)}", f"bond-mode {mode}", "bond-miimon 100"]
        if entry.get("primary"):
            if entry["primary"] not in slaves:
                self.mistakes.append(f"{where}: primary {entry['primary']} is none of its slaves")
            lines.append(f"bond-primary {entry['primary']}")
        if mode in ("802.3ad", "balance-xor"):
            lines.append(f"bond-xmit-hash-policy {entry.get('hash') or 'layer2+3'}")
        return slaves, tuple(lines)

    def _bridge(self, entry: Mapping[str, Any], _where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        ports = _names(entry.get("ports"))
        lines = [f"bridge-ports {' '.join(ports) or 'none'}", f"bridge-stp {'on' if entry.get('stp') else 'off'}"]
        lines.append("bridge-fd 0")
        if entry.get("vlan_aware"):
            lines += ["bridge-vlan-aware yes", f"bridge-vids {' '.join(_names(entry.get('vids'))) or '2-4094'}"]
        if entry.get("hwaddress"):
            lines.append(f"hwaddress {entry['hwaddress']}")
        return ports, tuple(lines)

    def _vlan(self, entry: Mapping[str, Any], where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        named = _VLAN.fullmatch(str(entry["name"]))
        device = str(entry.get("device") or (named["device"] if named else ""))
        tag = self._number({"tag": entry.get("tag") or (named["tag"] if named else None)}, "tag", where, 1, 4094)
        if not device or not tag:
            self.mistakes.append(f"{where}: a VLAN needs device and tag, or a name such as vmbr0.20")
        return (device,), () if named else (f"vlan-raw-device {device}", f"vlan-id {tag}")

    def _addresses(self, entry: Mapping[str, Any], where: str) -> tuple[str, ...]:
        found = []
        for text in _names(entry.get("addresses")):
            try:
                found.append(str(ipaddress.ip_interface(text)))
            except ValueError:
                found.append("")
            if "/" not in text or not found[-1]:
                self.mistakes.append(f"{where}: {text} is no address with its prefix, such as 192.0.2.11/24")
        return tuple(found)

    def _gateways(self, entry: Mapping[str, Any], where: str) -> tuple[str, ...]:
        found = []
        for key, version in (("gateway", 4), ("gateway6", 6)):
            if not entry.get(key):
                continue
            try:
                address = ipaddress.ip_address(str(entry[key]))
            except ValueError:
                address = None
            if address is None or address.version != version:
                self.mistakes.append(f"{where}: {key} {entry[key]} is no IPv{version} address")
                continue
            nets = [ipaddress.ip_interface(text).network for text in _names(entry.get("addresses")) if _valid(text)]
            if not address.is_link_local and not any(address in net for net in nets):
                self.mistakes.append(f"{where}: {key} {address} is in none of its networks")
            found.append(str(address))
        return tuple(found)

    def _number(self, entry: Mapping[str, Any], key: str, where: str, least: int, most: int) -> int:
        value = entry.get(key)
        if value in (None, "", 0):
            return 0
        if not re.fullmatch(r"[0-9]+", str(value)) or not least <= int(value) <= most:
            self.mistakes.append(f"{where}: {key} {value!r} is not from {least} to {most}")
            return 0
        return int(value)


def _nothing(_entry: Mapping[str, Any], _where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (), ()


def _kind(name: str) -> str:
    """As Proxmox VE itself tells them apart."""
    for kind, pattern in (("vlan", _VLAN.pattern), ("bridge", r"vmbr\d+"), ("bond", r"bond\d+")):
        if re.fullmatch(pattern, name):
            return kind
    return "nic"


def _valid(text: str) -> bool:
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return True


def _names(value: Any) -> tuple[str, ...]:
    if value in (None, ""):
        return ()
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else tuple(str(each) for each in value)


# ---------------------------------------------------------------- the whole


def read(declared: Iterable[Mapping[str, Any]], management: str) -> list[Device]:
    """The devices, those that others are made of included. Raises Mistaken with every mistake.

    ``management``: the address Ansible comes in by; it has to stay.
    """
    reader = _Reader()
    devices: dict[str, Device] = {}
    for number, entry in enumerate(declared, 1):
        device = reader.device(entry, number)
        if device and device.name in devices:
            reader.mistakes.append(f"{device.name}: declared twice")
        if device:
            devices[device.name] = device
    reader.mistakes += _together(devices, management)
    if reader.mistakes:
        raise Mistaken(reader.mistakes)
    return _in_order(devices)


def _together(devices: Mapping[str, Device], management: str) -> list[str]:
    mistakes = []
    users: dict[str, str] = {}
    for device in devices.values():
        for lower in device.lower if device.kind in ("bond", "bridge") else ():
            if lower in users:
                mistakes.append(f"{device.name}: {lower} belongs to {users[lower]} already")
            users[lower] = device.name
            if lower in devices and devices[lower].addresses:
                mistakes.append(f"{lower}: has an address, and is a part of {device.name}, which should have it")
        for lower in device.lower:
            under = devices.get(lower)
            if under and under.mtu and device.mtu > under.mtu:
                mistakes.append(f"{device.name}: mtu {device.mtu} is more than that of {lower}, {under.mtu}")
        if _around(devices, device.name):
            mistakes.append(f"{device.name}: is made of itself")
    for version in (4, 6):
        routed = [
            each.name for each in devices.values() for g in each.gateways if ipaddress.ip_address(g).version == version
        ]
        if len(routed) > 1:
            mistakes.append(f"{', '.join(routed)}: each has a gateway for IPv{version}; a node has one")
    mine = [text for each in devices.values() for text in each.addresses]
    twice = {text for text in mine if text and mine.count(text) > 1}
    mistakes += [f"{text}: declared twice" for text in sorted(twice)]
    if management not in [text.partition("/")[0] for text in mine]:
        mistakes.append(f"no device has {management}, by which the node is reached")
    return mistakes


def _version(address: str) -> int:
    return ipaddress.ip_address(address).version


def _around(devices: Mapping[str, Device], name: str) -> bool:
    seen: set[str] = set()
    open_ends = list(devices[name].lower)
    while open_ends:
        lower = open_ends.pop()
        if lower == name:
            return True
        if lower not in seen and lower in devices:
            seen.add(lower)
            open_ends += devices[lower].lower
    return False


def _in_order(devices: Mapping[str, Device]) -> list[Device]:
    """What others are made of first; what is only named as a part is there without an address."""
    ordered: dict[str, Device] = {}

    def add(name: str) -> None:
        if name in ordered:
            return
        device = devices.get(name, Device(name, "nic"))
        for lower in device.lower:
            add(lower)
        ordered[name] = device

    for name in devices:
        add(name)
    return list(ordered.values())


def write(devices: Iterable[Device], note: str, guests: str = "") -> str:
    """The file. ``guests``: what the ports servers are plugged into are called, where ifupdown2 would pull them out."""
    stanzas = [f"# {note}\n", "auto lo\niface lo inet loopback\n"]
    for device in devices:
        families = sorted({ipaddress.ip_interface(text).version for text in device.addresses}) or [0]
        # A part of something else comes up with it.
        for place, version in enumerate(families):
            family = "inet6" if version == 6 else "inet"
            head = f"auto {device.name}\n" if place == 0 else ""
            lines = [f"iface {device.name} {family} {'static' if version else 'manual'}"]
            lines += [f"address {text}" for text in device.addresses if ipaddress.ip_interface(text).version == version]
            lines += [f"gateway {text}" for text in device.gateways if ipaddress.ip_address(text).version == version]
            if place == 0:
                lines += device.lines
                lines += [f"bridge-ports-condone-regex {guests}"] if guests and device.kind == "bridge" else []
                lines += [f"mtu {device.mtu}"] if device.mtu else []
            comment = f"#{device.comment}\n" if device.comment and place == 0 else ""
            stanzas.append(head + "\n\t".join(lines) + "\n" + comment)
    # Firewall and SDN write theirs here.
    stanzas.append("source /etc/network/interfaces.d/*\n")
    return "\n".join(stanzas)
