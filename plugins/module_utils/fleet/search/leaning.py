# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How even the nodes would be with a server on another one: the objective's deviation, kept up to date move by move."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .objective import Objective
from .state import State


class Leaning:
    """Sums over the nodes in service, so that a move's effect costs a few additions, however many nodes there are."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.objective = Objective(state.problem)
        self._taken = self.objective.taken(state)
        kinds = range(len(self.objective.columns))
        self._sum = [math.fsum(self._share(j, k) for j in self.objective.serving) for k in kinds]
        self._squares = [math.fsum(self._share(j, k) ** 2 for j in self.objective.serving) for k in kinds]

    def moved(self, i: int, source: int, to: int) -> None:
        """A server has moved."""
        self._add(i, source, -1)
        self._add(i, to, 1)

    def with_them_on(self, members: Sequence[int], nodes: Iterable[int]) -> dict[int, float]:
        """Node -> the deviation once all of these servers are there."""
        weight, at = self.state.problem.weight, self.state.at
        whole = [sum(weight[i][column] for i in members) for column in self.objective.columns]
        for i in members:
            self._add(i, at[i], -1)
        found = self._deviations(whole, nodes)
        for i in members:
            self._add(i, at[i], 1)
        return found

    def _deviations(self, coming: Sequence[float], nodes: Iterable[int]) -> dict[int, float]:
        """Node -> the deviation with so much more there; nothing is looked up twice, as all nodes are asked of."""
        closed, scale, taken, found = self.state.problem.closed, self.objective.scale, self._taken, {}
        columns = tuple(zip(coming, self.objective.counts, self._sum, self._squares, strict=True))
        for j in nodes:
            total = 0.0
            for (amount, count, known, squares), unit, there in zip(columns, scale[j], taken[j], strict=True):
                more = 0.0 if closed[j] else amount * unit
                mean = (known + more) / count
                total += math.sqrt(max(0.0, (squares + (2 * (there * unit) + more) * more) / count - mean * mean))
            found[j] = total
        return found

    def _share(self, j: int, k: int) -> float:
        return self._taken[j][k] * self.objective.scale[j][k]

    def _add(self, i: int, j: int, sign: int) -> None:
        weight = self.state.problem.weight[i]
        serving = not self.state.problem.closed[j]
        for k, column in enumerate(self.objective.columns):
            before = self._share(j, k)
            self._taken[j][k] += sign * weight[column]
            if serving:
                after = self._share(j, k)
                self._sum[k] += after - before
                self._squares[k] += after * after - before * before
