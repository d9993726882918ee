# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nodes and guests take right now, as the cluster's own books have it.

The list of resources is renewed every ten seconds, rates are averages over the last full minute. The rates of a guest
are told one guest at a time: only of those asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...fleet.model import Figures, FileSystem, Statistics, Traffic
from ..base import EngineError, Untrusted
from . import recognise
from .client import Client
from .recognise import Row

_ATTEMPT = "read statistics"
_WORKERS = 16
_MIB = 1024 * 1024
_RATES = {"network_receive": "netin", "network_send": "netout", "disk_read": "diskread", "disk_write": "diskwrite"}


def statistics(client: Client, details: Collection[str]) -> Statistics:
    """One request, two per node, and one per guest in ``details`` (names)."""
    rows = client.get("/cluster/resources", _ATTEMPT)
    nodes = [row for row in recognise.rows_of(rows, "node") if row.get("status") == "online"]
    online = {str(row["node"]) for row in nodes}
    guests = [
        row
        for row in recognise.rows_of(rows, "lxc", "qemu")
        if row.get("status") == "running" and row.get("name") and row.get("node") in online
    ]
    asked = [row for row in guests if row["name"] in details]
    with ThreadPoolExecutor(_WORKERS) as pool:
        states = pool.map(lambda row: _ask(client, row, f"/nodes/{row['node']}/status"), nodes)
        pasts = pool.map(lambda row: _past(client, row, f"/nodes/{row['node']}"), nodes)
        rates = pool.map(lambda row: _past(client, row, f"/nodes/{row['node']}/{row['type']}/{row['vmid']}"), asked)
        known = dict(zip((int(row["vmid"]) for row in asked), rates, strict=True))
        return Statistics(
            {str(row["node"]): node(row, state, past) for row, state, past in zip(nodes, states, pasts, strict=True)},
            {(str(row["node"]), str(row["name"])): guest(row, known.get(int(row["vmid"]), {})) for row in guests},
        )


def _ask(client: Client, row: Row, path: str, **params: Any) -> Any:
    """An answer; nothing from whoever does not give one: the rest may be well."""
    try:
        return client.get(path, _ATTEMPT, node=str(row["node"]), **params)
    except Untrusted:
        raise
    except EngineError:
        return {}


def _past(client: Client, row: Row, path: str) -> Row:
    """The last minute that was measured; empty where none was yet."""
    minutes: Iterable[Row] = _ask(client, row, f"{path}/rrddata", timeframe="hour", cf="AVERAGE") or ()
    measured = [minute for minute in minutes if "netin" in minute]
    return measured[-1] if measured else {}


# ---------------------------------------------------------------- pure


def node(row: Row, state: Row, past: Row) -> Figures:
    """A node's figures, of its row, its status and its last minute."""
    load = [float(average) for average in state.get("loadavg") or ()]
    memory = state.get("memory") or {}
    root = state.get("rootfs") or {}
    return Figures(
        cores=round(float(row.get("cpu") or 0) * float(row.get("maxcpu") or 0), 4),
        memory=int(memory.get("used") or row.get("mem") or 0) // _MIB,
        load=(load[0], load[1], load[2]) if len(load) == 3 else None,
        uptime=float(state.get("uptime") or row.get("uptime") or 0) or None,
        file_systems=(_file_system("/", root),) if root.get("total") else (),
        traffic=_traffic(past),
    )


def guest(row: Row, past: Row) -> Figures:
    """A running guest's figures. How full the disk of a VM is, only its agent could tell."""
    disk = {"used": row.get("disk"), "total": row.get("maxdisk")}
    return Figures(
        cores=round(float(row.get("cpu") or 0) * float(row.get("maxcpu") or 0), 4),
        memory=-(-int(row.get("mem") or 0) // _MIB),
        uptime=float(row.get("uptime") or 0),
        file_systems=(_file_system("root", disk),) if row.get("type") == "lxc" and row.get("disk") else (),
        traffic=_traffic(past),
    )


def _file_system(name: str, space: Mapping[str, Any]) -> FileSystem:
    return FileSystem(name, int(space.get("total") or 0) // _MIB, -(-int(space.get("used") or 0) // _MIB))


def _traffic(past: Row) -> Traffic:
    return Traffic(**{field: round(float(past[name]), 1) for field, name in _RATES.items() if name in past})
