# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers by size, and what may leave and enter each node: the question of a balance without the servers' names.

Where servers are alike, which of them moves is of no account. A node's part of a plan is then a *pattern*: how many of
each size leave it and how many come. Servers that cannot move, that may not be everywhere or that preferences speak of
are left where they are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .board import Board

MOST_SIZES = 16
"""Different sizes beyond which servers are not alike enough."""
FINEST = 1000
"""Amounts are counted in parts of one at the finest."""
BEYOND = 10.0
"""How far above the mean a node may be in a pattern, in deviations asked for."""

Pattern = tuple[int, ...]
"""[k] Servers of each size that come; below zero: that leave."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What there is of each size where. All amounts are in steps of a grid of two resources."""

    sizes: tuple[tuple[int, int], ...]
    """[k] What one of a size takes, in steps."""
    members: tuple[tuple[tuple[int, ...], ...], ...]
    """[n][k] The items of that size on a node, those in no rule first."""
    nodes: tuple[int, ...]
    """[n] Its number on the board."""
    shape: tuple[tuple[int, int], ...]
    """[n] Steps there are from nothing to the most a pattern may put there."""
    start: tuple[tuple[int, int], ...]
    """[n] Where it is."""
    offset: tuple[tuple[float, float], ...]
    """[n] The shares it has at step 0."""
    step: tuple[tuple[float, float], ...]
    """[n] The share a step is."""

    def shares(self, n: int, pattern: Pattern) -> tuple[float, float]:
        """What of both resources is taken on a node with that pattern."""
        one, two = (
            self.offset[n][c]
            + self.step[n][c]
            * (self.start[n][c] + sum(d * size[c] for d, size in zip(pattern, self.sizes, strict=True)))
            for c in (0, 1)
        )
        return one, two

    def cells(self) -> int:
        """Grid points of all nodes."""
        return sum(rows * columns for rows, columns in self.shape)


def moves(pattern: Pattern) -> int:
    """Servers that leave."""
    return -sum(d for d in pattern if d < 0)


def patterns_of(places: Sequence[int], counted: Tally) -> list[Pattern]:
    """What has left and come where servers are now."""
    number = {j: n for n, j in enumerate(counted.nodes)}
    found = [[0] * len(counted.sizes) for _node in counted.nodes]
    for n, here in enumerate(counted.members):
        for k, items in enumerate(here):
            for e in items:
                found[n][k] -= 1
                found[number[places[e]]][k] += 1
    return [tuple(pattern) for pattern in found]


def around(counted: Tally, n: int, pattern: Pattern) -> set[Pattern]:
    """What a node's pattern is with one server more or less of a size, or of two."""
    steps = [(k, more) for k in range(len(counted.sizes)) for more in (-1, 1)]
    found = {_changed(pattern, step) for step in steps}
    found |= {_changed(once, step) for once in tuple(found) for step in steps}
    return {each for each in found if each != pattern and _is_possible(counted, n, each)}


def _changed(pattern: Pattern, step: tuple[int, int]) -> Pattern:
    k, more = step
    return (*pattern[:k], pattern[k] + more, *pattern[k + 1 :])


def _is_possible(counted: Tally, n: int, pattern: Pattern) -> bool:
    """Whether a pattern ends on the grid, and not more leave than there are."""
    for c in (0, 1):
        there = counted.start[n][c] + sum(d * size[c] for d, size in zip(pattern, counted.sizes, strict=True))
        if not 0 <= there < counted.shape[n][c]:
            return False
    return all(-d <= len(here) for d, here in zip(pattern, counted.members[n], strict=True))


def tally(board: Board, until: float) -> Tally | None:
    """The tally of a board with everything at home; ``None``: servers differ too much, or not two resources count."""
    objective = board.objective
    if len(objective.columns) != 2 or board.sheltered or any(price != 1.0 for price in board.prices):
        return None
    everywhere = len(objective.serving)
    alike = [
        e
        for e, item in enumerate(board.items)
        if not item.soft and len(item.members) == 1 and len(item.targets) == everywhere
    ]
    counted = Counter(board.weights[e] for e in alike)
    if not 0 < len(counted) <= MOST_SIZES:
        return None
    units = [_unit([weight[c] for weight in counted]) for c in (0, 1)]
    if not all(units) or any(not all(objective.scale[j]) for j in objective.serving):
        return None
    kinds = sorted(counted, reverse=True)
    number = {weight: k for k, weight in enumerate(kinds)}
    at: dict[int, list[list[int]]] = {j: [[] for _kind in kinds] for j in objective.serving}
    for e in sorted(alike, key=lambda e: (_in_rules(board, e), e)):
        at[board.items[e].home][number[board.weights[e]]].append(e)
    return _measured(board, at, kinds, units, until)


