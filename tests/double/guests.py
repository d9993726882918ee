# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all calls on guests share: finding them, their locks, their disks, and how their config is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .clock import Wait
from .entries import Guest
from .errors import Refusal
from .routes import Call
from .schema import fields, rule_of

if TYPE_CHECKING:
    from .world import World

LOCK_PATIENCE = 10.0  # seconds to wait for a config's lock file
DISKS = {"lxc": r"rootfs|mp\d+|unused\d+", "qemu": r"(ide|sata|scsi|virtio|efidisk|tpmstate|unused)\d+"}
PREFIX = {"lxc": "vz", "qemu": "qm"}


@dataclass
class Disk:
    """A line of a config that names a volume."""

    key: str
    volid: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def bind(self) -> bool:
        """A directory of the node, or a device, not a volume."""
        return self.volid.startswith("/")

    @property
    def storage(self) -> str:
        """The storage it lies on."""
        return self.volid.partition(":")[0]

    @property
    def cdrom(self) -> bool:
        """An ISO image, a cloud-init drive or an empty drive."""
        return self.options.get("media") == "cdrom"

    def text(self) -> str:
        """As the config has it."""
        return ",".join([self.volid, *(f"{key}={value}" for key, value in sorted(self.options.items()))])


def disk(key: str, text: str) -> Disk:
    """One line taken apart."""
    first, *rest = text.split(",")
    first = first.removeprefix("volume=").removeprefix("file=")
    return Disk(key, first, dict(part.partition("=")[::2] for part in rest))


def disks(kind: str, config: dict[str, str], unused: bool = True) -> list[Disk]:
    """All disks of a config."""
    found = [disk(key, value) for key, value in sorted(config.items()) if re.fullmatch(DISKS[kind], key)]
    return [each for each in found if unused or not each.key.startswith("unused")]


def volumes(guest: Guest, unused: bool = True) -> list[Disk]:
    """The disks of a guest that are volumes: no bind mounts, no images, no empty drives."""
    return [
        each
        for each in disks(guest.kind, guest.config, unused)
        if not each.bind and ":" in each.volid and (not each.cdrom or "cloudinit" in each.volid)
    ]


def kind_of(call: Call) -> str:
    """lxc or qemu, by the path."""
    return "lxc" if re.match(r"/nodes/[^/]+/lxc", call.path) else "qemu"


def guest_of(call: Call) -> Guest:
    """The guest a call is about."""
    return call.world.cluster.guest(call.node, kind_of(call), call.vmid)


def locked(
    world: World,
    where: tuple[str, str, int],
    holder: object,
    work: Callable[[], Generator[Wait, None, Any]],
    log: Callable[[str], object] | None = None,
) -> Generator[Wait, None, Any]:
    """Do something while holding the lock file of a guest's config. ``where``: node, kind, vmid."""
    node, kind, vmid = where
    lock = world.cluster.guest_lock(kind, vmid, node)
    if not (yield from lock.take(holder, LOCK_PATIENCE, log)):
        raise Refusal(f"can't lock file '{lock.path.partition(':')[2]}' - got timeout")
    try:
        return (yield from work())
    finally:
        lock.release()


def read_config(call: Call, kind: str, config: dict[str, str]) -> dict[str, Any]:
    """A config as it is answered: numbers as numbers."""
    update = call.world.table[f"PUT /nodes/{{node}}/{kind}/{{vmid}}/config"]["parameters"]
    shown: dict[str, Any] = {}
    for key, value in config.items():
        rule = rule_of(update, key) or {}
        whole = rule.get("type") in ("integer", "boolean") or key in ("unprivileged", "snaptime", "template")
        shown[key] = int(value) if whole and re.fullmatch(r"-?\d+", value) else value
    if kind == "qemu" and "cipassword" in shown:
        shown["cipassword"] = "**********"
    return shown


