# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The best of several routes: as things come, with those first who would stay behind, or as the caller knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from .cycles import Breaker
from .moving import Transport
from .route import Leg, Route, Unit
from .search.relocate import Hop

Way = Sequence[tuple[int, int, int]]
"""Hops in an order that works: server, node, backup from the hop's end on."""

_TRIES = 3
"""Routes tried where units stay behind: those first the next time."""

_FEW = 8
"""Units that are looked at together, with every detour any of them could make."""

_EFFORT = 8_000
"""Legs of these few tried out, at most."""


def find(route: Route, transport: Transport, units: Sequence[Unit], way: Way = ()) -> list[Unit]:
    """Walk the best route there is to be found; who stays behind."""
    best = _Walked.on(route, transport, Breaker(route, transport).settle(units))
    first: dict[Unit, None] = {}
    for _try in range(_TRIES - 1):
        if best.waiting:
            first.update(dict.fromkeys(best.waiting))
            route.undo(0)
            best = min(best, _with_precedence(route, transport, units, list(first)), key=_Walked.price)
    if best.waiting:
        route.undo(0)
        best = min(best, _thoroughly(route, transport, units, best.waiting), key=_Walked.price)
    if way and (best.waiting or len(best.legs) > len(units)):
        route.undo(0)
        best = min(best, _along(route, transport, units, way), key=_Walked.price)
    if route.legs != best.legs:
        route.undo(0)
        for leg in best.legs:
            route.take(leg.hops)
    return best.waiting


@dataclass(frozen=True, slots=True)
class _Walked:
    """A route, and who stays behind on it."""

    legs: list[Leg]
    waiting: list[Unit]
    copied: int

    @classmethod
    def on(cls, route: Route, transport: Transport, waiting: list[Unit]) -> _Walked:
        """The route as it has been walked."""
        copied = sum(transport.cost(hop.i, hop.to).copied for leg in route.legs for hop in leg.hops)
        return cls(list(route.legs), waiting, copied)

    def price(self) -> tuple[int, int, int]:
        """What makes one route better than another: fewest left behind, least data copied, fewest legs."""
        return (sum(len(unit.members) for unit in self.waiting), self.copied, len(self.legs))


def _with_precedence(route: Route, transport: Transport, units: Sequence[Unit], first: Sequence[Unit]) -> _Walked:
    """Units that stayed behind go, detours and all, before others take the room they need."""
    left = Breaker(route, transport).settle(first)
    rest = [unit for unit in units if unit not in set(first)]
    return _Walked.on(route, transport, Breaker(route, transport).settle([*left, *rest]))


def _thoroughly(route: Route, transport: Transport, units: Sequence[Unit], waiting: Sequence[Unit]) -> _Walked:
    """Units that stayed behind, and some others, go first, by any way there is with at most a detour for each."""
    state = route.state
    nodes = {unit.to for unit in waiting} | {state.at[i] for unit in waiting for i in unit.members}
    near = [unit for unit in units if unit.to in nodes or any(state.at[i] in nodes for i in unit.members)]
    few = list(dict.fromkeys([*waiting, *near, *units]))[:_FEW]
    seen: set[tuple[object, ...]] = set()

    effort = _EFFORT

    def walk(detoured: frozenset[Unit]) -> bool:
        nonlocal effort
        left = [unit for unit in few if any(state.at[i] != unit.to for i in unit.members)]
        here = (detoured, *((state.at[i], state.backup[i]) for unit in few for i in unit.members))
        if not left or here in seen or effort <= 0:
            return not left
        seen.add(here)
        stops = [(unit, unit.to) for unit in left]
        stops += [(unit, j) for unit in left if unit not in detoured for j in range(len(state.load)) if j != unit.to]
        for unit, j in stops:
            mark = len(route.legs)
            effort -= 1
            if any(state.at[i] != j for i in unit.members) and route.go(unit, j):
                if walk(detoured if j == unit.to else detoured | {unit}):
                    return True
                route.undo(mark)
        return False

    walk(frozenset())
    rest = [unit for unit in units if any(state.at[i] != unit.to for i in unit.members)]
    return _Walked.on(route, transport, Breaker(route, transport).settle(rest))


def _along(route: Route, transport: Transport, units: Sequence[Unit], way: Way) -> _Walked:
    """The way the caller knows, as far as it goes."""
    state = route.state
    for (_leader, j), hops in groupby(way, key=lambda hop: (state.problem.units[hop[0]][0], hop[1])):
        if not route.take([Hop(i, state.at[i], j, state.backup[i], after) for i, _to, after in hops]):
            route.undo(0)
            break
    waiting = [unit for unit in units if any(state.at[i] != unit.to for i in unit.members)]
    return _Walked.on(route, transport, waiting)
