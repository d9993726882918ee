# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns of nodes, put together by linear and integer programming.

For widths and centres (see ``evenness``) the balance is a sum over nodes of what their patterns make of it. A linear
program mixes the patterns that are known, so that as many of each size come as leave and no more move than may; its
prices say which patterns are missing (``pricing``). When none is, and the widths and centres are the mixture's own, no
mixture near it is more even. Far from it one may be: a sum of roots has several lows, with one resource more even or
the other, and which of them is found is a matter of the widths it began with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from .patterns import Pattern, Tally, moves
from .pricing import Values

if TYPE_CHECKING:
    from .pricing import Grid

ROUNDS = 200
"""Times it is asked which patterns are missing, at most."""
CENTRED = 1e-5
"""Widths and centres that change less than that are right."""
NARROWEST = 1e-3
"""The least width."""
SLIVER = 1e-8
"""What is less is floating point's."""
MOST_PATTERNS = 8_000
"""Patterns that are put together without mixing."""
BRANCHES = 400
"""Nodes of the search tree when they are."""


class Mixture:
    """What is known of one fleet: patterns, and how to mix them with so many moves."""

    def __init__(self, counted: Tally, until: float, *, searching: bool = True) -> None:
        """``searching``: patterns nobody told of are looked for as well."""
        self.counted, self.until, self._searching = counted, until, searching
        self._nodes, self._sizes = range(len(counted.nodes)), range(len(counted.sizes))
        self._limit = len(self._nodes) + len(self._sizes)
        """The row of the moves; before it one for each node, then one for each size."""
        self._patterns: dict[tuple[int, Pattern], int] = {}
        self._shares: list[tuple[float, float]] = []
        """[number of a pattern] What is taken on its node."""
        self._centres, self._widths = (0.0, 0.0), (until / 2, until / 2)
        self._prices: list[float] = []
        """[row] What more of it costs."""
        self._beyond: list[float] = []
        """[number of a pattern] What it costs beyond the best."""
        self._solver = _program(len(self._nodes), len(self._sizes))
        still: Pattern = (0,) * len(counted.sizes)
        self.know([still for _node in self._nodes])

    @property
    def price(self) -> float:
        """What one move more would bring."""
        return -self._prices[self._limit]

    def know(self, patterns: Sequence[Pattern]) -> None:
        """Begin with the patterns of a plan, and where it leads."""
        for n, pattern in enumerate(patterns):
            self.add(n, pattern)
        self._centre([(n, pattern, 1.0) for n, pattern in enumerate(patterns)])

    @property
    def widths(self) -> tuple[float, float]:
        """The widths it is looked at with."""
        return self._widths

    def lean(self, widths: tuple[float, float]) -> None:
        """Look at it with other widths."""
        self._widths = widths
        self._charge()

    def relax(self, most: int, in_time: Callable[[], bool], *, centring: bool = True) -> float:
        """How even it can be with so many moves; infinite where there was no time to tell.

        ``centring``: at its own widths and centres, not those there are.
        """
        _at_most(self._solver, self._limit, most)
        for _round in range(ROUNDS):
            if not in_time():
                break
            parts = self._solve()
            missing = [(n, pattern) for n in self._nodes if (pattern := self._missing(n)) is not None]
            for n, pattern in missing:
                self.add(n, pattern)
            if not missing and not (centring and self._centre(parts)):
                return float(self._solver.getInfo().objective_function_value) + sum(self._widths) / 2
        return math.inf

    def look(self) -> bool:
        """Know the pattern of each node that is worth most at the prices there are; whether any of them is new."""
        known = len(self._patterns)
        for n in self._nodes:
            pattern = self._wanted(n)
            if pattern is not None:
                self.add(n, pattern)
        return len(self._patterns) > known

    def whole(self, most: int, value: float) -> list[Pattern] | None:
        """A pattern for each node with which it is even enough; ``None``: none were found.

        ``value``: how even it can be, mixed. Only what costs no more beyond the best than there is leeway can be in it.
        """
        chosen = self._likely(max(self.until - value, SLIVER))
        solver = _program(len(self._nodes), len(self._sizes))
        _at_most(solver, self._limit, most)
        for number, (n, pattern) in enumerate(chosen):
            self._enter(solver, n, pattern)
            _whole(solver, number)
        solver.setOptionValue("mip_max_nodes", BRANCHES)
        solver.setOptionValue("objective_target", self.until - sum(self._widths) / 2 - SLIVER)
        solver.run()
        solution = solver.getSolution()
        if not solution.value_valid:
            return None
        found = {n: pattern for (n, pattern), part in zip(chosen, solution.col_value, strict=True) if part > 0.5}
        return [found[n] for n in self._nodes] if len(found) == len(self._nodes) else None

    def _likely(self, gap: float) -> list[tuple[int, Pattern]]:
        """Patterns that cost no more than that beyond the best; than a part of it, where those are too many."""
        if not self._searching:
            known = sorted(zip(self._beyond, self._patterns, strict=True))
            return [pattern for beyond, pattern in known[:MOST_PATTERNS] if beyond <= gap]
        while True:
            found: list[tuple[int, Pattern]] = []
            for n in self._nodes:
                within = self._values(n).within(self._prices[n] + gap)
                found += [(n, pattern) for pattern in islice(within, MOST_PATTERNS + 1 - len(found))]
            if len(found) <= MOST_PATTERNS:
                return found
            gap /= 2

    def _missing(self, n: int) -> Pattern | None:
        """A pattern of a node that would make the mixture better, where that is looked for."""
        return self._wanted(n) if self._searching else None

    def _wanted(self, n: int) -> Pattern | None:
        values = self._values(n)
        if values.least >= self._prices[n] - SLIVER:
            return None
        pattern = values.best()
        return None if (n, pattern) in self._patterns else pattern

    def _values(self, n: int) -> Values:
        of_size = self._prices[len(self._nodes) : self._limit]
        return Values(self.counted, n, self._curve(n), (self.price, of_size))

    def _solve(self) -> list[tuple[int, Pattern, float]]:
        """Mix what is known: the part each pattern has in it."""
        self._solver.run()
        solution = self._solver.getSolution()
        self._prices, self._beyond = list(solution.row_dual), list(solution.col_dual)
        return [
            (n, pattern, part)
            for (n, pattern), part in zip(self._patterns, solution.col_value, strict=True)
            if part > SLIVER
        ]

    def add(self, n: int, pattern: Pattern) -> None:
        """Know a pattern of a node."""
        if (n, pattern) not in self._patterns:
            self._patterns[n, pattern] = len(self._patterns)
            self._shares.append(self.counted.shares(n, pattern))
            self._enter(self._solver, n, pattern)

    def _enter(self, solver: Any, n: int, pattern: Pattern) -> None:
        rows = {n: 1.0, **{len(self._nodes) + k: float(d) for k, d in enumerate(pattern) if d}}
        if gone := moves(pattern):
            rows[self._limit] = float(gone)
        solver.addCol(self._cost(n, pattern), 0, math.inf, len(rows), list(rows), list(rows.values()))

    # ---- the balance as a sum over nodes

    def _centre(self, parts: Sequence[tuple[int, Pattern, float]]) -> bool:
        """Take the widths and centres of a mixture; whether those were others."""
        count = len(self._nodes)
        shares = [(self.counted.shares(n, pattern), part) for n, pattern, part in parts]
        centres, widths = [], []
        for c in (0, 1):
            centre = math.fsum(share[c] * part for share, part in shares) / count
            square = math.fsum((share[c] - centre) ** 2 * part for share, part in shares) / count
            centres.append(centre)
            widths.append(max(NARROWEST, math.sqrt(square)))
        known = (*self._centres, *self._widths)
        if max(abs(new - old) for new, old in zip((*centres, *widths), known, strict=True)) < CENTRED:
            return False
        self._centres, self._widths = (centres[0], centres[1]), (widths[0], widths[1])
        self._charge()
        return True

    def _charge(self) -> None:
        """Every pattern at the widths and centres there are now, as ``_cost`` has it."""
        import numpy as np  # noqa: PLC0415

        shares = np.array(self._shares)
        bent = (shares - np.array(self._centres)) ** 2 / (2 * len(self._nodes) * np.array(self._widths))
        self._solver.changeColsCost(len(shares), np.arange(len(shares), dtype=np.int32), bent.sum(axis=1))

    def _cost(self, n: int, pattern: Pattern) -> float:
        count = len(self._nodes)
        return sum(
            (share - centre) ** 2 / (2 * count * width)
            for share, centre, width in zip(self.counted.shares(n, pattern), self._centres, self._widths, strict=True)
        )

    def _curve(self, n: int) -> Grid:
        """What it costs to end at each point of a node's grid."""
        import numpy as np  # noqa: PLC0415

        count, sides = len(self._nodes), []
        for c in (0, 1):
            shares = self.counted.offset[n][c] + self.counted.step[n][c] * np.arange(self.counted.shape[n][c])
            sides.append((shares - self._centres[c]) ** 2 / (2 * count * self._widths[c]))
        curve: Grid = np.add.outer(sides[0], sides[1])
        return curve


def _program(nodes: int, sizes: int) -> Any:
    """One pattern for each node, as many of each size coming as leaving, and moves of which there may be none yet."""
    import highspy  # noqa: PLC0415

    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    for _node in range(nodes):
        solver.addRow(1, 1, 0, [], [])
    for _size in range(sizes):
        solver.addRow(0, 0, 0, [], [])
    solver.addRow(0, 0, 0, [], [])
    return solver


def _at_most(solver: Any, row: int, most: int) -> None:
    solver.changeRowBounds(row, 0, most)


def _whole(solver: Any, column: int) -> None:
    """Either a node has that pattern or it has not."""
    import highspy  # noqa: PLC0415

    solver.changeColIntegrality(column, highspy.HighsVarType.kInteger)
