# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server in step brought off its device again: what the controller does of it, which is to write marks, and wait.

The server's own node first, which then has everything in Incus' own directory; the other one's disk goes after that.
"""

from __future__ import annotations

import time

from ...drbd import resource
from ..base import Refused, TimedOut
from . import agent_report, safekeeping
from .guests import Found, Guests

_PAUSE = 2.0
_SLOWEST = 10.0
"""MiB/s a disk is copied with at worst."""


def bring_off(found: Found | None, here: Guests, there: Guests, attempt: str, pause: float = _PAUSE) -> bool:
    """The server's own node has no device of it any more; whether it had one. Cut off anywhere, it is gone on with.
    Raises Refused, before anything is changed, where nobody would see to it. No request where it had none."""
    if found is None or there.client.node not in resource.numbers(found.config.get(safekeeping.SYNC, "")):
        return False
    copy = there.find(found.raw["name"], attempt)
    _check(found, copy, there, attempt)
    for guests in (here, there):
        _see(guests, attempt)
    _end(here, found, attempt, pause)
    return True


def let_go(guests: Guests, copy: Found, attempt: str, pause: float = _PAUSE) -> None:
    """The replica's node has no device any more, and no disk for it. No request where it had none."""
    if copy.config.get(safekeeping.SYNC):
        _see(guests, attempt)
        _end(guests, copy, attempt, pause)


def _check(found: Found, copy: Found | None, there: Guests, attempt: str) -> None:
    if copy is None:
        return
    if not copy.replica:
        words = f"the copy there is no replica, but a server of generation {copy.generation}"
        raise Refused(there.client.node, attempt, words, "find out which copy is right")
    if copy.generation > found.generation:
        words = f"it is of generation {copy.generation}, its server of {found.generation}"
        raise Refused(there.client.node, attempt, words, "find out which copy is right")


def _end(guests: Guests, copy: Found, attempt: str, pause: float) -> None:
    name = copy.raw["name"]
    guests.mark(name, attempt, lambda _now: {safekeeping.SYNC_END: guests.client.node})
    size = int(safekeeping.number(copy.config.get(safekeeping.SYNC_SIZE, "")))
    end = time.monotonic() + guests.fleet.limits.operation + size / _SLOWEST
    while True:
        found = guests.find(name, attempt)
        if found is None or not found.config.get(safekeeping.SYNC):
            return
        if time.monotonic() > end:
            hint = f"see journalctl -u switchyard-disks.service on {guests.client.node}"
            raise TimedOut(guests.client.node, attempt, "its disk is still on its device", hint, unsure=True)
        time.sleep(pause)


def _see(guests: Guests, attempt: str) -> None:
    client = guests.client
    report = agent_report.read(client.get("/1.0", attempt).metadata.get("config") or {}, guests.fleet.name)
    if not report.in_step:
        answer = "no agent there keeps disks in step, and its side of the disk would be left"
        hint = "have node_sync_disks declared, and run site against the nodes while the server still declares sync"
        raise Refused(client.node, attempt, answer, hint)
