# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that change one thing each take the fleet's lock one after the other: loops, and many hosts side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from ansible.errors import AnsibleActionFail

from ..module_utils.engine.base import Engine, Refused
from ..module_utils.lock import FleetHeld, held

_PAUSE = 0.5
"""Seconds between two tries."""


@contextmanager
def held_in_turn(
    engine: Engine, purpose: str, stop: threading.Event, say: Callable[[str], None], *, break_token: str, seconds: float
) -> Iterator[None]:
    """Hold the fleet's lock for as long as the block runs, after waiting for it for at most as many seconds.

    Sets ``stop`` should the lock be lost. Raises FleetHeld where somebody still holds it then.
    """

    def lost(why: str) -> None:
        say(f"stopping: {why}")
        stop.set()

    deadline = time.monotonic() + seconds
    told = False
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(held(engine, purpose, lost, say, break_token))
                break
            except FleetHeld as error:
                if time.monotonic() >= deadline:
                    raise
                if not told:
                    say(f"waiting for {error.record.holder} (process {error.record.pid}, {error.record.purpose})")
                    told = True
            except Refused as error:
                # Whoever had it let go between our try and our look.
                if not error.attempt.startswith("take the fleet's lock") or time.monotonic() >= deadline:
                    raise
            if stop.wait(_PAUSE):
                raise AnsibleActionFail("the run was stopped while it waited for the fleet's lock; nothing was changed")
        yield
