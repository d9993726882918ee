# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Can a set of facts hold at once: is there a node for every server? Yes, no, or not found out in time.

Depth first over the servers, those with the fewest nodes to choose from and the biggest ones first; cut where
what is left to place is more than all the room that is left. Equal servers take their nodes in order, as
exchanging them makes no difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

EPSILON = 1e-6

Number = int
"""A fact's position in ``Question.facts``."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that holds, and that could be otherwise, in words a person can check."""

    words: str
    rank: int
    """The lower, the likelier it is what somebody got wrong: the wish itself, then pins and rules, then sizes."""
    column: int = -1
    """The resource, of a fact about one."""
    amount: float = 0.0
    """Of a node's room, or of what a server takes: how much, for sums."""


@dataclass(frozen=True, slots=True)
class Item:
    """A server that has to be somewhere."""

    name: str
    fact: Number
    """That it is there at all."""
    takes: Mapping[int, tuple[float, ...]]
    """Node -> what it takes there, for every node that could carry it if no fact were in its way."""
    bars: tuple[tuple[Number, frozenset[int]], ...]
    """While the fact holds, the item is on none of these nodes."""
    home: int = -1
    """Where it is now; -1: nowhere."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A rule between items: for every pair of one subject and one other, same domain or not."""

    fact: Number
    apart: bool
    subjects: frozenset[int]
    others: frozenset[int]
    domains: tuple[int, ...]
    """[node] Its domain."""


@dataclass(frozen=True, slots=True)
class Question:
    """All facts, and what each does."""

    facts: tuple[Fact, ...]
    items: tuple[Item, ...]
    room: tuple[tuple[tuple[Number, float], ...], ...]
    """[node][column] The fact that says so, and how much there is for items."""
    bounds: tuple[Bound, ...]
    alone: Mapping[int, Number] = field(default_factory=dict)
    """Item -> the fact that it wants its node to itself."""
    crowd: tuple[int, ...] = ()
    """[node] Guests there that are no items."""
    columns: tuple[str, ...] = ()
    """Names of the resources."""


def feasible(question: Question, holding: frozenset[Number], effort: int) -> tuple[bool | None, int]:
    """Whether all of these facts can hold at once, and how many placements were tried for that.

    ``None``: not found out in ``effort`` placements.
    """
    search = _Search(question, holding, effort)
    return search.run(), effort - search.effort


def _whole(room: float, grain: int) -> float:
    return room // grain * grain if grain and room < math.inf else room


