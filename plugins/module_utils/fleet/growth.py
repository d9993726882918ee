# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many more servers of one size fit, each with a backup, placed one after the other until no node takes the next.

All newcomers are alike, so room is counted in newcomers. Of a node b, with h newcomers at home and x_L that would
come when the nodes of loss L die: h + x_L <= slots(b, L) for every loss L it survives, and with r replicas h + r
<= disk slots. The next newcomer goes where most slots are left, its backup to where it takes none that another loss
does not keep free already, of these again to where most are left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .search.problem import CORES, IO, MEMORY, Vector
from .search.state import EPSILON, State

Survive = Literal["nothing", "node", "failure_domain"]

_PLENTY = 1 << 40
"""Slots where nothing limits them."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What is placed again and again. ``demand`` as in the problem; ``replicated``: its disk counts twice."""

    demand: Vector
    disk: int
    replicated: bool


@dataclass(frozen=True, slots=True)
class Addition:
    """A node that is not there yet: what may be promised on it, and the number of its failure domain."""

    limit: Vector
    domain: int


@dataclass(frozen=True, slots=True)
class Place:
    """A newcomer's node and its backup; -1 where it has none. Additions are numbered after the nodes there are."""

    home: int
    backup: int


class Growth:
    """Newcomers on what a state leaves free. The state is not changed."""

    def __init__(self, state: State, newcomer: Newcomer, survive: Survive, additions: Sequence[Addition] = ()) -> None:
        self.state = state
        self.newcomer = newcomer
        self.survive = survive
        problem = state.problem
        self.limit = [*problem.limit, *(addition.limit for addition in additions)]
        self.load = [*map(tuple, state.load), *((0.0,) * len(addition.limit) for addition in additions)]
        self.domain = [*problem.domains["failure_domain"], *(addition.domain for addition in additions)]
        self.open = [*_takers(state), *range(len(problem.nodes), len(self.limit))]
        self.losses = self._losses()
        """[j] The losses that count in which the node dies."""
        self.slots: list[dict[int, int]] = [{} for _node in self.limit]
        """[b] Loss -> newcomers there was room for at the start beside those that would come; only where any would."""
        self.before: list[dict[int, Sequence[float]]] = [{} for _node in self.limit]
        """[b] Loss -> cores, memory and io that would come at the start; only where any would."""
        self.bare = [self._slots(b, (0.0, 0.0, 0.0)) for b in range(len(self.limit))]
        """[b] The same where nobody would come."""
        self.disk = [self._disk_slots(b) for b in range(len(self.limit))]
        """[b] Disks of newcomers there is room for, still."""
        self.least = self._count_coming()
        """[b] Newcomers at home there would be room for in the worst loss, were there none yet."""
        self.homed = [0] * len(self.limit)
        self.coming: list[dict[int, int]] = [{} for _node in self.limit]
        """[b] Loss -> newcomers that would come."""
        self.placed: list[Place] = []

    def fill(self, most: int) -> int:
        """Place newcomers until there are this many, or the next finds no place; how many there are."""
        while len(self.placed) < most and self._place():
            pass
        return len(self.placed)

    def kept_free(self, b: int) -> Sequence[float]:
        """Cores, memory and io a node has to keep free now, column by column, for the worst loss."""
        wanted = self.newcomer.demand
        comings: list[tuple[float, ...]] = [(0.0, 0.0, 0.0)]
        for loss in {*self.before[b], *self.coming[b]}:
            before, more = self.before[b].get(loss, (0.0, 0.0, 0.0)), self.coming[b].get(loss, 0)
            comings.append(tuple(before[column] + more * wanted[column] for column in (CORES, MEMORY, IO)))
        return [max(column) for column in zip(*comings, strict=True)]

    # ---- placing

    def _place(self) -> bool:
        """Place one more, where most room is; elsewhere only if no backup is left for it there."""
        emptiest = max(self.open, key=lambda j: (self._room(j), -self.homed[j]), default=-1)
        if emptiest < 0 or self._room(emptiest) <= 0:
            return False
        return self._placed(emptiest) or any(
            self._placed(home) for home in sorted(self.open, key=lambda j: -self._room(j)) if self._room(home) > 0
        )

    def _placed(self, home: int) -> bool:
        backup = -1 if self.survive == "nothing" else self._backup(home)
        if backup < 0 and self.survive != "nothing":
            return False
        self._put(home, backup)
        return True

    def _room(self, j: int) -> int:
        return min(self.least[j] - self.homed[j], self.disk[j])

    def _backup(self, home: int) -> int:
        """The best backup for a newcomer; -1 if there is none."""
        best, chosen = (False, 0), -1
        replicas = self.newcomer.replicated
        for b in self.open:
            if b == home or (replicas and self.disk[b] <= 0):
                continue
            if self.survive == "failure_domain" and self.domain[b] == self.domain[home]:
                continue
            left = min(self._left(b, loss) for loss in self.losses[home])
            if left <= self.homed[b]:
                continue
            # Free in this loss and not in another: it is kept free anyway.
            merit = (left > self.least[b], min(left - self.homed[b], self.disk[b] if replicas else _PLENTY))
            if merit > best:
                best, chosen = merit, b
        return chosen

    def _left(self, b: int, loss: int) -> int:
        """Newcomers a node has room for in a loss, at home or coming, beside those that would come already."""
        return self.slots[b].get(loss, self.bare[b]) - self.coming[b].get(loss, 0)

    def _put(self, home: int, backup: int) -> None:
        self.placed.append(Place(home, backup))
        self.homed[home] += 1
        self.disk[home] -= 1
        if backup < 0:
            return
        if self.newcomer.replicated:
            self.disk[backup] -= 1
        for loss in self.losses[home]:
            self.coming[backup][loss] = self.coming[backup].get(loss, 0) + 1
            self.least[backup] = min(self.least[backup], self._left(backup, loss))

    # ---- counting

    def _losses(self) -> list[tuple[int, ...]]:
        """Losses are numbered: a node's by its own number, a failure domain's after all of these."""
        nodes = range(len(self.limit))
        if self.survive == "nothing":
            return [() for _j in nodes]
        if self.survive == "node":
            return [(j,) for j in nodes]
        shared = {domain for domain in self.domain if self.domain.count(domain) > 1}
        return [(j, len(nodes) + self.domain[j]) if self.domain[j] in shared else (j,) for j in nodes]

    def _count_coming(self) -> list[int]:
        """Take from the slots what would come already."""
        state, nodes = self.state, len(self.state.problem.nodes)
        known = {loss.nodes: number for number, loss in enumerate(state.problem.losses)}
        dying: dict[int, set[int]] = {}
        for j in range(nodes):
            for number in self.losses[j]:
                dying.setdefault(number, set()).add(j)
        for number, lost in dying.items():
            # A domain that only now grows to several nodes was the loss of its one node.
            then = known[frozenset(lost)]
            for b in range(nodes):
                coming = state.spill(b, then)
                if b not in lost and any(coming):
                    self.before[b][number] = coming
                    self.slots[b][number] = self._slots(b, coming)
        return [min([bare, *self.slots[b].values()]) for b, bare in enumerate(self.bare)]

    def _slots(self, b: int, coming: Sequence[float]) -> int:
        """Newcomers there is room for beside what is there and what would come."""
        rooms = [
            (self.limit[b][column] - self.load[b][column] - coming[column] + EPSILON) / wanted
            for column in (CORES, MEMORY, IO)
            if (wanted := self.newcomer.demand[column])
        ]
        least = min(rooms, default=math.inf)
        return max(0, math.floor(least)) if least < _PLENTY else _PLENTY

    def _disk_slots(self, b: int) -> int:
        column = self.newcomer.disk
        wanted = self.newcomer.demand[column]
        if self.limit[b][column] <= 0:
            return 0
        return (
            max(0, math.floor((self.limit[b][column] - self.load[b][column] + EPSILON) / wanted)) if wanted else _PLENTY
        )


def _takers(state: State) -> list[int]:
    """Nodes that take a newcomer nobody named: in service, not dedicated, not somebody's own now or after a loss."""
    problem = state.problem
    own = {state.at[i] for i, alone in enumerate(problem.solitary) if alone}
    own |= {state.backup[i] for i, alone in enumerate(problem.solitary) if alone and problem.failing_over[i]}
    return [j for j, why in enumerate(problem.closed) if not why and j not in own and not problem.node(j).dedicated]
