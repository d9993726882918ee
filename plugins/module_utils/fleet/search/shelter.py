# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether servers that are kept apart would still be apart after a failure, with one of them moved."""

from __future__ import annotations

from collections.abc import Iterator

from .state import NOWHERE, State


def sheltered(state: State, i: int, j: int, backup: int) -> bool:
    """Whether, with a server on node ``j`` and ``backup`` its backup, no protected failure brings it beside one that
    a hard rule keeps it apart from.
    """
    problem = state.problem
    for domains, other in _apart_from(state, i):
        there, spare = state.at[other], state.backup[other] if problem.failing_over[other] else NOWHERE
        for loss in {*problem.losses_of[j], *problem.losses_of[there]} & state.protected:
            dying = problem.losses[loss].nodes
            own = (backup if problem.failing_over[i] else NOWHERE) if j in dying else j
            its = spare if there in dying else there
            if NOWHERE not in (own, its) and not {own, its} & dying and domains[own] == domains[its]:
                return False
    return True


def _apart_from(state: State, i: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """(node -> its domain, server) for everybody a server is kept apart from."""
    problem = state.problem
    for bond in problem.bonds[i]:
        if bond.rule.hard and bond.rule.kind == "apart":
            facing = (bond.rule.others if bond.subject else frozenset()) | (
                bond.rule.subjects if bond.other else frozenset()
            )
            for name in sorted(facing):
                other = problem.server_index.get(name, i)
                if other != i:
                    yield problem.domains[bond.rule.over], other
