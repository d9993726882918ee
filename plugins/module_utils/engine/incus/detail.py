# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one Incus server tells of its guests in detail, in the words an inventory is written from. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...fleet.importing.existing import Card, ExistingGuest
from ...fleet.model import ObservedServer
from .guest import MARK

Raw = Mapping[str, Any]
Networks = Mapping[str, Mapping[str, str]]
"""Incus' own networks: name -> configuration."""

_ADDRESS = re.compile(r"\b([0-9A-Fa-f.:]+/[0-9]{1,3})\b")
_GATEWAY = re.compile(r"\b(?:gateway[46]?|via):\s*[\"']?([0-9A-Fa-f.:]+)")
_ELSEWHERE = re.compile(r"\b(to|via|gateway[46]?|network|destination):")
"""Lines of cloud-init's network text that name other people's addresses."""


def guest(raw: Raw, observed: ObservedServer, networks: Networks) -> ExistingGuest:
    """A guest, from an element of the answer to ``recursion=2``, and what was observed of it."""
    config = raw.get("expanded_config") or {}
    disks = {name: device for name, device in (raw.get("expanded_devices") or {}).items() if device["type"] == "disk"}
    return ExistingGuest(
        name=observed.name,
        node=observed.node,
        number=f"instance {observed.name}",
        kind="vm" if raw.get("type") == "virtual-machine" else "container",
        state="running" if observed.state == "running" else "stopped",
        size=observed.size,
        pool=observed.pool,
        more_disks=tuple(sorted(name for name, device in disks.items() if device.get("path") != "/")),
        fleet=observed.fleet,
        cards=_cards(raw, config, networks),
        groups=tuple(f"profile_{name}" for name in raw.get("profiles") or () if name != "default"),
        system=str(config.get("image.os") or "").lower(),
        error="it is the replica of another" if observed.role == "replica" else "",
    )


def _cards(raw: Raw, config: Mapping[str, str], networks: Networks) -> tuple[Card, ...]:
    devices = {
        name: device for name, device in (raw.get("expanded_devices") or {}).items() if device.get("type") == "nic"
    }
    # Which card cloud-init's text or ours means can be told where there is one alone.
    text = _text(config) if len(devices) == 1 else ""
    return tuple(_card(name, devices[name], raw, networks, text) for name in sorted(devices))


def _card(name: str, device: Mapping[str, str], raw: Raw, networks: Networks, text: str) -> Card:
    inside = device.get("name") or name
    state = ((raw.get("state") or {}).get("network") or {}).get(inside) or {}
    seen = tuple(
        f"{each['address']}/{each['netmask']}" for each in state.get("addresses") or () if each.get("scope") == "global"
    )
    managed = networks.get(device.get("network", ""), {})
    fixed = [device[key] for key in ("ipv4.address", "ipv6.address") if device.get(key) not in (None, "", "none")]
    lines = [line for line in text.splitlines() if not _ELSEWHERE.search(line)]
    addresses = tuple(found for address in fixed if (found := _with_prefix(address, managed, seen)))
    addresses = addresses or tuple(dict.fromkeys(found for line in lines for found in _ADDRESS.findall(line)))
    gateways = _GATEWAY.findall(text) or _gateways(managed, addresses)
    return Card(
        name=name,
        bridge=device.get("network") or device.get("parent", ""),
        vlan=int(device.get("vlan") or 0),
        mtu=int(device.get("mtu") or 0),
        addresses=addresses,
        gateways=tuple(dict.fromkeys(gateways)),
        dynamic=not addresses and (bool(managed) or "dhcp" in text),
        seen=tuple(address for address in seen if address not in addresses),
    )


def _text(config: Mapping[str, str]) -> str:
    """What the guest is told of its network: by us, or by cloud-init."""
    ours = config.get(f"{MARK}network", "")
    if ours:
        found = re.findall(r"address (\S+)\n\s+netmask (\d+)", ours)
        gateways = re.findall(r"gateway (\S+)", ours)
        return "\n".join([*(f"- {address}/{prefix}" for address, prefix in found), *(f"via: {g}" for g in gateways)])
    return config.get("cloud-init.network-config") or config.get("user.network-config") or ""


def _with_prefix(address: str, managed: Mapping[str, str], seen: tuple[str, ...]) -> str:
    """A fixed address has its network's prefix length; empty where neither network nor guest tells."""
    own = managed.get("ipv6.address" if ":" in address else "ipv4.address", "")
    if "/" in own:
        return f"{address}/{own.partition('/')[2]}"
    return next((each for each in seen if each.partition("/")[0] == address), "")


def _gateways(managed: Mapping[str, str], addresses: tuple[str, ...]) -> list[str]:
    if not addresses:
        return []
    own = managed.get("ipv6.address" if ":" in addresses[0] else "ipv4.address", "")
    return [own.partition("/")[0]] if "/" in own else []
