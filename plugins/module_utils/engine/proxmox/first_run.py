# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first run of a replication job, awaited to its real end.

A node's jobs run one after the other, when its scheduler looks, every minute. ``schedule_now`` only makes a job one to
be looked at, and is answered with success where it does nothing at all; so how a run goes is read from the job.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..base import EngineError, Progress, Refused, TimedOut
from . import jobs
from .client import Client, Missing

_FIRST, _LONGEST, _GROWTH = 0.3, 5.0, 1.3
"""Seconds between two looks: many may be waited for at once."""
_NUDGE = 90.0
"""Seconds after which a run that has not begun is asked for again."""

Status = Mapping[str, Any]


@dataclass(slots=True)
class FirstRun:
    """One job's, on the node its guest is on."""

    client: Client
    node: str
    job: str
    attempt: str
    patience: float
    """Seconds it may take once it is its turn."""
    progress: Progress
    _ahead: str = field(init=False, default="")
    """The run that was under way when patience was last at its end."""

    def __call__(self) -> None:
        """Return once the replica is complete; at once where it was before. Raises Refused where the run fails,
        TimedOut where neither this job nor any other of the node goes on.
        """
        status = self._status()
        if _synced(status):
            return
        failed, nudged, told = _fails(status), -math.inf, ""
        deadline, pause = time.monotonic() + self.patience, _FIRST
        while not (_synced(status) and not status.get("pid")):
            if _fails(status) > failed and not status.get("pid"):
                raise Refused(self.node, self.attempt, f"the first run failed: {self._why(status)}")
            words = "copying its disk" if status.get("pid") else "waiting for the scheduler"
            if words != told:
                self.progress(words)
                told = words
            now = time.monotonic()
            if now > deadline:
                self._insist()
                deadline = now + self.patience
            if not status.get("pid") and now - nudged >= _NUDGE:
                self.client.send("POST", f"{self._path}/schedule_now", self.attempt, node=self.node)
                nudged = now
            time.sleep(pause)
            pause = min(pause * _GROWTH, _LONGEST)
            status = self._status()

    @property
    def _path(self) -> str:
        return f"/nodes/{self.node}/replication/{self.job}"

    def _status(self) -> Status:
        """How it goes; nothing where its node has not heard of it yet."""
        try:
            status: Status = self.client.get(f"{self._path}/status", self.attempt, node=self.node)
        except Missing:
            if self.job not in {row["id"] for row in self.client.get("/cluster/replication", self.attempt)}:
                raise
            return {}
        return status

    def _insist(self) -> None:
        """Raise TimedOut, unless the node is at work on another job than the last time."""
        rows = self.client.get(f"/nodes/{self.node}/replication", self.attempt, node=self.node)
        under_way = next((f"{row['id']} (pid {row['pid']})" for row in rows if row.get("pid")), "")
        if under_way and under_way != self._ahead:
            self._ahead = under_way
            return
        because = f"{under_way} is at work all that time" if under_way else "its scheduler is at work on nothing"
        answer = f"the first run of job {self.job} has not ended after {self.patience:.0f} s: {because}"
        raise TimedOut(self.node, self.attempt, answer, "see pvescheduler and the job's log on the node", unsure=True)

    def _why(self, status: Status) -> str:
        """The line of the log that tells; the job's own error names only the command that failed."""
        try:
            log = self.client.get(f"{self._path}/log", self.attempt, node=self.node)
        except EngineError:
            log = []
        lines = [str(line.get("t", "")) for line in log if "(remote_prepare_local_job)" in str(line.get("t", ""))]
        return lines[-1].partition(") ")[2] if lines else jobs.failure(status) or "no reason was given"


def _synced(status: Status) -> bool:
    return bool(int(status.get("last_sync") or 0))


def _fails(status: Status) -> int:
    return int(status.get("fail_count") or 0)
