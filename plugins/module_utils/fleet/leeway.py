# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that bind nothing: a server whose data every node reaches may be started on any that has room.

Where neither a replica nor the inventory names a server's backup, it is chosen anew with every plan. A search that
kept the ones of the start would leave nodes piled up for want of room on backups chosen while they were. So it goes
without them, and backups that hold from the first move to the last are chosen for what it has found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .backups import choose_backups
from .search.aftermath import Aftermath, Refuges
from .search.problem import DISKS, Problem
from .search.state import NOWHERE, State

MOST_PAIRS = 100_000
"""Servers times nodes up to which backups are chosen for both ends at once."""
MENDINGS = 3
"""How often backups that do not hold at both ends are replaced before others are tried."""


@dataclass(frozen=True, slots=True)
class Standby:
    """[i] A server's backup before its move, and after it; the same where it does not move."""

    before: tuple[int, ...]
    after: tuple[int, ...]


def free(problem: Problem, i: int) -> bool:
    """Whether a server that fails over may do so to any node."""
    return problem.failing_over[i] and not problem.replicated[i] and problem.backup[i] == NOWHERE


def without_free_backups(state: State) -> State:
    """The same assignment with nothing kept for servers whose backup is free; the same losses protected."""
    problem = state.problem
    loose = [free(problem, i) for i in range(len(state.at))]
    narrowed = replace(
        problem,
        failing_over=tuple(fails and not spare for fails, spare in zip(problem.failing_over, loose, strict=True)),
    )
    found = State(narrowed)
    for i, b in enumerate(state.backup):
        if not loose[i] and found.backup[i] != b:
            found.assign_backup(i, b)
    found.protect(state.protected)
    return found


def standby_for(start: State, places: Sequence[int], backups: Sequence[int]) -> Standby | None:
    """Free backups with which everything protected survives at the start and at these places.

    ``backups`` has those that are not free, after the moves. A free one stays when its server moves, as any does,
    except that a server which moves to it leaves its old home behind. ``None``: none were found.
    """
    ends = _Ends(start, places, backups)
    if not start.protected or not any(ends.loose):
        return ends.standby(start.backup)
    for choose in (ends.as_known, ends.at_first, ends.at_last, ends.jointly):
        standby = ends.standby(choose())
        for _mending in range(MENDINGS):
            if ends.survives(standby):
                return standby
            known, standby = standby, ends.mended(standby)
            if standby == known:
                break
        if ends.survives(standby):
            return standby
    return None


