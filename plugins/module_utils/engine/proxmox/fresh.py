# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of the cluster's one list that cannot be believed yet, asked anew of the guests themselves.

A node reports to the others every ten seconds. Until then the list shows a guest that was just made without its name,
one that was just started as stopped, one that was just resized in its old size; and even a guest's own node may call it
running for three seconds after its end. Whoever plans from that does everything a second time. Where a guest is, its
lock and its tags are never old.

So a guest is asked where its row says that something has to be done. Where nothing has to be done nobody is asked.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...fleet.model import Fleet
from ..base import EngineError
from . import marks, recognise, task, unfinished
from .client import Client, Missing
from .recognise import Row

_ATTEMPT = "observe"
_WORKERS = 16
_LAG = 4.0
"""Seconds a guest's own node may be wrong about whether it runs."""
_PAUSE = 0.5
_CREATION = 60.0
"""Seconds a creation that goes on is waited for: nobody can tell yet what is being made."""
_LEAVES = {
    "vzstart": "running",
    "qmstart": "running",
    "vzreboot": "running",
    "vzstop": "stopped",
    "vzshutdown": "stopped",
    "qmstop": "stopped",
    "qmshutdown": "stopped",
}
"""How a task that ended well leaves its guest."""


def freshened(client: Client, fleet: Fleet, rows: Iterable[Row], online: set[str]) -> list[Row]:
    """The rows of guests, as believable as can be had: two to four requests for each that is in doubt."""
    listed = list(rows)
    doubted = [row for row in listed if row.get("node") in online and doubtful(row, fleet)]
    with ThreadPoolExecutor(_WORKERS) as pool:
        told = dict(zip(map(_key, doubted), pool.map(lambda row: _ask(client, fleet, row), doubted), strict=True))
    current = (told.get(_key(row), row) for row in listed)
    return [row for row in current if row is not None]


def doubtful(row: Row, fleet: Fleet) -> bool:
    """Whether a row has no name yet, or says that its server is not as it is declared, or nobody's: a clone that is not
    finished bears no mark of ours, but a note."""
    if not row.get("name"):
        return True
    found = recognise.guest(row, fleet, online=True)
    declared = fleet.servers.get(found.name)
    if declared is None or found.fleet not in ("", fleet.name):
        return False
    has, wants = found.size, declared.size
    sized = (has.cores, has.memory, has.disk) == (wants.cores, wants.memory, wants.disk)
    return not (found.fleet and found.state == declared.state and sized)


def _key(row: Row) -> tuple[str, int]:
    return str(row["type"]), int(row["vmid"])


def _ask(client: Client, fleet: Fleet, row: Row) -> Row | None:
    """A row with what its guest says now; None: it has gone."""
    try:
        now = {**row, **_asked(client, fleet, row)}
        if not now["name"] and row.get("lock") == "create":
            task.end_of_creation(client, str(row["node"]), int(row["vmid"]), _ATTEMPT, _CREATION)
            now = {**row, "lock": "", **_asked(client, fleet, {**row, "lock": ""})}
        return _settled(client, fleet, now)
    except Missing:
        return None
    except EngineError:
        return row


def _asked(client: Client, fleet: Fleet, row: Row) -> dict[str, Any]:
    """What a guest's row will say once its node has reported it. Two requests."""
    node = str(row["node"])
    config = client.get(f"{_path(row)}/config", _ATTEMPT, node=node)
    name = str(config.get("hostname") or config.get("name") or "")
    found = {"name": name, "tags": config.get("tags", "")}
    if unfinished.says(config.get("description"), fleet.name, name):
        pool = fleet.servers[name].pool if name in fleet.servers else ""
        found["tags"] = marks.write(marks.Marks(fleet=fleet.name, pool=pool))
    if row.get("lock") == "create":
        return found
    status = client.get(f"{_path(row)}/status/current", _ATTEMPT, node=node)
    known = {key: status[key] for key in ("status", "maxmem", "maxdisk") if key in status}
    return {**found, **known, "maxcpu": status.get("cpus")}


def _settled(client: Client, fleet: Fleet, row: dict[str, Any]) -> Row:
    """A row once its status is what the guest's last task left it in, or a few seconds have shown that it is not."""
    found = recognise.guest(row, fleet, online=True)
    declared = fleet.servers.get(found.name)
    if declared is None or found.fleet != fleet.name or found.state in (declared.state, "unknown"):
        return row
    if _left_by_last_task(client, row) != declared.state:
        return row
    deadline = time.monotonic() + _LAG
    while time.monotonic() < deadline:
        time.sleep(_PAUSE)
        row["status"] = client.get(f"{_path(row)}/status/current", _ATTEMPT, node=str(row["node"]))["status"]
        if row["status"] == declared.state:
            break
    return row


def _left_by_last_task(client: Client, row: Row) -> str:
    """``running`` or ``stopped``, by the last task that started or stopped the guest here; empty: nobody can tell."""
    node = str(row["node"])
    tasks = client.get(f"/nodes/{node}/tasks", _ATTEMPT, node=node, vmid=int(row["vmid"]), source="all", limit=10)
    power = [each for each in tasks if each.get("type") in _LEAVES and _ended_well(each)]
    last = max(power, key=lambda each: (int(each.get("endtime") or 0), int(each.get("starttime") or 0)), default=None)
    return _LEAVES[last["type"]] if last else ""


def _ended_well(row: Mapping[str, Any]) -> bool:
    word = str(row.get("status") or "")
    return word == "OK" or word.startswith("WARNINGS")


def _path(row: Row) -> str:
    return f"/nodes/{row['node']}/{row['type']}/{row['vmid']}"
