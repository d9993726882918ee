# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster's files tell of: nodes, guests, storages, volumes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from .errors import Refusal
from .sizes import GIB


@dataclass
class Node:
    """One machine. A dead one refuses connections, or (``deaf``) lets them time out."""

    name: str
    number: int
    address: str
    cores: int = 8
    memory: int = 64 * GIB
    disk: int = 500 * GIB
    bridges: set[str] = field(default_factory=lambda: {"vmbr0"})
    online: bool = True
    deaf: bool = False
    died: float = 0.0
    reachable: bool = True  # over SSH, from the other nodes
    maintenance: bool = False
    since: float = 0.0
    next_pid: int = 900
    disks: list[dict[str, Any]] = field(default_factory=list)  # as the API lists them
    disk_pools: dict[str, str] = field(default_factory=dict)  # name -> zfs, lvmthin


@dataclass
class Snapshot:
    """A guest's config as it was."""

    name: str
    time: int
    description: str
    parent: str
    config: dict[str, str]


@dataclass
class Guest:
    """A container or a VM: its config file, and what of it runs."""

    vmid: int
    kind: str  # lxc, qemu
    node: str
    config: dict[str, str]
    pending: dict[str, str | None] = field(default_factory=dict)  # None: to be deleted
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    running: bool = False
    paused: bool = False
    deaf: bool = False  # does not hear a shutdown
    agent: bool = False  # QEMU's guest agent answers
    since: float = 0.0
    pid: int = 0
    seen: list[tuple[float, dict[str, Any]]] = field(default_factory=list)  # what was so, from when on

    @property
    def word(self) -> str:
        """CT or VM, as messages call it."""
        return "CT" if self.kind == "lxc" else "VM"

    @property
    def lock(self) -> str:
        """What holds the guest, by its config."""
        return self.config.get("lock", "")

    @property
    def name(self) -> str:
        """Its name, as lists show it."""
        if self.kind == "lxc":
            return self.config.get("hostname", f"CT{self.vmid}")
        return self.config.get("name", f"VM {self.vmid}")

    @property
    def template(self) -> bool:
        """Whether it is only there to be cloned."""
        return self.config.get("template") == "1"

    @property
    def tags(self) -> list[str]:
        """Its tags."""
        return [tag for tag in self.config.get("tags", "").split(";") if tag]

    @property
    def path(self) -> str:
        """Its config file, from /etc/pve on."""
        return config_path(self.node, self.kind, self.vmid)

    @property
    def digest(self) -> str:
        """Changes with every change of the config file."""
        text = repr((sorted(self.config.items()), sorted(self.pending.items()), sorted(self.snapshots)))
        return hashlib.sha1(text.encode()).hexdigest()

    def check_lock(self) -> None:
        """Refuse where something holds the guest."""
        if self.lock:
            raise Refusal(f"{self.word} is locked ({self.lock})")


@dataclass
class Storage:
    """An entry of storage.cfg."""

    name: str
    type: str
    content: list[str]
    shared: bool = False
    nodes: list[str] = field(default_factory=list)  # empty: all
    options: dict[str, Any] = field(default_factory=dict)
    total: int = 500 * GIB


@dataclass
class Volume:
    """A disk, an image or an archive. On a shared storage it has no node."""

    volid: str
    node: str
    content: str
    format: str
    size: int
    vmid: int = 0
    ctime: int = 0
    used: int = 0
    parent: str = ""
    note: str = ""
    files: dict[str, str] = field(default_factory=dict)  # what somebody put inside: path -> text

    @property
    def storage(self) -> str:
        """The storage it lies on."""
        return self.volid.partition(":")[0]


def config_path(node: str, kind: str, vmid: int) -> str:
    """Where the config of a guest would be."""
    return f"nodes/{node}/{'lxc' if kind == 'lxc' else 'qemu-server'}/{vmid}.conf"
