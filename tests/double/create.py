# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New guests: from an archive, an image, a backup, or empty."""

from __future__ import annotations

import re
from collections.abc import Generator

from .allocate import allocate, path_of
from .clock import Wait
from .entries import Guest
from .errors import Refusal
from .guests import Disk, disk, disks, write_value
from .power import start_task
from .rights import check_archive, check_keys, check_new, check_storage
from .routes import Call, route
from .sizes import GIB, MIB, parse_size
from .tasks import Task

NOT_CONFIG = {
    "node", "vmid", "ostemplate", "pool", "storage", "password", "ssh-public-keys", "start", "restore", "force",
    "unique", "bwlimit", "ignore-unpack-errors", "archive", "live-restore", "ha-managed", "import-working-storage",
}  # fmt: skip
SYSTEMS = ("debian", "ubuntu", "alpine", "centos", "fedora", "opensuse", "archlinux", "gentoo", "nixos", "devuan")


def taken(call: Call, vmid: int) -> str:
    """Why an id is not free; nothing where it is."""
    guest = call.world.cluster.guests.get(vmid)
    return f"{guest.word} {vmid} already exists on node '{guest.node}'" if guest else ""


def reserve(call: Call, kind: str, vmid: int, config: dict[str, str], pool: str) -> Guest:
    """Write the first config, locked; from here on the id is taken."""
    word = "CT" if kind == "lxc" else "VM"
    if taken(call, vmid):
        raise Refusal(f"unable to create {word} {vmid} - {taken(call, vmid)}")
    guest = Guest(vmid, kind, call.node, config)
    call.world.cluster.guests[vmid] = guest
    if pool:
        call.world.cluster.pools[pool]["vms"].add(vmid)
    return guest


def discard(call: Call, guest: Guest) -> None:
    """A guest whose making failed, gone again."""
    cluster = call.world.cluster
    cluster.guests.pop(guest.vmid, None)
    for what in cluster.pools.values():
        what["vms"].discard(guest.vmid)
    for key in [
        key
        for key, volume in cluster.volumes.items()
        if volume.vmid == guest.vmid and volume.content in ("images", "rootdir")
    ]:
        del cluster.volumes[key]


def config_of(call: Call, kind: str) -> dict[str, str]:
    """What of a create call goes into the config."""
    return {
        key: write_value(call.world, kind, key, value) for key, value in call.params.items() if key not in NOT_CONFIG
    }


# ---------------------------------------------------------------- containers


@route("POST /nodes/{node}/lxc")
def lxc_create(call: Call) -> Generator[Wait, None, str]:
    """A container from an archive, or (``restore``) from a backup."""
    world = call.world
    world.cluster.need_quorum()
    vmid, pool = call.vmid, str(call.get("pool", ""))
    restore, force = bool(call.get("restore")), bool(call.get("force"))
    if "ssh-public-keys" in call.params and not re.match(r"(ssh-|ecdsa-|sk-)", str(call.params["ssh-public-keys"])):
        raise Refusal("SSH public key validation error")
    there = world.cluster.guests.get(vmid)
    again = bool(there and restore and force and there.kind == "lxc" and there.node == call.node)
    if taken(call, vmid) and not again:
        raise Refusal(taken(call, vmid))
    check_new(call, vmid, pool)
    config = config_of(call, "lxc")
    check_keys(call, "lxc", vmid, pool, {key: call.params[key] for key in config})
    check_archive(call, str(call.params["ostemplate"]))
    storage = str(call.get("storage", "local"))
    if "rootfs" not in config and not restore:
        config["rootfs"] = f"{storage}:4"
    for line in disks("lxc", config):
        if not line.bind:
            check_storage(call, line.storage)
    yield 0.1
    archive = str(call.params["ostemplate"])
    if again and there:
        if there.running:
            raise Refusal(f"unable to restore CT {vmid} - container is running")
        guest, config = there, dict(there.config)
        guest.config["lock"] = "create"
    else:
        guest = reserve(call, "lxc", vmid, {"lock": "create"}, pool)

    def work(task: Task) -> Generator[Wait, None, None]:
        try:
            if restore:
                yield from _restore(call, guest, config, archive, task)
            else:
                yield from _unpack(call, guest, config, archive, task)
        except Refusal as refusal:
            discard(call, guest)
            raise Refusal(f"unable to {'restore' if restore else 'create'} CT {vmid} - {refusal.text}") from refusal
        guest.config.pop("lock", None)
        world.cluster.observe(guest)
        if call.get("ha-managed"):
            world.ha.add(guest)
        if call.get("start"):
            world.clock.call_later(0.3, lambda: start_task(world, guest, call.user))

    return world.tasks.begin(call.node, "vzrestore" if restore else "vzcreate", vmid, call.user, work)


