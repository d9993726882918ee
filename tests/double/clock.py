# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time, and everything that happens in it: requests and tasks are generators that yield how long they wait.

A process yields seconds (multiplied by the latency of the double) or a :class:`Gate`, and is resumed when the time has
passed or the gate opened. Nothing runs on a thread of its own: whoever looks first carries out what is due.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Generator
from typing import Any

Wait = Any  # float: seconds; Gate: until it opens
Body = Generator[Wait, None, Any]


class Gate:
    """What a process waits at until somebody opens it."""

    def __init__(self) -> None:
        self.waiting: list[Process] = []

    def open(self) -> None:
        """Let everybody who waits go on."""
        waiting, self.waiting = self.waiting, []
        for process in waiting:
            process.clock.wake(process)


class Process:
    """A generator on its way. ``done`` with a ``result`` or an ``error``; ``killed`` ones never get there."""

    def __init__(self, clock: Clock, body: Body) -> None:
        self.clock = clock
        self.body = body
        self.done = False
        self.killed = False
        self.result: Any = None
        self.error: Exception | None = None
        self.turn = 0  # a wake-up for an earlier turn is void

    def kill(self) -> None:
        """Never resume it again; what it holds is given back."""
        if not self.done:
            self.killed = self.done = True
            self.body.close()


QUICKEST = 0.0005  # latency below which what happens every few seconds would happen all the time


class Clock:
    """Seconds since the epoch: the machine's, or moved by hand."""

    def __init__(self, manual: float | None = None, latency: float = 1.0) -> None:
        self._manual = manual
        self.latency = max(latency, QUICKEST)
        self._due: list[tuple[float, int, Process, int]] = []
        self._order = itertools.count()
        self._at: float | None = None  # while catching up: the moment that is being carried out

    @property
    def manual(self) -> bool:
        """Whether time stands still until somebody moves it."""
        return self._manual is not None

    def now(self) -> float:
        """The present; inside a process the moment it was due."""
        if self._at is not None:
            return self._at
        return time.time() if self._manual is None else self._manual

    def spawn(self, body: Body, after: float = 0.0) -> Process:
        """Begin a process, ``after`` so many seconds."""
        process = Process(self, body)
        self._push(process, self.now() + after * self.latency)
        return process

    def call_later(self, after: float, action: Callable[[], object]) -> Process:
        """Call something once, later."""

        def body() -> Body:
            action()
            return
            yield

        return self.spawn(body(), after)

    def wake(self, process: Process) -> None:
        """Resume a process now."""
        if not process.done:
            self._push(process, self.now())

    def next_due(self) -> float | None:
        """When something is to happen next."""
        return self._due[0][0] if self._due else None

    def catch_up(self) -> None:
        """Carry out everything that is due by now."""
        if self._at is not None:
            return
        now = self.now()
        try:
            while self._due and self._due[0][0] <= now:
                at, _order, process, turn = heapq.heappop(self._due)
                if process.done or process.turn != turn:
                    continue
                self._at = at
                self._step(process)
        finally:
            self._at = None

    def advance(self, seconds: float) -> None:
        """Move a clock that is moved by hand, carrying out what happens meanwhile."""
        assert self._manual is not None
        target = self._manual + seconds
        while self._due and self._due[0][0] <= target:
            self._manual = max(self._manual, self._due[0][0])
            self.catch_up()
        self._manual = target

    def finish(self, process: Process) -> None:
        """Move a clock that is moved by hand just as far as a process needs."""
        while not process.done:
            due = self.next_due()
            assert due is not None, "waits for nobody"
            self.advance(max(0.0, due - self.now()))

    def _push(self, process: Process, at: float) -> None:
        process.turn += 1
        heapq.heappush(self._due, (at, next(self._order), process, process.turn))

    def _step(self, process: Process) -> None:
        try:
            wait = next(process.body)
        except StopIteration as end:
            process.done, process.result = True, end.value
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for the process
            process.done, process.error = True, error
        else:
            if isinstance(wait, Gate):
                wait.waiting.append(process)
            else:
                self._push(process, self.now() + float(wait) * self.latency)


class FileLock:
    """A lock file: one holder, the others wait for at most so long."""

    def __init__(self, clock: Clock, path: str) -> None:
        self._clock = clock
        self.path = path
        self.holder: object | None = None
        self._released = Gate()

    def take(
        self, holder: object, timeout: float, log: Callable[[str], object] | None = None
    ) -> Generator[Wait, None, bool]:
        """Whether it was had in time. The log says so where somebody had to wait."""
        waited = False
        deadline = self._clock.now() + timeout * self._clock.latency
        while self.holder is not None:
            if self._clock.now() >= deadline:
                return False
            if not waited and log:
                log("trying to acquire lock...")
            waited = True
            self._clock.call_later(max(0.0, deadline - self._clock.now()) / self._clock.latency, self._released.open)
            yield self._released
        if waited and log:
            log(" OK")
        self.holder = holder
        return True

    def release(self) -> None:
        """Let the next one have it."""
        self.holder = None
        self._released.open()
