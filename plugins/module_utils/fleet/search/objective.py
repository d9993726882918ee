# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How good an assignment is. The formula, and why it is that one, is in docs/planner.md.

The balance is the sum over resources of the standard deviation of the nodes' loads, each as a part of what the
node really has: capacity less reserve, before overcommit. Two nodes with one and with two virtual cores per
core are as uneven as that whatever may be promised. Of placements that are as even, the one whose fullest node is
emptier is the better.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..model import Score
from .problem import CORES, DISKS, IO, MEMORY, Problem
from .state import State

STORAGE = 0.25
"""How much the unevenness of a storage pool counts: unlike cores and memory, a fuller disk is no slower."""


class Objective:
    """What counts of a problem for balance, by index: nodes in service, and resources that can differ."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.serving = tuple(j for j, closed in enumerate(problem.closed) if not closed)
        """Nodes that take part. Closed ones, and so witnesses, do not."""
        real = [_real(problem, j) for j in range(len(problem.nodes))]
        self.columns = tuple(c for c in range(len(problem.columns)) if self._differs(c, real))
        """Resources that count: limited somewhere, used by somebody, and not the same storage on every node."""
        self.filled = tuple(c for c in range(len(problem.columns)) if self._differs(c, real, least=1))
        """The same and those that one node alone has: how full that is can be told, if not how even."""
        self.scale = tuple(
            tuple(_inverse(has[c]) * (STORAGE if c >= DISKS else 1) for c in self.columns) for has in real
        )
        """[j] What counts of each of ``columns``, over what the node has; 0 where it has none, and does not count."""
        self.counts = tuple(sum(1 for j in self.serving if self.scale[j][k]) for k in range(len(self.columns)))
        """Nodes that count, for each of ``columns``."""

    def taken(self, state: State) -> list[list[float]]:
        """[j] What of each of ``columns`` is taken, servers counted by weight."""
        loads = [[load[c] for c in self.columns] for load in state.load]
        for i, home in enumerate(state.at):
            weight, demand = self.problem.weight[i], self.problem.demand[i]
            if weight is not demand:
                for k, c in enumerate(self.columns):
                    loads[home][k] += weight[c] - demand[c]
        return loads

    def deviation(self, taken: Sequence[Sequence[float]]) -> float:
        """Sum over resources of the standard deviation of the shares of what nodes have."""
        total = 0.0
        for k, count in enumerate(self.counts):
            shares = [taken[j][k] * self.scale[j][k] for j in self.serving if self.scale[j][k]]
            mean = math.fsum(shares) / count
            total += math.sqrt(math.fsum((share - mean) ** 2 for share in shares) / count)
        return total

    def worst(self, state: State) -> float:
        """The share of what may be promised of the fullest node's fullest resource, by declared sizes."""
        limits = self.problem.limit
        return max(
            (state.load[j][c] / limits[j][c] for j in self.serving for c in self.filled if 0 < limits[j][c] < math.inf),
            default=0.0,
        )

    def balance(self, state: State) -> float:
        """The balance of a state: 0 is perfect."""
        return self.deviation(self.taken(state))

    def score(self, state: State) -> Score:
        """Everything that is compared, what comes first first. A gap is a loss not everything would survive."""
        gaps = len(state.broken(range(len(self.problem.losses))))
        return Score(state.violations(), gaps, self.balance(state), self.worst(state))

    def _differs(self, column: int, real: Sequence[Sequence[float]], least: int = 2) -> bool:
        problem = self.problem
        if column >= DISKS and problem.columns[column] in problem.observed.abilities.shared_pools:
            return False
        limited = sum(1 for j in self.serving if 0 < real[j][column] < math.inf)
        return limited >= least and any(weight[column] for weight in problem.weight)


def score(state: State) -> Score:
    """How good a state is."""
    return Objective(state.problem).score(state)


def better(score: Score, than: Score) -> bool:
    """Whether a score beats another: violations first, then gaps, then balance, then the fullest node."""
    return (score.violations, score.gaps, score.balance, score.worst) < (
        than.violations,
        than.gaps,
        than.balance,
        than.worst,
    )


def _real(problem: Problem, j: int) -> tuple[float, ...]:
    """What a node has to give before anything is promised twice."""
    factors = problem.node(j).overcommit
    each = {CORES: factors.cores, MEMORY: factors.memory, IO: factors.io}
    return tuple(
        limit / factor if (factor := each.get(c, factors.disk)) > 0 else 0.0 for c, limit in enumerate(problem.limit[j])
    )


def _inverse(value: float) -> float:
    return 1 / value if 0 < value < math.inf else 0.0
