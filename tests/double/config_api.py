# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing a guest's config: at once, pending until the next start, refused, or refused and written all the same."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from .allocate import allocate
from .clock import Wait
from .entries import Guest
from .errors import Refusal, invalid_one
from .guests import Disk, disk, disks, guest_of, kind_of, locked, missing_bridge, write_value
from .rights import check_keys, check_storage
from .routes import Call, route
from .schema import rule_of
from .tasks import Task

CONTROL = {
    "node",
    "vmid",
    "digest",
    "delete",
    "revert",
    "force",
    "skiplock",
    "background_delay",
    "import-working-storage",
}
AT_ONCE = {
    "lxc": r"description|onboot|startup|protection|hookscript|tags|lock|net\d+|unused\d+"
    r"|hostname|cores|memory|swap|cpulimit|cpuunits|mp\d+",
    "qemu": r"description|onboot|startup|protection|hookscript|tags|lock|net\d+|unused\d+"
    r"|name|(scsi|virtio)\d+|vmstatestorage|migrate_\w+",
}


@route("PUT /nodes/{node}/lxc/{vmid}/config")
def lxc_update(call: Call) -> Generator[Wait, None, None]:
    """Change a container's config."""
    change = _prepare(call)

    def inside() -> Generator[Wait, None, None]:
        yield 0.1
        guest = guest_of(call)
        guest.check_lock()
        if call.get("digest") and call.params["digest"] != guest.digest:
            raise Refusal("detected modified configuration - file changed by other user? Try again.")
        if any(key.startswith("unprivileged") for key in change):
            raise Refusal("unable to modify read-only option: 'unprivileged'")
        yield from _change(call, guest, change, lambda _line: None)

    yield from locked(call.world, (call.node, "lxc", call.vmid), call, inside)


@route("PUT /nodes/{node}/qemu/{vmid}/config")
def qemu_update(call: Call) -> Generator[Wait, None, None]:
    """Change a VM's config, and wait for it."""
    change = _prepare(call)
    yield from _qemu(call, change, lambda _line: None, call)


@route("POST /nodes/{node}/qemu/{vmid}/config")
def qemu_update_later(call: Call) -> str:
    """Change a VM's config in a task."""
    change = _prepare(call)
    guest = guest_of(call)
    guest.check_lock()

    def work(task: Task) -> Generator[Wait, None, None]:
        shown = [f"-{key} {'<hidden>' if key == 'cipassword' else value}" for key, value in sorted(change.items())]
        task.log(f"update VM {call.vmid}: {' '.join(shown)}")
        yield 0.2
        yield from _qemu(call, change, task.log, task)

    return call.world.tasks.begin(call.node, "qmconfig", call.vmid, call.user, work)


def _qemu(call: Call, change: dict[str, Any], log: Any, holder: object) -> Generator[Wait, None, None]:
    def inside() -> Generator[Wait, None, None]:
        yield 0.1
        guest = guest_of(call)
        if call.get("digest") and call.params["digest"] != guest.digest:
            raise Refusal("checksum mismatch (file change by other user?)")
        guest.check_lock()
        yield from _change(call, guest, change, log)

    yield from locked(call.world, (call.node, "qemu", call.vmid), holder, inside)


def _prepare(call: Call) -> dict[str, Any]:
    """What is to be set, after the checks that come before the lock."""
    kind = kind_of(call)
    change = {key: value for key, value in call.params.items() if key not in CONTROL}
    named = [*_names(call, "delete"), *_names(call, "revert")]
    if not change and not named:
        raise Refusal("no options specified")
    rules = call.world.table[f"PUT /nodes/{{node}}/{kind}/{{vmid}}/config"]["parameters"]
    for option in ("delete", "revert"):
        for name in _names(call, option):
            if rule_of(rules, name) is None and not re.match(r"lxc\.", name):
                raise invalid_one(option, f"unknown option '{name}'")
            if name in change:
                raise invalid_one(option, f"you can't use '-{name}' and '-{option} {name}' at the same time")
    checked = {
        **change,
        **{name: "1" for name in _names(call, "delete") if name not in ("tags", "lock", "features", "hookscript")},
    }
    check_keys(call, kind, call.vmid, "", checked)
    guest = call.world.cluster.guests.get(call.vmid)
    for line in disks(kind, {key: str(value) for key, value in change.items()}):
        if line.bind or ":" not in line.volid or line.key.startswith("unused"):
            continue
        if kind == "lxc":
            check_storage(call, line.storage)
        else:
            call.world.cluster.storage(line.storage, call.node)
        if guest:
            check_replicable(call, guest, line)
    return change


