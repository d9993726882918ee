# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of guests: full ones, and linked ones of templates."""

from __future__ import annotations

from collections.abc import Generator

from .allocate import waiting
from .clock import Wait
from .create import discard, taken
from .entries import Guest
from .errors import Refusal
from .guests import Disk, disks, guest_of, new_address, volumes
from .rights import check_new
from .routes import Call, route
from .tasks import Task

COPY_RATE = {"lxc": 400 * 1024**2, "qemu": 2 * 1024**3}  # bytes in a second


def _config(call: Call, source: Guest) -> dict[str, str]:
    name = call.get("snapname")
    if name and name not in source.snapshots:
        raise Refusal(f"snapshot '{name}' does not exist")
    config = dict(source.snapshots[name].config if name else source.config)
    if name and source.snapshots[name].description:
        config["description"] = source.snapshots[name].description
    for key in ("lock", "template", "parent", "onboot" if source.kind == "lxc" else "vmgenid"):
        if source.kind == "qemu" or key != "onboot":
            config.pop(key, None)
    return config


def _target(call: Call, source: Guest) -> str:
    target = str(call.get("target", call.node))
    call.world.cluster.known_node(target)
    local = any(not call.world.cluster.storages[line.storage].shared for line in volumes(source, unused=False))
    if target != call.node and local:
        raise Refusal(f"can't clone {source.word} to node '{target}' ({source.word} uses local storage)")
    return target


@route("POST /nodes/{node}/lxc/{vmid}/clone")
def lxc_clone(call: Call) -> Generator[Wait, None, str]:
    """Copy a container: its source is locked meanwhile, so of several copies at once one succeeds."""
    world, newid, pool = call.world, int(call.params["newid"]), str(call.get("pool", ""))
    world.cluster.need_quorum()
    check_new(call, newid, pool)
    if call.get("target"):
        world.cluster.known_node(str(call.params["target"]))
    source = guest_of(call)
    source.check_lock()
    config = _config(call, source)
    full = bool(call.get("full", not source.template))
    if source.running and full and not call.get("snapname"):
        raise Refusal("Full clone of a running container is only possible from a snapshot")
    if call.get("storage") and not full:
        raise Refusal("parameter 'storage' not allowed for linked clones")
    target = _target(call, source)
    if taken(call, newid):
        raise Refusal(taken(call, newid))
    if not full and not source.template:
        first = volumes(source, unused=False)[0].volid
        raise Refusal(f"Linked clone feature for '{first}' is not available")
    yield 0.05
    source = guest_of(call)
    source.check_lock()
    if taken(call, newid):
        raise Refusal(f"unable to create CT {newid} - {taken(call, newid)}")
    world.cluster.write(source)
    config["hostname"] = str(call.get("hostname", config.get("hostname", f"CT{newid}")))
    if call.get("description"):
        config["description"] = f"{call.params['description']}\n"
    copy = world.cluster.guests[newid] = Guest(newid, "lxc", call.node, _begun(source, config, "create"))
    if pool:
        world.cluster.pools[pool]["vms"].add(newid)
    source.config["lock"] = "disk"

    def work(task: Task) -> Generator[Wait, None, None]:
        try:
            task.log(f"creating a clone of container {source.vmid} with ID {newid}")
            yield 0.5
            yield from _copy_disks(call, (source, copy), config, full, task)
        except Refusal:
            discard(call, copy)
            raise
        finally:
            source.config.pop("lock", None)
        if full:
            task.log("")
            task.log("Number of files: 316 (reg: 15, dir: 21, link: 280)")
        _done(call, copy, config, target)

    return world.tasks.begin(call.node, "vzclone", call.vmid, call.user, work)


