# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backup a server has after a move, where its old home, which has its data, is out of service from then on."""

from __future__ import annotations

from .aftermath import refuge
from .problem import CORES, IO, MEMORY, Problem
from .state import NOWHERE, State


def stand_by(state: State, i: int, j: int) -> int:
    """The backup a server keeps; if it would be a closed node, the best other one its move to ``j`` allows.

    Best: in another failure domain, then the least full. The closed node stays its backup where no other is possible.
    """
    problem = state.problem
    kept = state.backup_after(i, j)
    if kept == NOWHERE or not problem.closed[kept] or not state.takes_in(i, j):
        return kept
    domains = problem.domains["failure_domain"]
    ranked = sorted(
        (b for b in _candidates(problem, i, j) if b != j and state.holds(i, b)),
        key=lambda b: (domains[b] == domains[j], _fullness(state, b), b),
    )
    return next((b for b in ranked if state.keeps_safe(i, j, b)), kept)


def _candidates(problem: Problem, i: int, j: int) -> list[int]:
    allowed = refuge(problem, i, j)
    return [b for b, closed in enumerate(problem.closed) if not closed and (allowed is None or b in allowed)]


def _fullness(state: State, b: int) -> float:
    """The share of a node's fullest resource, with what may come in a failure."""
    load, limit, coming = state.load[b], state.problem.limit[b], state.reserved(b)
    return max((load[c] + coming[c]) / limit[c] if limit[c] > 0 else 1e9 for c in (CORES, MEMORY, IO))
