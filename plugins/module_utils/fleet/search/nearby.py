# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer moves than annealing has found, in fleets too large for ``fewest``: of patterns near those there are, the best.

Each node's pattern, and what it is with a server or two more or less, are mixed (``mixture``). Only the sizes and the
number of moves tie the nodes together, so that in the best mixture all but a few nodes have one whole pattern, and a
plan that is nearly as good is soon found. From there it is looked around again, as long as that leads on. Where it does
not, each node is asked for the pattern that is worth most at the mixture's prices, however far off.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .board import Board
from .mixture import SLIVER, Mixture
from .patterns import Pattern, Tally, around, moves, patterns_of, settle, tally

MOST_KNOWN = 100_000
"""Patterns of all nodes up to which it does not take too long."""
ROUNDS = 8
"""How often it is looked around, at most."""
FAR = 3
"""How often, when that does not lead on, nodes are asked for the pattern worth most."""
STEPS = 10
"""Steps to the fewest moves, in each of them."""
MORE = 3
"""How many numbers of moves are tried, from that on."""


def reduce(board: Board, until: float, in_time: Callable[[], bool]) -> None:
    """Get to a balance that is reached with fewer moves, as long as that is found."""
    for _round in range(ROUNDS):
        places = list(board.at)
        for far in (0, FAR):
            if in_time() and board.deviation() <= until and _fewer(board, until, far, in_time):
                break
            board.restore(places)
        else:
            return


def _fewer(board: Board, until: float, far: int, in_time: Callable[[], bool]) -> bool:
    """Whether it took fewer moves; where not, servers are anywhere. ``far``: how often nodes are asked."""
    places, moved, homes = list(board.at), board.moved(), [item.home for item in board.items]
    board.restore(homes)
    known = tally(board, until)
    if known is None:
        return False
    # Whoever is not counted stays where it is.
    counted_too = {e for here in known.members for items in here for e in items}
    board.restore([home if e in counted_too else j for e, (home, j) in enumerate(zip(homes, places, strict=True))])
    counted = tally(board, until)
    if counted is None:
        return False
    apart = board.moved()
    mixture = _looked_around(counted, until, patterns_of(places, counted))
    if mixture is None:
        return False
    for _time in range(far):
        mixture.relax(moved - apart, in_time)
        if not in_time() or not mixture.look():
            break
    found = _whole(mixture, moved - apart, in_time)
    return found is not None and settle(board, counted, found) and _is_right(board, until, moved)


def _looked_around(counted: Tally, until: float, patterns: list[Pattern]) -> Mixture | None:
    """The patterns there are and those around them; ``None``: these are too many."""
    mixture, left = Mixture(counted, until, searching=False), MOST_KNOWN
    mixture.know(patterns)
    for n, pattern in enumerate(patterns):
        near = around(counted, n, pattern)
        left -= len(near)
        if left < 0:
            return None
        for each in sorted(near):
            mixture.add(n, each)
    return mixture


def _whole(mixture: Mixture, moved: int, in_time: Callable[[], bool]) -> list[Pattern] | None:
    """Patterns with fewer moves than there are; ``None``: none were found."""
    least = _least(mixture, moved, in_time)
    for allowed in range(least, min(least + MORE, moved)):
        value = mixture.relax(allowed, in_time)
        if not in_time() or value > mixture.until:
            return None
        found = mixture.whole(allowed, value)
        if found is not None and sum(map(moves, found)) < moved:
            return found
    return None


def _least(mixture: Mixture, moved: int, in_time: Callable[[], bool]) -> int:
    """The fewest moves with which a mixture is even enough, or all there are.

    The fewer there are left, the more each of them brings, so that a step by what the last one brought may be too long.
    """
    least, value, fewer = moved, mixture.relax(moved, in_time), moved
    for _step in range(STEPS):
        fewer = min(fewer, math.floor((mixture.until - value) / max(mixture.price, SLIVER)), least - 1)
        if fewer < 1 or not in_time():
            break
        further = mixture.relax(least - fewer, in_time)
        if further <= mixture.until:
            least, value = least - fewer, further
        else:
            fewer //= 2
            mixture.relax(least, in_time)
    return least


def _is_right(board: Board, until: float, moved: int) -> bool:
    """Whether a plan is one: even enough, with fewer moves, and everything where it may be."""
    state = board.state
    away = [i for i, home in enumerate(state.problem.start) if state.at[i] != home]
    touched = {j for i in away for j in (state.problem.start[i], state.at[i])}
    return board.deviation() <= until and board.moved() < moved and state.sound(away, sorted(touched))
