# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following Proxmox VE's tasks to their real end, whatever happens to connections and nodes meanwhile.

An answer of 200 and a task's id say only that a worker was started. How it ended is its last word: ``OK``,
``WARNINGS: 2`` (done, with a remark), an error's text, or ``unexpected status`` where the worker was killed, aborted,
or went down with its node: then nobody knows how far it got.
"""

from __future__ import annotations

import contextlib
import re
import time
from typing import Any

from ..base import EngineError, Progress, Refused, TimedOut, Unreachable
from .client import Client, Missing, classify
from .hints import hint

PATIENCE = 60.0
"""Seconds a node may be silent in the middle of a task, as long as the cluster sees it."""
_FIRST, _LONGEST, _GROWTH = 0.1, 2.0, 1.4
"""Seconds between two looks: short tasks are not waited for longer than they take, long ones not asked too often."""
_TAIL = 500
"""Lines of a log that are read."""
_CREATIONS = ("vzcreate", "vzclone", "qmcreate", "qmclone")
_EMPTY = ("migration aborted", "job errors", "unexpected status")
"""Last words that say nothing; the reason is in the log."""


class Killed(EngineError):
    """The task's worker was killed, aborted, or lost with its node: the guest has to be asked."""


def node_of(upid: str) -> str:
    """The node a task runs on: ``UPID:node:pid:pstart:starttime:type:id:user:``."""
    return _part(upid, 1)


def type_of(upid: str) -> str:
    """What kind of task it is: ``vzstart``; ``hastart`` where the HA manager was only asked to."""
    return _part(upid, 5)


def started(upid: str) -> int:
    """When it began, in seconds since the epoch by its node's clock."""
    return int(_part(upid, 4) or "0", 16)


def _part(upid: str, index: int) -> str:
    parts = upid.split(":")
    return parts[index] if len(parts) > index else ""


def follow(client: Client, upid: Any, attempt: str, seconds: float, progress: Progress | None = None) -> list[str]:
    """Wait for a task; its warnings, if it ended with any.

    Raises Refused with the task's own words, Killed (unsure), TimedOut (unsure) after ``seconds``, Unreachable (unsure)
    where its node is gone.
    """
    if not isinstance(upid, str) or not upid.startswith("UPID:"):
        # Some changes are done when they are answered.
        return []
    node, deadline = node_of(upid), time.monotonic() + seconds
    pause, silent_since = _FIRST, 0.0
    while True:
        try:
            state = client.get(f"/nodes/{node}/tasks/{upid}/status", attempt, node=node)
        except Missing:
            raise Killed(node, attempt, "the node does not know the task any more", unsure=True) from None
        except Unreachable as error:
            silent_since = silent_since or time.monotonic()
            _give_up_on_the_dead(client, node, attempt, error, since=silent_since)
        else:
            silent_since = 0.0
            if state.get("status") != "running":
                return _end(client, upid, attempt, str(state.get("exitstatus") or "unexpected status"))
            if progress:
                _tell(client, upid, attempt, progress, pause)
        if time.monotonic() > deadline:
            raise TimedOut(node, attempt, f"not finished after {seconds:g} s (task {upid})", unsure=True)
        time.sleep(min(pause, max(deadline - time.monotonic(), 0.0)))
        pause = min(pause * _GROWTH, _LONGEST)


def log(client: Client, upid: str, attempt: str) -> list[str]:
    """What a task wrote; nothing where it cannot be had."""
    node = node_of(upid)
    try:
        lines = client.get(f"/nodes/{node}/tasks/{upid}/log", attempt, node=node, limit=_TAIL)
    except EngineError:
        return []
    return [str(line.get("t", "")) for line in lines]


def running(client: Client, node: str, vmid: int, attempt: str) -> list[str]:
    """Ids of the tasks of a guest that run on a node."""
    rows = client.get(f"/nodes/{node}/tasks", attempt, node=node, vmid=vmid, source="active")
    return [str(row["upid"]) for row in rows if str(row.get("status", "RUNNING")) in ("RUNNING", "running", "")]


def children(client: Client, upid: str, vmid: int, attempt: str) -> list[tuple[str, str]]:
    """(id, last word) of the guest's tasks on the same node since one began; ``RUNNING`` is no last word."""
    node = node_of(upid)
    path = f"/nodes/{node}/tasks"
    rows = client.get(path, attempt, node=node, vmid=vmid, since=started(upid), source="all")
    return [(str(row["upid"]), str(row.get("status") or "RUNNING")) for row in rows if row["upid"] != upid]


def settle(client: Client, node: str, vmid: int, attempt: str, seconds: float) -> None:
    """Wait until no task of a guest runs on a node, however each of them ends."""
    deadline = time.monotonic() + seconds
    for upid in running(client, node, vmid, attempt):
        try:
            follow(client, upid, attempt, max(deadline - time.monotonic(), 0.0))
        except (Refused, Killed):
            continue


def end_of_creation(client: Client, node: str, vmid: int, attempt: str, seconds: float) -> None:
    """Wait until nobody works on making a guest any more, however that ends. Not for restores: they may take hours.

    Before it ends nobody can tell what is being made: the configuration says only that it is.
    """
    deadline = time.monotonic() + seconds
    for upid in running(client, node, vmid, attempt):
        if type_of(upid) in _CREATIONS:
            with contextlib.suppress(EngineError):
                follow(client, upid, attempt, max(deadline - time.monotonic(), 0.0))


def _give_up_on_the_dead(client: Client, node: str, attempt: str, error: Unreachable, *, since: float) -> None:
    gone = f"the node went away in the middle of it: {error.answer}"
    try:
        online = client.is_online(node, attempt)
    except EngineError:
        online = True
    if not online or time.monotonic() - since > PATIENCE:
        advice = "see what became of the node; a run afterwards goes on from what it finds"
        raise Unreachable(node, attempt, gone, advice, unsure=True)


def _end(client: Client, upid: str, attempt: str, word: str) -> list[str]:
    node = node_of(upid)
    if word == "OK":
        return []
    lines = log(client, upid, attempt)
    if word.startswith("WARNINGS"):
        return [re.sub(r"^WARN(ING)?:\s*", "", line) for line in lines if re.match(r"WARN(ING)?:", line)] or [word]
    if word == "unexpected status":
        words = f"its task was killed or aborted on the node{_because(lines)}"
        raise Killed(
            node, attempt, words, "look at the guest; a run afterwards goes on from what it finds", unsure=True
        )
    text = word + (_because(lines) if word in _EMPTY else "")
    raise classify(text)(node, attempt, text, hint(text))


def _because(lines: list[str]) -> str:
    """The line of a log that tells why."""
    plain = [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", "", line).strip() for line in lines]
    telling = [line for line in plain if line and not line.startswith("TASK ") and line != "no content"]
    errors = [line for line in telling if re.search(r"ERROR|failed|not ", line)]
    chosen = errors[:1] or telling[-1:]
    cleaned = [re.sub(r"^ERROR: (migration aborted \(duration [\d:]+\): )?", "", line) for line in chosen]
    return f": {cleaned[0]}" if cleaned else ""


def _tell(client: Client, upid: str, attempt: str, progress: Progress, pause: float) -> None:
    """The last line of a log, of those tasks that take long enough for anybody to wonder."""
    if pause < _LONGEST:
        return
    lines = log(client, upid, attempt)
    if lines:
        progress(lines[-1])
