# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A declared server as a VM of Proxmox VE. Pure.

A VM is told its name, addresses, resolvers and keys by cloud-init, from a drive that Proxmox VE writes anew at each
start. That tells it that it is another machine whenever what it says has changed; so keys and user are given once.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote

from ...fleet.model import Fleet, Node, Server
from .config import Config, is_linked, mib, options_of, storage_of, volume_of, written
from .dialect import Dialect, cores
from .legs import legs, resolvers, searched

_MODELS = re.compile(r"e1000(-.*|e)?|i82.*|ne2k_.*|pcnet|rtl8139|virtio|vmxnet3")
_OURS = ("model", "macaddr", "bridge", "tag", "mtu")
"""Options of a card that we have an opinion on; others (firewall, rate, queues) stay."""
_SLOTS = ("ide2", "ide0", "ide3", "ide1", "sata5", "scsi30")
"""Where a cloud-init drive goes: the first that is free. Proxmox VE's own interface takes ide2."""
_DEFAULTS = {"cores": 1.0, "sockets": 1.0, "memory": 512.0, "ciupgrade": 1.0}
"""What the absence of a key means."""


class Machine(Dialect):
    """VMs: whole machines, with a disk that knows nothing of Proxmox VE."""

    kind, word, command, name_key, migration = "qemu", "vm", "qm", "name", "qmigrate"
    disks = re.compile(r"(ide|sata|scsi|virtio|efidisk|tpmstate)[0-9]+")
    network = re.compile(r"(net|ipconfig)[0-9]+|nameserver|searchdomain")
    numbered = re.compile(r"(net|ipconfig)[0-9]+")

    def limits(self, server: Server, current: Config) -> dict[str, Any]:
        """See Dialect. Whatever sockets its template had, cores are cores."""
        whole, limit = cores(server)
        wanted: dict[str, Any] = {"cores": whole or 1, "sockets": "", "vcpus": "", "cpulimit": limit}
        if server.size.memory:
            wanted["memory"] = server.size.memory
        if str(current.get("balloon", "0")) != "0":
            # Memory that is promised is not taken back.
            wanted["balloon"] = ""
        return wanted

    def connected(self, server: Server, node: Node, fleet: Fleet, current: Config) -> dict[str, Any]:
        """See Dialect."""
        wanted: dict[str, Any] = {"nameserver": resolvers(server, fleet), **searched(server, fleet)}
        for leg in legs(server, node, fleet):
            old = self.card(str(current.get(f"net{leg.index}") or ""))
            model = old.get("model", "virtio")
            kept = {name: text for name, text in old.items() if name not in _OURS}
            card = kept | {model: self.hardware(leg, old.get("macaddr"), current)} | leg.link
            if leg.mtu and model == "virtio":
                card["mtu"] = str(leg.mtu)
            wanted[f"net{leg.index}"] = written(card, model)
            if leg.addresses:
                wanted[f"ipconfig{leg.index}"] = written(leg.addresses, "ip")
        return wanted

    def born(self, server: Server, fleet: Fleet, current: Config) -> dict[str, Any]:
        """See Dialect. Keys are URL-encoded once here, and again by the request, as Proxmox VE wants it."""
        wanted: dict[str, Any] = {"name": server.name}
        # What a template's version is, is what every server made from it gets.
        wanted["ciupgrade"] = 0
        if fleet.ssh_keys:
            wanted["sshkeys"] = quote("\n".join(fleet.ssh_keys), safe="")
            wanted["ciuser"] = current.get("ciuser") or "root"
        if not any("cloudinit" in volume for _key, volume, _options in self.volumes(current)):
            slot = next(slot for slot in _SLOTS if slot not in current)
            wanted[slot] = f"{server.pool}:cloudinit"
        return wanted

    def root(self, current: Config) -> tuple[str, int]:
        """See Dialect. The first disk it boots from."""
        order = options_of(str(current.get("boot") or "")).get("order", "").split(";")
        kept = {key: options for key, volume, options in self.volumes(current) if options.get("media") != "cdrom"}
        usual = (*order, str(current.get("bootdisk") or ""), "scsi0", "virtio0", "sata0", "ide0", *sorted(kept))
        found = next((key for key in usual if key in kept), "")
        return found, mib(kept[found].get("size", "")) if found else 0

    def tie(self, current: Config, shared: set[str]) -> str:
        """See Dialect. Devices that are mapped are Proxmox VE's to judge."""
        for key in sorted(current):
            value = str(current[key])
            device = re.fullmatch(r"hostpci[0-9]+|usb[0-9]+", key) and not re.search(r"mapping=|^(host=)?spice", value)
            if device or (re.fullmatch(r"(serial|parallel)[0-9]+", key) and value.startswith("/")):
                return f"its {key} is a device of this node ({value.partition(',')[0]})"
        for key, volume, options in self.volumes(current):
            own = storage_of(volume) not in shared
            drive = options.get("media") == "cdrom" and volume != "none" and "cloudinit" not in volume
            if drive and own:
                return f"its drive {key} holds an image of this node ({volume})"
            if is_linked(volume) and own:
                return f"its {key} is a linked clone of a template's disk on this node ({volume})"
        return ""

    def card(self, text: str) -> dict[str, str]:
        """See Dialect. ``virtio=MAC`` is short for model and macaddr."""
        options = options_of(text)
        short = next((name for name in options if _MODELS.fullmatch(name)), "")
        if short:
            options |= {"model": short, "macaddr": options.pop(short)}
        if "macaddr" in options:
            options["macaddr"] = options["macaddr"].upper()
        return options

    def normal(self, key: str, value: Any) -> Any:
        """See Dialect."""
        if key in _DEFAULTS:
            text = str(value if value not in (None, "") else _DEFAULTS[key]).removeprefix("current=")
            return float(text)
        if key == "sshkeys":
            return unquote(str(value or "")).strip()
        if key.startswith("ipconfig"):
            return options_of(str(value or ""))
        if self.disks.fullmatch(key):
            volume, _options = volume_of(value or "")
            return "cloudinit" if "cloudinit" in volume else str(value or "")
        return super().normal(key, value)


MACHINE = Machine()
