# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/nodes/*/tasks: how tasks go."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from .clock import Wait
from .routes import Call, route
from .tasks import Task


def _own(call: Call, task: Task) -> None:
    if task.user.partition("!")[0] != call.user.partition("!")[0]:
        call.world.access.need(call.user, f"/nodes/{call.node}", "Sys.Audit")


@route("GET /nodes/{node}/tasks")
def tasks(call: Call) -> list[dict[str, Any]]:
    """A node's tasks, newest first: those that ended, unless asked for the others."""
    world = call.world
    found = world.tasks.of_node(call.node)
    if not world.access.may(call.user, f"/nodes/{call.node}", "Sys.Audit"):
        found = [task for task in found if task.user.partition("!")[0] == call.user.partition("!")[0]]
    source = call.get("source", "archive")
    if source != "all":
        found = [task for task in found if bool(task.status) == (source == "archive")]
    for name, keep in _filters(call).items():
        if name in call.params:
            found = [task for task in found if keep(task)]
    start, limit = int(call.get("start", 0)), int(call.get("limit", 50))
    if found:
        call.extra["total"] = len(found)
    return [_task_row(task) for task in found[start : start + limit]]


def _filters(call: Call) -> dict[str, Any]:
    get = call.get
    return {
        "vmid": lambda task: task.id == str(get("vmid")),
        "userfilter": lambda task: str(get("userfilter")).lower() in task.user.lower(),
        "typefilter": lambda task: task.type == get("typefilter"),
        "since": lambda task: task.start >= int(get("since")),
        "until": lambda task: task.start <= int(get("until")),
        "errors": lambda task: not get("errors") or task.status not in ("OK", ""),
        "statusfilter": lambda task: _kind(task) in re.split(r"[,; ]+", str(get("statusfilter"))),
    }


def _kind(task: Task) -> str:
    if task.status == "OK":
        return "ok"
    if task.status.startswith("WARNINGS"):
        return "warning"
    return "unknown" if task.status in ("", "unexpected status") else "error"


def _task_row(task: Task) -> dict[str, Any]:
    if not task.status:
        return {**task.row(), "status": "RUNNING", "saved": "0"}
    return {**task.row(), "endtime": task.end, "status": task.status}


@route("GET /nodes/{node}/tasks/{upid}")
def task_index(_call: Call) -> list[dict[str, str]]:
    """What there is of a task."""
    return [{"name": "status"}, {"name": "log"}]


@route("GET /nodes/{node}/tasks/{upid}/status")
def task_status(call: Call) -> dict[str, Any]:
    """Whether it runs, and how it ended."""
    task = call.world.tasks.find(call.node, str(call.params["upid"]))
    _own(call, task)
    if not task.status:
        return {**task.row(), "status": "running"}
    return {**task.row(), "status": "stopped", "exitstatus": task.status}


@route("GET /nodes/{node}/tasks/{upid}/log")
def task_log(call: Call) -> list[dict[str, Any]]:
    """Its log, line by line."""
    task = call.world.tasks.find(call.node, str(call.params["upid"]))
    _own(call, task)
    lines = task.lines or ["no content"]
    call.extra["total"] = len(lines)
    start, limit = int(call.get("start", 0)), int(call.get("limit", 50)) or len(lines)
    return [{"n": number + 1, "t": line} for number, line in enumerate(lines)][start : start + limit]


@route("DELETE /nodes/{node}/tasks/{upid}")
def task_stop(call: Call) -> Generator[Wait, None, None]:
    """Abort it. The last word of its log is missing then."""
    task = call.world.tasks.find(call.node, str(call.params["upid"]))
    if task.user.partition("!")[0] != call.user.partition("!")[0]:
        call.world.access.need(call.user, f"/nodes/{call.node}", "Sys.Modify")
    if not task.status:
        yield 2.0
        call.world.tasks.abort(task)
        for lock in call.world.cluster.locks.values():
            if lock.holder is task:
                lock.release()
