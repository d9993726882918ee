# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server from one node to another: copied while it runs, stopped, brought up to date, started over there.

In this order, so that a run may die between any two requests and the next one goes on:

1. a copy on the target, role *replica*: nothing starts it; it is brought up to date while the server runs
2. the server is marked as leaving, and stopped
3. the copy is brought up to date a last time: now it has everything
4. the copy is promoted: primary, one generation higher. From here on it is the server
5. it is started, and seen to answer
6. the old copy is deleted; or kept as the new one's replica, where the server moved to its own replica

Up to 3 the server is where it was: what is found stopped there is started there. From 4 on it is where it goes to. The
old copy is never deleted before the new one is complete and promoted, and the new one never promoted before the old one
is seen stopped, so that there is a complete copy, and at most one that runs, at every moment.

Whatever else may promote a copy, as the cluster does, is looked out for: right before the server is marked as leaving,
and once more before the copy is promoted. Where somebody did, the move ends, and nothing of it is started.

A replica that it moves to is its node's agent's to refresh: it is marked as taking part in a move before anything else,
which ends that, and as a replica again where the move is called off.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ...fleet.model import Fleet, Manner, Server
from ..base import Arrived, EngineError, Leaving, Progress, Refused
from . import handover, safekeeping
from .client import Client
from .guests import Found, Guests
from .transfer import pull, withdraw

_PASSES = 3
"""Copies at most while the server runs."""
_SHORT = 2.0
"""Seconds a copy may take without another one being worth it before the server is stopped: what changed meanwhile
has to be copied while it stands still."""

_SLOWEST = 10.0
"""MiB/s a copy is borne with: how much longer than any other operation it may take."""


class Taken(Refused):
    """It is not the server any more that was to move: somebody took it out, or promoted another copy."""


