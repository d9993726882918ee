# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which legs a leg has to wait for, so that nothing ever goes wrong however they are interleaved.

A route is proof that its legs work one after another. Side by side they work with far fewer waits; these
are the ones that suffice.

Room. Everything limited is a sum: a node's load, and with every protected loss the load together with what
would come. A leg takes from such a sum when it begins and gives back when it ends. Give the leg t needs R(t),
earlier legs, such that for every sum it takes from

    start + everything taken by the legs up to t in the order of the route - what R(t) gives back <= limit.

Then at any moment, whoever has begun and whoever is done, let t be the last in the order of the route among those
begun that take from the sum: R(t) is done, and nobody after t has taken, so the sum is within its limit. R(t)
always exists, since all earlier legs together are enough: that is what the route proves. Only sums that would
overflow if nobody gave anything back have to be looked at.

Rules. A leg that brings a server into a domain (or next to one who wants a node alone) waits for the legs that took
those away with whom it must not share it. A rule that ties servers over a domain makes nobody wait: a server may only
come where all those are that it is tied to, and they may not leave it then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .effects import Duty, Weight
from .layout import Bond
from .route import Leg
from .search.problem import DISKS, Problem
from .search.relocate import Hop
from .search.state import EPSILON, State

_Moved = list[tuple[int, bool, Weight]]
_Owed = list[tuple[int, bool, Duty]]

_LOAD = -1
"""In place of a loss: the node's load by itself."""


@dataclass(slots=True)
class _Sum:
    """One limited sum in one column, and who changes it, in the order of the route."""

    room: float
    takes: list[tuple[int, float]] = field(default_factory=list)
    """(leg, amount); an amount of 0: from then on it has to fit."""
    gives: list[tuple[int, float]] = field(default_factory=list)


class Start:
    """The limited sums as they are before anything moves."""

    def __init__(self, state: State) -> None:
        self.problem: Problem = state.problem
        self.load = [tuple(load) for load in state.load]
        self.losses = sorted(state.protected)
        self.coming = {
            (b, loss): tuple(spill)
            for b in range(len(self.load))
            for loss in self.losses
            if any(spill := state.spill(b, loss))
        }

    def needs(self, legs: Sequence[Leg]) -> list[set[int]]:
        """For every leg the earlier legs that have to be done before it begins; none that is implied by another."""
        by_rule = _by_rule(self.problem, legs)
        implied = [0] * len(legs)
        """[leg] Everything that is done before it begins, a bit each."""
        depth = [0] * len(legs)
        found: list[set[int]] = []

        def with_all(chosen: Iterable[int]) -> int:
            bits = 0
            for other in chosen:
                bits |= implied[other] | 1 << other
            return bits

        for at, sums in enumerate(_tight(self, legs)):
            known = set(by_rule[at])
            for tight in sums:
                known.update(_enough(tight, at, with_all(known), depth))
            # What one sum asked for may have become needless by what the next one did.
            for other in sorted(known - by_rule[at], key=lambda leg: (-depth[leg], leg)):
                have = with_all(known - {other})
                if all(_lacking(tight, at, have) <= EPSILON for tight in sums):
                    known.discard(other)
            implied[at] = with_all(known)
            beyond = 0
            for other in known:
                beyond |= implied[other]
            found.append({other for other in known if not beyond >> other & 1})
            depth[at] = 1 + max((depth[other] for other in found[at]), default=-1)
        return found


# ---------------------------------------------------------------- room


def _tight(start: Start, legs: Sequence[Leg]) -> list[list[_Sum]]:
    """For every leg the sums it takes from that would overflow if nobody gave anything back."""
    problem = start.problem
    weights, duties = _changes(legs, frozenset(start.losses))
    found: list[list[_Sum]] = [[] for _leg in legs]
    losses_at: dict[int, set[int]] = {}
    for node, loss in (*start.coming, *duties):
        losses_at.setdefault(node, set()).add(loss)
    for node in sorted({*weights, *losses_at}):
        moved = weights.get(node, [])
        load, limit = start.load[node], problem.limit[node]
        total = [sum(change.amount[c] for _at, taking, change in moved if taking) for c in range(len(load))]
        for column, more in enumerate(total):
            if load[column] + more > limit[column] + EPSILON:
                _note(found, _sum(limit[column] - load[column], column, _LOAD, moved, ()))
        for loss in sorted(losses_at.get(node, ())):
            coming = start.coming.get((node, loss), (0.0,) * DISKS)
            changed = duties.get((node, loss), [])
            for column in range(DISKS):
                most = total[column] + sum(duty.amount[column] for _at, taking, duty in changed if taking)
                room = limit[column] - load[column] - coming[column]
                if most > room + EPSILON:
                    _note(found, _sum(room, column, loss, moved, changed))
    return found


