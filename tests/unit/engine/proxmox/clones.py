# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates on the double, and servers made of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.engine import ProxmoxEngine
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Interface, Server, Size, Template
from cluster import client_of, fleet_of, silent
from double import Double

MACHINE = Template("debian", kind="vm", version="13.1")
CONTAINER = Template("golden", version="7")
TEMPLATES = {each.name: each for each in (MACHINE, CONTAINER)}


def server(name: str, template: Template, size: Size | None = None, **more: Any) -> Server:
    """A small server on the one network."""
    more = {"pool": "local-zfs", "interfaces": (Interface("lan", "10.66.0.60"),), **more}
    return Server(name, size or Size(1.5, 512, 4096), template.name, **more)


VM = server("vm-001", MACHINE, class_name="small", tenant="acme")
CT = server("ct-001", CONTAINER)


def add_template(double: Double, template: Template, node: str = "pve1", disk: str = "", **config: str) -> int:
    """A guest that was made a template; its number."""
    vmid = 9000 + sum(1 for each in double.world.cluster.guests.values() if each.template)
    kind = "qemu" if template.kind == "vm" else "lxc"
    called = {"name": f"{template.name}-{template.version}"}
    known = {"net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1", "boot": "order=scsi0;net0", "agent": "1"}
    settings = known if kind == "qemu" else {}
    disk = disk or ("local-zfs:2" if kind == "qemu" else "local-zfs:1")
    double.add_guest(vmid, node, kind, disk=disk, **{**called, **settings, **config})
    double.ask("POST", f"/nodes/{node}/{kind}/{vmid}/template")
    double.settle()
    return vmid


def engine_of(double: Double, *servers: Server, ssh_keys: tuple[str, ...] = (), **templates: Template) -> ProxmoxEngine:
    """An engine of the fleet that declares these servers and templates."""
    fleet = replace(fleet_of(double, *servers), templates={**TEMPLATES, **templates}, ssh_keys=ssh_keys)
    return ProxmoxEngine(fleet, client_of(double))


def made(double: Double, wanted: Server, node: str = "pve1", **template: str) -> ProxmoxEngine:
    """The server, of a template on the same node."""
    add_template(double, TEMPLATES[wanted.template], node, **template)
    engine = engine_of(double, wanted)
    engine.create(wanted, node, silent)
    return engine
