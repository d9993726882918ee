# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster's one list says of nodes and guests, in the words of the model. Pure.

Rows of a dead node's guests go on saying ``running``; only the node's own row tells. Some minutes later they say
nothing any more but where the guest is, and its tags. A guest that is just being made has a row without a name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ...fleet.model import Capacity, Fleet, ObservedNode, ObservedServer, ServerState, Size, Use
from . import marks

_MIB = 1024 * 1024
_DISKS = {"rootdir", "images"}
_LESS = 0.85
"""Share of its disk a file system of a running container may seem to have: its own bookkeeping is not counted."""

Row = Mapping[str, Any]


def rows_of(rows: Iterable[Row], *kinds: str) -> list[Row]:
    """Rows of /cluster/resources of these types."""
    return [row for row in rows if row.get("type") in kinds]


def node(row: Row, storages: Iterable[Row], *, version: str, templates: Iterable[tuple[str, str]]) -> ObservedNode:
    """A node that is online."""
    pools = {
        str(each["storage"]): each
        for each in storages
        if each.get("status") == "available" and _DISKS & set(str(each.get("content", "")).split(","))
    }
    return ObservedNode(
        name=str(row["node"]),
        reach="online",
        version=version,
        capacity=Capacity(
            cores=float(row.get("maxcpu") or 0),
            memory=int(row.get("maxmem") or 0) // _MIB,
            pools={name: int(each.get("maxdisk") or 0) // _MIB for name, each in pools.items()},
        ),
        memory_used=int(row.get("mem") or 0) // _MIB,
        pools_used={name: int(each.get("disk") or 0) // _MIB for name, each in pools.items()},
        templates=frozenset(templates),
        maintenance=row.get("hastate") == "maintenance",
        uptime=float(row["uptime"]) if row.get("uptime") is not None else None,  # 0: it came up this very second
    )


def name_of(row: Row) -> str:
    """What a guest is called, by its row or its mark; empty: nobody tells."""
    return str(row.get("name") or marks.read(str(row.get("tags") or "")).name)


def guest(row: Row, fleet: Fleet, *, online: bool, measured: bool = False) -> ObservedServer:
    """A guest, ours or a stranger's."""
    said = marks.read(str(row.get("tags") or ""))
    ours = said.fleet == fleet.name
    state = _state(row) if online else "unknown"
    use = None
    if measured and state == "running":
        busy = float(row.get("cpu") or 0) * float(row.get("maxcpu") or 0)
        use = Use(cores=round(busy, 4), memory=-(-int(row.get("mem") or 0) // _MIB))
    found = ObservedServer(
        name=name_of(row) or str(row["vmid"]),
        node=str(row.get("node", "")),
        state=state,
        size=_size(row, said if ours else marks.Marks()),
        fleet=said.fleet,
        addresses=tuple(leg.address for leg in said.interfaces if leg.address),
        use=use,
    )
    if not ours:
        return found
    return ObservedServer(
        name=found.name,
        node=found.node,
        state=found.state,
        size=found.size,
        pool=said.pool or "default",
        fleet=said.fleet,
        interfaces=said.interfaces,
        class_name=said.class_name,
        template=said.template,
        template_version=said.template_version,
        tenant=said.tenant,
        resource_pool=str(row.get("pool") or ""),
        addresses=found.addresses,
        use=use,
    )


def _state(row: Row) -> ServerState:
    status = row.get("status")
    return "running" if status == "running" else "stopped" if status == "stopped" else "unknown"


def _size(row: Row, said: marks.Marks) -> Size:
    """What the platform says, in the fractions that we wrote on it where they fit what it says."""
    if row.get("template"):
        # It never runs; only its disk takes anything.
        return Size(0, 0, int(row.get("maxdisk") or 0) // _MIB)
    cores = float(row.get("maxcpu") or 0)
    disk = int(row.get("maxdisk") or 0) // _MIB
    if said.cores and cores in (said.cores, math.ceil(said.cores)):
        cores = said.cores
    if said.disk and said.disk * _LESS <= disk <= said.disk + 1:
        disk = said.disk
    return Size(cores, int(row.get("maxmem") or 0) // _MIB, disk, said.io)
