# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots, rollback, templates, and the size of disks."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Any

from .clock import Wait
from .entries import Guest, Snapshot
from .errors import Refusal
from .guests import PREFIX, disk, guest_of, kind_of, locked, volumes
from .guests_api import has_feature
from .power import turn_off
from .routes import Call, route
from .sizes import parse_size, show_size
from .tasks import Task


def in_task(call: Call, kind: str, what: Callable[[Guest, Task], Generator[Wait, None, Any]]) -> str:
    """A task that holds the guest's lock file while it works on it."""
    world, node, sort, vmid = call.world, call.node, kind_of(call), call.vmid

    def work(task: Task) -> Generator[Wait, None, None]:
        def inside() -> Generator[Wait, None, None]:
            guest = world.cluster.guest(node, sort, vmid)
            yield from what(guest, task)

        yield from locked(world, (node, sort, vmid), task, inside, task.log)

    return world.tasks.begin(node, kind, vmid, call.user, work)


@route("GET /nodes/{node}/lxc/{vmid}/snapshot", "GET /nodes/{node}/qemu/{vmid}/snapshot")
def snapshots(call: Call) -> list[dict[str, Any]]:
    """All snapshots, and where one is."""
    guest = guest_of(call)
    rows: list[dict[str, Any]] = []
    for snapshot in guest.snapshots.values():
        row: dict[str, Any] = {"name": snapshot.name, "description": snapshot.description, "snaptime": snapshot.time}
        if snapshot.parent:
            row["parent"] = snapshot.parent
        if guest.kind == "qemu":
            row["vmstate"] = 0
        rows.append(row)
    here: dict[str, Any] = {
        "name": "current",
        "description": "You are here!",
        "digest": guest.digest,
        "running": int(guest.running),
    }
    if guest.config.get("parent"):
        here["parent"] = guest.config["parent"]
    return [*rows, here]


@route("POST /nodes/{node}/lxc/{vmid}/snapshot", "POST /nodes/{node}/qemu/{vmid}/snapshot")
def snapshot_create(call: Call) -> str:
    """A new snapshot."""
    name = str(call.params["snapname"])
    if name in ("current", "vzdump"):
        raise Refusal(f"unable to use snapshot name '{name}' (reserved name)")
    if name == "pending":
        raise Refusal("unable to use snapshot name 'pending' (reserved name)")

    def what(guest: Guest, task: Task) -> Generator[Wait, None, None]:
        guest.check_lock()
        if name in guest.snapshots:
            raise Refusal(f"snapshot name '{name}' already used")
        if not has_feature(call, guest, "snapshot"):
            raise Refusal("snapshot feature is not available")
        call.world.cluster.write(guest)
        guest.config["lock"] = "snapshot"
        yield 1.5
        del guest.config["lock"]
        text = str(call.get("description", ""))
        text = f"{text}\n" if text and guest.kind == "lxc" else text
        saved = {key: value for key, value in guest.config.items() if key not in ("parent", "description")}
        guest.snapshots[name] = Snapshot(name, call.world.cluster.now, text, guest.config.get("parent", ""), saved)
        guest.config["parent"] = name

    return in_task(call, f"{PREFIX[kind_of(call)]}snapshot", what)


def _snapshot(guest: Guest, name: str) -> Snapshot:
    if name not in guest.snapshots:
        raise Refusal(f"snapshot '{name}' does not exist")
    return guest.snapshots[name]


@route(
    "PUT /nodes/{node}/lxc/{vmid}/snapshot/{snapname}/config",
    "PUT /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config",
)
def snapshot_describe(call: Call) -> None:
    """Change its description."""
    snapshot = _snapshot(guest_of(call), str(call.params["snapname"]))
    snapshot.description = str(call.get("description", ""))


@route(
    "POST /nodes/{node}/lxc/{vmid}/snapshot/{snapname}/rollback",
    "POST /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/rollback",
)
def rollback(call: Call) -> str:
    """Back to how it was; what ran is stopped."""

    def what(guest: Guest, task: Task) -> Generator[Wait, None, None]:
        snapshot = _snapshot(guest, str(call.params["snapname"]))
        guest.check_lock()
        call.world.cluster.write(guest)
        if guest.running:
            turn_off(call.world, guest)
        guest.config["lock"] = "rollback"
        yield 1.2
        kept = {key: value for key, value in snapshot.config.items() if key != "lock"}
        guest.config.clear()
        guest.config.update({**kept, "parent": snapshot.name})
        if snapshot.description and guest.kind == "lxc":
            guest.config["description"] = snapshot.description
        call.world.cluster.observe(guest)

    return in_task(call, f"{PREFIX[kind_of(call)]}rollback", what)


@route("DELETE /nodes/{node}/lxc/{vmid}/snapshot/{snapname}", "DELETE /nodes/{node}/qemu/{vmid}/snapshot/{snapname}")
def snapshot_delete(call: Call) -> str:
    """A snapshot, gone."""

    def what(guest: Guest, task: Task) -> Generator[Wait, None, None]:
        snapshot = _snapshot(guest, str(call.params["snapname"]))
        guest.check_lock()
        call.world.cluster.write(guest)
        guest.config["lock"] = "snapshot-delete"
        yield 0.3
        del guest.config["lock"]
        del guest.snapshots[snapshot.name]
        for other in guest.snapshots.values():
            if other.parent == snapshot.name:
                other.parent = snapshot.parent
        if guest.config.get("parent") == snapshot.name:
            guest.config.pop("parent")
            if snapshot.parent:
                guest.config["parent"] = snapshot.parent

    return in_task(call, f"{PREFIX[kind_of(call)]}delsnapshot", what)


