# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a guest gets from one node to another, and what stops it on the way."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .clock import Wait
from .entries import Guest
from .errors import Refusal
from .guests import Disk, disks, missing_disk, volumes
from .power import turn_down, turn_on
from .tasks import Task

if TYPE_CHECKING:
    from .world import World

RATE = 120 * 1024**2  # bytes in a second, over the network


@dataclass(frozen=True)
class Manner:
    """How to move."""

    restart: bool = False
    online: bool = False
    timeout: int = 180
    with_disks: bool = False
    storage: str = ""  # on the target, instead of the one of the same name
    by_manager: bool = False  # HA starts it itself


class Move:
    """One move. Every failure ends as *migration aborted*; why is only in the log."""

    def __init__(self, world: World, task: Task, target: str, manner: Manner) -> None:
        self._world, self._task, self._target, self._manner = world, task, target, manner
        self._cluster = world.cluster

    def run(self, node: str, kind: str, vmid: int) -> Generator[Wait, None, None]:
        """Move the guest that should be on this node."""
        begun = self._world.clock.now()
        was_running, held = False, ""
        guest: Guest | None = None
        try:
            guest = self._cluster.guest(node, kind, vmid)
            was_running, held = guest.running, guest.lock
            yield from self._move(guest)
        except Refusal as refusal:
            if guest and not held and guest.lock == "migrate":
                del guest.config["lock"]  # ours
            if guest and was_running and not guest.running and kind == "lxc" and guest.node == node:
                self._log("start final cleanup")
                self._log("start container on source node")
                yield from turn_on(self._world, guest, self._task)
            self._log(f"ERROR: migration aborted (duration {self._since(begun)}): {refusal.text}")
            raise Refusal("migration aborted") from refusal
        self._log(f"migration finished successfully (duration {self._since(begun)})")

    def _log(self, line: str) -> None:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self._world.clock.now()))
        self._task.log(f"{stamp} {line}")

    def _since(self, begun: float) -> str:
        whole = int(self._world.clock.now() - begun)
        return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"

    def _move(self, guest: Guest) -> Generator[Wait, None, None]:
        cluster, source, manner = self._cluster, guest.node, self._manner
        guest.check_lock()
        lxc, was_running = guest.kind == "lxc", guest.running
        if lxc and was_running and manner.online and not manner.restart:
            raise Refusal("lxc live migration is currently not implemented")
        yield from self._log_in()
        local = self._plan(guest)
        if lxc and was_running:
            self._log(f"shutdown CT {guest.vmid}")
            yield from turn_down(self._world, guest, self._task, manner.timeout, True)
        address = cluster.nodes[self._target].address
        self._log(f"starting migration of {guest.word} {guest.vmid} to node '{self._target}' ({address})")
        yield 0.5
        self._check(guest, local, was_running)
        guest.config["lock"] = "migrate"
        cluster.observe(guest)
        yield from self._send(guest, local)
        if not lxc and was_running:
            self._log(f"starting VM {guest.vmid} on remote node '{self._target}'")
            yield 4.0
            self._log("start remote tunnel")
            yield 4.0
        if not cluster.nodes[self._target].online:
            raise Refusal(f"command '/usr/bin/ssh root@{address} pvesr set-state' failed: exit code 255")
        cluster.write(guest)
        self._log("start final cleanup")
        yield 0.7
        del guest.config["lock"]
        guest.node = self._target
        for line in local:
            if not self._world.replicator.keeps(guest.vmid, source, line.volid):
                cluster.drop_volume(line.volid, source)
        self._world.replicator.moved(guest.vmid, source, self._target)
        if lxc and was_running and not manner.by_manager:
            self._log("start container on target node")
            yield from turn_on(self._world, guest, self._task)
        cluster.observe(guest)

    def _log_in(self) -> Generator[Wait, None, None]:
        node = self._cluster.nodes[self._target]
        if node.reachable and node.online:
            return
        yield 0.3
        host = f"-o 'HostKeyAlias={node.name}' root@{node.address}"
        self._log(f"# /usr/bin/ssh -e none -o 'BatchMode=yes' {host} /bin/true")
        self._log(f"ssh: connect to host {node.address} port 22: Connection refused")
        raise Refusal("Can't connect to destination address using public key")

    def _storage(self, line: Disk) -> str:
        return line.storage if self._manner.storage in ("", "1") else self._manner.storage

    def _plan(self, guest: Guest) -> list[Disk]:
        """The disks that must be sent; refusals that come before anything is done."""
        local = []
        for line in disks(guest.kind, guest.config):
            if line.bind:
                if line.options.get("shared") != "1":
                    raise Refusal(f"cannot migrate local bind mount point '{line.key}'")
                self._log(f"ignoring shared 'bind' mount point '{line.key}' ('{line.volid}')")
                continue
            if ":" not in line.volid:
                continue
            self._cluster.storage(self._storage(line), self._target)
            if not self._cluster.storages[line.storage].shared:
                if line.cdrom and "cloudinit" not in line.volid:
                    raise Refusal(f"can't migrate local cdrom '{line.volid}'")
                local.append(line)
        return local

    def _check(self, guest: Guest, local: list[Disk], was_running: bool) -> None:
        """Refusals that come when a container is already shut down."""
        storages = self._cluster.storages
        names = {line.volid for line in local}
        for line in volumes(guest):
            if line.volid not in names:
                self._log(f"volume '{line.volid}' is on shared storage '{line.storage}'")
        for line in local:
            what, where = ("volume", "(in current VM config)") if guest.kind == "lxc" else ("disk", "(attached)")
            self._log(f"found local {what} '{line.volid}' {where}")
            base = re.search(r"base(?:vol)?-[^/]+(?=/)", line.volid)
            if base:
                raise Refusal(f"can't migrate '{line.volid}' as it's a clone of '{base[0]}'")
            wanted = self._storage(line)
            if storages[wanted].type != storages[line.storage].type:
                kinds = f"'{storages[line.storage].type}' to '{storages[wanted].type}'"
                why = f"failed - cannot migrate from storage type {kinds}"
                text = f"storage migration for '{line.volid}' to storage '{wanted}' {why}"
                self._log(f"ERROR: {text}")
                raise Refusal(text)
        attached = [line for line in local if "cloudinit" not in line.volid]
        if guest.kind == "qemu" and was_running and attached and not self._manner.with_disks:
            why = "can't live migrate attached local disks without with-local-disks option"
            self._log(f"can't migrate local disk '{attached[0].volid}': {why}")
            self._log("ERROR: Problem found while scanning volumes - can't migrate VM - check log")
            raise Refusal("Problem found while scanning volumes - can't migrate VM - check log")

    def _send(self, guest: Guest, local: list[Disk]) -> Generator[Wait, None, None]:
        replicated = self._world.replicator.job_to(guest.vmid, self._target)
        for line in local:
            volume = self._cluster.volume(line.volid, guest.node)
            if volume is None:
                raise Refusal(missing_disk(self._world, guest))
            sparse = self._cluster.storages[line.storage].type == "zfspool"
            if replicated and sparse:
                self._log("start replication job")
                yield 3.0
            else:
                yield 1.0 + (volume.used if sparse else volume.size) / RATE
            new = re.sub(r"^[^:]+", self._storage(line), line.volid)
            what = {key: getattr(volume, key) for key in ("content", "format", "size", "used")}
            self._cluster.add_volume(new, self._target, vmid=guest.vmid, files=dict(volume.files), **what)
            if new != line.volid:
                guest.config[line.key] = Disk(line.key, new, line.options).text()
            self._log(f"successfully imported '{new}'")
            self._log(f"volume '{line.volid}' is '{new}' on the target")
