# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests, gone."""

from __future__ import annotations

from collections.abc import Generator

from .clock import Wait
from .entries import Guest
from .errors import Refusal
from .guests import PREFIX, guest_of, kind_of, locked, unreferenced, volumes
from .power import turn_off
from .routes import Call, route
from .tasks import Task


@route("DELETE /nodes/{node}/lxc/{vmid}", "DELETE /nodes/{node}/qemu/{vmid}")
def destroy(call: Call) -> Generator[Wait, None, str]:
    """A guest and its disks; with ``purge`` also its jobs and its place under HA."""
    world, kind, purge = call.world, kind_of(call), bool(call.get("purge"))
    guest = guest_of(call)
    force = bool(call.get("force")) and kind == "lxc"
    guest.check_lock()
    if guest.config.get("protection") == "1":
        raise Refusal(f"can't remove {guest.word} {guest.vmid} - protection mode enabled")
    if world.ha.configured(guest) and not purge:
        raise Refusal(f"unable to remove {guest.word} {guest.vmid} - used in HA resources and purge parameter not set.")
    jobs = world.replicator.jobs_of(guest.vmid)
    if jobs and not purge:
        raise Refusal(f"There is a replication job '{jobs[0].id}' for guest '{guest.vmid}' - Please remove that first.")
    if guest.running and not force:
        if kind == "lxc":
            raise Refusal(f"unable to destroy CT {guest.vmid} - container is running")
        raise Refusal(f"VM {guest.vmid} is running - destroy failed")
    node, vmid = call.node, call.vmid
    yield 0.0

    def work(task: Task) -> Generator[Wait, None, None]:
        def inside() -> Generator[Wait, None, None]:
            here = world.cluster.guest(node, kind, vmid)
            yield from _destroy(call, here, task, purge, force)

        yield from locked(world, (node, kind, vmid), task, inside, task.log)

    return world.tasks.begin(node, f"{PREFIX[kind]}destroy", vmid, call.user, work)


def _destroy(call: Call, guest: Guest, task: Task, purge: bool, force: bool) -> Generator[Wait, None, None]:
    world, cluster = call.world, call.world.cluster
    if guest.running:
        if not force:
            raise Refusal(f"unable to destroy CT {guest.vmid} - container is running")
        task.log(f"forced to stop CT {guest.vmid} before destroying!")
        yield 2.0
        turn_off(world, guest)
    for line in volumes(guest):
        name = line.volid.partition(":")[2]
        if any(f":{name}/" in volid for _where, volid in cluster.volumes) and "base" in name:
            if guest.kind == "lxc":
                raise Refusal(f"base volume '{name}' is still in use by linked clones")
            raise Refusal(f"base volume '{line.volid}' is still in use by linked cloned")
    yield 0.3
    for line in volumes(guest):
        storage = cluster.storages.get(line.storage)
        if storage and storage.shared and not cluster.quorate:
            for _second in range(9):
                task.log(f"trying to acquire cfs lock 'storage-{storage.name}' ...")
                yield 1.1
            raise Refusal(f"cfs-lock 'storage-{storage.name}' error: no quorum!")
        cluster.drop_volume(line.volid, guest.node)
    cluster.write(guest)
    if call.get("destroy-unreferenced-disks", 1 if guest.kind == "lxc" else 0):
        for key in unreferenced(world, guest):
            del cluster.volumes[key]
    if purge:
        _purge(call, guest, task)
    for what in cluster.pools.values():
        what["vms"].discard(guest.vmid)
    access = world.access
    access.grants = [grant for grant in access.grants if grant.path != f"/vms/{guest.vmid}"]
    del cluster.guests[guest.vmid]


def _purge(call: Call, guest: Guest, task: Task) -> None:
    world = call.world
    task.log(f"purging {guest.word} {guest.vmid} from related configurations..")
    for job in world.replicator.jobs_of(guest.vmid):
        world.replicator.drop(job.id)
    if world.ha.configured(guest):
        world.ha.remove(world.ha.sid(guest))
        task.log(f"NOTE: removed {guest.word} {guest.vmid} from HA resource configuration.")
