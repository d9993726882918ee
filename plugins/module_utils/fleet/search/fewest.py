# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fewest moves to a balance: see ``mixture`` for how.

A mixture of patterns tells how even a fleet can be with so many moves. The number with which that is even enough, from
whatever widths it is looked at, is one that plans seldom do with less; patterns that are nearly as good as the best are
then put together without mixing.

It needs numpy and highspy; without them annealing is all there is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .board import Board
from .mixture import SLIVER, Mixture
from .patterns import Pattern, moves, patterns_of, settle, tally

MOST_CELLS = 2_000_000
"""Grid points of all nodes up to which it does not take too long."""
MORE = 2
"""How many numbers of moves are tried, from the bound on."""
STEPS = 10
"""Steps to that bound, at set widths."""
LEANINGS = (0.5, 0.3, 0.7, 0.15, 0.85)
"""The first resource's part of the balance asked for, in the widths it is looked at with: each may lead to a low of its
own."""


def available() -> bool:
    """Whether the libraries are there."""
    try:
        import highspy  # noqa: F401, PLC0415
        import numpy as np  # noqa: F401, PLC0415
    except ImportError:
        return False
    return True


def reach(board: Board, until: float, most: int, in_time: Callable[[], bool]) -> bool:
    """Get to a balance with the fewest moves; ``False``: none was found so, and the board is as it was.

    Where servers are at the start says only where to look first.
    """
    opening = list(board.at)
    board.restore([item.home for item in board.items])
    counted = tally(board, until)
    if counted is not None and counted.cells() <= MOST_CELLS:
        mixture = Mixture(counted, until)
        patterns = patterns_of(opening, counted)
        mixture.know(patterns)
        least = _least(mixture, patterns, most, in_time)
        if _found(board, mixture, range(least, min(least + MORE, most + 1)), in_time):
            return True
    board.restore(opening)
    return False


def _found(board: Board, mixture: Mixture, tried: Sequence[int], in_time: Callable[[], bool]) -> bool:
    """Put servers where as few move as can be; ``False``: nothing was found, and they are anywhere."""
    for allowed in tried:
        value = mixture.relax(allowed, in_time)
        if not in_time() or value > mixture.until:
            break
        patterns = mixture.whole(allowed, value)
        if patterns and settle(board, mixture.counted, patterns):
            return board.deviation() <= mixture.until
        board.restore([item.home for item in board.items])
    return False


def _least(mixture: Mixture, patterns: Sequence[Pattern], most: int, in_time: Callable[[], bool]) -> int:
    """The fewest moves with which a mixture is even enough, or one more than there may be.

    At set widths what moves bring falls with their number, so that the way there is short; the widths are mended at its
    end, where that is a matter of a move more or less.
    """
    until, least = mixture.until, max(1, min(most, sum(map(moves, patterns))))
    for _step in range(STEPS):
        value = mixture.relax(least, in_time, centring=False)
        further = max(1, math.ceil(least + (value - until) / max(mixture.price, SLIVER) - 1e-6))
        if further == least or further > most or not in_time():
            break
        least = further
    least = min(least, most)
    while least <= most and in_time() and mixture.relax(least, in_time) > until:
        least += 1
    return _leanest(mixture, least, in_time)


def _leanest(mixture: Mixture, least: int, in_time: Callable[[], bool]) -> int:
    """Fewer moves than that, where another leaning brings it; the mixture is left as it leans then."""
    until, best = mixture.until, mixture.widths
    for part in (None, *LEANINGS):
        if part is not None:
            mixture.lean((part * until, (1 - part) * until))
        while least > 1 and in_time() and mixture.relax(least - 1, in_time) <= until:
            least, best = least - 1, mixture.widths
    mixture.lean(best)
    return least
