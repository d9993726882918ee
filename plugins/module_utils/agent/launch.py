# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many servers started, or stopped: one start order after the other, those of one order side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

from ..engine.base import EngineError

AT_ONCE = 8
"""Starts side by side: a node that lost its neighbour has enough to do with those that run."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One server's place among the others."""

    name: str
    order: int = 50
    delay: float = 0.0
    """Seconds after its start before the next order begins."""


class Deadline:
    """When whoever called us loses patience; by then we have to have said how it went."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds."""
        return max(self._end - time.monotonic(), 0.0)


def in_turn(
    turns: Iterable[Turn], what: Callable[[str], None], deadline: Deadline, *, backwards: bool = False
) -> dict[str, str]:
    """Do it to each; server -> why it could not be done. ``backwards``: the last order first, without delays.

    Those whose turn did not come in time are named as well.
    """
    failed: dict[str, str] = {}

    def one(name: str) -> str:
        if not deadline.left:
            return "there was no time left for it"
        try:
            what(name)
        except EngineError as error:
            return f"{error.answer}" + (f" ({error.hint})" if error.hint else "")
        return ""

    ordered = sorted(turns, key=lambda turn: (turn.order, turn.name), reverse=backwards)
    groups = [list(group) for _order, group in groupby(ordered, key=lambda turn: turn.order)]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        for number, group in enumerate(groups):
            names = [turn.name for turn in group]
            failed |= {name: why for name, why in zip(names, pool.map(one, names), strict=True) if why}
            if number + 1 < len(groups) and not backwards:
                time.sleep(min(max(turn.delay for turn in group), deadline.left))
    return failed