class _Search:
    """One depth-first search."""

    def __init__(self, question: Question, holding: frozenset[Number], effort: int) -> None:
        self.question = question
        self.effort = effort
        self.items = [at for at, item in enumerate(question.items) if item.fact in holding]
        grain = self._grain()
        self.room = [
            [_whole(amount, grain[at]) if fact in holding else math.inf for at, (fact, amount) in enumerate(columns)]
            for columns in question.room
        ]
        self.choices = {
            at: [
                j
                for j in question.items[at].takes
                if not any(fact in holding and j in nodes for fact, nodes in question.items[at].bars)
            ]
            for at in self.items
        }
        self.bounds = [bound for bound in question.bounds if bound.fact in holding]
        self.bonds: dict[int, list[Bound]] = {}
        for bound in self.bounds:
            for at in bound.subjects | bound.others:
                self.bonds.setdefault(at, []).append(bound)
        self.alone = {at for at, fact in question.alone.items() if fact in holding}
        self.where: dict[int, int] = {}
        self.here: list[list[int]] = [[] for _node in question.room]
        self.open_nodes = sorted({j for choices in self.choices.values() for j in choices})

    def run(self) -> bool | None:
        """The answer, with everything put back."""
        if any(not self.choices[at] for at in self.items) or self._pigeonhole():
            return False
        bulk = {at: self._bulk(at) for at in self.items}
        self.items.sort(key=lambda at: (len(self.choices[at]), -bulk[at], self._likeness(at), at))
        self.rest = self._rests()
        return self._place(0)

    def _place(self, depth: int) -> bool | None:
        if depth == len(self.items):
            return True
        if self._too_much(depth):
            return False
        at = self.items[depth]
        item = self.question.items[at]
        least = self._least(depth)
        given_up = False
        nodes = [j for j in self.choices[at] if j >= least and self._fits(at, j)]
        nodes.sort(key=lambda j: (j != item.home, -min(self.room[j], default=0.0)))
        for j in nodes:
            if self.effort <= 0:
                return None
            self.effort -= 1
            self._put(at, j, 1)
            found = self._place(depth + 1)
            self._put(at, j, -1)
            if found:
                return True
            given_up |= found is None
        return None if given_up else False

    def _put(self, at: int, j: int, sign: int) -> None:
        for column, wanted in enumerate(self.question.items[at].takes[j]):
            self.room[j][column] -= sign * wanted
        if sign > 0:
            self.where[at] = j
            self.here[j].append(at)
        else:
            del self.where[at]
            self.here[j].pop()

    def _fits(self, at: int, j: int) -> bool:
        room = self.room[j]
        if any(wanted > room[column] + EPSILON for column, wanted in enumerate(self.question.items[at].takes[j])):
            return False
        if at in self.alone and (self.here[j] or (self.question.crowd and self.question.crowd[j])):
            return False
        if any(other in self.alone for other in self.here[j]):
            return False
        return not any(self._breaks(bound, at, j) for bound in self.bonds.get(at, ()))

    def _breaks(self, bound: Bound, at: int, j: int) -> bool:
        facing = (bound.others if at in bound.subjects else frozenset()) | (
            bound.subjects if at in bound.others else frozenset()
        )
        domain = bound.domains[j]
        return any(
            (bound.domains[self.where[other]] == domain) == bound.apart
            for other in facing
            if other != at and other in self.where
        )

    # ---- cuts

    def _grain(self) -> list[int]:
        """What every server takes a whole multiple of, per resource: less room than that is none; 0: nothing such."""
        amounts = [takes for at in self.items for takes in self.question.items[at].takes.values()]
        return [
            math.gcd(*map(int, column)) if all(amount == int(amount) for amount in column) else 0
            for column in zip(*amounts, strict=True)
        ] or [0] * len(self.question.columns)

    def _pigeonhole(self) -> bool:
        """More servers that are all kept apart than domains they could be in."""
        for bound in self.bounds:
            if bound.apart:
                core = [at for at in bound.subjects & bound.others if at in self.choices]
                if len(core) > len({bound.domains[j] for at in core for j in self.choices[at]}):
                    return True
        return False

    def _rests(self) -> list[list[float]]:
        """[depth][column] The least that everything from there on takes."""
        columns = len(self.question.room[0]) if self.question.room else 0
        rests = [[0.0] * columns]
        for at in reversed(self.items):
            takes = self.question.items[at].takes
            least = [min(takes[j][column] for j in self.choices[at]) for column in range(columns)]
            rests.append([before + more for before, more in zip(rests[-1], least, strict=True)])
        return rests[::-1]

    def _too_much(self, depth: int) -> bool:
        """Whether what is left to place is more than all the room that is left."""
        return any(
            wanted > 0 and wanted > sum(max(0.0, self.room[j][column]) for j in self.open_nodes) + EPSILON
            for column, wanted in enumerate(self.rest[depth])
        )

    def _least(self, depth: int) -> int:
        """The first node an item may take: not before the one an equal item has."""
        if depth == 0:
            return -1
        at, before = self.items[depth], self.items[depth - 1]
        return self.where[before] if self._likeness(at) == self._likeness(before) else -1

    def _likeness(self, at: int) -> tuple[object, ...]:
        """Equal only for servers that can be exchanged without anybody noticing."""
        item = self.question.items[at]
        if self.bonds.get(at) or at in self.alone:
            return (1, at)
        return (0, tuple(self.choices[at]), tuple(item.takes[j] for j in self.choices[at]))

    def _bulk(self, at: int) -> float:
        """A server's size beside the room of the nodes it can choose from."""
        takes = self.question.items[at].takes
        return max(
            wanted / self.room[j][column] if self.room[j][column] > 0 else wanted and 1e9
            for j in self.choices[at]
            for column, wanted in enumerate(takes[j])
        )
