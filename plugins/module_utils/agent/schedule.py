# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which replicas of a node are to be refreshed now. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ..engine.incus import handover, safekeeping
from ..engine.incus.guests import Found
from .settings import Replicating

FIRST_PAUSE, LONGEST_PAUSE = 15.0, 300.0
"""Seconds before a refresh that failed is tried again: the first time, and at most. It doubles in between, and is never
longer than the interval."""
ASTRAY = 5.0
"""Seconds a moment may lie ahead. One that lies further ahead is of a clock that was wrong: it tells nothing."""
UNDER_WAY = 30.0
"""Seconds for which a refresh that was marked, and none of our units does, is taken for somebody else's: whoever
sets up a replica makes its first copy."""


@dataclass(frozen=True, slots=True)
class Replica:
    """What its marks say of a replica."""

    name: str
    interval: float
    refreshed: float
    """When the newest complete refresh began; 0: none."""
    tried: float
    failures: int
    failure: str
    """Why the last one failed."""
    refreshing: float
    """When a refresh began that has not ended; 0: none."""
    moving: str = ""
    """The other node of a move it takes part in: it is the mover's then."""

    def due(self, jitter: float, now: float) -> float:
        """The moment from which it may be refreshed, seconds since the epoch."""
        if max(self.refreshed, self.tried, self.refreshing) > now + ASTRAY:
            return now
        if self.failures:
            pause = min(FIRST_PAUSE * 2 ** min(self.failures - 1, 16), LONGEST_PAUSE, self.interval)
            return self.tried + pause
        if self.refreshing:
            return self.refreshing + UNDER_WAY
        return self.refreshed + self.interval * (1 - jitter * _share(self.name))


def replicas(found: Mapping[str, Found]) -> list[Replica]:
    """The replicas among a node's guests that are this node's to refresh: not those that move, or have no interval."""
    return [each for each in all_replicas(found) if each.interval and not each.moving]


def all_replicas(found: Mapping[str, Found]) -> list[Replica]:
    """Every replica that an agent keeps; not the copies that a move makes, which have none of its keys."""
    listed = []
    for name, guest in found.items():
        config = guest.config
        kept = safekeeping.copying(config)
        if not guest.replica or not any(key.startswith(safekeeping.OWN) for key in config):
            continue
        tried = safekeeping.number(config.get(safekeeping.TRIED, ""))
        refreshing = safekeeping.number(config.get(safekeeping.REFRESHING, ""))
        moving = handover.other_node(config)
        listed.append(
            Replica(name, kept.interval, kept.refreshed, tried, kept.failures, kept.failure, refreshing, moving)
        )
    return listed


def choose(
    listed: Iterable[Replica], running: Collection[str], busy: Collection[str], now: float, how: Replicating
) -> list[str]:
    """Names of those to start, the most overdue first, measured in their own intervals.

    ``running``: refreshes that go on; ``busy``: guests that Incus is doing something with. What fails gets half of the
    slots and no more: replicas of a dead node do not hold up the others, nor these them once it is back.
    """
    known = list(listed)
    failing = {each.name for each in known if each.failures}
    free = how.slots - len(running)
    free_failing = max(1, how.slots // 2) - len(failing & set(running))
    late = [
        ((now - each.due(how.jitter, now)) / each.interval, each.name)
        for each in known
        if each.name not in running and each.name not in busy and now >= each.due(how.jitter, now)
    ]
    order = [name for _late, name in sorted(late, key=lambda pair: (-pair[0], pair[1]))]
    if how.slots > 1:
        order.sort(key=lambda name: name not in failing)
    chosen: list[str] = []
    for name in order:
        if len(chosen) >= free:
            break
        if name in failing:
            if free_failing <= 0:
                continue
            free_failing -= 1
        chosen.append(name)
    return chosen


def _share(name: str) -> float:
    """A number from 0 to 1 that is always the same for a name, and differs from name to name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32
