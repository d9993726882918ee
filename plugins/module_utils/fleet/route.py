# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of servers on their way to where they are wanted, one unit after another.

What is here moves nothing but on the state it is given, and can take back whatever it did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .effects import Effects, effects
from .search.relocate import Hop
from .search.state import State


@dataclass(frozen=True, slots=True)
class Unit:
    """Servers that move side by side, and the node they are wanted on."""

    members: tuple[int, ...]
    to: int


@dataclass(frozen=True, slots=True)
class Leg:
    """One unit's hops to one node, side by side."""

    hops: tuple[Hop, ...]
    effects: tuple[Effects, ...]


@dataclass(slots=True)
class Route:
    """Legs in an order that works: each is possible when those before it are done."""

    state: State
    backups: Mapping[int, int]
    """[i] The backup a moved server has in the end."""
    start: tuple[int, ...]
    """[i] Where everybody was."""
    width: Mapping[int, int]
    """[j] How many moves may be at work on a node at once."""
    legs: list[Leg] = field(default_factory=list)

    def go(self, unit: Unit, j: int) -> bool:
        """Bring a unit to a node if it fits there as things are."""
        return self.take(self._hops(unit, j))

    def take(self, hops: Sequence[Hop]) -> bool:
        """Do some hops side by side if they are possible as things are."""
        if not self._begin(hops):
            return False
        self._finish(hops)
        return True

    def _hops(self, unit: Unit, j: int) -> list[Hop]:
        state, last = self.state, j == unit.to
        return [
            Hop(i, state.at[i], j, state.backup[i], self.backups[i] if last else state.backup_after(i, j))
            for i in unit.members
            if state.at[i] != j
        ]

    def _begin(self, hops: Sequence[Hop]) -> bool:
        state = self.state
        for at, hop in enumerate(hops):
            if state.at[hop.i] != hop.source or not self.may_begin(hop.i, hop.to, hop.after):
                for begun in reversed(hops[:at]):
                    state.cancel(begun.i)
                return False
            state.begin(hop.i, hop.to, hop.after)
        self.legs.append(Leg(tuple(hops), tuple(effects(state.problem, hop) for hop in hops)))
        return True

    def _finish(self, hops: Sequence[Hop]) -> None:
        for hop in hops:
            self.state.finish(hop.i)

    def may_begin(self, i: int, j: int, after: int) -> bool:
        """Whether one server may begin to move, and can at all."""
        return not self.state.problem.stuck[i] and self.state.fits(i, j, after)

    def undo(self, mark: int) -> None:
        """Take back every leg from a position in ``legs`` on."""
        while len(self.legs) > mark:
            for hop in reversed(self.legs.pop().hops):
                self.state.move(hop.i, hop.source, hop.before)

    def settle(self, waiting: Sequence[Unit]) -> list[Unit]:
        """Bring every unit that can go to where it is wanted, until no more can; those that cannot, in their order.

        In rounds, as they will be carried out: side by side whatever fits while all of the round are under way and
        the nodes' widths allow. One after another would work as well, but would fill every gap with whoever comes
        first, and end in long chains of those who wait for each other.
        """
        left = list(waiting)
        while left:
            begun = self._round(left)
            if not begun:
                break
            left = [unit for unit in left if unit not in begun]
        return left

    def _round(self, waiting: Sequence[Unit]) -> set[Unit]:
        """Units away from home first, since what they wait for is what they made room for; then by the busiest node."""
        busy: dict[int, float] = {}
        places = {unit: self.places(self._hops(unit, unit.to)) for unit in waiting}
        for wanted in places.values():
            for node, count in wanted.items():
                busy[node] = busy.get(node, 0.0) + count / self.width[node]
        ranked = sorted(
            waiting,
            key=lambda unit: (not self.astray(unit), -max(busy[node] for node in places[unit])),
        )
        free = dict(self.width)
        begun: list[tuple[Unit, list[Hop]]] = []
        for unit in ranked:
            wanted = places[unit]
            if any(free[node] < count for node, count in wanted.items()):
                continue
            hops = self._hops(unit, unit.to)
            if self._begin(hops):
                begun.append((unit, hops))
                for node, count in wanted.items():
                    free[node] -= count
        for _unit, hops in begun:
            self._finish(hops)
        return {unit for unit, _hops in begun}

    def places(self, hops: Sequence[Hop]) -> dict[int, int]:
        """The places hops side by side take on their nodes. A unit wider than a node has the whole node."""
        places: dict[int, int] = {}
        for hop in hops:
            for node in (hop.source, hop.to):
                places[node] = min(self.width[node], places.get(node, 0) + 1)
        return places

    def astray(self, unit: Unit) -> bool:
        """Whether a unit is neither where it was nor where it is wanted."""
        return any(self.state.at[i] not in (self.start[i], unit.to) for i in unit.members)
