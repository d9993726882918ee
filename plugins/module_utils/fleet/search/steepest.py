# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first placement worth having: one item after another from its home, what brings most for its price first."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

from .board import Board
from .evenness import Evenness

TRIES = 8
"""Targets tried for an item, best first, before it is left where it is."""
SLIVER = 1e-12
"""Gains that differ less are the same."""


class Steepest:
    """Moves items off their homes while that pays."""

    def __init__(self, board: Board, widths: Sequence[float] | None = None) -> None:
        self.board = board
        self.even = Evenness(board, widths)
        self._known: dict[tuple[tuple[float, ...], int], tuple[list[float], float, int]] = {}
        """(weight, reach) -> what it costs to arrive at each target, the least of it, and at which."""
        self._left: dict[tuple[tuple[float, ...], int], float] = {}
        """(weight, home) -> what it costs to leave there."""

    def run(self, price: float, most: int, until: float = 0.0) -> None:
        """Move what brings at least ``price`` for each move's worth, as long as not more than ``most`` are moved.

        Ends as soon as the deviation is down to ``until``.
        """
        board = self.board
        groups: dict[tuple[object, ...], list[int]] = {}
        for e, item in enumerate(board.items):
            if board.at[e] == item.home:
                key = (item.home, item.weight, board.reach[e], item.shelter, item.price)
                groups.setdefault(key, []).append(e)
        heap: list[tuple[float, int]] = []
        for members in groups.values():
            self._push(heap, members, price)
        left = most - board.moved()
        by_first = {members[0]: members for members in groups.values()}
        while heap and left > 0:
            _value, first = heapq.heappop(heap)
            members = by_first[first]
            now = self._value(members[-1])
            if now is None or now <= price:
                continue
            if heap and now < -heap[0][0] - SLIVER:
                heapq.heappush(heap, (-now, first))
                continue
            gains = self._ranked(members[-1])
            gone = next((e for e in reversed(members) if self._go(e, gains, price)), None)
            if gone is None:
                continue
            members.remove(gone)
            left -= len(board.items[gone].members)
            if until and self.even.deviation() <= until:
                return
            if members:
                by_first[members[0]] = members
                self._push(heap, members, price)

    def _push(self, heap: list[tuple[float, int]], members: Sequence[int], price: float) -> None:
        value = self._value(members[-1])
        if value is not None and value > price:
            heapq.heappush(heap, (-value, members[0]))

    def _value(self, e: int) -> float | None:
        """What the best move of an item brings for its price; ``None``: nothing."""
        item = self.board.items[e]
        best = None
        leaving = self._leaving(item.weight, item.home)
        if leaving < 0:
            costs, least, at = self._arriving(e)
            if item.targets[at] in (item.home, item.shelter):
                least = min(
                    (cost for cost, j in zip(costs, item.targets, strict=True) if j not in (item.home, item.shelter)),
                    default=math.inf,
                )
            best = -(leaving + least) / item.price
        if item.shelter in item.targets:
            light = self._sheltered(e)
            best = light if best is None else max(best, light)
        return best

    def _ranked(self, e: int) -> list[tuple[float, int]]:
        """What each target of an item would bring, best first."""
        item = self.board.items[e]
        leaving = self._leaving(item.weight, item.home)
        gains = [
            (-(leaving + cost) / item.price, j)
            for cost, j in zip(self._arriving(e)[0], item.targets, strict=True)
            if j not in (item.home, item.shelter)
        ]
        if item.shelter in item.targets:
            gains.append((self._sheltered(e), item.shelter))
        return heapq.nlargest(TRIES, gains, key=_first)

    def _sheltered(self, e: int) -> float:
        """What a move to the replica brings for its price."""
        item = self.board.items[e]
        cost = self._leaving(item.light, item.home) + self.even.arriving_at(item.light, item.shelter)
        return -cost / self.board.price(e, item.shelter)

    def _leaving(self, weight: tuple[float, ...], home: int) -> float:
        """As ``Evenness.leaving``, remembered until something moves."""
        key = (weight, home)
        if key not in self._left:
            self._left[key] = self.even.leaving(weight, home)
        return self._left[key]

    def _arriving(self, e: int) -> tuple[list[float], float, int]:
        """As ``Evenness.arriving`` at an item's targets, with the least and where that is; remembered as well."""
        board = self.board
        weight, number = board.items[e].weight, board.reach[e]
        key = (weight, number)
        if key not in self._known:
            costs = self.even.arriving(weight, board.reaches[number])
            least = min(costs)
            self._known[key] = costs, least, costs.index(least)
        return self._known[key]

    def _go(self, e: int, gains: Sequence[tuple[float, int]], price: float) -> bool:
        """Move an item to the best of these targets that takes it."""
        home = self.board.at[e]
        for gain, j in gains:
            if gain <= price:
                return False
            if self.board.go(e, j):
                self.even.update((home, j))
                self._known.clear()
                self._left.clear()
                return True
        return False


def _first(pair: tuple[float, int]) -> float:
    return pair[0]