def check_replicable(call: Call, guest: Guest, line: Disk) -> None:
    """A replicated guest takes no disk that cannot be replicated, unless it is left out by ``replicate=0``."""
    jobs = call.world.replicator.jobs_of(guest.vmid)
    storage = call.world.cluster.storages[line.storage]
    if jobs and storage.type != "zfspool" and line.options.get("replicate") != "0" and not storage.shared:
        raise Refusal("cannot add non-replicatable volume to a replicated VM")


def _names(call: Call, option: str) -> list[str]:
    return [name for name in re.split(r"[,; ]+", str(call.get(option, ""))) if name]


def _change(call: Call, guest: Guest, change: dict[str, Any], log: Any) -> Generator[Wait, None, None]:
    cluster = call.world.cluster
    cluster.write(guest)
    for name in _names(call, "revert"):
        guest.pending.pop(name, None)
    for name in _names(call, "delete"):
        _delete(call, guest, name)
    errors: dict[str, str] = {}
    late = ""
    for key, value in change.items():
        text = write_value(call.world, guest.kind, key, value)
        late = (yield from _set(call, guest, (key, text), log, errors)) or late
    cluster.observe(guest)
    if errors:
        raise Refusal("Parameter verification failed.", 400, errors)
    if late:
        raise Refusal(late)


def _delete(call: Call, guest: Guest, name: str) -> None:
    guest.pending.pop(name, None)
    if name not in guest.config:
        return
    later = guest.running and not re.fullmatch(AT_ONCE[guest.kind], name)
    if later and not (guest.kind == "qemu" and name in ("ciuser", "cipassword", "sshkeys")):
        guest.pending[name] = None
        return
    text = guest.config.pop(name)
    line = disk(name, text)
    if (
        re.fullmatch(r"mp\d+|(scsi|virtio|sata|ide)\d+", name)
        and ":" in line.volid
        and not line.bind
        and not line.cdrom
    ):
        free = next(number for number in range(256) if f"unused{number}" not in guest.config)
        guest.config[f"unused{free}"] = line.volid
    elif name.startswith("unused"):
        call.world.cluster.drop_volume(line.volid, guest.node)


def _set(
    call: Call, guest: Guest, line: tuple[str, str], log: Any, errors: dict[str, str]
) -> Generator[Wait, None, str]:
    """Set one key; the text of what fails only after it was written."""
    key, text = line
    new = disk(key, text)
    is_disk = bool(re.fullmatch(r"rootfs|mp\d+|(ide|sata|scsi|virtio|efidisk|tpmstate)\d+", key))
    if is_disk and not new.bind and ":" in new.volid:
        known = guest.config.get(key, "")
        if disk(key, known).volid == new.volid:
            new.options.setdefault("size", disk(key, known).options.get("size", ""))
            text = new.text()
        elif not (new.cdrom and "cloudinit" not in new.volid):
            yield 0.3
            text = yield from allocate(call, guest, new, log)
            log(f"{key}: successfully created disk '{text}'")
            if "cloudinit" in text:
                log("generating cloud-init ISO")
    if not guest.running or re.fullmatch(AT_ONCE[guest.kind], key):
        bridge = _bridge(call, guest, key, text)
        if bridge and guest.running:
            errors[key] = f"unable to hotplug {key}: bridge '{bridge}' does not exist\n"
            return ""
        guest.config[key] = text
        guest.pending.pop(key, None)
        return f"bridge '{missing_bridge(call.world, guest)}' does not exist" if bridge and guest.kind == "lxc" else ""
    if guest.config.get(key) == text:
        guest.pending.pop(key, None)
    else:
        guest.pending[key] = text
    return ""


def _bridge(call: Call, guest: Guest, key: str, text: str) -> str:
    found = re.search(r"(?:^|,)bridge=([^,]+)", text) if re.fullmatch(r"net\d+", key) else None
    return found[1] if found and found[1] not in call.world.cluster.nodes[guest.node].bridges else ""
