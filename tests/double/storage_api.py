# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storages: how they are defined, what is on them; backups; and templates from afar."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from .allocate import path_of
from .clock import Wait
from .entries import Storage, Volume
from .errors import Refusal
from .resources import storage_used
from .routes import Call, route
from .sizes import GIB, MIB
from .storage_defs import comma_list
from .tasks import Task

# ---------------------------------------------------------------- on a node


def _status(call: Call, storage: Storage) -> dict[str, Any]:
    used = storage_used(call.world, storage.name, call.node)
    return {
        "type": storage.type,
        "content": ",".join(storage.content),
        "active": 1,
        "enabled": 1,
        "shared": int(storage.shared),
        "total": storage.total,
        "used": used,
        "avail": max(0, storage.total - used),
    }


@route("GET /nodes/{node}/storage")
def storages(call: Call) -> list[dict[str, Any]]:
    """The storages a node has."""
    may, rows = call.world.access.may, []
    for storage in call.world.cluster.storages.values():
        here = not storage.nodes or call.node in storage.nodes
        seen = may(call.user, f"/storage/{storage.name}", "Datastore.Audit", "Datastore.AllocateSpace", anyone=True)
        wanted = set(comma_list(call.get("content", ""))) <= set(storage.content)
        if here and seen and wanted and call.get("storage") in (None, storage.name):
            row = _status(call, storage)
            rows.append({"storage": storage.name, **row, "used_fraction": row["used"] / row["total"]})
    return rows


@route("GET /nodes/{node}/storage/{storage}/status")
def status(call: Call) -> dict[str, Any]:
    """How full it is."""
    return _status(call, call.world.cluster.storage(str(call.params["storage"]), call.node))


@route("GET /nodes/{node}/storage/{storage}")
def index(call: Call) -> list[dict[str, str]]:
    """What there is below."""
    call.world.cluster.storage(str(call.params["storage"]), call.node)
    return [{"subdir": name} for name in ("content", "status", "upload", "download-url", "rrddata")]


@route("GET /nodes/{node}/storage/{storage}/content")
def content(call: Call) -> list[dict[str, Any]]:
    """What is on a storage, seen from a node."""
    cluster, name = call.world.cluster, str(call.params["storage"])
    storage = cluster.storage(name, call.node)
    rows = []
    for (where, volid), volume in cluster.volumes.items():
        wanted = volid.partition(":")[0] == name and where in ("", call.node)
        wanted = wanted and call.get("content") in (None, volume.content)
        if wanted and call.get("vmid") in (None, volume.vmid):
            rows.append(_row(storage, volume))
    return rows


def _row(storage: Storage, volume: Volume) -> dict[str, Any]:
    row: dict[str, Any] = {
        "volid": volume.volid,
        "content": volume.content,
        "format": volume.format,
        "size": volume.size,
    }
    if volume.vmid:
        row["vmid"] = volume.vmid
    if volume.content in ("images", "rootdir"):
        row["parent"] = volume.parent or None
        if storage.type == "zfspool":
            return {**row, "name": volume.volid.partition(":")[2]}
        row["used"] = volume.used
    if volume.content == "backup":
        row["subtype"] = "lxc" if "-lxc-" in volume.volid else "qemu"
    return {**row, "ctime": volume.ctime}


@route("GET /nodes/{node}/storage/{storage}/content/{volume}")
def volume_read(call: Call) -> dict[str, Any]:
    """One volume."""
    volid = _volid(call)
    volume = call.world.cluster.volume(volid, call.node)
    if volume is None:
        raise Refusal(f"volume_size_info on '{volid}' failed - no format")
    return {"path": path_of(call, volume), "size": volume.size, "used": volume.used, "format": volume.format}


def _volid(call: Call) -> str:
    text = str(call.params["volume"])
    return text if ":" in text else f"{call.params['storage']}:{text}"


@route("DELETE /nodes/{node}/storage/{storage}/content/{volume}")
def volume_delete(call: Call) -> str:
    """A volume, gone."""
    world, volid, name = call.world, _volid(call), str(call.params["storage"])
    storage = world.cluster.storage(name, call.node)
    world.access.need(call.user, f"/storage/{name}", "Datastore.Allocate")
    volume = world.cluster.volume(volid, call.node)

    def work(task: Task) -> Generator[Wait, None, None]:
        yield 0.1
        if volume is None:
            task.log(f"disk image '{storage.options.get('path', '')}/dump/{volid.rpartition('/')[2]}' does not exist")
        world.cluster.drop_volume(volid, call.node)
        task.log(f"Removed volume '{volid}'")

    owner = re.search(r"(?:vzdump-\w+-|vm-|subvol-)(\d+)-", volid)
    what = f"{owner[1]}@{name}" if owner and (volume or "vzdump" in volid) else name
    return world.tasks.begin(call.node, "imgdel", what, call.user, work)


@route("POST /nodes/{node}/storage/{storage}/content")
def volume_create(call: Call) -> str:
    """A disk of its own."""
    storage = call.world.cluster.storage(str(call.params["storage"]), call.node)
    size = int(str(call.params["size"]).rstrip("GMK") or 0) * {"G": GIB, "M": MIB}.get(
        str(call.params["size"])[-1:], 1024
    )
    volid = f"{storage.name}:{call.params['filename']}"
    call.world.cluster.add_volume(
        volid, call.node, content="images", format=str(call.get("format", "raw")), size=size, vmid=call.vmid
    )
    return volid
