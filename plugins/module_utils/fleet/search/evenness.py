# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change does to the balance: exactly, and as a sum over nodes that is quick to look through.

The sum of standard deviations is not a sum over nodes. But with any widths s and centres m,

    sum_r sd_r  <=  sum_r ( mean_j (x_rj - m_r)^2 / s_r + s_r ) / 2,

with equality where s and m are the standard deviations and means themselves. The right side is a sum over nodes: an
item leaving one changes it by a number, arriving at another by a second number, and neither depends on the other
node. So the best target of everything of one size is found in one pass over the nodes, and a trial costs two
multiplications per resource. Taken with the widths a search will end with, rather than those it begins with, it
tells early which resource will matter late.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .board import Board

NARROW = 0.01
"""Standard deviations below which evenness is not told apart any more."""


class Evenness:
    """The balance of one board, and what would change it."""

    def __init__(self, board: Board, widths: Sequence[float] | None = None) -> None:
        self.board = board
        self._fixed = widths
        self._scale, self._counts = board.objective.scale, board.objective.counts
        self._nodes = range(len(board.taken))
        self._columns = range(len(self._counts))
        if len(self._counts) == 2:
            self.estimate = self._estimate_two  # type: ignore[method-assign]
        self.refresh()

    def refresh(self) -> None:
        """Everything anew, with the widths of now unless they were given."""
        shares = [self._shares(j) for j in self._nodes]
        serving = self.board.objective.serving
        self.shares = shares
        self.sums = [math.fsum(shares[j][k] for j in serving) for k in self._columns]
        self.squares = [math.fsum(shares[j][k] ** 2 for j in serving) for k in self._columns]
        self.centres = [total / count for total, count in zip(self.sums, self._counts, strict=True)]
        widths = [max(width, NARROW) for width in self._fixed or self.widths()]
        factors = [1 / (2 * count * width) for count, width in zip(self._counts, widths, strict=True)]
        self._factors = factors
        self.curve = [
            tuple(f * scale * scale for f, scale in zip(factors, self._scale[j], strict=True)) for j in self._nodes
        ]
        """[j][column] What the square of an amount adds."""
        self.slope = [self._slope_at(j) for j in self._nodes]
        """[j][column] What an amount adds in proportion to itself."""
        self.slopes = [[slope[k] for slope in self.slope] for k in self._columns]
        self.curves = [[curve[k] for curve in self.curve] for k in self._columns]

    def update(self, nodes: Iterable[int]) -> None:
        """The load of these nodes has changed."""
        for j in nodes:
            now = self._shares(j)
            for k, (share, before) in enumerate(zip(now, self.shares[j], strict=True)):
                self.sums[k] += share - before
                self.squares[k] += share * share - before * before
            self.shares[j] = now
            self.slope[j] = self._slope_at(j)
            for k, slope in enumerate(self.slope[j]):
                self.slopes[k][j] = slope

    def widths(self) -> list[float]:
        """The standard deviations, column by column."""
        widths = []
        for total, square, count in zip(self.sums, self.squares, self._counts, strict=True):
            mean = total / count
            widths.append(math.sqrt(max(0.0, square / count - mean * mean)))
        return widths

    def deviation(self) -> float:
        """Their sum."""
        return sum(self.widths())

    def deviation_with(self, weight: Sequence[float], a: int, b: int) -> float:
        """What it would be with something gone from one node to another."""
        value = 0.0
        for w, count, sa, sb, xa, xb, total, square in zip(
            weight,
            self._counts,
            self._scale[a],
            self._scale[b],
            self.shares[a],
            self.shares[b],
            self.sums,
            self.squares,
            strict=True,
        ):
            ua, ub = w * sa, w * sb
            mean = (total + ub - ua) / count
            variance = (square + ua * (ua - 2 * xa) + ub * (ub + 2 * xb)) / count - mean * mean
            if variance > 0:
                value += math.sqrt(variance)
        return value

    def deviation_after(self, changes: Sequence[tuple[int, Sequence[float]]]) -> float:
        """What it would be with so much more on each of these nodes, none of which is named twice."""
        value = 0.0
        for k, count in enumerate(self._counts):
            total, square = self.sums[k], self.squares[k]
            for j, weight in changes:
                more = weight[k] * self._scale[j][k]
                total += more
                square += more * (more + 2 * self.shares[j][k])
            mean = total / count
            variance = square / count - mean * mean
            if variance > 0:
                value += math.sqrt(variance)
        return value

    def estimate(self, weight: Sequence[float], a: int, b: int) -> float:
        """About how much it would grow by that: never less than it really does."""
        value = 0.0
        # Not strict, for speed: this is where the time goes.
        for w, sa, sb, ca, cb in zip(weight, self.slope[a], self.slope[b], self.curve[a], self.curve[b], strict=False):
            value += w * (sb - sa + w * (ca + cb))
        return value

    def _estimate_two(self, weight: Sequence[float], a: int, b: int) -> float:
        """The same for two resources, which is the usual case and the one with the most servers."""
        (one, two), slope, curve = weight, self.slope, self.curve
        (sa, ta), (sb, tb), (ca, da), (cb, db) = slope[a], slope[b], curve[a], curve[b]
        return one * (sb - sa + one * (ca + cb)) + two * (tb - ta + two * (da + db))

    def leaving(self, weight: Sequence[float], j: int) -> float:
        """What the sum over nodes grows by where something leaves one."""
        value = 0.0
        for w, c, s in zip(weight, self.curve[j], self.slope[j], strict=True):
            value += w * (w * c - s)
        return value

    def arriving_at(self, weight: Sequence[float], j: int) -> float:
        """What it grows by where something arrives at one."""
        value = 0.0
        for w, c, s in zip(weight, self.curve[j], self.slope[j], strict=True):
            value += w * (w * c + s)
        return value

    def arriving(self, weight: Sequence[float], nodes: Sequence[int]) -> list[float]:
        """What the sum over nodes grows by where something arrives at each of these nodes."""
        total: list[float] = []
        everywhere = len(nodes) == len(self.shares)
        for w, slope, curve in zip(weight, self.slopes, self.curves, strict=True):
            if w and everywhere:
                part = [w * (s + w * c) for s, c in zip(slope, curve, strict=True)]
            elif w:
                part = [w * (slope[j] + w * curve[j]) for j in nodes]
            else:
                continue
            total = [x + y for x, y in zip(total, part, strict=True)] if total else part
        return total or [0.0] * len(nodes)

    def _shares(self, j: int) -> tuple[float, ...]:
        return tuple([amount * scale for amount, scale in zip(self.board.taken[j], self._scale[j], strict=True)])

    def _slope_at(self, j: int) -> tuple[float, ...]:
        return tuple(
            [
                2 * factor * (share - centre) * scale
                for factor, share, centre, scale in zip(
                    self._factors, self.shares[j], self.centres, self._scale[j], strict=True
                )
            ]
        )
