# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one hop takes and gives back, where: the bookkeeping of ``State``, as sums that can be ordered.

Two kinds of limits hold. A node's own: its load, column by column. And, for every protected loss, its load
together with what would come to it then: cores, memory and io. A hop takes when it begins and gives back
when it ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .search.problem import DISKS, Problem, Vector
from .search.relocate import Hop
from .search.state import NOWHERE


@dataclass(frozen=True, slots=True)
class Weight:
    """Load that comes to a node, or leaves it."""

    node: int
    amount: Vector
    """All columns."""
    spares: frozenset[int] = frozenset()
    """Losses it makes no difference for: what is load on one side of the hop would come in that loss on the other."""


@dataclass(frozen=True, slots=True)
class Duty:
    """What would come to a node in some losses, taken on or laid down."""

    node: int
    losses: tuple[int, ...]
    amount: Vector
    """Cores, memory and io; all 0: the sum stays, but from here on it has to fit."""


@dataclass(frozen=True, slots=True)
class Effects:
    """Of one hop: taken at its begin, given back at its end."""

    takes: tuple[Weight, ...]
    duties: tuple[Duty, ...]
    gives: tuple[Weight, ...]
    relieves: tuple[Duty, ...]


def effects(problem: Problem, hop: Hop) -> Effects:
    """What a hop does."""
    i, home, j, b, after = hop.i, hop.source, hop.to, hop.before, hop.after
    demand, runs_on, copied = problem.demand[i], problem.failing_over[i], problem.replicated[i]
    switch, swap = b == j, after == home
    takes = [
        Weight(
            j,
            _less_disk(problem, i) if switch and copied else demand,
            frozenset(_only(problem, home, j)) if switch and runs_on else frozenset(),
        )
    ]
    gives = [
        Weight(
            home,
            _less_disk(problem, i) if swap and copied else demand,
            frozenset(problem.losses_of[j]) if swap and runs_on else frozenset(),
        )
    ]
    if copied and after not in (NOWHERE, home, b):
        takes.append(Weight(after, _disk_alone(problem, i)))
    if copied and b not in (NOWHERE, j, after):
        gives.append(Weight(b, _disk_alone(problem, i)))
    duties, relieves = [], []
    if runs_on and after != NOWHERE:
        losses: Iterable[int] = _only(problem, j, home) if after == b else problem.losses_of[j]
        duties.append(Duty(after, tuple(losses), (0.0,) * DISKS if swap else demand[:DISKS]))
    if runs_on and b not in (NOWHERE, j):
        losses = _only(problem, home, j) if after == b else problem.losses_of[home]
        relieves.append(Duty(b, tuple(losses), demand[:DISKS]))
    return Effects(tuple(takes), tuple(duties), tuple(gives), tuple(relieves))


def _only(problem: Problem, j: int, other: int) -> list[int]:
    """Losses of one node that spare the other."""
    return [loss for loss in problem.losses_of[j] if other not in problem.losses[loss].nodes]


def _less_disk(problem: Problem, i: int) -> Vector:
    return tuple(0.0 if column == problem.disk[i] else wanted for column, wanted in enumerate(problem.demand[i]))


def _disk_alone(problem: Problem, i: int) -> Vector:
    return tuple(wanted if column == problem.disk[i] else 0.0 for column, wanted in enumerate(problem.demand[i]))