class _Ends:
    """Where the moves begin and where they end, and backups for both."""

    def __init__(self, start: State, places: Sequence[int], backups: Sequence[int]) -> None:
        self.start, self.problem, self.places, self.backups = start, start.problem, places, backups
        self.loose = [free(start.problem, i) for i in range(len(places))]
        self.refuges = Refuges(start.problem)

    def standby(self, chosen: Sequence[int]) -> Standby:
        """Backups before and after, from those of the start."""
        known = zip(self.loose, chosen, self.start.backup, strict=True)
        after = zip(self.loose, chosen, self.backups, self.start.at, self.places, strict=True)
        return Standby(
            before=tuple(b if spare else was for spare, b, was in known),
            after=tuple((home if b == j else b) if spare else then for spare, b, then, home, j in after),
        )

    def survives(self, standby: Standby) -> bool:
        """Whether everything protected survives at both ends."""
        known = standby.before == tuple(self.start.backup)
        # What is protected at the start survives there, with the backups of the start.
        first = self.start if known else self._state(self.start.at, standby.before)
        if not known and first.broken(self.start.protected):
            return False
        last = first.copy()
        for i, (j, b) in enumerate(zip(self.places, standby.after, strict=True)):
            if last.at[i] != j:
                last.move(i, j, b)
            elif last.backup[i] != b:
                last.assign_backup(i, b)
        return not last.broken(self.start.protected)

    def as_known(self) -> Sequence[int]:
        """Those known already, chosen before anything was to move."""
        return self.start.backup

    def at_first(self) -> list[int]:
        """Chosen as things are, with room for everybody who is to arrive."""
        base = [list(row) for row in self.problem.base]
        for i, (home, j) in enumerate(zip(self.start.at, self.places, strict=True)):
            if home != j:
                base[j] = [a + b for a, b in zip(base[j], self.problem.demand[i], strict=True)]
        state = self._state(self.start.at, self._kept(self.start.backup), tuple(tuple(row) for row in base))
        choose_backups(state)
        return state.backup

    def at_last(self) -> list[int]:
        """Chosen as things will be."""
        state = self._state(self.places, self._kept(self.backups))
        choose_backups(state)
        return [j if b == home else b for b, home, j in zip(state.backup, self.start.at, self.places, strict=True)]

    def jointly(self) -> list[int]:
        """All chosen anew, for both ends at once."""
        return self._anew(self.start.backup, [i for i, spare in enumerate(self.loose) if spare])

    def mended(self, standby: Standby) -> Standby:
        """Only those chosen anew that come where a loss brings more than there is room for, or have none that helps."""
        return self.standby(self._anew(standby.before, self._at_fault(standby)))

    def _at_fault(self, standby: Standby) -> list[int]:
        found: set[int] = set()
        for state in (self._state(self.start.at, standby.before), self._state(self.places, standby.after)):
            for loss in self.start.protected:
                found.update(state.stranded(loss))
                drowned = frozenset(state.overwhelmed(loss))
                if drowned:
                    dying = self.problem.losses[loss].nodes
                    found.update(i for j in dying for i in state.here[j] if state.backup[i] in drowned)
        return sorted(i for i in found if self.loose[i])

    def _anew(self, chosen: Sequence[int], servers: Sequence[int]) -> list[int]:
        """Chosen one by one, the biggest first, where the fuller of the two ends stays emptiest; all others stay."""
        problem, found = self.problem, list(chosen)
        if len(servers) * len(problem.nodes) > MOST_PAIRS:
            return found
        for i in servers:
            found[i] = NOWHERE
        now = self.standby(found)
        ends = (
            Aftermath(self._state(self.start.at, now.before)),
            Aftermath(self._state(self.places, now.after)),
        )
        for i in sorted(servers, key=lambda i: (-max(problem.demand[i][:DISKS]), i)):
            ranked = []
            for b in range(len(problem.nodes)):
                pair = self._pair(i, b)
                if pair is not None and all(end.obeys(i, to) for end, to in zip(ends, pair, strict=True)):
                    fullest = max(_share(end.state, i, to) for end, to in zip(ends, pair, strict=True))
                    ranked.append((fullest, b, pair))
            if ranked:
                _fullest, found[i], pair = min(ranked)
                for end, to in zip(ends, pair, strict=True):
                    end.assign(i, to)
        return found

    def _pair(self, i: int, b: int) -> tuple[int, int] | None:
        """A backup at both ends; ``None``: the node is none for this server."""
        home, place = self.start.at[i], self.places[i]
        allowed = self.refuges.of(i, home)
        pair = (b, home if b == place else b)
        if b == home or any(self.problem.closed[to] or (allowed is not None and to not in allowed) for to in pair):
            return None
        return pair

    def _kept(self, backups: Sequence[int]) -> list[int]:
        return [NOWHERE if spare else b for spare, b in zip(self.loose, backups, strict=True)]

    def _state(
        self, places: Sequence[int], backups: Sequence[int], base: tuple[tuple[float, ...], ...] | None = None
    ) -> State:
        problem = self.problem
        return State(replace(problem, start=tuple(places), backup=tuple(backups), base=base or problem.base))


def _share(state: State, i: int, b: int) -> float:
    """How full a node would be after the worst loss it would have to take a server in."""
    problem = state.problem
    fullest = 0.0
    for loss in problem.losses_of[state.at[i]]:
        if b in problem.losses[loss].nodes:
            # No help in this loss: only where there is nothing better.
            fullest = max(fullest, 2.0)
            continue
        for load, coming, own, most in zip(
            state.load[b], state.spill(b, loss), problem.demand[i], problem.limit[b], strict=False
        ):
            if most > 0:
                fullest = max(fullest, (load + coming + own) / most)
    return fullest
