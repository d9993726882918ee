# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves that wait for each other, set going by sending some of them to a third node first.

Where nobody can go on, one of those that wait is chosen, and whoever is in its way and wants to leave anyway
steps aside, as few and as cheap ones as possible. That counts only if everybody who stepped aside gets to where it
is wanted in the end; else it is taken back, and something else is tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .moving import Transport
from .route import Route, Unit
from .search.problem import DISKS
from .search.state import EPSILON, State

_STOPS = 4
"""Third nodes tried, at most, for one unit to step aside to on behalf of another."""

_CROWD = 8
"""Units that may have to step aside, at most, for one."""

_DEPTH = 3
"""Standstills that may follow from each other before one of those who stepped aside has to be home."""


@dataclass(frozen=True, slots=True)
class _Aside:
    """Units that step aside, each to a node, so that another gets to where it is wanted."""

    cost: tuple[float, float]
    """Data copied, seconds without service: what the detours cost."""
    goer: Unit
    detours: tuple[tuple[Unit, int], ...]


@dataclass(slots=True)
class Breaker:
    """Brings units to where they are wanted on a route, cycles and all."""

    route: Route
    transport: Transport
    effort: int = 2_000
    """Detours to try out, at most."""
    _aside: set[Unit] = field(default_factory=set)
    """Units that made a detour already; nobody makes two."""
    _known_stops: dict[Unit, list[int]] = field(default_factory=dict)
    """What ``_stops`` found where things stand now."""

    def settle(self, units: Sequence[Unit]) -> list[Unit]:
        """Bring every unit that can get there to where it is wanted; those that stay where they were."""
        waiting = self.route.settle(units)
        while waiting:
            after = self._break(waiting, _DEPTH)
            if after is None:
                return waiting
            waiting = after
        return waiting

    def _break(self, waiting: Sequence[Unit], depth: int) -> list[Unit] | None:
        """Get over one standstill; who waits then, nobody of them on the way. ``None``: there is no way."""
        for aside in self._ways_out(waiting):
            mark = len(self.route.legs)
            if not self._step(aside):
                continue
            left = self.route.settle([unit for unit in waiting if unit != aside.goer])
            if any(self.route.astray(unit) for unit in left):
                after = self._break(left, depth - 1) if depth else None
            else:
                after = left
            if after is not None:
                return after
            self._take_back(aside, mark)
        return None

    def _step(self, aside: _Aside) -> bool:
        mark = len(self.route.legs)
        if all(self.route.go(unit, j) for unit, j in aside.detours) and self.route.go(aside.goer, aside.goer.to):
            self._aside.update(unit for unit, _j in aside.detours)
            return True
        self.route.undo(mark)
        return False

    def _take_back(self, aside: _Aside, mark: int) -> None:
        self.route.undo(mark)
        self._aside.difference_update(unit for unit, _j in aside.detours)

    # ---- who could step aside for whom

    def _ways_out(self, waiting: Sequence[Unit]) -> Iterator[_Aside]:
        """Detours that let somebody go on, cheapest first; several units step aside only where one is not enough."""
        self._known_stops.clear()
        single: list[_Aside] = []
        for goer in waiting:
            for unit in self._in_the_way(goer, waiting):
                if self._room_without([unit], goer):
                    single += self._alone(goer, unit)
        single.sort(key=lambda aside: aside.cost)
        yield from single
        self._known_stops.clear()
        several = [aside for goer in waiting if (aside := self._together(goer, waiting)) is not None]
        yield from sorted(several, key=lambda aside: aside.cost)

    def _in_the_way(self, goer: Unit, waiting: Sequence[Unit]) -> list[Unit]:
        """Waiting units that leave room, or a domain, or a duty as backup behind where the goer is wanted."""
        state = self.route.state
        after = {self.route.backups[i] for i in goer.members}
        found = []
        for unit in waiting:
            if unit == goer or unit in self._aside:
                continue
            homes = {state.at[i] for i in unit.members}
            on_duty = any(state.backup[i] in (goer.to, *after) for i in unit.members)
            if goer.to in homes or homes & after or on_duty or foes(state, goer, unit):
                found.append(unit)
        # Those on the very node are the likeliest to help, then by what moving them costs.
        return sorted(found, key=lambda unit: (all(state.at[i] != goer.to for i in unit.members), self._bulk(unit)))

    def _alone(self, goer: Unit, unit: Unit) -> list[_Aside]:
        """One unit stepping aside for another, to the best of the nodes where that helps; empty: it does not."""
        if unit not in self._known_stops:
            self._known_stops[unit] = self._stops(unit) if self.effort > 0 else []
        for j in [j for j in self._known_stops[unit] if j != goer.to][:_STOPS]:
            if not self._spend():
                return []
            aside = _Aside(self._cost(unit, j), goer, ((unit, j),))
            mark = len(self.route.legs)
            helps = self.route.go(unit, j) and self.route.go(goer, goer.to)
            self.route.undo(mark)
            if helps:
                return [aside]
        return []

    def _together(self, goer: Unit, waiting: Sequence[Unit]) -> _Aside | None:
        """Several units stepping aside for one, none of them in vain."""
        others = self._in_the_way(goer, waiting)[:_CROWD]
        if not self._room_without(others, goer):
            return None
        mark = len(self.route.legs)
        detours: list[tuple[Unit, int]] = []
        helps = False
        for unit in others:
            if self.effort <= 0:
                break
            stops = (j for j in self._stops(unit) if j != goer.to)
            stop = next((j for j in stops if self._spend() and self.route.go(unit, j)), None)
            if stop is not None:
                detours.append((unit, stop))
                helps = self.route.go(goer, goer.to)
                if helps:
                    break
        self.route.undo(mark)
        if not helps:
            return None
        for spared in list(detours):
            fewer = [detour for detour in detours if detour != spared]
            if all(self.route.go(unit, j) for unit, j in fewer) and self.route.go(goer, goer.to):
                detours = fewer
            self.route.undo(mark)
        costs = [self._cost(unit, j) for unit, j in detours]
        return _Aside((sum(cost[0] for cost in costs), sum(cost[1] for cost in costs)), goer, tuple(detours))

    def _room_without(self, units: Sequence[Unit], goer: Unit) -> bool:
        """Whether a node would have room for a unit if others left it: a look at sums, before anything is tried."""
        state, problem, j = self.route.state, self.route.state.problem, goer.to
        leaving = [problem.demand[i] for unit in units for i in unit.members if state.at[i] == j]
        coming = [problem.demand[i] for i in goer.members if state.at[i] != j]
        for column, most in enumerate(problem.limit[j]):
            less = sum(demand[column] for demand in leaving)
            more = sum(demand[column] for demand in coming)
            # A disk may be there already, as a replica.
            if column < DISKS and more and state.load[j][column] - less + more > most + EPSILON:
                return False
        return True

    def _spend(self) -> bool:
        self.effort -= 1
        return self.effort >= 0

    def _stops(self, unit: Unit) -> list[int]:
        """Nodes a unit could wait on, cheapest first, then the emptiest."""
        state, problem = self.route.state, self.route.state.problem
        barred = {unit.to, *(state.at[i] for i in unit.members)}
        first = unit.members[0]
        stops = [
            j
            for j in range(len(problem.nodes))
            if j not in barred and self.route.may_begin(first, j, state.backup_after(first, j))
        ]
        return sorted(stops, key=lambda j: (self._cost(unit, j), self._fullness(j), j))

    def _cost(self, unit: Unit, j: int) -> tuple[float, float]:
        costs = [self.transport.cost(i, j) for i in unit.members]
        return (float(sum(cost.copied for cost in costs)), sum(cost.downtime for cost in costs))

    def _bulk(self, unit: Unit) -> float:
        problem = self.route.state.problem
        return sum(problem.demand[i][problem.disk[i]] for i in unit.members)

    def _fullness(self, j: int) -> float:
        load, limit = self.route.state.load[j], self.route.state.problem.limit[j]
        return max(used / most if most > 0 else 0.0 for used, most in zip(load, limit, strict=True))


def foes(state: State, unit: Unit, other: Unit) -> bool:
    """Whether a rule keeps a unit out as long as another is in the domain of the node where it is wanted."""
    problem = state.problem
    names = {problem.servers[i]: i for i in other.members}
    for i in unit.members:
        for bond in problem.bonds[i]:
            domains = problem.domains[bond.rule.over]
            facing = bond.rule.subjects | bond.rule.others
            near = any(domains[state.at[foe]] == domains[unit.to] for name, foe in names.items() if name in facing)
            if bond.rule.hard and bond.rule.kind == "apart" and near:
                return True
    return False
