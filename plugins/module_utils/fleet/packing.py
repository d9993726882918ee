# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Legs side by side: as few waves as the nodes' widths and the needs allow, or nearly.

Without needs this is the colouring of a graph's edges, each node's edges of one colour no more than its width;
with them, scheduling. A wave takes the most urgent legs it can: those at the nodes that have most left to do, and
those that others wait for. Where that ends above the bound, the legs that came last are more urgent in the next
attempt. The best attempt counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from .pace import Job, ends

_SMALL = 10
"""Nodes up to which every three are looked at by themselves for the bound."""

_ATTEMPTS = 40
_WORK = 20_000
"""Legs placed, at most, over all attempts but the first."""


def pack(jobs: Sequence[Job], width: Mapping[int, int]) -> list[int]:
    """The wave of every job. Jobs need only jobs before them; nobody takes more places than a node has."""
    tail = _tails(jobs)
    least = bound(jobs, width)
    urgency = [0.0] * len(jobs)
    best: list[int] = []
    for _attempt in range(max(1, min(_ATTEMPTS, _WORK // max(1, len(jobs))))):
        wave = _attempt_at(jobs, width, tail, urgency)
        if not best or max(wave) < max(best):
            best = wave
        last = max(wave, default=-1)
        if last + 1 <= least:
            break
        for at, number in enumerate(wave):
            if number >= least:
                urgency[at] += 1.0
    return best


def bound(jobs: Sequence[Job], width: Mapping[int, int]) -> int:
    """No packing has fewer waves: by the busiest node, by the longest chain of needs, or by too few nodes.

    Every job takes places on two nodes, so k nodes of width 1 do k // 2 jobs among themselves in a wave: three nodes
    that exchange servers all round do one.
    """
    busy: dict[int, int] = {}
    for job in jobs:
        for node, places in job.places.items():
            busy[node] = busy.get(node, 0) + places
    widest = max((-(-count // width[node]) for node, count in busy.items()), default=0)
    crowds = [tuple(busy), *(combinations(sorted(busy), 3) if len(busy) <= _SMALL else ())]
    tightest = max((_crowd(jobs, width, frozenset(nodes)) for nodes in crowds if nodes), default=0)
    return max(widest, tightest, *_tails(jobs))


def _crowd(jobs: Sequence[Job], width: Mapping[int, int], nodes: frozenset[int]) -> int:
    """The fewest waves for what goes on among some nodes."""
    places = sum(sum(job.places.values()) for job in jobs if nodes.issuperset(job.places))
    room = 2 * (sum(width[node] for node in nodes) // 2)
    return -(-places // room) if places else 0


def _tails(jobs: Sequence[Job]) -> list[int]:
    """The longest chain of jobs that begins with each."""
    tail = [1] * len(jobs)
    for at in range(len(jobs) - 1, -1, -1):
        for need in jobs[at].needs:
            tail[need] = max(tail[need], tail[at] + 1)
    return tail


def _attempt_at(
    jobs: Sequence[Job], width: Mapping[int, int], tail: Sequence[int], urgency: Sequence[float]
) -> list[int]:
    left: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for job in jobs:
        for node, places in job.places.items():
            left[node] = left.get(node, 0) + places
            seconds[node] = seconds.get(node, 0.0) + places * job.lasts / width[node]
    wave = [-1] * len(jobs)
    waiting = list(range(len(jobs)))
    number = 0
    while waiting:
        pressing = {node: count / width[node] for node, count in left.items()}
        ready = [at for at in waiting if all(0 <= wave[need] < number for need in jobs[at].needs)]
        keys = {}
        for at in ready:
            nodes = jobs[at].places
            most = max(pressing[node] for node in nodes)
            keys[at] = (-max(most, tail[at]) - urgency[at], -max(seconds[node] for node in nodes), at)
        ready.sort(key=keys.__getitem__)
        free: dict[int, int] = {}
        for at in ready:
            wanted = jobs[at].places.items()
            if all(free.get(node, width[node]) >= count for node, count in wanted):
                wave[at] = number
                for node, count in wanted:
                    free[node] = free.get(node, width[node]) - count
                    left[node] -= count
                    seconds[node] -= count * jobs[at].lasts / width[node]
        waiting = [at for at in waiting if wave[at] < 0]
        number += 1
    return wave


def hold_wave(jobs: Sequence[Job], wave: list[int], width: Mapping[int, int]) -> list[frozenset[int]]:
    """Move every leg to the first wave that has places for it; what it needs, one leg of the wave before included.

    Where it needs none of that wave for a reason of its own, it waits for a place there: for the leg on a node that
    is full then that would be done first anyway.
    """
    done = ends(jobs, width, wave)
    taken: list[dict[int, list[int]]] = []
    found = [frozenset(job.needs) for job in jobs]
    for at in sorted(range(len(jobs)), key=lambda at: (wave[at], at)):
        places = jobs[at].places
        number = max((wave[need] + 1 for need in found[at]), default=0)
        while number < len(taken) and any(
            len(taken[number].get(node, ())) + count > width[node] for node, count in places.items()
        ):
            number += 1
        if number == len(taken):
            taken.append({})
        if number and all(wave[need] < number - 1 for need in found[at]):
            before = taken[number - 1]
            full = [node for node, count in places.items() if len(before.get(node, ())) + count > width[node]]
            found[at] |= {min((other for node in full for other in before[node]), key=lambda leg: (done[leg], leg))}
        for node, count in places.items():
            taken[number].setdefault(node, []).extend([at] * count)
        wave[at] = number
    return found
