# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server made from another one, which goes on as it is.

1. a copy, marked as the new server's, and as not yet one of its own; on the same node by the node itself, from another
   node pulled from there
2. what the source must not have in common with it is taken out of it
3. it is written on a last time: a server like any other

Whoever is cut off in 1 leaves half a copy, which the next one throws away and makes anew; in 2 or 3 it is gone on with,
at the latest by the copy's first start.
"""

from __future__ import annotations

from typing import Any

from ...fleet.model import Fleet, Server
from ..base import EngineError, Progress, Refused
from . import duplicate, handover, identity
from .client import Client
from .guest import root_of
from .guests import INSTANCES, Found, Guests, doubtful
from .transfer import pull
from .units import mib

_SLOWEST = 10.0
"""MiB/s a copy is borne with: how much longer than any other operation it may take."""


class Copy:
    """One new server's way into being, on ``target``, of ``name`` on ``source``."""

    def __init__(
        self, fleet: Fleet, server: Server, *, name: str, source: Client, target: Client, progress: Progress
    ) -> None:
        self._from = Guests(fleet, source)
        self._there = Guests(fleet, target)
        self._fleet = fleet
        self._name = name
        self._server = server
        self._progress = progress
        self._attempt = f"copy {name} to {server.name}"
        self._patience = fleet.limits.operation + server.size.disk / _SLOWEST

    def __call__(self) -> None:
        """See base.Engine.copy."""
        name, attempt = self._server.name, self._attempt
        self._there.settle(name, attempt, self._progress, self._patience)
        found = self._there.find(name, attempt)
        if found is not None and not found.whole and duplicate.COPIED in found.config:
            self._there.remove(name, attempt)
            found = None
        if found is None:
            source = self._from.need(self._name, attempt)
            self._check(source)
            self._copy(source)
        finish(self._there, self._server, attempt)

    def _check(self, source: Found) -> None:
        """Raise Refused, before anything is made, for what cannot be copied."""
        has, wants = mib(root_of(source.raw)[1].get("size", "")), self._server.size.disk
        if has and wants and has > wants:
            words = f"the disk of {self._name} has {has} MiB, {self._server.name} is to have {wants} MiB"
            raise self._no(f"{words}, and disks only grow", f"declare at least {has} MiB")
        if source.replica:
            raise self._no("the copy there is a replica; its server is elsewhere", "make a new plan")
        if handover.other_node(source.config):
            raise self._no("it is on its way to another node", "end the move first")
        tie = handover.tied(source.raw)
        if tie:
            raise self._no(tie, "detach it, or leave the server alone")

    def _copy(self, source: Found) -> None:
        body = duplicate.duplicate(source.raw, self._server, self._there.node, self._fleet)
        if self._from.client is not self._there.client:
            pull(
                self._from,
                self._there,
                self._name,
                body,
                attempt=self._attempt,
                progress=self._progress,
                refresh=False,
                running=not source.stopped,
                seconds=self._patience,
                new_name=self._server.name,
            )
            return
        within = {
            "type": "copy",
            "source": self._name,
            "instance_only": True,
            "allow_inconsistent": not source.stopped,
        }
        wanted = {**body, "name": self._server.name, "source": within}
        try:
            self._there.run("POST", INSTANCES, self._attempt, wanted, progress=self._progress, seconds=self._patience)
        except EngineError as error:
            if not doubtful(error):
                raise
            self._there.settle(self._server.name, self._attempt, self._progress, self._patience)
            found = self._there.find(self._server.name, self._attempt)
            if found is None or not found.whole:
                raise error from None

    def _no(self, answer: str, hint: str) -> Refused:
        return Refused(self._from.client.node, self._attempt, answer, hint)


def finish(guests: Guests, server: Server, attempt: str) -> None:
    """Make a copy a server of its own, unless it is one. Raises Refused for half of one."""
    found = guests.need(server.name, attempt)
    if duplicate.COPIED not in found.config:
        return
    if not found.whole:
        words = "its copying was cut off half way"
        raise Refused(guests.client.node, attempt, words, "copy it again, or delete it; it never ran")
    if found.raw.get("type", "container") == "container" and found.stopped:
        identity.renew(guests.client, server.name, attempt)

    def wanted(raw: dict[str, Any]) -> dict[str, Any] | None:
        return duplicate.finished(raw, server, guests.node, guests.fleet)

    guests.replace(server.name, attempt, wanted)