def _unpack(call: Call, guest: Guest, config: dict[str, str], archive: str, task: Task) -> Generator[Wait, None, None]:
    yield 0.2
    volume = call.world.cluster.volume(archive, call.node)
    if ":" not in archive:
        task.log(f"can't find file '{archive}'")
        raise Refusal(f"can't find file '{archive}'")
    if volume is None:
        task.log(f"volume '{archive}' does not exist")
        raise Refusal(f"volume '{archive}' does not exist")
    system = next((name for name in SYSTEMS if name in archive), "unmanaged")
    head = {"arch": "amd64", "hostname": f"CT{guest.vmid}", "ostype": system, "memory": "512", "swap": "512"}
    made = {**head, **config}
    if made.get("unprivileged") == "0":
        del made["unprivileged"]
    small = False
    for line in disks("lxc", made):
        if not line.bind:
            made[line.key] = yield from allocate(call, guest, line, task.log)
            small = small or parse_size(disk("", made[line.key]).options.get("size", "")) < 4 * MIB
    task.log(f"extracting archive '{path_of(call, volume)}'")
    yield from call.world.cluster.compute(call.node, call.world.cluster.unpacking)
    if small and archive:
        users = "-m u:0:100000:65536 -m g:0:100000:65536"
        kept = "'--xattrs-include=user.*' '--xattrs-include=security.capability'"
        quiet = "'--warning=no-file-ignored' '--warning=no-xattr-write'"
        options = f"-z --totals --one-file-system -p --sparse --numeric-owner --acls --xattrs {kept} {quiet}"
        where = f"-C /var/lib/lxc/{guest.vmid}/rootfs --skip-old-files --anchored --exclude './dev/*'"
        raise Refusal(f"command 'lxc-usernsexec {users} -- tar xpf - {options} {where}' failed: exit code 2")
    task.log("Total bytes read: 2191360 (2.1MiB, 39MiB/s)")
    task.log("Detected container architecture: amd64")
    call.world.cluster.write(guest)
    guest.config.clear()
    guest.config.update(made)


def _restore(call: Call, guest: Guest, config: dict[str, str], archive: str, task: Task) -> Generator[Wait, None, None]:
    cluster = call.world.cluster
    volume = cluster.volume(archive, call.node)
    if volume is None:
        raise Refusal(f"volume '{archive}' does not exist")
    task.log(f"recovering backed-up configuration from '{archive}'")
    saved: dict[str, str] = dict(cluster.backups.get(archive, {}))
    for key in [key for key, each in cluster.volumes.items() if each.vmid == guest.vmid and each.content == "rootdir"]:
        del cluster.volumes[key]
    task.log(f"restoring '{archive}' now..")
    for line in disks("lxc", saved):
        size = parse_size(line.options.get("size", "4G"))
        new = Disk(line.key, f"{call.get('storage', 'local')}:{size / GIB:g}", dict(line.options))
        saved[line.key] = yield from allocate(call, guest, new, lambda _line: None)
    task.log(f"extracting archive '{path_of(call, volume)}'")
    yield from call.world.cluster.compute(call.node, call.world.cluster.unpacking)
    task.log("Total bytes read: 2519040 (2.5MiB, 60MiB/s)")
    task.log("merging backed-up and given configuration..")
    guest.config.clear()
    guest.config.update({**saved, **{key: value for key, value in config.items() if key != "lock"}})


# ---------------------------------------------------------------- virtual machines


@route("POST /nodes/{node}/qemu")
def qemu_create(call: Call) -> Generator[Wait, None, str]:
    """A virtual machine, empty or with the images given."""
    world = call.world
    vmid, pool = call.vmid, str(call.get("pool", ""))
    world.cluster.need_quorum()
    check_new(call, vmid, pool)
    config = config_of(call, "qemu")
    check_keys(call, "qemu", vmid, pool, {key: call.params[key] for key in config})
    for line in disks("qemu", config):
        if ":" in line.volid:
            content = "iso" if line.volid.partition(":")[2].startswith("iso/") else "images"
            if content == "images":
                check_storage(call, line.storage, content)
            else:
                world.cluster.storage(line.storage, call.node)
    if taken(call, vmid):
        raise Refusal(f"unable to create VM {vmid} - {taken(call, vmid)}")
    yield 0.1
    guest = reserve(call, "qemu", vmid, {"lock": "create"}, pool)

    def work(task: Task) -> Generator[Wait, None, None]:
        yield 0.2
        try:
            made = yield from _assemble(call, guest, config, task)
        except Refusal as refusal:
            discard(call, guest)
            raise Refusal(f"unable to create VM {vmid} - {refusal.text}") from refusal
        guest.config.clear()
        guest.config.update(made)
        world.cluster.observe(guest)
        if call.get("ha-managed"):
            world.ha.add(guest)
        if call.get("start"):
            task.log("Execute autostart")
            world.clock.call_later(0.1, lambda: start_task(world, guest, call.user))

    return world.tasks.begin(call.node, "qmcreate", vmid, call.user, work)


def _assemble(call: Call, guest: Guest, config: dict[str, str], task: Task) -> Generator[Wait, None, dict[str, str]]:
    cluster = call.world.cluster
    made = dict(config)
    for line in disks("qemu", made):
        if line.volid in ("none", "cdrom"):
            continue
        if line.cdrom and line.volid.partition(":")[2] != "cloudinit":
            if cluster.volume(line.volid, call.node) is None:
                raise Refusal(f"volume '{line.volid}' does not exist")
            continue
        source = line.options.pop("import-from", "")
        if source:
            image = cluster.volume(source, call.node)
            if image is None:
                raise Refusal(f"volume '{source}' does not exist")
            line.volid = f"{line.storage}:{image.size / GIB:g}"
        made[line.key] = yield from allocate(call, guest, line, task.log)
        task.log(f"{line.key}: successfully created disk '{made[line.key]}'")
    identity = f"{cluster.random.getrandbits(32):08x}-f2f1-4e63-8a94-{cluster.random.getrandbits(48):012x}"
    boot = [line.key for line in disks("qemu", made) if not line.cdrom][:1]
    boot += [line.key for line in disks("qemu", made) if line.cdrom and "cloudinit" not in line.volid][:1]
    boot += sorted(key for key in made if re.fullmatch(r"net\d+", key))[:1]
    made.setdefault("boot", f"order={';'.join(boot)}")
    made.setdefault("smbios1", f"uuid={identity}")
    made["vmgenid"] = identity[::-1]
    made["meta"] = f"creation-qemu=10.1.2,ctime={cluster.now}"
    made.setdefault("memory", "512")
    return made
