# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When what will be done, if it is carried out as the executor does: whoever has its needs and its places begins."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush


@dataclass(frozen=True, slots=True)
class Job:
    """One leg: the places it takes on its nodes, the legs it needs, and the seconds it lasts."""

    places: Mapping[int, int]
    needs: Collection[int]
    lasts: float = 1.0


def ends(jobs: Sequence[Job], width: Mapping[int, int], rank: Sequence[int]) -> list[float]:
    """The second at which each job ends, if jobs of lower rank begin first where several could."""
    unmet = [len(job.needs) for job in jobs]
    dependents: list[list[int]] = [[] for _job in jobs]
    for at, job in enumerate(jobs):
        for need in job.needs:
            dependents[need].append(at)
    free = dict(width)
    waiting: dict[int, set[int]] = {node: set() for node in width}
    """Node -> jobs that have all they need and want a place there."""
    end = [0.0] * len(jobs)
    working: list[tuple[float, int]] = []
    touched: set[int] = set()

    def ready(at: int) -> None:
        for node in jobs[at].places:
            waiting[node].add(at)
            touched.add(node)

    def begin(now: float) -> None:
        able = sorted({at for node in touched if free[node] for at in waiting[node]}, key=lambda at: (rank[at], at))
        touched.clear()
        for at in able:
            if all(free[node] >= count for node, count in jobs[at].places.items()):
                for node, count in jobs[at].places.items():
                    free[node] -= count
                    waiting[node].discard(at)
                end[at] = now + jobs[at].lasts
                heappush(working, (end[at], at))

    for at, count in enumerate(unmet):
        if not count:
            ready(at)
    begin(0.0)
    while working:
        now, at = heappop(working)
        for node, count in jobs[at].places.items():
            free[node] += count
            touched.add(node)
        for dependent in dependents[at]:
            unmet[dependent] -= 1
            if not unmet[dependent]:
                ready(dependent)
        begin(now)
    return end
