# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The replica of a server in step: its data is DRBD's business, what is brought over is what it is told to be.

The instance on the backup node is empty: its device is mounted over it when it becomes the server. It bears what its
server does, and when both sides were last seen to have everything.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from . import handover, safekeeping
from .guests import INSTANCES, Found, Guests
from .refresh import Clock, Refresh, silent

EVERY = 30
"""Seconds between two looks: that both have everything is DRBD's doing, and goes on between them."""
_WHOLE = {"volatile.last_state.power": "STOPPED"}
"""Incus notes the end of a creation on guests it fills; of one that is to be empty, we do."""


def follow(source: Guests, target: Guests, name: str, lacking: Callable[[], str], now: Clock = time.time) -> float:
    """Have the replica on ``target`` bear what its server does, and make it if there is none; seconds that took.

    ``lacking``: what its device lacks, in words; empty: both have everything, and the replica is complete as of now.
    Raises as ``refresh`` does, and Refused where it lacks something.
    """
    attempt = f"see that the replica of {name} on {target.client.node} is in step"
    return _Following(source, target, name, attempt, lacking, now)(EVERY)


def prepare(source: Guests, target: Guests, name: str) -> None:
    """Have the replica there, empty, and bearing what its server does."""
    attempt = f"make the replica of {name} on {target.client.node}"
    _Following(source, target, name, attempt, lambda: "", time.time).bear(EVERY)


class _Following(Refresh):
    """One look."""

    def __init__(  # noqa: PLR0917 - all of them needed, by one caller
        self, source: Guests, target: Guests, name: str, attempt: str, lacking: Callable[[], str], now: Clock
    ) -> None:
        super().__init__(source, target, name, attempt, silent, 0.0, now)
        self._lacking = lacking

    def bear(self, interval: int) -> Found:
        """The replica is there and bears what its server does, which is returned."""
        server = self._here.need(self._name, self._attempt)
        self._check_server(server)
        replica = self._there.find(self._name, self._attempt)
        if replica is not None:
            self._check_replica(replica, server)
        body = self._wanted(server, replica, interval)
        if replica is None:
            empty = {**body, "config": body["config"] | _WHOLE, "name": self._name, "type": "container"}
            self._there.run("POST", INSTANCES, self._attempt, {**empty, "source": {"type": "none"}})
        else:
            self._mark(body, server)
        return server

    def __call__(self, interval: int) -> float:
        """See follow."""
        began = self._now()
        server = self.bear(interval)
        lacks = self._lacking() or (
            "" if not server.config.get(safekeeping.SYNC_NEW) else "its server has no device yet"
        )
        if lacks:
            raise self._no(self._there, f"not in step: {lacks}", "")
        done = dict.fromkeys((safekeeping.TRIED, safekeeping.FAILURES, safekeeping.FAILURE, safekeeping.REFRESHING), "")
        done |= {
            safekeeping.REFRESHED: safekeeping.moment(began),
            safekeeping.TOOK: safekeeping.moment(self._now() - began),
        }
        self._there.mark(self._name, self._attempt, lambda found: done if found.replica else {})
        return self._now() - began

    def _wanted(self, server: Found, replica: Found | None, interval: int) -> dict[str, Any]:
        own = {
            key: value for key, value in (replica.config if replica else {}).items() if key.startswith(safekeeping.OWN)
        }
        asleep = handover.replica(server.raw, self._here.node, self._there.node, self._here.fleet, moving=False)
        own |= {safekeeping.INTERVAL: str(interval), safekeeping.SOURCE: self._here.client.node}
        config = asleep["config"] | own
        return {**asleep, "config": {key: value for key, value in config.items() if value}}
