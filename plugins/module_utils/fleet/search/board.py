# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the search moves about: items on nodes, what each weighs, and what it costs to have it away from home.

An item is a server, or servers that only move together. Where it is in the end is all that counts: an item that
goes back home costs nothing, however often it was moved about in thought. The state underneath says what is
possible; the sums here say what is good, within a few additions.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .objective import Objective
from .problem import DISKS, MEMORY, Problem
from .state import NOWHERE, State

TO_REPLICA = 0.25
"""What a move to the node that has the replica costs, as a part of one that takes the server along."""
BYTES = 0.2
"""What copying a disk of the usual size costs beside the move itself."""
CAPPED = 0.1
"""The same where the number of moves is given, and evenness is what is asked for; there the memory of a server that
takes no disk along counts as well. Elsewhere that would cost moves."""

_Weight = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """Servers that move as one. ``weight`` is by the objective's columns, prices are in moves."""

    members: tuple[int, ...]
    home: int
    weight: _Weight
    targets: tuple[int, ...]
    """Nodes it may be on, by everything that does not depend on who else is there."""
    price: float
    shelter: int
    """The node that has its replica, so that a move there takes no disk along; ``NOWHERE``: none has."""
    light: _Weight
    """What it weighs on the way between its home and its shelter."""
    soft: bool
    """Preferences speak of it."""


class Board:
    """Items, the nodes they are on, and the balance that makes."""

    def __init__(
        self, state: State, objective: Objective, ignored: Collection[int] = (), *, capped: bool = False
    ) -> None:
        """``capped``: how many servers may be moved is given."""
        self.state = state
        self.objective = objective
        self.problem: Problem = state.problem
        self._backups = _first_backups(state)
        """[i] The backup each server has as long as it is at home."""
        self.items = _items(state, objective, frozenset(ignored), self._backups, capped=capped)
        self._homes = [item.home for item in self.items]
        self.prices = [item.price for item in self.items]
        self.weights = [item.weight for item in self.items]
        self.reaches, self.reach = _numbered([item.targets for item in self.items])
        """Different sets of targets; [e] which of them an item has: the sets are long, and their numbers are not."""
        self._sheltered = [item.shelter != NOWHERE for item in self.items]
        self.sheltered = any(self._sheltered)
        """Some weigh and cost something else depending on where they go; else ``weights`` and ``prices`` say it."""
        self.at = [state.at[item.members[0]] for item in self.items]
        self.taken = objective.taken(state)

    def deviation(self) -> float:
        """The part of the balance that is looked for: the sum of the standard deviations."""
        return self.objective.deviation(self.taken)

    def price(self, e: int, j: int) -> float:
        """What it costs, in moves, to have an item on a node."""
        item = self.items[e]
        if j == item.home:
            return 0.0
        return item.price * TO_REPLICA if j == item.shelter else item.price

    def surcharge(self, e: int, j: int) -> float:
        """What it costs more to have an item on a node than where it is."""
        now, home = self.at[e], self._homes[e]
        if not self._sheltered[e]:
            return self.prices[e] * ((j != home) - (now != home))
        return self.price(e, j) - self.price(e, now)

    def paid(self) -> float:
        """What everything away from home costs, in moves."""
        return sum(self.price(e, j) for e, j in enumerate(self.at))

    def moved(self) -> int:
        """Servers away from home."""
        return sum(len(item.members) for item, j in zip(self.items, self.at, strict=True) if j != item.home)

    def weight(self, e: int, j: int) -> _Weight | None:
        """What an item takes along to a node; ``None``: it cannot be told, as its disks would be on three nodes."""
        if not self._sheltered[e]:
            return self.weights[e]
        item, now = self.items[e], self.at[e]
        if item.shelter in (j, now):
            return item.light if item.home in (j, now) else None
        return item.weight

    # ---- changes

    def go(self, e: int, j: int) -> bool:
        """Move an item if it may go there beside whatever is there now."""
        item, home = self.items[e], self.at[e]
        weight = self.weight(e, j)
        if weight is None or (item.soft and self._worse(((e, j),))):
            return False
        state = self.state
        begun: list[int] = []
        for i in item.members:
            backup = self._backup(i, j)
            if not state.fits(i, j, backup):
                for other in reversed(begun):
                    state.cancel(other)
                return False
            state.begin(i, j, backup)
            begun.append(i)
        for i in begun:
            state.finish(i)
        self._shift(weight, home, j)
        self.at[e] = j
        return True

    def restore(self, places: Sequence[int]) -> None:
        """Put every item back where it was once, unasked: what was possible then is possible again."""
        for e, (now, then) in enumerate(zip(self.at, places, strict=True)):
            if now != then:
                self._put(e, then)
                self.at[e] = then
        self.taken = self.objective.taken(self.state)

    def place(self, e: int, j: int) -> None:
        """Put an item on a node, unasked: whether everything may be where it is in the end is the caller's to ask."""
        weight = self.weight(e, j)
        if weight is None:
            raise ValueError(e)
        self._shift(weight, self.at[e], j)
        self._put(e, j)
        self.at[e] = j

    def swap(self, e: int, f: int) -> bool:
        """Let two items change places if both may be there once the other is gone."""
        one, two = self.at[e], self.at[f]
        out, back = self.weight(e, two), self.weight(f, one)
        if out is None or back is None:
            return False
        items = self.items
        if (items[e].soft or items[f].soft) and self._worse(((e, two), (f, one))):
            return False
        if not self._room_for(out, back, one) or not self._room_for(back, out, two):
            return False
        before = [(i, self.state.backup[i]) for x in (e, f) for i in items[x].members]
        self._put(e, two)
        self._put(f, one)
        if not self.state.sound([i for i, _backup in before], (one, two)):
            for i, backup in before:
                self.state.move(i, one if i in items[e].members else two, backup)
            return False
        self._shift(out, one, two)
        self._shift(back, two, one)
        self.at[e], self.at[f] = two, one
        return True

    def relieve(self, e: int, f: int) -> bool:
        """Send one item home, and another where it was, if both may be there."""
        j = self.at[e]
        if not self.go(e, self._homes[e]):
            return False
        if self.go(f, j):
            return True
        weight = self.weight(e, j)
        if weight is not None:
            self._shift(weight, self._homes[e], j)
        self._put(e, j)
        self.at[e] = j
        return False

    def _backup(self, i: int, j: int) -> int:
        """A server's backup on a node, whatever way it took: its first one, or its home once it is on that one."""
        first = self._backups[i]
        return self.problem.start[i] if first == j else first

    def _put(self, e: int, j: int) -> None:
        for i in self.items[e].members:
            self.state.move(i, j, self._backup(i, j))

    def _shift(self, weight: Sequence[float], source: int, target: int) -> None:
        leaving, coming = self.taken[source], self.taken[target]
        for k, amount in enumerate(weight):
            leaving[k] -= amount
            coming[k] += amount

    def _room_for(self, leaving: Sequence[float], coming: Sequence[float], j: int) -> bool:
        """A first look, by weight: nothing is swapped for what a node clearly has no room for."""
        limit, load = self.problem.limit[j], self.state.load[j]
        return all(
            load[c] + more - less <= limit[c] or more <= less
            for c, less, more in zip(self.objective.columns, leaving, coming, strict=True)
        )

    def _worse(self, changes: Sequence[tuple[int, int]]) -> bool:
        """Whether more preferences would be broken."""
        state = self.state
        return any(
            state.soft_breaks(i, j) > state.soft_breaks(i, state.at[i])
            for e, j in changes
            for i in self.items[e].members
        )


