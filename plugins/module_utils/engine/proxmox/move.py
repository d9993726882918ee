# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest from one node to another, by Proxmox VE's own migration.

There is one configuration of a guest in the whole cluster, in the folder of one node, and moving it from folder to
folder is what makes the guest another node's: there are never two that could run. A container that runs is shut down,
its disks are sent, and it is started over there; a VM that runs goes on running. What is asked here before and after
is what Proxmox VE itself forgets: it tells only in a log why it did not go, and leaves a server shut down that it could
not move.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from ...fleet.model import Manner, Server
from ..base import Arrived, EngineError, Leaving, Progress, Refused, TimedOut, Unreachable
from . import task
from .client import Missing
from .clone import shared_among
from .guests import Found, Guests, doubtful
from .preconditions import preconditions
from .recognise import rows_of

_SLOWEST = 10.0
"""MiB/s a copy is borne with: how much longer than any other operation it may take."""
_PAUSE = 0.5
_UNHEARD = 60.0
"""Seconds the HA manager may do nothing before it is asked again: it decides every ten seconds, and what it was asked
is lost with a master that dies."""
_AT_REST = ("started", "stopped")
"""Its states in which it does nothing with a guest."""


class Move:
    """One server's way from ``source`` to ``node``."""

    def __init__(self, guests: Guests, server: Server, source: str, node: str, progress: Progress) -> None:
        self._guests = guests
        self._server = server
        self._source, self._node = source, node
        self._progress = progress
        self._attempt = f"move {server.name} from {source} to {node}"
        self._patience = guests.fleet.limits.operation + server.size.disk / _SLOWEST

    def __call__(self, manner: Manner, leaving: Leaving, arrived: Arrived) -> float:
        """Seconds the server was without service, as seen from here. See base.Engine.move."""
        found = self._here()
        if found is None:
            return self._finish(arrived)
        try:
            self._check(found, manner)
            ran = self._guests.runs(found, self._attempt)
        except Missing:
            if self._here() is not None:
                raise
            # Somebody else's move of it ended between two questions.
            return self._finish(arrived)
        leaving()
        began = time.monotonic()
        try:
            self._migrate(found, ran=ran)
        except EngineError as error:
            self._judge(found, error, ran=ran)
        self._guests.numbers.forget()
        self._guests.know(self._server.name, self._node, found.kind, found.vmid)
        # A VM that moves while it runs stands still for a fraction of a second.
        gap = time.monotonic() - began if ran and found.kind == "lxc" else 0.0
        if ran:
            arrived()
        return gap

    def _here(self) -> Found | None:
        """The server on its old node, once no task works on it any more."""
        name, attempt = self._server.name, self._attempt
        found = self._guests.find(name, self._source, attempt)
        if found and found.lock:
            self._guests.settle(found, attempt)
            found = self._guests.find(name, self._source, attempt)
        if found is None and self._guests.find(name, self._node, attempt) is None:
            other = self._guests.elsewhere(name, self._source, attempt)
            answer = f"it is on {other.node}" if other else "it is not there any more"
            raise Refused(self._source, attempt, answer, "make a new plan")
        return found

    def _check(self, found: Found, manner: Manner) -> None:
        """Raise Refused, before anything is touched, for what cannot be moved.

        Proxmox VE's own preconditions allow every node whatever mounts and storages a container has.
        """
        if manner == "live" and found.kind == "lxc":
            raise self._no("containers do not move while they run", "make a new plan")
        if found.lock:
            hint = f"{found.dialect.command} unlock {found.vmid}, there"
            raise self._no(f"it is locked ({found.lock}), and no task works on it", hint)
        client = self._guests.client
        if not client.is_online(self._node, self._attempt):
            raise Unreachable(self._node, self._attempt, "the cluster does not see the node", "see that it is up")
        rows = rows_of(client.get("/cluster/resources", self._attempt, type="storage"), "storage")
        tie = found.dialect.tie(found.config, shared_among(rows, (self._source, self._node)))
        if tie:
            raise self._no(tie, "take it off, or leave the server where it is")
        there = {row["storage"] for row in rows if row.get("node") == self._node and row.get("status") == "available"}
        for storage in sorted(found.dialect.storages(found.config) - there):
            raise self._no(f"storage {storage} is not available on {self._node}", "see the storage's nodes")
        for words in preconditions(client, found, self._node, self._attempt, self._progress):
            raise self._no(words, "see its devices, and the HA manager's rules")

    def _migrate(self, found: Found, *, ran: bool) -> None:
        body: dict[str, object] = {"target": self._node}
        if ran and found.kind == "lxc":
            body |= {"restart": 1, "timeout": max(int(self._guests.fleet.limits.stop), 1)}
        elif ran:
            # Disks on storage that both nodes reach stay where they are all the same.
            body |= {"online": 1, "with-local-disks": 1}
        upid = self._ask(found, body)
        if task.type_of(upid) == "hamigrate":
            self._follow_ha(found, upid, body, ran=ran)

    def _ask(self, found: Found, body: Mapping[str, object]) -> str:
        return self._guests.run(
            "POST",
            f"{found.path}/migrate",
            self._source,
            self._attempt,
            body,
            progress=self._progress,
            seconds=self._patience,
        )

    def _follow_ha(self, found: Found, asked: str, body: Mapping[str, object], *, ran: bool) -> None:
        """The HA manager was asked. What it does are tasks of the old node, and of nobody's making that we know."""
        deadline, heard = time.monotonic() + self._patience, time.monotonic()
        client = self._guests.client
        while time.monotonic() < deadline:
            there = self._guests.read(self._node, found.kind, found.vmid, self._attempt)
            if there and (not ran or self._guests.runs(there, self._attempt)):
                return
            for upid, word in task.children(client, asked, found.vmid, self._attempt):
                if task.type_of(upid) == found.dialect.migration and word != "OK":
                    # One that has failed already says so at once.
                    task.follow(client, upid, self._attempt, self._patience, self._progress)
            state = self._guests.ha_state(found, self._attempt)
            if there is not None or state not in _AT_REST:
                heard = time.monotonic()
            elif time.monotonic() - heard > _UNHEARD:
                self._progress("the HA manager has not begun; asking it again")
                self._ask(found, body)
                heard = time.monotonic()
            if state == "error":
                answer = "the HA manager gave it up (state error)"
                raise Refused(self._source, self._attempt, answer, "see 'ha-manager status' and the last tasks")
            time.sleep(_PAUSE)
        answer = f"the HA manager has not moved it after {self._patience:g} s"
        raise TimedOut(self._source, self._attempt, answer, unsure=True)

    def _judge(self, found: Found, error: EngineError, *, ran: bool) -> None:
        """The migration failed, or nobody saw its end: return if the server is over there, otherwise raise where it is
        after bringing it back to what it was."""
        if not doubtful(error):
            raise error
        try:
            self._guests.settle(found, self._attempt)
            there = self._guests.read(self._node, found.kind, found.vmid, self._attempt)
            if there and not there.lock:
                if ran and not self._guests.runs(there, self._attempt):
                    self._guests.start(there, self._attempt)
                return
            here = self._guests.read(self._source, found.kind, found.vmid, self._attempt)
            if here and ran and not here.lock:
                self._guests.start(here, self._attempt)
        except EngineError as second:
            words = f"{error.answer}; and it could not be brought back: {second.answer}"
            raise type(error)(error.node, error.attempt, words, error.hint, unsure=True) from None
        if here is None or here.lock:
            raise error
        words = f"{error.answer}; it {'runs' if ran else 'is'} on {self._source} as before"
        raise type(error)(error.node, error.attempt, words, error.hint) from None

    def _finish(self, arrived: Arrived) -> float:
        """A move that was cut off after the server had come to its new node."""
        there = self._guests.need(self._server.name, self._node, self._attempt)
        self._guests.settle(there, self._attempt)
        if self._server.state == "running" and not self._guests.runs(there, self._attempt):
            began = time.monotonic()
            self._guests.start(there, self._attempt)
            arrived()
            return time.monotonic() - began
        return 0.0

    def _no(self, answer: str, hint: str) -> Refused:
        return Refused(self._source, self._attempt, answer, hint)
