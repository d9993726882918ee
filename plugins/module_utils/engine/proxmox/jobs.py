# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replication jobs as rows of the cluster's list: whose they are, when they run, which number is free. Pure.

A job is ``VMID-N`` and says in its comment that it is ours, and which interval was declared. Its schedule is a calendar
event, which knows minutes, hours and days, and nothing in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SHORTEST = 60
"""Seconds: jobs are looked at every minute."""
REPLICABLE = "zfspool"
"""The one type of storage whose volumes are replicated."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_COMMENT = re.compile(r"switchyard (?P<fleet>\S+): every (?P<interval>[0-9]+) s")


@dataclass(frozen=True, slots=True)
class Job:
    """One guest, copied to one other node."""

    id: str
    vmid: int
    source: str
    """Where the guest was when the job last looked; it turns round when it next runs where it leads to."""
    target: str
    fleet: str
    """Whose it is; empty: somebody else's."""
    interval: int
    """Seconds it was declared with; 0: it does not run as it was declared."""
    rate: int
    """MiB per second it may send; 0: no limit."""
    leaving: bool
    """It is being removed, which takes a minute or so."""
    status: Mapping[str, Any] | None
    """As its node tells: ``last_sync``, ``fail_count``, ``error``; ``None`` where that node is down."""


def calendar(interval: int) -> str:
    """When to run so that no two runs are further apart than ``interval`` seconds, a minute at least."""
    minutes = max(interval, _MINUTE) // _MINUTE
    if minutes < _HOUR // _MINUTE:
        return f"*/{minutes}"
    hours = interval // _HOUR
    return f"0/{hours}:00" if hours < _DAY // _HOUR else "00:00"


def comment(fleet: str, interval: int) -> str:
    """What marks a job as ours."""
    return f"switchyard {fleet}: every {interval} s"


def job(row: Mapping[str, Any], status: Mapping[str, Any] | None = None) -> Job:
    """A row of /cluster/replication, with that of /nodes/NODE/replication where its node answered."""
    said = _COMMENT.fullmatch(str(row.get("comment") or ""))
    interval = int(said["interval"]) if said else 0
    runs = row.get("schedule") == calendar(interval) and not row.get("disable")
    return Job(
        id=str(row["id"]),
        vmid=int(row["guest"]),
        source=str(row.get("source") or ""),
        target=str(row["target"]),
        fleet=said["fleet"] if said else "",
        interval=interval if runs else 0,
        rate=round(float(row.get("rate") or 0)),
        leaving=bool(row.get("remove_job")),
        status=status,
    )


def leads_to(each: Job, home: str) -> str:
    """The node that has the copy of a guest that is on ``home`` now: where it came from, if it is where the job led."""
    return each.source if each.target == home else each.target


def free(vmid: int, taken: Iterable[str]) -> str:
    """The first id of a guest's that no job has, those being removed included."""
    used = set(taken)
    number = next(number for number in range(len(used) + 1) if f"{vmid}-{number}" not in used)
    return f"{vmid}-{number}"


def failure(status: Mapping[str, Any]) -> str:
    """Why the last run failed, in one line; empty where it did not."""
    return " ".join(str(status.get("error") or "").split())
