# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Incus tells of a node and its guests, in the words of the model. Pure."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...fleet.model import (
    Capacity,
    Copying,
    Fleet,
    Interface,
    ObservedNode,
    ObservedServer,
    Role,
    ServerState,
    Size,
)
from .duplicate import IMPORTED
from .guest import MARK, alias, root_of
from .handover import other_node
from .safekeeping import HOME, OWN, copying, protection, replicas
from .units import cores, cpu_limits, mib

_MIB = 1024 * 1024
_VM_MEMORY = 1024
"""MiB of a VM without a limit (Incus' own default); a container without one may take all there is."""
_VM_DISK = 10 * 1024

_STATES: dict[str, ServerState] = {
    "Running": "running",
    "Ready": "running",
    "Starting": "running",
    "Stopping": "running",
    "Freezing": "running",
    "Frozen": "running",
    "Thawed": "running",
    "Stopped": "stopped",
}


@dataclass(frozen=True, slots=True)
class Account:
    """One node's raw answers."""

    server: dict[str, Any]
    resources: dict[str, Any]
    pools: Mapping[str, dict[str, Any]]
    instances: list[dict[str, Any]]
    images: list[dict[str, Any]] = field(default_factory=list)


def node(name: str, account: Account) -> ObservedNode:
    """The node itself."""
    memory = account.resources.get("memory") or {}
    load = account.resources.get("load") or {}
    space = {pool: answer.get("space") or {} for pool, answer in account.pools.items()}
    return ObservedNode(
        name=name,
        reach="online",
        version=str((account.server.get("environment") or {}).get("server_version", "")),
        capacity=Capacity(
            cores=float((account.resources.get("cpu") or {}).get("total") or 0),
            memory=int(memory.get("total") or 0) // _MIB,
            pools={pool: int(each.get("total") or 0) // _MIB for pool, each in space.items()},
        ),
        memory_used=int(memory.get("used") or 0) // _MIB,
        load=float(load["Average1Min"]) if "Average1Min" in load else None,
        pools_used={pool: int(each.get("used") or 0) // _MIB for pool, each in space.items()},
        templates=frozenset(filter(None, map(_template, account.images))),
    )


def _template(image: dict[str, Any]) -> tuple[str, str] | None:
    """Which template an image is. It has to bear the alias servers are created from as well."""
    properties = image.get("properties") or {}
    pair = (properties.get("switchyard.template", ""), properties.get("switchyard.version", ""))
    names = {each.get("name") for each in image.get("aliases") or ()}
    return pair if all(pair) and alias(*pair) in names else None


def guest(raw: dict[str, Any], node_name: str, fleet: Fleet, memory: int) -> ObservedServer:
    """A guest, ours or a stranger's. ``memory``: MiB of its node, what limits in percent refer to.

    Guests in other Incus projects are strangers named ``PROJECT/NAME``: same node, other names.
    """
    config = raw.get("expanded_config") or raw.get("config") or {}
    project = raw.get("project") or "default"
    name = raw["name"] if project == "default" else f"{project}/{raw['name']}"
    owner = config.get(f"{MARK}fleet", "") if project == "default" else ""
    state = _STATES.get(raw.get("status", ""), "unknown")
    pool = root_of(raw)[1].get("pool", "default")
    size = _size(raw, config, memory)
    if owner != fleet.name:
        # Another fleet's guest is as foreign as anybody's, but its marks are worth telling.
        return ObservedServer(
            name,
            node_name,
            state,
            size,
            pool=pool,
            fleet=owner,
            template=config.get(f"{MARK}template", "") if owner else "",
            template_version=config.get(f"{MARK}template_version", "") if owner else "",
            addresses=_static(raw, config),
        )
    declared = fleet.servers.get(name)
    if declared and _says(config, cpu_limits(declared.size.cores)):
        # What was written is what is declared, to the hundredth the platform can hold.
        size = Size(declared.size.cores, size.memory, size.disk, size.io)
    interfaces = _interfaces(config.get(f"{MARK}interfaces_spec", ""))
    own = tuple(leg.address for leg in interfaces if leg.address)
    # No server has its replica on its own node: that is one which is just being promoted.
    role = "replica" if node_name in replicas(config) else _role(config.get(f"{MARK}role", ""))
    kept = role == "replica" and any(key.startswith(OWN) for key in config)
    return ObservedServer(
        name=name,
        node=node_name,
        state=state,
        size=size,
        pool=pool,
        fleet=owner,
        interfaces=interfaces,
        role=role,
        generation=_number(config.get(f"{MARK}generation", ""), 1),
        class_name=config.get(f"{MARK}class", ""),
        template=config.get(f"{MARK}template", ""),
        template_version=config.get(f"{MARK}template_version", ""),
        tenant=config.get(f"{MARK}tenant", ""),
        addresses=tuple(dict.fromkeys(own + _static(raw, config))),
        moving=other_node(config),
        home=config.get(HOME, "") if role == "primary" else "",
        copying=_kept(config) if kept else None,
        protection=protection(config, running=state == "running") if role == "primary" else None,
        imported=config.get(IMPORTED, ""),
    )


def _kept(config: Mapping[str, str]) -> Copying:
    """How a replica is kept; one in step is looked at now and then, and never behind."""
    seen = copying(config)
    return replace(seen, interval=0) if seen.in_step else seen


def _says(config: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(config.get(key, "") == value for key, value in wanted.items())


def _size(raw: dict[str, Any], config: Mapping[str, str], memory: int) -> Size:
    machine = raw.get("type") == "virtual-machine"
    count = cores(config.get("limits.cpu", ""), config.get("limits.cpu.allowance", ""))
    limit = mib(config.get("limits.memory", ""), memory)
    disk = mib(root_of(raw)[1].get("size", ""))
    return Size(
        cores=count or (1.0 if machine else 0.0),
        memory=limit or (_VM_MEMORY if machine else 0),
        disk=disk or (_VM_DISK if machine else 0),
        io=_number(config.get(f"{MARK}io", ""), 0),
    )


def _role(text: str) -> Role:
    return "replica" if text == "replica" else "primary"


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isdigit() else otherwise


def _interfaces(text: str) -> tuple[Interface, ...]:
    """The legs written on a guest of ours; a mark that somebody spoiled is read as none."""
    try:
        return tuple(Interface(str(network), str(address)) for network, address in json.loads(text or "[]"))
    except (ValueError, TypeError):
        return ()


def _static(raw: dict[str, Any], config: Mapping[str, str]) -> tuple[str, ...]:
    """Addresses the guest's configuration gives it: those of its cards, and of its cloud-init network text."""
    found: list[str] = []
    for device in (raw.get("expanded_devices") or {}).values():
        if device.get("type") == "nic":
            found += [device.get("ipv4.address", ""), device.get("ipv6.address", "")]
    for key in ("cloud-init.network-config", "user.network-config"):
        for line in config.get(key, "").splitlines():
            # Routes and gateways are other people's addresses.
            if not re.search(r"\b(to|via|gateway[46]?|network|destination):", line):
                found += re.findall(r"([0-9A-Fa-f.:]+)/[0-9]{1,3}\b", line)
                found += re.findall(r"\baddress:\s*[\"']?([0-9A-Fa-f.:]+)", line)
    return tuple(dict.fromkeys(filter(None, map(_address, found))))


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
