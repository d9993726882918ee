# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks: their UPIDs, their logs, and how they end."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from .clock import Process, Wait
from .errors import Refusal, invalid
from .state import Cluster

Work = Callable[["Task"], Generator[Wait, None, Any]]


@dataclass
class Task:
    """One task. It ends ``OK``, ``WARNINGS: 1``, or with the text of its error."""

    upid: str
    node: str
    type: str
    id: str
    user: str
    pid: int
    pstart: int
    start: int
    end: int = 0
    status: str = ""  # empty: it runs
    lines: list[str] = field(default_factory=list)
    warnings: int = 0
    hangs: float = 0.0  # seconds before it does anything
    process: Process | None = None

    def log(self, line: str) -> None:
        """Add a line to its log."""
        self.lines.append(line)

    def warn(self, line: str) -> None:
        """Add a warning; the task ends with their number."""
        self.lines.append(f"WARN: {line}")
        self.warnings += 1

    def row(self) -> dict[str, Any]:
        """What both the list and the status say."""
        user, _at, token = self.user.partition("!")
        row: dict[str, Any] = {
            "upid": self.upid,
            "node": self.node,
            "pid": self.pid,
            "pstart": self.pstart,
            "starttime": self.start,
            "type": self.type,
            "id": self.id,
            "user": user,
        }
        if token:
            row["tokenid"] = token
        return row


class Tasks:
    """All tasks of the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.all: dict[str, Task] = {}
        self.sabotage: Callable[[Task], str] = lambda task: ""  # the text a task is made to fail with
        self.log: list[dict[str, Any]] = []

    def begin(self, node: str, kind: str, what: object, user: str, work: Work) -> str:
        """Start a task; its UPID."""
        cluster = self._cluster
        machine = cluster.nodes[node]
        machine.next_pid += 1 + cluster.random.randrange(30)
        now = cluster.clock.now()
        pstart = int((now - machine.since) * 100) % 2**32
        upid = f"UPID:{node}:{machine.next_pid:08X}:{pstart:08X}:{int(now):08X}:{kind}:{what}:{user}:"
        task = Task(upid, node, kind, str(what), user, machine.next_pid, pstart, int(now))
        self.all[upid] = task
        self._note(task, f"starting task {upid}", 6)
        task.process = cluster.clock.spawn(self._run(task, work))
        return upid

    def _run(self, task: Task, work: Work) -> Generator[Wait, None, None]:
        yield 0.0
        try:
            failure = self.sabotage(task)
            yield 0.05
            if failure:
                raise Refusal(failure)
            if task.hangs:
                yield task.hangs
            yield from work(task)
        except Refusal as refusal:
            task.log(f"TASK ERROR: {refusal.text}")
            self.finish(task, refusal.text)
        else:
            status = f"WARNINGS: {task.warnings}" if task.warnings else "OK"
            task.log(f"TASK {status}")
            self.finish(task, status)

    def finish(self, task: Task, status: str) -> None:
        """It ends now."""
        task.status, task.end = status, self._cluster.now
        self._note(task, f"end task {task.upid} {status}", 6 if status == "OK" else 3)

    def abort(self, task: Task) -> None:
        """Interrupt it, as a person does; its process is gone without a last word."""
        if not task.status and task.process:
            task.process.kill()
            task.status, task.end = "unexpected status", self._cluster.now

    def find(self, node: str, upid: str) -> Task:
        """A task of this node."""
        if not re.fullmatch(r"UPID:[^:]+:[0-9A-F]{8}:[0-9A-F]{8,9}:[0-9A-F]{8}:[^:\s]+:[^:\s]*:[^:\s]+:", upid):
            raise invalid(upid="unable to parse worker upid")
        task = self.all.get(upid)
        if task is None or task.node != node:
            raise invalid(upid="no such task")
        return task

    def of_node(self, node: str) -> list[Task]:
        """The tasks of a node, newest first."""
        return [task for task in reversed(self.all.values()) if task.node == node]

    def lose(self, node: str) -> None:
        """The node has died, and everything that ran on it."""
        for task in self.of_node(node):
            self.abort(task)

    def _note(self, task: Task, message: str, priority: int) -> None:
        self.log.append(
            {
                "uid": str(len(self.log) + 1),
                "id": f"{len(self.log) + 1}:{task.node}",
                "time": self._cluster.now,
                "node": task.node,
                "pid": task.pid,
                "pri": priority,
                "tag": "pvedaemon",
                "user": task.user,
                "msg": message,
            }
        )
        del self.log[:-500]