def _measured(
    board: Board, at: dict[int, list[list[int]]], kinds: list[tuple[float, ...]], units: list[float], until: float
) -> Tally:
    """The grid of each node."""
    objective, limit = board.objective, board.problem.limit
    shape, start, offset, step = [], [], [], []
    means = [math.fsum(board.taken[j][c] * objective.scale[j][c] for j in at) / len(at) for c in (0, 1)]
    for j, here in at.items():
        sizes = []
        for c, unit in enumerate(units):
            now = board.taken[j][c]
            movable = round(math.fsum(len(there) * kind[c] for there, kind in zip(here, kinds, strict=True)) / unit)
            reachable = min(limit[j][objective.columns[c]], (means[c] + BEYOND * until) / objective.scale[j][c])
            above = max(0, math.floor((reachable - now) / unit + 1e-9))
            sizes.append((movable, movable + above + 1, now - movable * unit, unit))
        scale = objective.scale[j]
        start.append((sizes[0][0], sizes[1][0]))
        shape.append((sizes[0][1], sizes[1][1]))
        offset.append((sizes[0][2] * scale[0], sizes[1][2] * scale[1]))
        step.append((sizes[0][3] * scale[0], sizes[1][3] * scale[1]))
    return Tally(
        sizes=tuple((round(kind[0] / units[0]), round(kind[1] / units[1])) for kind in kinds),
        members=tuple(tuple(tuple(there) for there in here) for here in at.values()),
        nodes=tuple(at),
        shape=tuple(shape),
        start=tuple(start),
        offset=tuple(offset),
        step=tuple(step),
    )


def _unit(amounts: Sequence[float]) -> float:
    """What all amounts are multiples of; 0 where nothing so coarse is."""
    parts = [round(FINEST * amount) for amount in amounts]
    if any(abs(part - FINEST * amount) > 1e-6 for part, amount in zip(parts, amounts, strict=True)):
        return 0.0
    return math.gcd(*parts) / FINEST


def settle(board: Board, counted: Tally, patterns: Sequence[Pattern]) -> bool:
    """Put servers where the patterns say, whichever of a size can; ``False``: it cannot be, and they are anywhere.

    Rules may leave nobody who can, and what has to stay free for a loss is not in the patterns.
    """
    before = list(board.state.at)
    rooms: list[list[int]] = [[] for _size in counted.sizes]
    free: list[tuple[int, int]] = []
    bound: list[tuple[int, Sequence[int], int]] = []
    for n, pattern in enumerate(patterns):
        for k, d in enumerate(pattern):
            rooms[k] += [counted.nodes[n]] * d
            if d < 0:
                anybody = [e for e in counted.members[n][k] if not _in_rules(board, e)]
                free += [(k, e) for e in anybody[:-d]]
                if -d > len(anybody):
                    bound.append((k, counted.members[n][k][len(anybody) :], -d - len(anybody)))
    # Whoever may not be everywhere chooses first; those with fewest to choose from before the others.
    for k, members, count in sorted(bound, key=lambda choice: len(choice[1]) - choice[2]):
        left = count
        for e in members:
            if left and _placed(board, e, rooms[k]):
                left -= 1
        if left:
            return False
    for k, e in free:
        if not _placed(board, e, rooms[k]):
            return False
    moved = [i for i, home in enumerate(before) if board.state.at[i] != home]
    touched = {j for i in moved for j in (before[i], board.state.at[i])}
    return board.state.sound(moved, sorted(touched))


def _placed(board: Board, e: int, rooms: list[int]) -> bool:
    """Put an item on the first node that takes it, and take that off the list."""
    for place, j in enumerate(rooms):
        if board.state.obeys(board.items[e].members[0], j):
            board.place(e, j)
            del rooms[place]
            return True
    return False


def _in_rules(board: Board, e: int) -> bool:
    return bool(board.problem.bonds[board.items[e].members[0]])
