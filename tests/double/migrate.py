# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving guests between nodes: offline, with a restart, online; through HA where HA has them."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from .clock import Wait
from .entries import Guest
from .errors import Refusal, invalid
from .guests import Disk, disks, guest_of, kind_of, locked, volumes
from .ha_choice import obstacles
from .move import Manner, Move
from .routes import Call, route
from .tasks import Task

if TYPE_CHECKING:
    pass


# ---------------------------------------------------------------- asked beforehand


@route("GET /nodes/{node}/lxc/{vmid}/migrate")
def lxc_preconditions(call: Call) -> dict[str, Any]:
    """Where a container may go. It does not look at bind mounts or storages."""
    guest = guest_of(call)
    others = [name for name in call.world.cluster.nodes if name != call.node]
    kept = _kept_from(call, guest, others)
    allowed = [name for name in others if name not in kept]
    answer: dict[str, Any] = {"running": int(guest.running), "allowed-nodes": allowed, "not-allowed-nodes": kept}
    return {**answer, **_dependent(call, guest)}


def _kept_from(call: Call, guest: Guest, nodes: list[str]) -> dict[str, Any]:
    """Node -> what the HA manager's rules say against it."""
    if not call.world.ha.managed_now(guest):
        return {}
    causes = {name: obstacles(call.world.ha, call.world.ha.sid(guest), name) for name in nodes}
    return {name: {"blocking-ha-resources": why} for name, why in causes.items() if why}


def _dependent(call: Call, guest: Guest) -> dict[str, Any]:
    if not call.world.ha.configured(guest):
        return {}
    return {"dependent-ha-resources": call.world.ha.together(call.world.ha.sid(guest))}


@route("GET /nodes/{node}/qemu/{vmid}/migrate")
def qemu_preconditions(call: Call) -> dict[str, Any]:
    """Where a VM may go, and which of its disks are local."""
    guest = guest_of(call)
    cluster = call.world.cluster
    others = [name for name in cluster.nodes if name != call.node]
    local = [
        _local(call, guest, line, pending=False) for line in volumes(guest) if not cluster.storages[line.storage].shared
    ]
    waiting = {key: value for key, value in guest.pending.items() if value is not None}
    local += [_local(call, guest, line, pending=True) for line in disks("qemu", waiting) if ":" in line.volid]
    refused: dict[str, Any] = {name: {} for name in others} | _kept_from(call, guest, others)
    for name in others:
        away = [line.storage for line in volumes(guest) if cluster.storages[line.storage].nodes
                and name not in cluster.storages[line.storage].nodes]  # fmt: skip
        if away:
            refused[name]["unavailable_storages"] = sorted(set(away))
    return {
        "running": int(guest.running),
        "allowed_nodes": [name for name in others if not refused[name]],
        "not_allowed_nodes": refused,
        "local_disks": local,
        "local_resources": [],
        "mapped-resources": [],
        "mapped-resource-info": {},
        "has-dbus-vmstate": 1,
        **_dependent(call, guest),
    }


def _local(call: Call, guest: Guest, line: Disk, pending: bool) -> dict[str, Any]:
    volume = call.world.cluster.volume(line.volid, guest.node)
    row: dict[str, Any] = {
        "volid": line.volid,
        "drivename": line.key,
        "cdrom": int(line.cdrom),
        "is_attached": int(not pending),
        "is_unused": int(line.key.startswith("unused")),
        "is_cloudinit": int("cloudinit" in line.volid),
        "is_tpmstate": int(line.key.startswith("tpmstate")),
        "is_vmstate": 0,
        "replicate": int(line.options.get("replicate", "1")),
        "shared": 0,
    }
    if pending:
        return {**row, "referenced_in_pending": 1}
    return {**row, "size": volume.size if volume else 0}


# ---------------------------------------------------------------- done


@route("POST /nodes/{node}/lxc/{vmid}/migrate", "POST /nodes/{node}/qemu/{vmid}/migrate")
def migrate(call: Call) -> str:
    """Move a guest; of one under HA only the wish is passed on, and the work is done by another task."""
    world, kind, target = call.world, kind_of(call), str(call.params["target"])
    world.cluster.need_quorum()
    if target == call.node:
        raise invalid(target="target is local node.")
    world.cluster.known_node(target)
    guest = guest_of(call)
    restart, online = bool(call.get("restart")), bool(call.get("online"))
    if guest.running:
        if kind == "lxc" and not (restart or online):
            raise Refusal("can't migrate running container without --online or --restart")
        if kind == "qemu" and not online:
            raise Refusal("can't migrate running VM without --online")
    if world.ha.managed_now(guest):
        return _through_manager(call, guest, target)
    node, vmid = call.node, call.vmid
    options = Manner(
        restart=restart,
        online=online,
        timeout=int(call.get("timeout", 180)),
        with_disks=bool(call.get("with-local-disks")),
        storage=str(call.get("target-storage") or call.get("targetstorage") or ""),
    )

    def work(task: Task) -> Generator[Wait, None, None]:
        def inside() -> Generator[Wait, None, None]:
            yield from Move(world, task, target, options).run(node, kind, vmid)

        yield from locked(world, (node, kind, vmid), task, inside, task.log)

    return world.tasks.begin(node, "vzmigrate" if kind == "lxc" else "qmigrate", vmid, call.user, work)


def _through_manager(call: Call, guest: Guest, target: str) -> str:
    world, sid = call.world, call.world.ha.sid(guest)

    def work(task: Task) -> Generator[Wait, None, None]:
        task.log(f"Requesting HA migration for {guest.word} {guest.vmid} to node {target}")
        yield 1.2
        if world.ha.in_error(sid):
            task.log(f"service '{sid}' in error state, must be disabled and fixed first")
            raise Refusal(f"command 'ha-manager migrate {sid} {target}' failed: exit code 255")
        world.ha.request_move(sid, target, "migrate")

    return world.tasks.begin(call.node, "hamigrate", guest.vmid, call.user, work)
