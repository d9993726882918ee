# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses that not everything would survive made survivable with few moves, and nothing else touched.

One move at a time: of those that could help, the one that mends most for its price. Who could help is on a backup
that more would come to than it has room for, or would come there, or would have nowhere to run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from .hindrance import loss_words
from .problem import DISKS
from .relocate import Relocation
from .state import EPSILON, State

MOST_LOOKED_AT = 64
"""Units tried, at most, for each loss."""

MOST_TARGETS = 6
"""Nodes tried for each, the best first."""

MOST_LOSSES = 8
"""Losses looked at for each move."""


@dataclass(slots=True)
class Mending:
    """Mends one state, everybody of which has a backup and whose losses are protected; ``ignored`` servers stay."""

    state: State
    ignored: Collection[int] = ()
    because: dict[int, str] = field(default_factory=dict)
    """Server -> why it was moved."""
    _relocation: Relocation = field(init=False)

    def __post_init__(self) -> None:
        self._relocation = Relocation(self.state)

    def run(self, most: int) -> None:
        """Mend as much as can be mended with at most so many servers away from home; what is mended is protected."""
        losses = range(len(self.state.problem.losses))
        while self._moved() < most:
            broken = sorted(self.state.broken(losses))[:MOST_LOSSES]
            if not broken or not self._best_move(broken, most):
                return
            self.state.protect()

    def _best_move(self, broken: Sequence[int], most: int) -> bool:
        """Make the move that closes most of these losses, or brings them nearest to it, for the fewest servers; whether
        there was one.
        """
        state, relocation = self.state, self._relocation
        best: tuple[tuple[float, ...], int, int, tuple[int, ...]] | None = None
        for leader in self._helpers(broken):
            members = state.problem.units[leader]
            for target in relocation.roomy(leader)[:MOST_TARGETS]:
                nodes = {target, *(state.at[i] for i in members), *(state.backup[i] for i in members)}
                violations, before = self._violations(nodes), state.lacking(nodes)
                mark = len(relocation.hops)
                if not relocation.go(leader, target):
                    continue
                after = state.lacking(nodes)
                mended = (before[0] - after[0], before[1] - after[1])
                if mended > (0, EPSILON) and self._moved() <= most and self._violations(nodes) <= violations:
                    closed = tuple(loss for loss in broken if state.survivable(loss))
                    price = self._bytes(members)
                    rank = (-len(closed) / len(members), -mended[0] / len(members), len(members), -mended[1], price)
                    if best is None or rank < best[0]:
                        best = (rank, leader, target, closed)
                relocation.undo(mark)
        if best is None or not relocation.go(best[1], best[2]):
            return False
        words = f"so that {loss_words(state.problem, (best[3] or tuple(broken))[0])} can be survived"
        self.because.update({i: self.because.get(i, words) for i in state.problem.units[best[1]]})
        return True

    def _helpers(self, broken: Iterable[int]) -> list[int]:
        """Units whose move could help, of each loss those that copy least."""
        state, problem = self.state, self.state.problem
        helpers: dict[int, None] = {}
        for loss in broken:
            drowned = frozenset(state.overwhelmed(loss))
            found = set(state.stranded(loss))
            for b in drowned:
                found |= {i for i in state.here[b] if any(problem.demand[i][:DISKS])}
            for home in problem.losses[loss].nodes:
                found |= {i for i in state.here[home] if problem.failing_over[i] and state.backup[i] in drowned}
            units = {problem.units[i][0] for i in found}
            movable = [u for u in units if not any(problem.stuck[i] or i in self.ignored for i in problem.units[u])]
            ranked = sorted(movable, key=lambda leader: (self._bytes(problem.units[leader]), leader))
            helpers.update(dict.fromkeys(ranked[:MOST_LOOKED_AT]))
        return list(helpers)

    def _violations(self, nodes: Iterable[int]) -> int:
        state = self.state
        here = {i for j in nodes if j >= 0 for i in state.here[j]}
        return sum(map(state.misplaced, here)) + sum(len(state.overfull(j)) for j in nodes if j >= 0)

    def _moved(self) -> int:
        start = self.state.problem.start
        return sum(1 for now, then in zip(self.state.at, start, strict=True) if now != then)

    def _bytes(self, members: Iterable[int]) -> float:
        problem = self.state.problem
        return sum(problem.demand[i][problem.disk[i]] for i in members)