def write_value(world: World, kind: str, key: str, value: Any) -> str:
    """A parameter as the config file has it: completed, sorted, normalised."""
    text = str(value)
    if key == "tags":
        return _tags(world, text)
    if key == "description":
        return text if kind == "qemu" or text.endswith("\n") or not text else f"{text}\n"
    if re.fullmatch(r"net\d+", key):
        return _lxc_net(world, text) if kind == "lxc" else _qemu_net(world, text)
    if kind == "lxc" and key == "features":
        return ",".join(sorted(text.split(",")))
    return text


def _tags(world: World, text: str) -> str:
    style = world.cluster.options.get("tag-style", {})
    tags = [tag for tag in re.split(r"[;, \t]+", text) if tag]
    if not int(style.get("case-sensitive", 0)):
        tags = [tag.lower() for tag in tags]
    tags = list(dict.fromkeys(tags))
    return ";".join(tags if style.get("ordering") == "config" else sorted(tags))


def _lxc_net(world: World, text: str) -> str:
    values = dict(part.partition("=")[::2] for part in text.split(",") if part)
    values.setdefault("hwaddr", world.cluster.mac())
    values.setdefault("type", "veth")
    values["hwaddr"] = values["hwaddr"].upper()
    name, bridge = values.pop("name"), values.pop("bridge", "")
    head = [f"name={name}"] + ([f"bridge={bridge}"] if bridge else [])
    return ",".join([*head, *(f"{key}={value}" for key, value in sorted(values.items()))])


def _qemu_net(world: World, text: str) -> str:
    rule = rule_of(world.table["POST /nodes/{node}/qemu"]["parameters"], "net0") or {}
    values = fields(rule["format"], text)
    model, address = values.pop("model"), values.pop("macaddr", "") or world.cluster.mac()
    return ",".join([f"{model}={address.upper()}", *(f"{key}={value}" for key, value in sorted(values.items()))])


def bridges(kind: str, values: dict[str, Any]) -> list[str]:
    """The bridges a config's network cards are on."""
    found = []
    for key, value in sorted(values.items()):
        if re.fullmatch(r"net\d+", key):
            found += re.findall(r"(?:^|,)bridge=([^,]+)", str(value))
    return found


def missing_bridge(world: World, guest: Guest) -> str:
    """A bridge of the guest that its node has not."""
    node = world.cluster.nodes[guest.node]
    return next((bridge for bridge in bridges(guest.kind, guest.config) if bridge not in node.bridges), "")


def new_address(world: World, kind: str, config: dict[str, str]) -> None:
    """New addresses for the network cards of a copy."""
    for key in [key for key in config if re.fullmatch(r"net\d+", key)]:
        address = world.cluster.mac()
        pattern = r"hwaddr=[^,]+" if kind == "lxc" else r"(?<=^)([a-z0-9_-]+)=[0-9A-Fa-f:]{17}"
        config[key] = re.sub(pattern, f"hwaddr={address}" if kind == "lxc" else rf"\1={address}", config[key])


def unreferenced(world: World, guest: Guest) -> list[tuple[str, str]]:
    """Keys of all volumes that belong to a guest by their name."""
    return [
        key for key, volume in world.cluster.volumes.items()
        if volume.vmid == guest.vmid and volume.content in ("images", "rootdir") and key[0] in ("", guest.node)
    ]  # fmt: skip


def missing_disk(world: World, guest: Guest) -> str:
    """What a start says where a disk is not on the guest's node; nothing where all are."""
    for line in volumes(guest, unused=False):
        if "cloudinit" in line.volid or world.cluster.volume(line.volid, guest.node):
            continue
        storage = world.cluster.storages[line.storage]
        if storage.type == "zfspool":
            name = f"{storage.options.get('pool')}/{line.volid.partition(':')[2].rpartition('/')[2]}"
            return f"zfs error: cannot open '{name}': dataset does not exist"
        return f"volume '{line.volid}' does not exist"
    return ""