class Move:
    """One server's way from ``source`` to ``target``."""

    def __init__(self, fleet: Fleet, server: Server, source: Client, target: Client, progress: Progress) -> None:
        self._here = Guests(fleet, source)
        self._there = Guests(fleet, target)
        self._fleet = fleet
        self._server = server
        self._name = server.name
        self._attempt = f"move {server.name} from {source.node} to {target.node}"
        self._progress = progress
        self._patience = fleet.limits.operation + server.size.disk / _SLOWEST
        self._stopped_at = 0.0
        self._old: Found | None = None
        """The server as it was when the move began."""

    def __call__(self, manner: Manner, leaving: Leaving, arrived: Arrived) -> float:
        """Seconds the server was without service, as seen from here. See base.Engine.move."""
        if manner not in ("copy", "switch"):
            raise self._no(f"Incus cannot move it this way ({manner})", "make a new plan")
        self._there.settle(self._name, self._attempt, self._progress, self._patience)
        withdraw(self._here, self._name, self._attempt)
        old = self._old = self._here.find(self._name, self._attempt)
        new = self._there.find(self._name, self._attempt)
        if new is not None and not new.replica and (old is None or new.generation > old.generation):
            return self._finish(old, new, manner, arrived)
        if old is None:
            raise self._no("it is not there any more", "make a new plan")
        self._check(old, new)
        ran = old.running or (handover.ran(old.config) and self._server.state == "running")
        generation = old.generation + 1
        try:
            self._copy(old, new)
            leaving()
        except Exception:
            self._stays_replica()
            raise
        try:
            self._leave(old, manner, ran=ran)
        except Taken:
            # It goes on where it was promoted: here it must neither start, nor outdo that.
            self._stays_replica()
            raise
        except EngineError as error:
            raise self._back(error, ran=ran) from None
        self._promote(old, generation, manner, ran=ran)
        gap = self._arrive(generation, ran=ran, arrived=arrived)
        self._let_go(generation, manner)
        return gap

    def _check(self, old: Found, new: Found | None) -> None:
        """Raise Refused, before anything is touched, for what cannot be moved."""
        if old.replica:
            raise self._no("the copy there is a replica; its server is elsewhere", "make a new plan")
        if not (old.running or old.stopped):
            raise self._no(f"it is {old.status.lower()}", "start or stop it first")
        if new is not None and not new.stopped:
            raise self._no(f"an older copy of it is {new.status.lower()} on the target", "find out who started it")
        if new is not None and not new.replica and new.generation == old.generation:
            words = f"both nodes have a copy that calls itself primary, generation {new.generation}"
            raise self._no(words, "delete the wrong one, or make it a replica")
        if new is not None and not new.replica and safekeeping.outdid(old.generation, new.generation):
            # Not what a move left behind: a failover outdid it, and what was written on it last, nobody else has.
            words = f"{self._there.client.node} has a copy that a failover outdid (generation {new.generation})"
            hint = "put it aside there (switchyard-agent settle), or delete it once nothing in it is needed"
            raise self._no(words, hint)
        if old.config.get(safekeeping.SYNC):
            # Its data is on a device of its nodes, which only they can hand over.
            words = "its disk is in step with another node's"
            raise self._no(words, "stop Pacemaker on its node, which has the servers of that node taken over in order")
        tie = handover.tied(old.raw)
        if tie:
            raise self._no(tie, "detach it, or leave the server where it is")

    # ---- 1: while the server is where it was

    def _copy(self, old: Found, new: Found | None) -> None:
        """A complete copy on the target, as recent as can be had while the server runs."""
        body = handover.replica(old.raw, self._here.node, self._there.node, self._fleet)
        if new is not None and not (new.replica and new.whole):
            # Half of a copy, or what another move left behind; the server itself is right here.
            self._there.remove(self._name, self._attempt)
            new = None
        if new is None:
            began = time.monotonic()
            self._pull(body, refresh=False, running=old.running)
            if not old.running or time.monotonic() - began < _SHORT:
                return
        else:
            self._take_over(new, body)
        for _pass in range(1, _PASSES) if old.running else ():
            began = time.monotonic()
            self._pull(body, refresh=True, running=True)
            if time.monotonic() - began < _SHORT:
                return

    def _take_over(self, new: Found, body: dict[str, Any]) -> None:
        """A copy that is there already takes part in the move, and nobody else changes it any more."""
        own = {key: value for key, value in new.config.items() if key.startswith(safekeeping.OWN)}
        if own:
            # Complete again at the end of a move only; until then what it holds may be of two moments.
            own = {safekeeping.REFRESHING: safekeeping.moment(time.time())} | own
        wanted = {**body, "config": body["config"] | own}
        self._there.replace(self._name, self._attempt, lambda raw: handover.renewed(raw, wanted))
        if own:
            withdraw(self._here, self._name, self._attempt)
            self._there.settle(self._name, self._attempt, self._progress, self._patience)

    def _pull(self, body: dict[str, Any], *, refresh: bool, running: bool) -> None:
        pull(
            self._here,
            self._there,
            self._name,
            body,
            attempt=self._attempt,
            progress=self._progress,
            refresh=refresh,
            running=running,
            seconds=self._patience,
        )

    # ---- 2 and 3: the server stands still

    def _leave(self, old: Found, manner: Manner, *, ran: bool) -> None:
        """Stopped for certain, and everything it has is over there."""
        marks = handover.leaving(self._there.client.node, running=ran)
        if self._leaves_replica(manner):
            # As a replica it will be complete as of now, whoever brings the move to its end.
            marks[safekeeping.REFRESHED] = safekeeping.moment(time.time())

        def unless_taken(found: Found) -> Mapping[str, str]:
            self._see_server(found)
            label = safekeeping.pair(found.config)
            if label != safekeeping.pair(old.config):
                raise self._taken("other nodes look after it by now")
            if label and old.running and found.stopped:
                # Its nodes let go of it, and the backup may be about to start it.
                raise self._taken("somebody else stopped it meanwhile")
            return marks

        before = self._here.mark(self._name, self._attempt, unless_taken)
        self._stopped_at = time.monotonic()
        self._here.stop(self._name, before, self._attempt)
        body = handover.replica(old.raw, self._here.node, self._there.node, self._fleet)
        self._pull(body, refresh=True, running=False)
        now = self._here.need(self._name, self._attempt)
        self._see_server(now)
        if not now.stopped:
            raise self._no(f"it is {now.status.lower()} again: somebody else started it", "find out who")

    def _see_server(self, found: Found) -> None:
        """Raise Taken where a copy is not the server any more that it was when the move began."""
        if self._old is None or found.replica or found.generation != self._old.generation:
            raise self._taken("another copy of it was promoted meanwhile")

    def _taken(self, answer: str) -> Taken:
        return Taken(self._here.client.node, self._attempt, answer, "make a new plan")

    def _back(self, error: EngineError, *, ran: bool, generation: int = 0) -> EngineError:
        """The move failed, and the server goes on where it was; the error, saying so.

        ``generation`` outdoes the copy on the target, where that may have been promoted.
        """
        keys = handover.STAYS | {safekeeping.REFRESHED: ""}
        if generation and self._old is not None:
            keys |= handover.promoted(generation, handover.autostart(self._old.config))

        def unless_taken(found: Found) -> Mapping[str, str]:
            self._see_server(found)
            return keys

        try:
            self._here.mark(self._name, self._attempt, unless_taken)
            if ran:
                self._here.start(self._name, self._attempt)
            self._stays_replica()
        except EngineError as second:
            words = f"{error.answer}; and it could not be brought back on {second.node}: {second.answer}"
            return type(error)(error.node, error.attempt, words, error.hint, unsure=True)
        words = f"{error.answer}; it {'runs' if ran else 'is'} on {self._here.client.node} as before"
        return type(error)(error.node, error.attempt, words, error.hint, unsure=error.unsure)

    def _stays_replica(self) -> None:
        """Give a replica back to its node's agent; where that cannot be, the next run clears it away."""

        def stays(copy: Found) -> Mapping[str, str]:
            kept = copy.replica and safekeeping.INTERVAL in copy.config
            return handover.STAYS if kept and handover.other_node(copy.config) == self._here.client.node else {}

        with suppress(EngineError):
            self._there.mark(self._name, self._attempt, stays)

    # ---- 4 and 5: the server is over there

    def _promote(self, old: Found, generation: int, manner: Manner, *, ran: bool) -> None:
        left = self._here.client.node if self._leaves_replica(manner) else ""
        keys = handover.promoted(generation, handover.autostart(old.config))
        keys |= safekeeping.successor(old.config, self._there.client.node, left)

        def unless_promoted(copy: Found) -> Mapping[str, str]:
            if not copy.replica and copy.generation > generation:
                raise self._no(f"somebody promoted the copy on {self._there.client.node} meanwhile", "find out who")
            return keys

        try:
            self._there.mark(self._name, self._attempt, unless_promoted)
        except EngineError as error:
            # Whether it was promoted, nobody can tell: the old copy outdoes it.
            raise self._back(error, ran=ran, generation=generation + 1) from None

    def _leaves_replica(self, manner: Manner) -> bool:
        """Whether the old copy stays. The one the server moved to may be what another move left behind: only a server
        that wants a replica keeps one."""
        return manner == "switch" and self._server.replication.mode != "none"

    def _arrive(self, generation: int, *, ran: bool, arrived: Arrived) -> float:
        if not ran:
            return 0.0
        try:
            self._there.start(self._name, self._attempt)
        except EngineError as error:
            if error.unsure or not self._asleep():
                raise
            raise self._back(error, ran=ran, generation=generation + 1) from None
        arrived()
        return time.monotonic() - self._stopped_at

    def _asleep(self) -> bool:
        """The promoted copy is certainly not running, and not promoted any more."""
        try:
            found = self._there.need(self._name, self._attempt)
            if not found.stopped:
                return False
            marks = handover.demoted(found.generation, handover.arriving(self._here.client.node))
            self._there.set_keys(self._name, self._attempt, marks)
        except EngineError:
            return False
        return True

    # ---- 6: what is left behind

    def _let_go(self, generation: int, manner: Manner) -> None:
        if self._leaves_replica(manner):
            now = self._there.need(self._name, self._attempt).config
            as_there = {key: now.get(key, "") for key in safekeeping.SHARED}
            interval = self._server.replication.interval
            kept = safekeeping.replicated(self._there.client.node, interval)
            self._here.set_keys(self._name, self._attempt, as_there | kept | handover.demoted(generation))
            return
        try:
            self._here.remove(self._name, self._attempt)
        except EngineError as error:
            words = f"it is on {self._there.client.node} now, but the old copy could not be removed: {error.answer}"
            raise type(error)(error.node, error.attempt, words, error.hint, unsure=error.unsure) from None

    def _finish(self, old: Found | None, new: Found, manner: Manner, arrived: Arrived) -> float:
        """A move that was cut off after the promotion, brought to its end."""
        if old is None or (old.replica and not handover.other_node(old.config)):
            return 0.0
        if not old.stopped:
            words = f"the old copy is {old.status.lower()} although the one on the target is newer"
            raise self._no(words, "find out who started it, and stop the wrong one")
        self._stopped_at = time.monotonic()
        ran = handover.ran(old.config) and self._server.state == "running" and not new.running
        gap = self._arrive(new.generation, ran=ran, arrived=arrived)
        self._let_go(new.generation, manner)
        return gap

    def _no(self, answer: str, hint: str) -> Refused:
        return Refused(self._here.client.node, self._attempt, answer, hint)
