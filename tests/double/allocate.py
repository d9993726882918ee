# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New volumes: what ``storage:8`` in a config becomes."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from .clock import Wait
from .entries import Guest, Storage, Volume
from .errors import Refusal
from .guests import Disk
from .routes import Call
from .sizes import GIB, MIB, show_size


def allocate(call: Call, guest: Guest, line: Disk, log: Any, default_format: str = "raw") -> Generator[Wait, None, str]:
    """``storage:8`` becomes a volume of 8 GiB; its line of the config."""
    cluster = call.world.cluster
    storage = cluster.storage(line.storage, call.node)
    rest = line.volid.partition(":")[2]
    number = re.fullmatch(r"\d+(\.\d+)?", rest)
    if rest == "cloudinit":
        return cloudinit(call, guest, line, storage)
    if not number:
        existing = cluster.volume(line.volid, call.node)
        if existing:
            line.options.setdefault("size", show_size(existing.size))
            return line.text()
        if "/" not in rest and "-" not in rest:
            what = "zfs" if storage.type == "zfspool" else "directory" if storage.type == "dir" else storage.type
            raise Refusal(f"unable to parse {what} volume name '{rest}'")
        raise Refusal(f"volume '{line.volid}' does not exist")
    size = int(float(rest) * GIB)
    form = line.options.pop("format", default_format)
    lock = cluster.file_lock(f"{'' if storage.shared else call.node + ':'}storage-{storage.name}")
    if not (yield from lock.take(log, 60.0, waiting(storage, log))):
        raise Refusal(f"cfs-lock 'storage-{storage.name}' error: got lock request timeout")
    try:
        yield 0.1
    finally:
        # Whoever dies holds nothing any more.
        lock.release()
    volid = cluster.new_disk(storage, guest.vmid, call.node, kind=guest.kind, size=size, form=form)
    if storage.type == "dir":
        path = f"{storage.options.get('path', '')}/images/{volid.partition(':')[2]}"
        log(f"Formatting '{path}', fmt={form} size={size} preallocation=off")
        if size > 16 * 1024 * GIB:
            cluster.drop_volume(volid, call.node)
            raise Refusal(
                f"unable to create image: qemu-img: {path}: The image size is too large for file format '{form}'"
            )
    line.options["size"] = show_size(size)
    return Disk(line.key, volid, line.options).text()


def waiting(storage: Storage, log: Any) -> Any:
    """What a task says that waits for the lock on a storage."""
    if not storage.shared:
        return log
    return lambda line: log(f"trying to acquire cfs lock 'storage-{storage.name}' ...") if "trying" in line else None


def cloudinit(call: Call, guest: Guest, line: Disk, storage: Storage) -> str:
    """The drive that carries cloud-init's data."""
    name = f"vm-{guest.vmid}-cloudinit"
    volid = f"{storage.name}:{guest.vmid}/{name}.qcow2" if storage.type == "dir" else f"{storage.name}:{name}"
    call.world.cluster.add_volume(volid, call.node, content="images", format="qcow2", size=4 * MIB, vmid=guest.vmid)
    return Disk(line.key, volid, {"media": "cdrom"}).text()


def path_of(call: Call, volume: Volume) -> str:
    """Where a volume is in the file system."""
    storage = call.world.cluster.storages[volume.storage]
    folders = {"vztmpl": "template/cache", "iso": "template/iso", "backup": "dump"}
    folder = folders.get(volume.content, "images")
    name = volume.volid.partition(":")[2]
    return f"{storage.options.get('path', '/' + storage.name)}/{folder}/{name.partition('/')[2] or name}"