# ---------------------------------------------------------------- templates


@route("POST /nodes/{node}/lxc/{vmid}/template")
def lxc_template(call: Call) -> Generator[Wait, None, None]:
    """Make a container a template: at once, no task."""
    guest = guest_of(call)
    _can_be_template(guest)
    yield 0.05
    to_template(call, guest)


@route("POST /nodes/{node}/qemu/{vmid}/template")
def qemu_template(call: Call) -> str:
    """Make a VM a template."""
    _can_be_template(guest_of(call))

    def what(guest: Guest, _task: Task) -> Generator[Wait, None, None]:
        yield 0.5
        to_template(call, guest)

    return in_task(call, "qmtemplate", what)


def _can_be_template(guest: Guest) -> None:
    if guest.template:
        raise Refusal("you can't convert a template to a template")
    if guest.snapshots:
        raise Refusal(f"unable to create template, because {guest.word} contains snapshots")
    guest.check_lock()
    if guest.running:
        what = "container" if guest.kind == "lxc" else "VM"
        raise Refusal(f"you can't convert a {what} to template if the {what} is running")


def to_template(call: Call, guest: Guest) -> None:
    """Rename the disks to base disks and mark the config."""
    cluster = call.world.cluster
    cluster.write(guest)
    for line in volumes(guest, unused=False):
        volume = cluster.volume(line.volid, guest.node)
        if volume is None or "cloudinit" in line.volid:
            continue
        cluster.drop_volume(line.volid, guest.node)
        base = re.sub(r"(:|/)(subvol|vm)-", lambda m: f"{m[1]}{'basevol' if m[2] == 'subvol' else 'base'}-", line.volid)
        volume.volid = base
        cluster.volumes[cluster.place(base, guest.node)] = volume
        line.volid = base
        guest.config[line.key] = line.text()
    guest.config["template"] = "1"
    cluster.observe(guest)


# ---------------------------------------------------------------- sizes


@route("PUT /nodes/{node}/lxc/{vmid}/resize")
def lxc_resize(call: Call) -> Generator[Wait, None, str]:
    """Grow a container's disk. That shrinking does not go is known at once."""
    guest = guest_of(call)
    guest.check_lock()
    key = str(call.params["disk"])
    if key not in guest.config:
        missing = {
            "volume": "property is missing and it is not optional",
            "mp": "property is missing and it is not optional",
        }
        raise Refusal("format error", 500, missing)
    line = disk(key, guest.config[key])
    size = _new_size(call, line.options.get("size", "0"))
    yield 0.2
    if size < parse_size(line.options.get("size", "0")):
        raise Refusal("unable to shrink disk size")

    def what(here: Guest, task: Task) -> Generator[Wait, None, None]:
        yield 1.2
        if call.world.cluster.storages[line.storage].type == "dir":
            task.log("Image resized.")
        _grow(call, here, key, size)

    return in_task(call, "resize", what)


@route("PUT /nodes/{node}/qemu/{vmid}/resize")
def qemu_resize(call: Call) -> str:
    """Grow a VM's disk."""
    key = str(call.params["disk"])
    guest_of(call)

    def what(guest: Guest, _task: Task) -> Generator[Wait, None, None]:
        guest.check_lock()
        if key not in guest.config:
            raise Refusal(f"disk '{key}' does not exist")
        yield 0.1
        now = disk(key, guest.config[key]).options.get("size", "0")
        size = _new_size(call, now)
        if size < parse_size(now):
            raise Refusal("shrinking disks is not supported")
        yield 0.4
        _grow(call, guest, key, size)

    return in_task(call, "resize", what)


def _new_size(call: Call, now: str) -> int:
    text = str(call.params["size"])
    return parse_size(now) + parse_size(text[1:]) if text.startswith("+") else parse_size(text)


def _grow(call: Call, guest: Guest, key: str, size: int) -> None:
    """The image grows first; without a quorum its config then does not know."""
    line = disk(key, guest.config[key])
    volume = call.world.cluster.volume(line.volid, guest.node)
    if volume:
        volume.size = size
    call.world.cluster.write(guest)
    line.options["size"] = show_size(size)
    guest.config[key] = line.text()
    call.world.cluster.observe(guest)


@route("PUT /nodes/{node}/qemu/{vmid}/unlink")
def unlink(call: Call) -> Generator[Wait, None, None]:
    """Take disks off; with ``force`` they are destroyed."""
    guest = guest_of(call)
    guest.check_lock()
    yield 0.2
    for key in re.split(r"[,; ]+", str(call.params["idlist"])):
        if key not in guest.config:
            continue
        line = disk(key, guest.config.pop(key))
        if call.get("force") or key.startswith("unused"):
            call.world.cluster.drop_volume(line.volid, guest.node)
        else:
            free = min(n for n in range(256) if f"unused{n}" not in guest.config)
            guest.config[f"unused{free}"] = line.volid
