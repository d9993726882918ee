# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The patterns of one node that are worth most at given prices, by dynamic programming over its grid.

At a price for each move and for each size, that patterns come out even over all nodes, the nodes have nothing to do
with each other any more. What is best from a point of the grid on is worked out size by size, last first: for all
points at once, and for several servers of a size in as many passes as their number has binary digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .patterns import Pattern, Tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Grid = NDArray[np.float64]

LEAVING, COMING = -1, 1


@dataclass(frozen=True, slots=True)
class _Stage:
    """One decision: how many of a size leave, or come."""

    size: int
    sign: int
    most: int
    cost: float
    """Of one."""


class Values:
    """What is best from every point of a node's grid on."""

    def __init__(self, counted: Tally, n: int, curve: Grid, prices: tuple[float, list[float]]) -> None:
        """``curve``: what it costs to end at a point; ``prices``: of a move, and of one of each size that comes."""
        self._counted, self._n = counted, n
        self._stages = list(_stages(counted, n, prices))
        self._grids = [curve]
        for stage in reversed(self._stages):
            self._grids.append(self._before(stage, self._grids[-1]))
        self._grids.reverse()

    @property
    def least(self) -> float:
        """What the best pattern costs."""
        return float(self._grids[0][self._counted.start[self._n]])

    def best(self) -> Pattern:
        """The best pattern."""
        found, point = [0] * len(self._counted.sizes), self._counted.start[self._n]
        for depth, stage in enumerate(self._stages):
            _least, d, point = min(self._choices(depth, point, found))
            found[stage.size] += stage.sign * d
        return tuple(found)

    def within(self, limit: float) -> Iterator[Pattern]:
        """All patterns that cost no more."""
        found = [0] * len(self._counted.sizes)
        yield from self._walk(0, self._counted.start[self._n], limit, found)

    def _walk(self, depth: int, point: tuple[int, int], limit: float, found: list[int]) -> Iterator[Pattern]:
        if depth == len(self._stages):
            yield tuple(found)
            return
        stage = self._stages[depth]
        for least, d, then in self._choices(depth, point, found):
            if least <= limit:
                found[stage.size] += stage.sign * d
                yield from self._walk(depth + 1, then, limit - d * stage.cost, found)
                found[stage.size] -= stage.sign * d

    def _choices(
        self, depth: int, point: tuple[int, int], found: Sequence[int]
    ) -> Iterator[tuple[float, int, tuple[int, int]]]:
        """What can be decided: what it costs at least from there on, how many, and the point it leads to."""
        stage, ahead = self._stages[depth], self._grids[depth + 1]
        wide, high = self._counted.sizes[stage.size]
        # Whoever leaves a node does not come to it.
        most = 0 if stage.sign == COMING and found[stage.size] else stage.most
        for d in range(most + 1):
            x, y = point[0] + stage.sign * d * wide, point[1] + stage.sign * d * high
            if not (0 <= x < ahead.shape[0] and 0 <= y < ahead.shape[1]):
                return
            yield float(ahead[x, y]) + d * stage.cost, d, (x, y)

    def _before(self, stage: _Stage, after: Grid) -> Grid:
        """What is best before a decision, given what is best after it."""
        import numpy as np  # noqa: PLC0415

        value: Grid = after.copy()
        wide, high = self._counted.sizes[stage.size]
        left, several = stage.most, 1
        while left > 0:
            several = min(several, left)
            left -= several
            x, y, cost = several * wide, several * high, several * stage.cost
            if x >= after.shape[0] or y >= after.shape[1]:
                break
            rows, columns = after.shape[0] - x, after.shape[1] - y
            if stage.sign == LEAVING:
                value[x:, y:] = np.minimum(value[x:, y:], value[:rows, :columns] + cost)
            else:
                value[:rows, :columns] = np.minimum(value[:rows, :columns], value[x:, y:] + cost)
            several *= 2
        return value


def _stages(counted: Tally, n: int, prices: tuple[float, list[float]]) -> Iterator[_Stage]:
    """First all that leave and then all that come, so that no point on the way is off the grid."""
    move, of_size = prices
    for k, price in enumerate(of_size):
        if counted.members[n][k]:
            yield _Stage(k, LEAVING, len(counted.members[n][k]), move + price)
    for k, price in enumerate(of_size):
        wide, high = counted.sizes[k]
        rows, columns = counted.shape[n]
        most = min((rows - 1) // wide if wide else rows, (columns - 1) // high if high else columns)
        yield _Stage(k, COMING, most, -price)
