# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress lines: ``[ 7/16] create pbx-05 on node2 … ok 1.4 s``."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..module_utils.apply import Outcome, Watcher
from ..module_utils.fleet.explain import step_line
from ..module_utils.fleet.model import Step

_QUIET = 5.0
"""Seconds a step may run before its progress is worth a line of its own, and between two such lines."""


class Lines(Watcher):
    """Tells a line per finished step, and of long ones what they are at."""

    def __init__(self, steps: Sequence[Step], say: Callable[[str], None]) -> None:
        self._say = say
        self._total = sum(1 for step in steps if step.action != "gate")
        self._count = 0
        self._spoken: dict[str, float] = {}

    def started(self, step: Step) -> None:
        self._spoken[step.id] = time.monotonic()
        if step.action == "gate":
            self._say(f"{' ' * len(self._number(0))} {step_line(step)}")

    def progressed(self, step: Step, words: str) -> None:
        now = time.monotonic()
        if now - self._spoken[step.id] >= _QUIET:
            self._spoken[step.id] = now
            self._say(f"{' ' * len(self._number(0))} {step_line(step)} … {words}")

    def ended(self, outcome: Outcome) -> None:
        if outcome.step.action == "gate":
            return
        self._count += 1
        self._say(f"{self._number(self._count)} {step_line(outcome.step)} … {_verdict(outcome)}")

    def _number(self, count: int) -> str:
        return f"[{count:>{len(str(self._total))}}/{self._total}]"


def _verdict(outcome: Outcome) -> str:
    if outcome.error is not None:
        return f"FAILED: {outcome.error}"
    gap = f", {outcome.gap:.1f} s without service" if outcome.gap else ""
    return f"ok {outcome.seconds:.1f} s{gap}"


def moved(done: Sequence[Outcome]) -> str:
    """What the moves among these came to: ``12 moved, 1.2 GiB to copy; longest gap in service 1.3 s (pbx05)``."""
    moves = [outcome for outcome in done if outcome.step.action == "move"]
    gaps = sorted((outcome.gap or 0.0, outcome.step.server) for outcome in moves)
    head = f"{len(moves)} {'move' if len(moves) == 1 else 'moves'} done"
    longest, server = gaps[-1]
    if not longest:
        return f"{head}, no gap in service"
    median = gaps[len(gaps) // 2][0]
    return f"{head}; gap in service {longest:.1f} s the longest ({server}), {median:.1f} s half of them or less"
