# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/nodes/*/vzdump: backups."""

from __future__ import annotations

import time
from collections.abc import Generator

from .allocate import path_of
from .clock import Wait
from .errors import Refusal
from .routes import Call, route
from .sizes import MIB
from .tasks import Task


@route("POST /nodes/{node}/vzdump")
def vzdump(call: Call) -> str:
    """Back guests up."""
    world, name, vmid = call.world, str(call.get("storage", "local")), str(call.get("vmid", ""))

    if vmid.isdigit():
        world.access.need(call.user, f"/vms/{vmid}", "VM.Backup")

    def work(task: Task) -> Generator[Wait, None, None]:
        storage = world.cluster.storages.get(name)
        if storage is None or "backup" not in storage.content:
            why = f"can't use storage '{name}' for backups - wrong content type"
            raise Refusal(f"could not get storage information for '{name}': {why}")
        task.log(f"INFO: starting new backup job: vzdump {vmid} --node {call.node} --storage {name}")
        guest = world.cluster.guests.get(int(vmid or 0))
        if guest is None or guest.node != call.node:
            task.log(f"ERROR: Backup of VM {vmid} failed - unable to find VM '{vmid}'")
            task.log("INFO: Backup job finished with errors")
            raise Refusal("job errors")
        guest.check_lock()
        guest.config["lock"] = "backup"
        yield 2.0
        del guest.config["lock"]
        stamp = time.strftime("%Y_%m_%d-%H_%M_%S", time.gmtime(task.start))
        suffix = "tar.zst" if guest.kind == "lxc" else "vma.zst"
        volid = f"{name}:backup/vzdump-{guest.kind}-{vmid}-{stamp}.{suffix}"
        world.cluster.add_volume(volid, call.node, content="backup", format=suffix, size=MIB, vmid=int(vmid))
        world.cluster.backups[volid] = dict(guest.config)
        archive = path_of(call, world.cluster.volumes[world.cluster.place(volid, call.node)])
        task.log(f"INFO: creating vzdump archive '{archive}'")
        task.log("INFO: Backup job finished successfully")

    return world.tasks.begin(call.node, "vzdump", vmid, call.user, work)
