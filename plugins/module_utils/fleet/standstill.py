# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves that cannot be, in words: who waits for whom, and what is missing where."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from .cycles import foes
from .fit import some
from .model import Refusal
from .route import Unit
from .search.hindrance import Hindrances
from .search.state import EPSILON, State

_TOLD = 4
"""Third nodes, at most, that are named with why they are no help."""


def standstill(state: State, waiting: Sequence[Unit]) -> tuple[Refusal, ...]:
    """A refusal for each server of the units that wait in vain. ``state``: nobody is under way any more."""
    if not waiting:
        return ()
    view = Hindrances(state)
    blockers = {unit: _blockers(state, unit, waiting) for unit in waiting}
    refusals = []
    for unit in waiting:
        reason, conflict = _words(view, unit, blockers)
        refusals += [
            Refusal(state.problem.servers[i], reason, conflict) for i in unit.members if state.at[i] != unit.to
        ]
    return tuple(refusals)


def _words(view: Hindrances, unit: Unit, blockers: Mapping[Unit, Sequence[Unit]]) -> tuple[str, tuple[str, ...]]:
    state = view.state
    cycle = _cycle(unit, blockers)
    if cycle:
        facts = [_fact(view, member) for member in cycle]
        between = "wait for each other" if len(cycle) == 2 else "wait for each other in a circle"
        apart = _no_third(view, cycle)
        return f"{' and '.join(_way(state, member) for member in cycle)} {between}; {apart}", (*facts, apart)
    if blockers[unit]:
        chain = blockers[unit][0]
        return f"{_fact(view, unit)}; it waits for {_way(state, chain)}, which cannot go", (
            _fact(view, unit),
            _fact(view, chain),
        )
    return _fact(view, unit), (_fact(view, unit),)


def _fact(view: Hindrances, unit: Unit) -> str:
    """``a node1 → node2: memory: 1024 MiB wanted, 0 free``."""
    first = next(i for i in unit.members if view.state.at[i] != unit.to)
    why = view.why(first, unit.to) or "does not fit with the backup it is to have"
    return f"{_way(view.state, unit)}: {why}"


def _way(state: State, unit: Unit) -> str:
    problem = state.problem
    moving = [i for i in unit.members if state.at[i] != unit.to]
    homes = list(dict.fromkeys(problem.nodes[state.at[i]] for i in moving))
    return f"{some(frozenset(problem.servers[i] for i in moving))} ({', '.join(homes)} → {problem.nodes[unit.to]})"


def _no_third(view: Hindrances, cycle: Sequence[Unit]) -> str:
    """Which nodes are no help to get over a cycle, and why; the first few."""
    problem, state = view.state.problem, view.state
    involved = {unit.to for unit in cycle} | {state.at[i] for unit in cycle for i in unit.members}
    firsts = [unit.members[0] for unit in cycle]
    third = [j for j in range(len(problem.nodes)) if j not in involved and not problem.node(j).witness]
    if not third:
        return "there is no third node"
    free = [problem.nodes[j] for j in third if any(state.unit_fits(i, j) for i in firsts)]
    if free:
        return f"no stop on {some(frozenset(free))} was found to get one of them further"
    refused = [
        f"{problem.nodes[j]} refuses {'; '.join(f'{problem.servers[i]}: {view.why(i, j)}' for i in firsts)}"
        for j in third[:_TOLD]
    ]
    more = f"; and {len(third) - _TOLD} more likewise" if len(third) > _TOLD else ""
    return f"no third node takes one of them: {', '.join(refused)}{more}"


# ---------------------------------------------------------------- who waits for whom


def _blockers(state: State, unit: Unit, waiting: Sequence[Unit]) -> list[Unit]:
    """Waiting units whose leaving would let this one go; empty: it could not go if they all left."""
    here = [other for other in waiting if other != unit and any(state.at[i] == unit.to for i in other.members)]
    barring = [other for other in waiting if other != unit and other not in here and foes(state, unit, other)]
    if not _room_without(state, unit, here):
        return []
    return here + barring


def _room_without(state: State, unit: Unit, others: Sequence[Unit]) -> bool:
    problem, j = state.problem, unit.to
    leaving = [i for other in others for i in other.members if state.at[i] == j]
    coming = [i for i in unit.members if state.at[i] != j]
    for column, most in enumerate(problem.limit[j]):
        wanted = sum(problem.demand[i][column] for i in coming)
        left = state.load[j][column] - sum(problem.demand[i][column] for i in leaving)
        if wanted and left + wanted > most + EPSILON:
            return False
    return True


def _cycle(unit: Unit, blockers: Mapping[Unit, Sequence[Unit]]) -> list[Unit]:
    """The shortest circle of units that wait for the next, from this one on; empty: it is in none."""
    before: dict[Unit, Unit] = {}
    queue = deque([unit])
    while queue:
        at = queue.popleft()
        for ahead in blockers[at]:
            if ahead == unit:
                path = [at]
                while path[-1] != unit:
                    path.append(before[path[-1]])
                return path[::-1]
            if ahead not in before:
                before[ahead] = at
                queue.append(ahead)
    return []
