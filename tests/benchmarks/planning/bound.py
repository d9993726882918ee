# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewest moves any plan needs to reach a score: a lower bound, by linear programming.

What leaves a node and what arrives there is counted per size, and may be a fraction of a server. Anti-affinity, order
and which server goes where are dropped. Every real plan is a solution of that, so no plan has fewer moves. Where nearly
every server is of a size of its own, what arrives is memory and cores, as much in all as has left, in any mixture
between those of the most and the least cores per memory: weaker, and still a bound.

The score is sd(x) + sd(y), x a node's memory fraction, y its cores ratio, n nodes. With z = x - mean(x) it is at most s
exactly where there is an a with  sum z_i^2 / a <= n a  and the same for y with s - a. Each z_i^2 / a is bounded below
by tangents, 2 u z_i - u^2 a at u = z_i / a: a few per node are enough, and each solution says which are missing. So the
feasible set of every round contains the true one, and the bound of every round holds.

On a few nodes fractions of servers make the bound too low to be of much use. There the same can be asked of whole
servers, which takes long, and still leaves anti-affinity and order out.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Observed
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.usage import usable

ROUNDS = 30
MOST_SIZES = 40
"""Different sizes up to which arrivals are counted per size."""
SLACK = 1e-4
"""Rounds end when the relaxed solution's true score is within this share of the score asked for."""
_Row = dict[int, float]
"""Column -> coefficient."""
_Size = tuple[int, float]
"""Memory in MiB, cores."""


@dataclass(frozen=True, slots=True)
class Bound:
    """``moves`` no plan can do with less, and the score of the relaxed solution: the one asked for or a little more;
    infinite: time was up before there was any."""

    moves: float
    score: float

    @property
    def whole(self) -> int:
        """The same in whole moves."""
        return math.ceil(self.moves - 1e-6)


def fewest_moves(fleet: Fleet, observed: Observed, score: float) -> Bound | None:
    """The bound for a score; ``None``: no plan at all reaches it, however many moves it makes."""
    program = _Program(fleet, observed, score)
    for _round in range(ROUNDS):
        found = program.solve()
        if found is None:
            return None
        if found.score <= score * (1 + SLACK) or not program.tighten():
            break
    return found


def fewest_whole_moves(fleet: Fleet, observed: Observed, score: float, seconds: float) -> int | None:
    """The bound with whole servers, as far as it was proven in that time; ``None``: nothing reaches the score."""
    ends = time.monotonic() + seconds
    program = _Program(fleet, observed, score, whole=True)
    most = 0
    while (left := ends - time.monotonic()) > 0:
        found = program.solve(left)
        if found is None:
            return most or None
        most = max(most, found.whole)
        if math.isinf(found.score) or found.score <= score * (1 + SLACK) or not program.tighten():
            break
    return most


