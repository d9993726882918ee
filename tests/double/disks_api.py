# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/nodes/*/disks: which disks a node has, and pools made of them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from .clock import Wait
from .entries import Node
from .errors import Refusal
from .routes import Call, route
from .tasks import Task


def _node(call: Call) -> Node:
    return call.world.cluster.nodes[call.node]


@route("GET /nodes/{node}/disks/list")
def disks(call: Call) -> list[dict[str, Any]]:
    """Whole disks, and their partitions where they are asked for."""
    return [dict(row) for row in _node(call).disks if call.get("include-partitions") or not row.get("parent")]


@route("GET /nodes/{node}/disks/zfs")
def zfs(call: Call) -> list[dict[str, Any]]:
    """ZFS pools."""
    return [{"name": name, "health": "ONLINE"} for name, kind in _node(call).disk_pools.items() if kind == "zfs"]


@route("GET /nodes/{node}/disks/lvmthin")
def lvmthin(call: Call) -> list[dict[str, Any]]:
    """LVM thin pools."""
    return [{"vg": name, "lv": name} for name, kind in _node(call).disk_pools.items() if kind == "lvmthin"]


@route("POST /nodes/{node}/disks/zfs")
def zfs_create(call: Call) -> str:
    """A new ZFS pool."""
    return _create(call, "zfs", str(call.params["devices"]).replace(",", " ").split())


@route("POST /nodes/{node}/disks/lvmthin")
def lvmthin_create(call: Call) -> str:
    """A new volume group with a thin pool."""
    return _create(call, "lvmthin", [str(call.params["device"])])


def _create(call: Call, kind: str, devices: list[str]) -> str:
    node, name = _node(call), str(call.params["name"])
    rows = {row["devpath"]: row for row in node.disks}
    for device in devices:
        if device not in rows:
            raise Refusal(f"'{device}' is not a block device")
        if rows[device].get("used"):
            raise Refusal(f"device '{device}' is already in use")

    def work(task: Task) -> Generator[Wait, None, None]:
        yield 1.0
        for device in devices:
            rows[device]["used"] = "ZFS" if kind == "zfs" else "LVM"
        node.disk_pools[name] = kind
        task.log(f"# pool {name} of {', '.join(devices)}")

    return call.world.tasks.begin(call.node, f"{kind}create", name, call.user, work)
