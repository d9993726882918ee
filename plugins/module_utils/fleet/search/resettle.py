# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers sent elsewhere by every means there is, the gentlest first.

Directly; with others moved aside; in fleets small enough, by whatever order of moves leads there at all. Where
that is wanted, failures that could be survived are given up last, as few of them as possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .exhaust import best_way, small_enough
from .relocate import Hop, Relocation
from .state import NOWHERE

_CHOICES = 8
"""Nodes that take a server, the best first, of which the one that leaves the fewest failures open is chosen."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has come of it; the way itself is the relocation's ``hops``."""

    stuck: tuple[int, ...]
    """First of each unit that nobody could help."""
    proven: bool
    """Every order of moves was looked at: who is stuck cannot be helped."""
    forsaken: tuple[int, ...]
    """Losses that could be survived, and no longer can."""


def resettle(relocation: Relocation, leaving: Sequence[int], *, yielding: bool = False) -> Outcome:
    """Settle each of these servers, and what is tied to it. ``yielding``: rather than leave one, give up a failure."""
    leaders = relocation.leaders(leaving)
    before = relocation.state.protected
    stuck = relocation.settle(leaving)
    proven = False
    if stuck and small_enough(relocation):
        stuck, proven = _exhaust(relocation, leaders, stuck), True
    if stuck and yielding and before:
        stuck = [leader for leader in stuck if not _give_in(relocation, leader)]
        if stuck and proven:
            stuck = _start_over(relocation, leaders, stuck)
    return Outcome(tuple(stuck), proven, tuple(sorted(before - relocation.state.protected)))


def _exhaust(relocation: Relocation, leaders: Sequence[int], stuck: list[int]) -> list[int]:
    """Replace the way by a better one, if any order of moves is."""
    known = list(relocation.hops)
    relocation.undo(0)
    _take(relocation, best_way(relocation, leaders))
    still = [leader for leader in leaders if not relocation.settled(leader)]
    if len(still) < len(stuck):
        return still
    relocation.undo(0)
    _take(relocation, known)
    return stuck


def _give_in(relocation: Relocation, leader: int) -> bool:
    """Place one unit, whatever failure that leaves open; of the nodes that take it, where that is the least."""
    state = relocation.state
    kept = state.protected
    state.protect(())
    mark = len(relocation.hops)
    choices: list[tuple[int, int]] = []
    for j in relocation.roomy(leader):
        if len(choices) == _CHOICES:
            break
        if relocation.go(leader, j):
            choices.append((len(_broken(relocation, mark, kept)), j))
            relocation.undo(mark)
    found = (
        relocation.go(leader, min(choices, key=lambda choice: choice[0])[1]) if choices else relocation.place(leader)
    )
    state.guard(kept - _broken(relocation, mark, kept))
    return found


def _start_over(relocation: Relocation, leaders: Sequence[int], stuck: list[int]) -> list[int]:
    """In a fleet small enough: the best way of all, whatever failures it leaves open."""
    state = relocation.state
    kept = state.protected
    state.protect(())
    still = _exhaust(relocation, leaders, stuck)
    state.protect(kept - _broken(relocation, 0, kept))
    return still


def _broken(relocation: Relocation, mark: int, losses: frozenset[int]) -> frozenset[int]:
    """The losses, survivable before, that the hops from a position on leave open, at their end or while under way."""
    state = relocation.state
    hops = relocation.hops[mark:]
    if not hops:
        return frozenset()
    touched = {b for hop in hops for b in (hop.source, hop.to, hop.before, hop.after)} - {NOWHERE}
    found = set(state.broken(losses, touched))
    relocation.undo(mark)
    for hop in hops:
        state.begin(hop.i, hop.to, hop.after)
        found |= state.broken(losses, touched)
        state.cancel(hop.i)
        relocation.follow(hop)
    return frozenset(found)


def _take(relocation: Relocation, way: Sequence[Hop]) -> None:
    for hop in way:
        relocation.follow(hop)