def _changes(legs: Sequence[Leg], protected: frozenset[int]) -> tuple[dict[int, _Moved], dict[tuple[int, int], _Owed]]:
    """Per node, and per node and protected loss, who changes what there: (leg, it takes, what)."""
    weights: dict[int, _Moved] = {}
    duties: dict[tuple[int, int], _Owed] = {}
    for at, leg in enumerate(legs):
        for effect in leg.effects:
            for weight, taking in (*((w, True) for w in effect.takes), *((w, False) for w in effect.gives)):
                weights.setdefault(weight.node, []).append((at, taking, weight))
            for duty, taking in (*((d, True) for d in effect.duties), *((d, False) for d in effect.relieves)):
                for loss in protected.intersection(duty.losses):
                    duties.setdefault((duty.node, loss), []).append((at, taking, duty))
    return weights, duties


def _sum(
    room: float,
    column: int,
    loss: int,
    moved: Iterable[tuple[int, bool, Weight]],
    changed: Iterable[tuple[int, bool, Duty]],
) -> _Sum:
    tight = _Sum(room)
    for at, taking, weight in moved:
        if weight.amount[column] and loss not in weight.spares:
            (tight.takes if taking else tight.gives).append((at, weight.amount[column]))
    for at, taking, duty in changed:
        if taking:
            tight.takes.append((at, duty.amount[column]))
        elif duty.amount[column]:
            tight.gives.append((at, duty.amount[column]))
    tight.takes.sort()
    return tight


def _note(found: list[list[_Sum]], tight: _Sum) -> None:
    for at in dict.fromkeys(at for at, _amount in tight.takes):
        found[at].append(tight)


def _given(tight: _Sum, at: int) -> dict[int, float]:
    """What legs before this one give back."""
    given: dict[int, float] = {}
    for other, amount in tight.gives:
        if other < at:
            given[other] = given.get(other, 0.0) + amount
    return given


def _lacking(tight: _Sum, at: int, have: int) -> float:
    """What a sum lacks for a leg to begin, with everybody before it under way but those that are done."""
    taken = sum(amount for other, amount in tight.takes if other <= at)
    return taken - tight.room - sum(amount for other, amount in _given(tight, at).items() if have >> other & 1)


def _enough(tight: _Sum, at: int, have: int, depth: Sequence[int]) -> list[int]:
    """Earlier legs, besides those done anyway, that give back enough for a leg to begin; as early ones as possible."""
    lacking, given = _lacking(tight, at, have), _given(tight, at)
    chosen: list[int] = []
    for other in sorted(given, key=lambda leg: (depth[leg], -given[leg], leg)):
        if lacking <= EPSILON:
            break
        if not have >> other & 1:
            chosen.append(other)
            lacking -= given[other]
    return chosen


# ---------------------------------------------------------------- rules


def _by_rule(problem: Problem, legs: Sequence[Leg]) -> list[set[int]]:
    """For every leg the earlier legs it has to wait for because of who must not, or has to, be near whom."""
    left_node: dict[int, list[tuple[int, int]]] = {}
    """Node -> (leg, server) that left it."""
    left: dict[tuple[int, int], list[tuple[int, Bond, int]]] = {}
    """(rule, domain) -> (leg, its part, server) that left it."""
    found: list[set[int]] = []
    for at, leg in enumerate(legs):
        waits: set[int] = set()
        for hop in leg.hops:
            waits.update(_for_solitude(problem, hop, left_node.get(hop.to, ())))
            for bond, _source, to in _parts(problem, hop):
                waits.update(
                    other
                    for other, facing, server in left.get((bond.number, to), ())
                    if server != hop.i and _face(bond, facing)
                )
        for hop in leg.hops:
            left_node.setdefault(hop.source, []).append((at, hop.i))
            for bond, source, _to in _parts(problem, hop):
                left.setdefault((bond.number, source), []).append((at, bond, hop.i))
        found.append(waits)
    _after_itself(legs, found)
    return found


def _after_itself(legs: Sequence[Leg], found: list[set[int]]) -> None:
    """A server's second leg comes after its first."""
    before: dict[int, int] = {}
    for at, leg in enumerate(legs):
        for hop in leg.hops:
            if hop.i in before:
                found[at].add(before[hop.i])
            before[hop.i] = at


def _for_solitude(problem: Problem, hop: Hop, gone: Iterable[tuple[int, int]]) -> Iterable[int]:
    """Legs that took somebody away from a node whom a server could not be beside: one of the two wants it alone."""
    return (leg for leg, other in gone if other != hop.i and (problem.solitary[hop.i] or problem.solitary[other]))


def _parts(problem: Problem, hop: Hop) -> Iterator[tuple[Bond, int, int]]:
    """A server's part in each rule that keeps servers apart, with the domain it leaves and the one it comes to."""
    for bond in problem.bonds[hop.i]:
        domains = problem.domains[bond.rule.over]
        if bond.rule.hard and bond.rule.kind == "apart" and domains[hop.source] != domains[hop.to]:
            yield bond, domains[hop.source], domains[hop.to]


def _face(bond: Bond, other: Bond) -> bool:
    """Whether the rule relates two of its members to each other."""
    return (bond.subject and other.other) or (bond.other and other.subject)
