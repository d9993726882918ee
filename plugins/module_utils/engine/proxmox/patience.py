# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a guest's locks: one task at a time works on a guest, and the others are told so at once, or after ten
seconds of waiting."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ..base import EngineError
from .client import Busy, Client

T = TypeVar("T")
_FIRST, _LONGEST, _GROWTH = 0.2, 5.0, 1.6
_GUEST = re.compile(r"/nodes/([^/]+)/(?:lxc|qemu)/([0-9]+)(?:/.*)?")
_BEARABLE = 2
"""How often a guest may be locked with nothing at work on it: what locked it may just have ended, or just begin."""


def patiently(client: Client, path: str, attempt: str, seconds: float, change: Callable[[], T]) -> T:
    """Make a change to a guest, again and again while something else works on the guest, for at most ``seconds``.

    A lock that nothing works under any more was left by a task that was killed: that is raised, as Busy. Nobody but an
    administrator on the node takes it off.
    """
    deadline, pause, idle = time.monotonic() + seconds, _FIRST, 0
    guest = _GUEST.fullmatch(path)
    while True:
        try:
            return change()
        except Busy as error:
            if guest and "is locked (" in error.answer:
                idle = 0 if _at_work(client, guest[1], guest[2], attempt) else idle + 1
            if idle > _BEARABLE or time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(pause * _GROWTH, _LONGEST)


def _at_work(client: Client, node: str, vmid: str, attempt: str) -> bool:
    """Whether a task works on the guest. A backup of many guests does not say which it is at."""
    try:
        rows: list[dict[str, Any]] = client.get(f"/nodes/{node}/tasks", attempt, node=node, source="active")
    except EngineError:
        return True
    return any(str(row.get("id")) == vmid or row.get("type") == "vzdump" for row in rows)
