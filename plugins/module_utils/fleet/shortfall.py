# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that take more together than all nodes that are left for them have: no search is needed to refuse that.

Sizes that have a common divisor are counted in it: what is left of a node beyond whole pieces helps nobody.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from .facts import measure
from .fit import some
from .search.problem import Problem
from .search.state import EPSILON

_LISTED = 6
"""Facts of one kind, at most, that are told one by one."""

_CIRCLES = 16
"""Sets of nodes, the largest, that some servers are confined to and that are looked at by themselves."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What is short in all nodes together."""

    reason: str
    facts: tuple[str, ...]
    """Without any one of them, there would be enough in all."""


def find_shortfall(problem: Problem, closing: Collection[int]) -> Shortfall | None:
    """What is short once these nodes are empty; ``None``: by the totals, everybody may have a place.

    Servers that cannot be anywhere else at all are not counted; a node as full as it is may stay so.
    """
    left = frozenset(j for j, why in enumerate(problem.closed) if not why and j not in closing)
    confined = {left & allowed for allowed in problem.allowed if allowed is not None}
    circles = [left, *sorted((some_nodes for some_nodes in confined if 1 < len(some_nodes) < len(left)), key=_largest)]
    for nodes in circles[: _CIRCLES + 1]:
        totals = _Totals(problem, closing, nodes, left)
        for column in range(len(problem.columns)):
            if totals.lacking(column) > EPSILON:
                return totals.told(column)
    return None


def _largest(nodes: frozenset[int]) -> tuple[int, list[int]]:
    return (-len(nodes), sorted(nodes))


class _Totals:
    """Everything that has to be on some nodes, and all there is on them."""

    def __init__(self, problem: Problem, closing: Collection[int], nodes: frozenset[int], left: frozenset[int]) -> None:
        self.problem, self.closing, self.nodes = problem, closing, nodes
        self.servers = [i for i in range(len(problem.servers)) if self._belongs(i, left)]
        self._own: dict[int, list[float]] = {}
        """[j] What those of ``servers`` take that are there now."""
        for i in self.servers:
            own = self._own.setdefault(problem.start[i], [0.0] * len(problem.columns))
            for column, wanted in enumerate(problem.demand[i]):
                own[column] += wanted

    def _belongs(self, i: int, left: frozenset[int]) -> bool:
        """Whether a server has to be on one of the nodes: it leaves, or is there already, and may be nowhere else."""
        home, allowed = self.problem.start[i], self.problem.allowed[i]
        able = left if allowed is None else left & allowed
        return bool(able) and able <= self.nodes and (home in self.closing or home in self.nodes)

    def lacking(self, column: int) -> float:
        """How much too little there is of a resource."""
        wanted = math.fsum(self.problem.demand[i][column] for i in self.servers)
        return wanted - math.fsum(self._room(j, column) for j in self.nodes)

    def _room(self, j: int, column: int) -> float:
        """What a node has for them, in whole pieces."""
        problem, own = self.problem, self._own.get(j)
        room = max(0.0, problem.limit[j][column] - problem.base[j][column], own[column] if own else 0.0)
        grain = self._grain(column)
        return room // grain * grain if grain and room < math.inf else room

    def _grain(self, column: int) -> int:
        amounts = {self.problem.demand[i][column] for i in self.servers}
        return math.gcd(*map(int, amounts)) if all(amount == int(amount) for amount in amounts) else 0

    def staying(self, column: int) -> int:
        """The fewest servers that would have to stay."""
        lacking, count = self.lacking(column), 0
        leaving = (self.problem.demand[i][column] for i in self.servers if self.problem.start[i] in self.closing)
        for amount in sorted(leaving, reverse=True):
            if lacking <= EPSILON:
                break
            lacking, count = lacking - amount, count + 1
        return count

    # ---- words

    def told(self, column: int) -> Shortfall:
        """The shortfall, with no more wishes and servers than make one."""
        problem, columns = self.problem, self.problem.columns
        wanted = math.fsum(problem.demand[i][column] for i in self.servers)
        room = math.fsum(self._room(j, column) for j in self.nodes)
        staying = self.staying(column)
        rooms = {j: self._room(j, column) for j in self.closing}
        emptied = _needed(rooms, wanted - room)
        spare = math.fsum(amount for j, amount in rooms.items() if j not in emptied)
        takes = {i: problem.demand[i][column] for i in self.servers}
        taking = _needed(takes, wanted - room - spare)
        grain = self._grain(column)
        counted = f", counted in pieces of {grain}" if grain > 1 else ""
        empty = [problem.nodes[j] for j in sorted(emptied)]
        return Shortfall(
            f"{len(self.servers)} servers take {measure(columns, column, wanted)} together, and the nodes left for them"
            f" have {measure(columns, column, room)}{counted}; at least {staying} would have to stay",
            (
                *(f"{name} is to be empty" for name in empty if len(empty) <= _LISTED),
                *([f"{some(empty)} are to be empty"] if len(empty) > _LISTED else []),
                f"{some(problem.servers[i] for i in taking)} take "
                f"{measure(columns, column, math.fsum(takes[i] for i in taking))} together",
                f"{some(problem.nodes[j] for j in self.nodes)} have {measure(columns, column, room)} together{counted}",
            ),
        )


def _needed(amounts: Mapping[int, float], lacking: float) -> set[int]:
    """What is left of these when the smallest are taken away, for as long as something is lacking without them."""
    needed = set(amounts)
    for number in sorted(amounts, key=lambda number: (amounts[number], -number)):
        if lacking - amounts[number] <= EPSILON:
            break
        lacking -= amounts[number]
        needed.discard(number)
    return needed
