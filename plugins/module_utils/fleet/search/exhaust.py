# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way there is, for fleets small enough: the cheapest that settles the most servers, or proof of none better.

A state is where everybody is and which backup they have; a hop leads from one state to another. Dijkstra's
algorithm over all states that can be reached.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from .relocate import Hop, Relocation, copied

MOST_TRIES = 100_000
"""Moves tried out, at most, or the fleet is too large for this."""

_Key = tuple[tuple[int, ...], tuple[int, ...]]


def small_enough(relocation: Relocation) -> bool:
    """Whether all states of the fleet can be looked at."""
    nodes = _reach(relocation)
    for units, _leader in enumerate(_mobile(relocation), start=1):
        if int(nodes**units) * units * nodes > MOST_TRIES:
            return False
    return True


def best_way(relocation: Relocation, leaving: Sequence[int]) -> list[Hop]:
    """The hops, from where the state is now, that settle the most of these units, then the fewest, then least data.

    The state is left as it was.
    """
    state = relocation.state
    mobile = list(_mobile(relocation))
    first: _Key = (tuple(state.at), tuple(state.backup))
    costs: dict[_Key, tuple[int, float]] = {first: (0, 0.0)}
    came: dict[_Key, tuple[_Key, list[Hop]]] = {}
    queue: list[tuple[tuple[int, float], int, _Key]] = [((0, 0.0), 0, first)]
    best, left = first, len(leaving) + 1
    done: set[_Key] = set()
    number = 0
    while queue and left:
        cost, _number, key = heapq.heappop(queue)
        if key in done:
            continue
        done.add(key)
        _stand(relocation, key)
        waiting = sum(1 for leader in leaving if not relocation.settled(leader))
        if waiting < left:
            best, left = key, waiting
        for leader in mobile:
            for j in relocation.ranked(leader):
                mark = len(relocation.hops)
                data = sum(copied(state, i, j) for i in state.problem.units[leader] if state.at[i] != j)
                if not relocation.go(leader, j):
                    continue
                after: _Key = (tuple(state.at), tuple(state.backup))
                hops = relocation.hops[mark:]
                relocation.undo(mark)
                price = (cost[0] + len(hops), cost[1] + data)
                if after not in costs or price < costs[after]:
                    costs[after], came[after] = price, (key, hops)
                    number += 1
                    heapq.heappush(queue, (price, number, after))
    _stand(relocation, first)
    way: list[Hop] = []
    while best != first:
        best, hops = came[best]
        way[:0] = hops
    return way


def _mobile(relocation: Relocation) -> Iterator[int]:
    """Units that can move at all."""
    problem = relocation.state.problem
    for leader in sorted({unit[0] for unit in problem.units}):
        if not any(problem.stuck[i] for i in problem.units[leader]) and relocation.targets(leader):
            yield leader


def _reach(relocation: Relocation) -> int:
    """Nodes a server may come to be on, the one it is on included where that is closed."""
    closed = relocation.state.problem.closed
    return sum(1 for j in range(len(closed)) if not closed[j] or relocation.state.here[j])


def _stand(relocation: Relocation, key: _Key) -> None:
    """Put everything where it is in one of the states."""
    state = relocation.state
    for i, (j, b) in enumerate(zip(*key, strict=True)):
        if state.at[i] != j:
            relocation.follow(Hop(i, state.at[i], j, state.backup[i], b))
            relocation.hops.pop()
        elif state.backup[i] != b:
            state.assign_backup(i, b)