def _numbered(all_targets: Sequence[tuple[int, ...]]) -> tuple[list[tuple[int, ...]], list[int]]:
    """The different ones, and the number of each."""
    numbers: dict[tuple[int, ...], int] = {}
    seen: dict[int, int] = {}
    """By identity: nearly all have the very same, and to compare them takes long."""
    for targets in all_targets:
        if id(targets) not in seen:
            seen[id(targets)] = numbers.setdefault(targets, len(numbers))
    return list(numbers), [seen[id(targets)] for targets in all_targets]


def _first_backups(state: State) -> list[int]:
    """Each server's backup at home: of one that was sent to it before the search began, that is where it is now."""
    return [
        j if b == home and j != home else b
        for j, b, home in zip(state.at, state.backup, state.problem.start, strict=True)
    ]


def _items(
    state: State, objective: Objective, ignored: frozenset[int], backups: Sequence[int], *, capped: bool
) -> list[Item]:
    """Everything that can move at all, in the order of the servers."""
    problem = state.problem
    everywhere = objective.serving
    known: dict[frozenset[int], tuple[int, ...]] = {}
    found = []
    disks = [copied_disk for i in range(len(problem.servers)) if (copied_disk := _copies(problem, i))]
    usual = math.fsum(disks) / len(disks) if disks else 0.0
    memory = math.fsum(demand[MEMORY] for demand in problem.demand) / max(1, len(problem.demand))
    charge = _Charge(
        (CAPPED if capped else BYTES) / usual if usual else 0.0, CAPPED / memory if capped and memory else 0.0
    )
    for i, members in enumerate(problem.units):
        home = problem.start[i]
        if members[0] != i or any(problem.stuck[x] or x in ignored for x in members):
            continue
        targets = everywhere
        for x in members:
            allowed = problem.allowed[x]
            if allowed is not None:
                if allowed not in known:
                    known[allowed] = tuple(j for j in everywhere if j in allowed)
                targets = known[allowed] if len(members) == 1 else tuple(j for j in targets if j in allowed)
        if all(j == home for j in targets) or len({problem.start[x] for x in members}) > 1:
            continue
        found.append(_item(problem, objective, members, targets, charge, backups=backups))
    return found


@dataclass(frozen=True, slots=True)
class _Charge:
    """What sending a MiB costs, in moves."""

    disk: float
    memory: float

    def of(self, problem: Problem, i: int) -> float:
        """What a server costs beside its move."""
        disk = _copies(problem, i)
        return self.disk * disk if disk else self.memory * problem.demand[i][MEMORY]


def _item(
    problem: Problem,
    objective: Objective,
    members: tuple[int, ...],
    targets: tuple[int, ...],
    charge: _Charge,
    *,
    backups: Sequence[int],
) -> Item:
    vectors = [[problem.weight[i][c] for c in objective.columns] for i in members]
    weight = tuple(math.fsum(column) for column in zip(*vectors, strict=True))
    first = members[0]
    shelter = backups[first] if len(members) == 1 and problem.replicated[first] else NOWHERE
    price = math.fsum(1 + charge.of(problem, i) for i in members)
    if len(members) > 1:
        away = {backups[i] for i in members if problem.replicated[i]}
        targets = tuple(j for j in targets if j not in away)
    return Item(
        members=members,
        home=problem.start[first],
        weight=weight,
        targets=targets,
        price=price,
        shelter=shelter,
        light=tuple(0.0 if c >= DISKS else w for c, w in zip(objective.columns, weight, strict=True)),
        soft=any(not bond.rule.hard for i in members for bond in problem.bonds[i]),
    )


def _copies(problem: Problem, i: int) -> float:
    """MiB that go along with a server to a node that has nothing of it."""
    pool = problem.columns[problem.disk[i]]
    shared = pool in problem.observed.abilities.shared_pools
    return 0.0 if shared else problem.demand[i][problem.disk[i]]
