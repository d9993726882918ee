# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster: everything there is, and the rules about writing it."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Generator
from typing import Any

from .clock import Clock, FileLock, Wait
from .entries import Guest, Node, Storage, Volume, config_path
from .errors import Refusal, no_quorum

WORKERS = 3
WORK = 0.05  # seconds of a worker's time for a call


class Cluster:
    """Everything there is, in memory. Whoever changes it holds the double's lock."""

    def __init__(self, name: str, version: str, clock: Clock, seed: int = 1) -> None:
        self.name = name
        self.version = version
        self.major = int(version.partition(".")[0])
        self.clock = clock
        self.random = random.Random(seed)
        self.nodes: dict[str, Node] = {}
        self.guests: dict[int, Guest] = {}
        self.storages: dict[str, Storage] = {}
        self.volumes: dict[tuple[str, str], Volume] = {}
        self.options: dict[str, Any] = {}
        self.pools: dict[str, dict[str, Any]] = {}
        self.locks: dict[str, FileLock] = {}
        self.backups: dict[str, dict[str, str]] = {}  # the configs inside of backups, by volume
        self.counts: dict[str, int] = defaultdict(int)
        self.quorum_lost = False
        self.unpacking = 1.6  # seconds a container's archive takes to be unpacked
        self.booting = 3.8  # seconds a container takes to start

    @property
    def now(self) -> int:
        """The present, in whole seconds."""
        return int(self.clock.now())

    @property
    def quorate(self) -> bool:
        """Whether more than half of the nodes are there."""
        return not self.quorum_lost and 2 * len(self.online) > len(self.nodes)

    @property
    def online(self) -> list[Node]:
        """The nodes that are there."""
        return [node for node in self.nodes.values() if node.online]

    def need_quorum(self) -> None:
        """Refuse where the cluster's files may not be written."""
        if not self.quorate:
            raise no_quorum()

    def write(self, guest: Guest) -> None:
        """A guest's config file is about to be written: that fails, in other words, without a quorum."""
        if not self.quorate:
            number = 11000 + self.random.randrange(1000)
            raise Refusal(f"unable to open file '/etc/pve/{guest.path}.tmp.{number}' - Permission denied")

    def guest(self, node: str, kind: str, vmid: int) -> Guest:
        """The guest with this config file."""
        guest = self.guests.get(vmid)
        if guest is None or guest.node != node or guest.kind != kind:
            raise Refusal(f"Configuration file '{config_path(node, kind, vmid)}' does not exist")
        return guest

    def known_node(self, name: str) -> Node:
        """A member of the cluster, as the target of something."""
        if name not in self.nodes:
            raise Refusal(f"no such cluster node '{name}'")
        return self.nodes[name]

    def file_lock(self, path: str) -> FileLock:
        """A lock file, by its path."""
        return self.locks.setdefault(path, FileLock(self.clock, path))

    def guest_lock(self, guest_kind: str, vmid: int, node: str) -> FileLock:
        """The lock file of a guest's config; each node has its own."""
        name = f"lxc/pve-config-{vmid}" if guest_kind == "lxc" else f"qemu-server/lock-{vmid}"
        folder = "/run/lock" if guest_kind == "lxc" else "/var/lock"
        return self.file_lock(f"{node}:{folder}/{name}.{'lock' if guest_kind == 'lxc' else 'conf'}")

    def compute(self, node: str, seconds: float) -> Generator[Wait, None, None]:
        """Something that keeps a core busy: more of them than there are cores take turns."""
        self.counts[node] += 1
        core = self.file_lock(f"{node}:core-{self.counts[node] % self.nodes[node].cores}")
        yield from core.take(node, 3600.0)
        try:
            yield seconds
        finally:
            core.release()

    def worker(self, node: str) -> Generator[Wait, None, None]:
        """A call that changes something goes through one of the three workers of a node's daemon."""
        self.counts[f"{node}:calls"] += 1
        slot = self.file_lock(f"{node}:worker-{self.counts[f'{node}:calls'] % WORKERS}")
        yield from slot.take(node, 3600.0)
        try:
            yield WORK
        finally:
            slot.release()

    def mac(self) -> str:
        """A new address of a network card."""
        return "BC:24:11:" + ":".join(f"{self.random.randrange(256):02X}" for _byte in range(3))

    def observe(self, guest: Guest) -> None:
        """Note what is so from now on; lists show it some seconds later."""
        guest.seen.append(
            (
                self.clock.now(),
                {
                    "running": guest.running,
                    "paused": guest.paused,
                    "since": guest.since,
                    "node": guest.node,
                    "pid": guest.pid,
                    "config": dict(guest.config),
                },
            )
        )
        del guest.seen[:-20]

    def seen(self, guest: Guest, period: float) -> dict[str, Any] | None:
        """What a list that is made anew every ``period`` seconds says of a guest; nothing where it is too new."""
        period *= self.clock.latency
        at = self.clock.now() // period * period if period else self.clock.now()
        past = [state for when, state in guest.seen if when <= at]
        return past[-1] if past else None

    # ---------------------------------------------------------------- disks

    def storage(self, name: str, node: str = "") -> Storage:
        """A storage that there is, on this node."""
        storage = self.storages.get(name)
        if storage is None:
            raise Refusal(f"storage '{name}' does not exist")
        if node and storage.nodes and node not in storage.nodes:
            raise Refusal(f"storage '{name}' is not available on node '{node}'")
        return storage

    def place(self, volid: str, node: str) -> tuple[str, str]:
        """The key of a volume."""
        storage = self.storages.get(volid.partition(":")[0])
        return ("" if storage and storage.shared else node, volid)

    def volume(self, volid: str, node: str) -> Volume | None:
        """A volume, seen from a node."""
        return self.volumes.get(self.place(volid, node))

    def add_volume(self, volid: str, node: str, **what: Any) -> Volume:
        """A new volume."""
        where, _volid = key = self.place(volid, node)
        volume = Volume(volid=volid, node=where, ctime=self.now, **what)
        self.volumes[key] = volume
        return volume

    def drop_volume(self, volid: str, node: str) -> None:
        """A volume, gone."""
        self.volumes.pop(self.place(volid, node), None)

    def new_disk(
        self, storage: Storage, vmid: int, node: str, *, kind: str, size: int, form: str = "", base: str = ""
    ) -> str:
        """Allocate a disk under the next free name."""
        flat = storage.type not in ("dir", "nfs", "cifs", "cephfs", "btrfs")
        if kind == "lxc":
            form = "subvol" if storage.type == "zfspool" else "raw"
        form = "raw" if flat and form != "subvol" else form or "raw"
        stem = f"{'subvol' if form == 'subvol' else 'vm'}-{vmid}-disk-"
        taken = {volid for where, volid in self.volumes if where in ("", node) and volid.startswith(f"{storage.name}:")}
        number = 0
        while any(re.search(rf":(.*/)?(vm|subvol|base|basevol)-{vmid}-disk-{number}(\.|$)", volid) for volid in taken):
            number += 1
        name = f"{stem}{number}" if flat else f"{vmid}/{stem}{number}.{form}"
        volid = f"{storage.name}:{base + '/' if base else ''}{name}"
        content = "rootdir" if kind == "lxc" else "images"
        self.add_volume(volid, node, content=content, format=form, size=size, vmid=vmid, used=size // 30, parent=base)
        return volid