@route("POST /nodes/{node}/qemu/{vmid}/clone")
def qemu_clone(call: Call) -> Generator[Wait, None, str]:
    """Copy a VM: many at once go."""
    world, newid, pool = call.world, int(call.params["newid"]), str(call.get("pool", ""))
    world.cluster.need_quorum()
    check_new(call, newid, pool)
    if call.get("target"):
        world.cluster.known_node(str(call.params["target"]))
    source = guest_of(call)
    source.check_lock()
    config = _config(call, source)
    full = bool(call.get("full", not source.template))
    if call.get("storage") and not full:
        raise Refusal("Linked clone only supported for templates" if not source.template else
                      "parameter 'storage' not allowed for linked clones")  # fmt: skip
    target = _target(call, source)
    if taken(call, newid):
        raise Refusal(f"unable to create VM {newid}: config file already exists")
    if not full and not source.template:
        first = volumes(source, unused=False)[0]
        raise Refusal(f"Linked clone feature is not supported for drive '{first.key}'")
    yield 0.1

    def work(task: Task) -> Generator[Wait, None, None]:
        if taken(call, newid):
            raise Refusal(f"unable to create VM {newid}: config file already exists")
        config["name"] = str(call.get("name", f"Copy-of-VM-{source.name}"))
        if call.get("description"):
            config["description"] = str(call.params["description"])
        copy = world.cluster.guests[newid] = Guest(newid, "qemu", call.node, _begun(source, config, "clone"))
        if pool:
            world.cluster.pools[pool]["vms"].add(newid)
        task.log(f"creating a clone of VM {source.vmid} with ID {newid}")
        yield 0.3
        try:
            yield from _copy_disks(call, (source, copy), config, full, task)
        except Refusal:
            discard(call, copy)
            raise
        config["vmgenid"] = f"{world.cluster.random.getrandbits(64):016x}"
        _done(call, copy, config, target)

    return world.tasks.begin(call.node, "qmclone", call.vmid, call.user, work)


def _begun(source: Guest, config: dict[str, str], lock: str) -> dict[str, str]:
    """A copy's config from its first moment: everything but its disks."""
    lines = {line.key for line in disks(source.kind, config)}
    return {**{key: value for key, value in config.items() if key not in lines}, "lock": lock}


def _copy_disks(
    call: Call, guests: tuple[Guest, Guest], config: dict[str, str], full: bool, task: Task
) -> Generator[Wait, None, None]:
    source, copy = guests
    cluster = call.world.cluster
    for line in disks(source.kind, config, unused=False):
        if line.bind or ":" not in line.volid:
            continue
        if line.cdrom and "cloudinit" not in line.volid:
            continue
        volume = cluster.volume(line.volid, source.node)
        if volume is None:
            raise Refusal(f"volume '{line.volid}' does not exist")
        what = "mountpoint" if source.kind == "lxc" else "drive"
        whole = full or "cloudinit" in line.volid
        if whole:
            task.log(f"create full clone of {what} {line.key} ({line.volid})")
        else:
            task.log(
                f"create linked clone of {'mount point' if source.kind == 'lxc' else 'drive'} {line.key} ({line.volid})"
            )
        storage = cluster.storage(str(call.get("storage", line.storage)) if full else line.storage, call.node)
        lock = cluster.file_lock(f"{'' if storage.shared else call.node + ':'}storage-{storage.name}")
        yield from lock.take(task, 120.0, waiting(storage, task.log))
        try:
            yield 0.1
        finally:
            lock.release()
        if "cloudinit" in line.volid:
            new = line.volid.replace(str(source.vmid), str(copy.vmid))
            cluster.add_volume(new, call.node, content="images", format="qcow2", size=volume.size, vmid=copy.vmid)
        else:
            form = str(call.get("format", volume.format)) if source.kind == "qemu" else ""
            new = cluster.new_disk(
                storage,
                copy.vmid,
                call.node,
                kind=source.kind,
                size=volume.size,
                form=form,
                base="" if full else _name(line),
            )
            copied = cluster.volume(new, call.node)
            if copied:
                copied.files = dict(volume.files)
                if source.kind == "lxc" and "/etc/machine-id" in copied.files:
                    copied.files["/etc/machine-id"] = ""
            yield volume.size / COPY_RATE[source.kind] if full else 0.5 + 0.5 * (source.kind == "lxc")
        if "cloudinit" in line.volid:
            line.options.setdefault("size", "4M")
        config[line.key] = Disk(line.key, new, line.options).text()


def _name(line: Disk) -> str:
    return line.volid.partition(":")[2]


def _done(call: Call, copy: Guest, config: dict[str, str], target: str) -> None:
    cluster = call.world.cluster
    cluster.write(copy)
    new_address(call.world, copy.kind, config)
    for key in [key for key in config if key.startswith("unused")]:
        del config[key]
    copy.config.clear()
    copy.config.update(config)
    copy.node = target
    cluster.observe(copy)
