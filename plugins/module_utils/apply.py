# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry a plan out: side by side within limits, in order, telling as it goes, stopping on the first failure.

Nothing here knows an engine: a step is done by the function it is given.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .fleet.model import Step

GRACE = 3.0
"""Seconds running steps get to end by themselves once the run was told to stop; those that must not be left half done
get as long as they take."""

_POLL = 0.2
"""Seconds between looks at the stop flag while steps run."""

_WAITING = 64
"""Steps that may wait for their servers at once, beyond those that work."""


class Tell(Protocol):
    """What a step has to tell while it is done."""

    def __call__(self, words: str) -> None:
        """Its progress, in a few words."""

    def node_is_free(self) -> None:
        """Its node is not at work for it any more; from here on it only waits for its server."""

    def must_end(self) -> None:
        """From here on it is not left behind when the run is told to stop: a server stands still until it ends."""


Do = Callable[[Step, Tell], "float | None"]
"""Does one step; seconds a server was without service because of it, where that is known. Raises on failure."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one step."""

    step: Step
    seconds: float
    error: Exception | None = None
    gap: float | None = None
    """Seconds a server was without service."""


@dataclass(slots=True)
class Result:
    """What became of the plan."""

    done: list[Outcome] = field(default_factory=list)
    failed: list[Outcome] = field(default_factory=list)
    running: list[Step] = field(default_factory=list)
    """Left behind while still going on, because the run was told to stop."""
    remaining: list[Step] = field(default_factory=list)
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Everything is done."""
        return not (self.failed or self.running or self.remaining)


class Watcher:
    """Is told what happens. Called from one thread only, in the order things happen."""

    def started(self, step: Step) -> None:
        """A step was launched."""

    def progressed(self, step: Step, words: str) -> None:
        """A long step has something to tell."""

    def ended(self, outcome: Outcome) -> None:
        """A step is done, or failed."""


@dataclass(frozen=True, slots=True)
class _Report:
    step: Step
    words: str = ""
    node_is_free: bool = False
    must_end: bool = False
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class _Teller:
    """Brings what a step tells, in its thread, to the one thread that listens."""

    step: Step
    reports: queue.Queue[_Report]

    def __call__(self, words: str) -> None:
        self.reports.put(_Report(self.step, words))

    def node_is_free(self) -> None:
        self.reports.put(_Report(self.step, node_is_free=True))

    def must_end(self) -> None:
        self.reports.put(_Report(self.step, must_end=True))


class Run:
    """One carrying-out of one list of steps."""

    def __init__(
        self, steps: Sequence[Step], do: Do, per_node: Mapping[str, int], total: int, watcher: Watcher
    ) -> None:
        self._do = do
        self._per_node = per_node
        self._total = total
        self._watcher = watcher
        self._reports: queue.Queue[_Report] = queue.Queue()
        self._waiting = {step.id: step for step in steps}
        self._unmet = {step.id: len(step.needs) for step in steps}
        self._dependents: dict[str, list[str]] = {}
        for step in steps:
            for need in step.needs:
                self._dependents.setdefault(need, []).append(step.id)
        self._not_before: dict[str, float] = {}
        self._lanes: dict[str, deque[str]] = {}
        """Node -> its steps that have all they need, first to begin in front; gates have the lane ""."""
        self._open: dict[str, None] = {}
        """Lanes worth a look: something came into them, or left their node. The rest cannot have changed."""
        self._running: dict[str, Step] = {}
        self._working: set[str] = set()
        """Of those that run, the ones that take a place on their nodes."""
        self._vital: set[str] = set()
        """Of those that run, the ones that must not be left behind."""
        self._busy: dict[str, int] = {}
        self.result = Result()
        for step in steps:
            if not step.needs:
                self._lane(step).append(step.id)

    def __call__(self, stop: threading.Event) -> Result:
        """Do all steps. Returns when all are done, or when nothing more is launched and nothing runs any more.

        ``stop`` may be set at any time: nothing is launched after that, and steps that run get GRACE
        seconds to end, or as long as they take if they must.
        """
        deadline: float | None = None
        while True:
            if not (self.result.failed or stop.is_set()):
                self._launch()
            if not self._running and not self._may_launch(stop):
                break
            if stop.is_set():
                deadline = deadline or time.monotonic() + GRACE
                if time.monotonic() > deadline and not self._vital:
                    break
            try:
                self._take(self._reports.get(timeout=_POLL))
            except queue.Empty:
                continue
        self.result.interrupted = stop.is_set()
        self.result.running = list(self._running.values())
        self.result.remaining = list(self._waiting.values())
        return self.result

    def _may_launch(self, stop: threading.Event) -> bool:
        return any(self._lanes.values()) and not self.result.failed and not stop.is_set()

    def _lane(self, step: Step) -> deque[str]:
        self._open[step.node] = None
        return self._lanes.setdefault(step.node, deque())

    def _launch(self) -> None:
        """Start every ready step its nodes have a place for."""
        for node in list(self._open):
            if not self._has_room():
                return
            if not self._fill(node):
                del self._open[node]

    def _fill(self, node: str) -> bool:
        """Start what a lane holds; whether it has to be looked at again without anything ending on its node."""
        lane, held_back = self._lanes[node], []
        while lane and self._has_place(node) and self._has_room():
            step = self._waiting[lane.popleft()]
            if self._not_before.get(step.id, 0.0) > time.monotonic() or not self._has_place(step.source):
                held_back.append(step.id)
            else:
                self._start(step)
        lane.extendleft(reversed(held_back))
        return bool(held_back) or (bool(lane) and self._has_place(node))

    def _has_room(self) -> bool:
        return len(self._working) < self._total and len(self._running) < self._total + _WAITING

    def _has_place(self, node: str) -> bool:
        return not node or self._busy.get(node, 0) < self._per_node.get(node, 1)

    def _start(self, step: Step) -> None:
        del self._waiting[step.id]
        self._running[step.id] = step
        self._working.add(step.id)
        for node in _nodes(step):
            self._busy[node] = self._busy.get(node, 0) + 1
        self._watcher.started(step)
        if step.action == "gate":
            self._reports.put(_Report(step, outcome=Outcome(step, 0.0)))
        else:
            # Daemon threads: a run that was told to stop must not be held up by an engine that hangs.
            threading.Thread(target=self._work, args=(step,), name=step.id, daemon=True).start()

    def _work(self, step: Step) -> None:
        began = time.monotonic()
        error: Exception | None = None
        gap: float | None = None
        try:
            gap = self._do(step, _Teller(step, self._reports))
        except Exception as caught:  # noqa: BLE001 - whatever a step raises is that step's failure, told to the user
            error = caught
        self._reports.put(_Report(step, outcome=Outcome(step, time.monotonic() - began, error, gap)))

    def _take(self, report: _Report) -> None:
        step, outcome = report.step, report.outcome
        if report.node_is_free or outcome is not None:
            self._free(step)
        if report.must_end:
            self._vital.add(step.id)
        if outcome is None:
            if report.words:
                self._watcher.progressed(step, report.words)
            return
        del self._running[step.id]
        self._vital.discard(step.id)
        self._watcher.ended(outcome)
        if outcome.error is not None:
            self.result.failed.append(outcome)
            return
        self.result.done.append(outcome)
        for dependent in reversed(self._dependents.get(step.id, [])):
            self._unmet[dependent] -= 1
            if step.pause:
                opens = time.monotonic() + step.pause
                self._not_before[dependent] = max(opens, self._not_before.get(dependent, 0.0))
            if not self._unmet[dependent]:
                # In front: what was begun is brought to its end before more is begun.
                self._lane(self._waiting[dependent]).appendleft(dependent)

    def _free(self, step: Step) -> None:
        """Give back the places a step takes, once."""
        if step.id not in self._working:
            return
        self._working.discard(step.id)
        for node in _nodes(step):
            self._busy[node] -= 1
            if node in self._lanes:
                self._open[node] = None


def _nodes(step: Step) -> set[str]:
    """The nodes a step takes a place on."""
    return {node for node in (step.node, step.source) if node}