class _Program:
    """The linear program, and what it takes to make it tighter."""

    def __init__(self, fleet: Fleet, observed: Observed, score: float, *, whole: bool = False) -> None:
        # Not with the module: whoever imports this to ask for the optimum must not have it loaded (see there).
        import highspy

        self._integer = highspy.HighsVarType.kInteger
        self._hopeless = highspy.HighsModelStatus.kInfeasible
        self._solver = highspy.Highs()
        self._solver.setOptionValue("output_flag", False)
        self._whole = whole
        self._columns = 0
        nodes = [node for node in observed.nodes.values() if node.reach == "online"]
        self._n = len(nodes)
        arriving: tuple[list[int], list[int]] = ([], [])
        levels: tuple[list[int], list[int]] = ([], [])
        leaving: list[dict[_Size, int]] = []
        for node in nodes:
            limit = usable(fleet.nodes[node.name], node)
            load, sizes = _load(fleet, observed, node.name)
            out = {size: self._column(0, count, cost=1.0, servers=True) for size, count in sorted(sizes.items())}
            leaving.append(out)
            for axis, (total, most) in enumerate(
                ((node.capacity.memory, limit.memory), (node.capacity.cores, limit.cores))
            ):
                has = load[axis]
                arriving[axis].append(self._column(0, math.inf))
                # A node that is overfull already is not forced to be mended.
                levels[axis].append(self._column(0, max(most, has) / total))
                gone = {column: float(size[axis]) for size, column in out.items()}
                self._row({levels[axis][-1]: float(total), arriving[axis][-1]: -1.0, **gone}, has, has)
        sizes = sorted({size for out in leaving for size in out})
        if len(sizes) <= MOST_SIZES:
            self._arrive_by_size(sizes, leaving, arriving)
        else:
            self._arrive_mixed(sizes, leaving, arriving)
        self._shares(levels, score)

    def _arrive_by_size(
        self, sizes: list[_Size], leaving: list[dict[_Size, int]], arriving: tuple[list[int], list[int]]
    ) -> None:
        """As many of each size arrive as leave."""
        coming = [{size: self._column(0, math.inf, servers=True) for size in sizes} for _node in leaving]
        for axis in (0, 1):
            for into, total in zip(coming, arriving[axis], strict=True):
                self._row({total: -1.0, **{column: float(size[axis]) for size, column in into.items()}}, 0, 0)
        for size in sizes:
            row = {into[size]: -1.0 for into in coming}
            row.update({out[size]: 1.0 for out in leaving if size in out})
            self._row(row, 0, 0)

    def _arrive_mixed(
        self, sizes: list[_Size], leaving: list[dict[_Size, int]], arriving: tuple[list[int], list[int]]
    ) -> None:
        """As much memory and as many cores arrive as leave, on each node in a ratio some mixture of servers has."""
        for axis in (0, 1):
            row = dict.fromkeys(arriving[axis], -1.0)
            row.update({column: float(size[axis]) for out in leaving for size, column in out.items()})
            self._row(row, 0, 0)
        if any(not memory for memory, _cores in sizes):
            return
        ratios = [cores / memory for memory, cores in sizes]
        for memory, cores in zip(*arriving, strict=True):
            self._row({cores: 1.0, memory: -min(ratios)}, 0, math.inf)
            self._row({cores: 1.0, memory: -max(ratios)}, -math.inf, 0)

    def _shares(self, levels: tuple[list[int], list[int]], score: float) -> None:
        """The score, as deviations a + b that make it up."""
        self._deviations = [self._column(0, score), self._column(0, score)]
        self._row(dict.fromkeys(self._deviations, 1.0), -math.inf, score)
        self._apart: list[list[int]] = []
        self._squares: list[list[int]] = []
        for axis in (0, 1):
            mean = self._column(-math.inf, math.inf)
            self._row({**dict.fromkeys(levels[axis], 1.0), mean: -float(self._n)}, 0, 0)
            apart = [self._column(-math.inf, math.inf) for _node in levels[axis]]
            squares = [self._column(0, math.inf) for _node in levels[axis]]
            for level, distance in zip(levels[axis], apart, strict=True):
                self._row({level: 1.0, mean: -1.0, distance: -1.0}, 0, 0)
            self._row({**dict.fromkeys(squares, 1.0), self._deviations[axis]: -float(self._n)}, -math.inf, 0)
            self._apart.append(apart)
            self._squares.append(squares)
            for distance, square in zip(apart, squares, strict=True):
                for slope in (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0):
                    self._tangent(axis, distance, square, slope)

    def solve(self, seconds: float = math.inf) -> Bound | None:
        """The relaxed optimum with the tangents there are, or a bound on it and a solution when time is up."""
        self._solver.setOptionValue("time_limit", seconds)
        self._solver.run()
        if self._solver.getModelStatus() == self._hopeless:
            return None
        information = self._solver.getInfo()
        moves = information.mip_dual_bound if self._whole else information.objective_function_value
        solution = self._solver.getSolution()
        if not solution.value_valid:
            return Bound(max(0.0, moves), math.inf)
        self._values = list(solution.col_value)
        score = sum(
            math.sqrt(math.fsum(self._values[column] ** 2 for column in self._apart[axis]) / self._n) for axis in (0, 1)
        )
        return Bound(moves, score)

    def tighten(self) -> bool:
        """Add the tangents the last solution violates; whether there were any."""
        added = 0
        for axis in (0, 1):
            deviation = max(self._values[self._deviations[axis]], 1e-6)
            for distance, square in zip(self._apart[axis], self._squares[axis], strict=True):
                slope = self._values[distance] / deviation
                if self._values[square] < slope * self._values[distance] * (1 - SLACK / 10) - 1e-9:
                    self._tangent(axis, distance, square, slope)
                    added += 1
        return added > 0

    def _tangent(self, axis: int, distance: int, square: int, slope: float) -> None:
        self._row({square: 1.0, distance: -2 * slope, self._deviations[axis]: slope * slope}, 0, math.inf)

    def _column(self, low: float, high: float, cost: float = 0.0, *, servers: bool = False) -> int:
        self._solver.addVar(low, high)
        if servers and self._whole:
            self._solver.changeColIntegrality(self._columns, self._integer)
        if cost:
            self._solver.changeColCost(self._columns, cost)
        self._columns += 1
        return self._columns - 1

    def _row(self, row: _Row, low: float, high: float) -> None:
        self._solver.addRow(low, high, len(row), list(row), list(row.values()))


def _load(fleet: Fleet, observed: Observed, node: str) -> tuple[tuple[float, float], Counter[_Size]]:
    """Memory and cores in use on a node, and how many servers of which size may leave it."""
    here = [guest for guest in observed.servers if guest.node == node and guest.role == "primary"]
    sizes = Counter(
        (guest.size.memory, guest.size.cores)
        for guest in here
        if guest.name in fleet.servers and not fleet.servers[guest.name].node
    )
    return (sum(guest.size.memory for guest in here), sum(guest.size.cores for guest in here)), sizes
