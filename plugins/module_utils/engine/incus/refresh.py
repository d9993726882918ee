# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A replica brought up to date with its server, or made, if there is none yet.

In this order, so that whoever does it may die between any two requests:

1. the server offers itself
2. the replica is marked as being refreshed, with what its server is now; refused where it is no replica, or moves.
   Whoever moves it marks it first, and takes back what its server offers then: one of the two sees the other
3. it is pulled
4. it is marked as complete, as of the moment the refresh began

Until 4 it holds what was written at two moments. Where its pool has snapshots at no cost, it keeps the state before
that, and only what has changed is sent (``snapshots``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..base import EngineError, Progress, Refused
from . import handover, safekeeping, snapshots
from .guests import Found, Guests
from .transfer import pull

Clock = Callable[[], float]
_NO_PARENT = "cannot find parent subvolume"
"""What btrfs says of a snapshot both have, which it cannot tell to be the same."""


def silent(_words: str) -> None:
    """Nobody looks at the progress."""


def refresh(
    source: Guests,
    target: Guests,
    name: str,
    *,
    interval: int = 0,
    progress: Progress = silent,
    seconds: float = 0.0,
    now: Clock = time.time,
) -> float:
    """Bring the replica on ``target`` to what its server on ``source`` is; seconds that took.

    ``interval``: how often that is to happen from now on; 0: as before. ``seconds``: how long it may take, if not
    ``Limits.operation``. Raises Refused, and changes nothing, where the copy on the target is no replica, or of a
    higher generation than the server, or one of the two moves, or the server has no replica there by its marks. What
    failed of a refresh that was begun is written on the replica.
    """
    attempt = f"refresh the replica of {name} on {target.client.node}"
    return Refresh(source, target, name, attempt, progress, seconds or source.fleet.limits.operation, now)(interval)


def tell_failure(target: Guests, name: str, error: EngineError, began: float) -> None:
    """Write on a replica why it could not be brought up to date; silent where even that cannot be."""

    def failed(replica: Found) -> dict[str, str]:
        if not replica.replica or handover.other_node(replica.config):
            return {}
        times = int(safekeeping.number(replica.config.get(safekeeping.FAILURES, ""))) + 1
        return {
            safekeeping.TRIED: safekeeping.moment(began),
            safekeeping.FAILURES: str(times),
            safekeeping.FAILURE: f"{error.node}: {error.answer}",
        }

    with suppress(EngineError):
        target.mark(name, error.attempt, failed)


class Refresh:
    """One refresh of one replica."""

    def __init__(  # noqa: PLR0917 - all of them needed, by one caller
        self,
        source: Guests,
        target: Guests,
        name: str,
        attempt: str,
        progress: Progress,
        seconds: float,
        now: Clock,
    ) -> None:
        self._here = source
        self._there = target
        self._name = name
        self._attempt = attempt
        self._progress = progress
        self._seconds = seconds
        self._now = now
        self._state = ""
        """The snapshot of the server that is being brought over."""
        self._offers = 0

    def __call__(self, interval: int) -> float:
        """See refresh."""
        began = self._now()
        server = self._here.need(self._name, self._attempt)
        self._check_server(server)
        replica = self._there.find(self._name, self._attempt)
        if replica is not None and replica.config.get(safekeeping.REFRESHING):
            # Whoever began that one may be dead, but Incus may still be at it.
            self._there.settle(self._name, self._attempt, self._progress, self._seconds)
            replica = self._there.find(self._name, self._attempt)
        if replica is not None:
            self._check_replica(replica, server)
        try:
            self._bring(server, replica, interval, began)
        except EngineError as error:
            tell_failure(self._there, self._name, error, began)
            raise
        took = self._now() - began
        self._complete(began, took)
        self._drop_states(server)
        return took

    # ---- may it be?

    def _check_server(self, server: Found) -> None:
        if server.replica:
            raise self._no(self._here, "the copy there is a replica; its server is elsewhere", "make a new plan")
        if handover.other_node(server.config):
            raise self._no(self._here, "its server is on its way to another node", "end the move first")
        if self._there.client.node not in safekeeping.replicas(server.config):
            words = f"it has no replica on {self._there.client.node}, by its marks"
            raise self._no(self._here, words, "make a new plan")

    def _check_replica(self, replica: Found, server: Found) -> None:
        if not replica.replica or replica.restored:
            words = f"the copy there is no replica, but a server of generation {replica.generation}"
            raise self._no(self._there, words, "make a new plan")
        if handover.other_node(replica.config):
            raise self._no(self._there, "it takes part in a move", "end the move first")
        if not replica.stopped:
            words = f"a replica of it is {replica.status.lower()} there"
            raise self._no(self._there, words, "find out who started it")
        if replica.generation > server.generation:
            words = (
                f"the replica is of generation {replica.generation}, its server on {self._here.client.node} "
                f"of {server.generation}"
            )
            raise self._no(self._there, words, "find out where its server is")

    # ---- 1 to 3

    def _bring(self, server: Found, replica: Found | None, interval: int, began: float) -> None:
        if replica is not None and not replica.whole:
            # Half a first copy. It never ran, and nobody could start it.
            self._there.remove(self._name, self._attempt)
            replica = None
        own = dict(replica.config) if replica else {}
        self._keep_state(server, own.get(safekeeping.STATE, ""), began)
        asleep = handover.replica(server.raw, self._here.node, self._there.node, self._here.fleet, moving=False)
        kept = {key: value for key, value in own.items() if key.startswith(safekeeping.OWN)} | {
            safekeeping.INTERVAL: str(interval) if interval else own.get(safekeeping.INTERVAL, ""),
            safekeeping.SOURCE: self._here.client.node,
            safekeeping.REFRESHING: safekeeping.moment(began),
        }
        body = {**asleep, "config": asleep["config"] | {key: value for key, value in kept.items() if value}}
        try:
            self._pull(body, server, replica)
        except Refused as error:
            if not self._state or _NO_PARENT not in error.answer:
                raise
            self._begin_anew(replica, began)
            self._pull(body, server, replica)

    def _pull(self, body: dict[str, Any], server: Found, replica: Found | None) -> None:
        pull(
            self._here,
            self._there,
            self._name,
            body,
            attempt=self._attempt,
            progress=self._progress,
            refresh=replica is not None,
            running=not server.stopped,
            seconds=self._seconds,
            ready=lambda: self._go(body, server, known=replica is not None),
        )

    def _go(self, body: dict[str, Any], server: Found, known: bool) -> None:
        """The server was offered: the last look before it is fetched."""
        self._offers += 1
        if self._offers > 1:
            # Something came between. It may have been a move.
            self._check_server(self._here.need(self._name, self._attempt))
        if known:
            self._mark(body, server)

    def _begin_anew(self, replica: Found | None, began: float) -> None:
        """After server and replica changed places, what they have in common may be of no use to btrfs: without it, the
        whole disk is sent, once."""
        if replica is not None:
            self._there.set_keys(self._name, self._attempt, {safekeeping.STATE: ""})
            snapshots.tidy(
                self._there, self._name, snapshots.nodes(self._there, self._name, self._attempt), self._attempt
            )
        snapshots.tidy(self._here, self._name, snapshots.nodes(self._here, self._name, self._attempt), self._attempt)
        self._state = snapshots.take(self._here, self._name, self._there.client.node, began, self._attempt)

    def _mark(self, body: dict[str, Any], server: Found) -> None:
        def wanted(raw: dict[str, Any]) -> dict[str, Any] | None:
            self._check_replica(Found(raw, ""), server)
            return handover.renewed(raw, body)

        self._there.replace(self._name, self._attempt, wanted)

    def _keep_state(self, server: Found, before: str, began: float) -> None:
        if snapshots.are_cheap(server.raw, (self._here.client, self._there.client), self._attempt):
            node = self._there.client.node
            snapshots.tidy(self._here, self._name, {node}, self._attempt, before)
            self._state = snapshots.take(self._here, self._name, node, began, self._attempt)

    # ---- 4

    def _complete(self, began: float, took: float) -> None:
        done = {
            safekeeping.REFRESHED: safekeeping.moment(began),
            safekeeping.TOOK: safekeeping.moment(took),
            safekeeping.REFRESHING: "",
            safekeeping.STATE: self._state,
            safekeeping.TRIED: "",
            safekeeping.FAILURES: "",
            safekeeping.FAILURE: "",
        }

        def ours(replica: Found) -> dict[str, str]:
            if not replica.replica or replica.config.get(safekeeping.REFRESHING) != safekeeping.moment(began):
                raise self._no(self._there, "somebody else took it over meanwhile", "see what it is now")
            return done

        self._there.mark(self._name, self._attempt, ours)

    def _drop_states(self, server: Found) -> None:
        """Older states go; so do those of replicas that are on other nodes by now."""
        if not self._state:
            return
        wanted = set(safekeeping.replicas(server.config)) - {self._there.client.node}
        with suppress(EngineError):
            outdated = snapshots.nodes(self._here, self._name, self._attempt) - wanted
            snapshots.tidy(self._here, self._name, outdated, self._attempt, self._state)

    def _no(self, where: Guests, answer: str, hint: str) -> Refused:
        return Refused(where.client.node, self._attempt, answer, hint)
