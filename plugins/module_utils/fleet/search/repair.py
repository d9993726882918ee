# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is broken mended with few moves, and nothing else touched: servers that may not be where they are, servers
that belong together, nodes that promised more than they have.

First those that no other's move can help: they have to go somewhere. Then, one at a time, the move that mends
most for its price; where no single move mends anything, others are moved out of the way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from .relocate import Relocation
from .resettle import resettle
from .state import EPSILON, State

MOST_LOOKED_AT = 64
"""Units tried, at most, for each move."""


@dataclass(slots=True)
class Repair:
    """Mends one state, whose losses are protected; ``ignored`` servers stay."""

    state: State
    ignored: Collection[int] = ()
    relocation: Relocation = field(init=False)

    def __post_init__(self) -> None:
        self.relocation = Relocation(self.state)

    def run(self, most: int) -> None:
        """Mend as much as can be mended by moving at most so many servers."""
        lost = [i for i in self._movable(range(len(self.state.at))) if self._must_go(i)]
        if lost:
            mark = len(self.relocation.hops)
            outcome = resettle(self.relocation, lost, yielding=True)
            if self._moved() > most:
                self.relocation.undo(mark)
            elif outcome.stuck:
                self._exchange(outcome.stuck, most)
        hopeless: set[int] = set()
        broken: list[int] | None = None
        while self._moved() < most:
            if broken is None:
                broken = self._broken()
            units = self._units(i for i in broken if self.state.problem.units[i][0] not in hopeless)
            if not units:
                return
            if self._best_move(units, broken, most):
                broken = None
                continue
            leader = units[0]
            hopeless.add(leader)
            if self._make_way(leader, most):
                broken = None

    def _exchange(self, stuck: Sequence[int], most: int) -> None:
        """Put units straight where they belong that wait for each other's room, if all of them fit there at once.

        What order they can go in, and over which other nodes, is found when moves are put in order.
        """
        state, problem = self.state, self.state.problem
        before = [(i, state.at[i], state.backup[i]) for leader in stuck for i in problem.units[leader]]
        for i, now, _backup in before:
            allowed = sorted(j for j in problem.allowed[i] or () if not problem.closed[j])
            if len(allowed) == 1 and allowed[0] != now:
                state.move(i, allowed[0])
        touched = {now for _i, now, _backup in before} | {state.at[i] for i, _now, _backup in before}
        if self._moved() > most or not state.sound([i for i, _now, _backup in before], touched):
            for i, now, backup in reversed(before):
                if state.at[i] != now:
                    state.move(i, now, backup)

    # ---- what is broken

    def _must_go(self, i: int) -> bool:
        """Whether a server may not be where it is, whoever else moves; or is apart from what it is tied to."""
        problem, j = self.state.problem, self.state.at[i]
        allowed = problem.allowed[i]
        if allowed is not None and j not in allowed:
            return True
        unit = problem.units[i]
        return len(unit) > 1 and any(self.state.at[member] != j for member in unit)

    def _broken(self) -> list[int]:
        """Servers whose leaving could mend something."""
        state = self.state
        wrong = set(state.astray())
        for j in range(len(state.load)):
            over = state.overfull(j)
            if over and not state.problem.closed[j]:
                wrong |= {i for i in state.here[j] if any(state.problem.demand[i][c] for c in over)}
        return list(self._movable(sorted(wrong)))

    def _movable(self, servers: Iterable[int]) -> Iterable[int]:
        problem = self.state.problem
        return (
            i
            for i in servers
            if not any(problem.stuck[member] or member in self.ignored for member in problem.units[i])
        )

    def _units(self, servers: Iterable[int]) -> list[int]:
        return list(dict.fromkeys(self.state.problem.units[i][0] for i in servers))

    def _moved(self) -> int:
        start = self.state.problem.start
        return sum(1 for now, then in zip(self.state.at, start, strict=True) if now != then)

    # ---- mending

    def _best_move(self, units: list[int], broken: list[int], most: int) -> bool:
        """Make the move that mends most, for the fewest servers; whether there was one."""
        state, relocation = self.state, self.relocation
        best: tuple[tuple[float, ...], int, int] | None = None
        for leader in units[:MOST_LOOKED_AT]:
            members = state.problem.units[leader]
            near = self._near(members, broken)
            places = {state.at[i] for i in members}
            before = self._damage(near, places)
            mark = len(relocation.hops)
            target = next((j for j in relocation.ranked(leader) if relocation.go(leader, j)), None)
            if target is None:
                continue
            mended = tuple(a - b for a, b in zip(before, self._damage(near, places), strict=True))
            if self._moved() <= most and mended > (0.0, EPSILON):
                rank = (-mended[0] / len(members), len(members), -mended[1], self._bytes(members), leader)
                if best is None or rank < best[0]:
                    best = (rank, leader, target)
            relocation.undo(mark)
        return best is not None and relocation.go(best[1], best[2])

    def _make_way(self, leader: int, most: int) -> bool:
        """Move others aside for a unit, if that mends anything; whether anything was moved."""
        mark, before = len(self.relocation.hops), self.state.violations()
        if self.relocation.place(leader) and (self.state.violations() >= before or self._moved() > most):
            self.relocation.undo(mark)
        return len(self.relocation.hops) != mark

    def _near(self, members: Iterable[int], broken: list[int]) -> list[int]:
        """Misplaced servers whose lot these have a part in: on their nodes, or named in a rule with them."""
        state = self.state
        places = {state.at[i] for i in members}
        names: set[str] = set()
        for i in members:
            for bond in state.problem.bonds[i]:
                if bond.rule.hard:
                    names |= bond.rule.subjects | bond.rule.others
        return [i for i in broken if state.at[i] in places or state.problem.servers[i] in names]

    def _damage(self, servers: list[int], nodes: Iterable[int]) -> tuple[float, float]:
        """Servers misplaced and columns overfull, and by how much, as shares of the limits."""
        state = self.state
        count, excess = float(sum(1 for i in servers if state.misplaced(i))), 0.0
        for j in nodes:
            for c in state.overfull(j):
                count += 1
                limit = state.problem.limit[j][c]
                excess += (state.load[j][c] - limit) / limit if limit else state.load[j][c]
        return count, excess

    def _bytes(self, members: Iterable[int]) -> float:
        problem = self.state.problem
        return sum(problem.demand[i][problem.disk[i]] for i in members)
