# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine does with the servers of one node: made, kept in step, started, stopped, deleted.

How a change is made safely is the business of ``guests``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...fleet.model import Fleet, Server
from ..base import EngineError, Progress, Refused
from . import duplicate, guest, handover, safekeeping
from .client import Client
from .copy import finish
from .guests import INSTANCES, Found, Guests, doubtful
from .units import mib

Noted = Callable[[str, Found, str], None]


class Instances:
    """The servers of one node."""

    def __init__(self, fleet: Fleet, client: Client, noted: Noted | None = None) -> None:
        """``noted`` is called with a server that is to be kept in another state from now on, and that state."""
        self._fleet = fleet
        self._noted = noted
        self._guests = Guests(fleet, client)
        self._node = client.node

    def create(self, server: Server, progress: Progress) -> None:
        """Two requests: POST and wait."""
        attempt = f"create {server.name}"
        try:
            self._create(server, attempt, progress)
        except EngineError as error:
            if not doubtful(error):
                raise
            self._guests.settle(server.name, attempt, progress)
            found = self._guests.find(server.name, attempt)
            if found is None:
                raise
            if found.replica:
                words = "a replica of it is there, whose server is elsewhere or lost"
                raise Refused(self._node, attempt, words, "fail over to it, or delete it") from None
            if not found.whole:
                self._guests.remove(server.name, attempt)
                self._create(server, attempt, progress)

    def configure(self, server: Server) -> None:
        """One request, three if something differs."""

        def wanted(raw: dict[str, Any]) -> dict[str, Any] | None:
            known = safekeeping.guard_mark(server) if safekeeping.is_kept(raw["config"]) else {}
            return guest.configured(raw, server, self._guests.node, self._fleet, known)

        self._guests.replace(server.name, f"configure {server.name}", wanted)

    def resize(self, server: Server) -> None:
        """One request, three if something differs."""
        attempt = f"resize {server.name}"

        def wanted(raw: dict[str, Any]) -> dict[str, Any] | None:
            now = mib(guest.root_of(raw)[1].get("size", ""))
            if now and now > server.size.disk:
                raise Refused(
                    self._node,
                    attempt,
                    f"its disk has {now} MiB, a smaller one ({server.size.disk} MiB) is wanted, and disks only grow",
                    f"declare at least {now} MiB, or delete and create the server anew",
                )
            return guest.resized(raw, server)

        self._guests.replace(server.name, attempt, wanted)

    def start(self, name: str) -> None:
        """Three requests: GET, PUT and wait. A copy that is not promoted is refused."""
        attempt = f"start {name}"
        found = self._startable(name, attempt)
        if duplicate.COPIED in found.config:
            found = self._own(name, attempt)
        if not found.whole:
            found = self._complete(name, attempt)
        self._note(name, found, "running", attempt)
        if not found.running:
            self._guests.start(name, attempt, "unfreeze" if found.status == "Frozen" else "start")

    def stop(self, name: str) -> None:
        """Three requests: GET, PUT and wait; some more where the guest does not go by itself."""
        attempt = f"stop {name}"
        found = self._guests.need(name, attempt)
        self._note(name, found, "stopped", attempt)
        self._guests.stop(name, found, attempt)

    def restart(self, name: str) -> None:
        """Five requests: GET, and twice PUT and wait."""
        attempt = f"restart {name}"
        found = self._startable(name, attempt)
        self._note(name, found, "running", attempt)
        self._guests.stop(name, found, attempt)
        self._guests.start(name, attempt)

    def delete(self, name: str, before: Callable[[Found], None]) -> None:
        """Three requests: GET, DELETE and wait. ``before`` is called with what is about to go."""
        attempt = f"delete {name}"
        found = self._guests.find(name, attempt)
        if found is None:
            return
        if not found.stopped and found.status != "Error":
            raise Refused(self._node, attempt, f"it is {found.status.lower()}", "stop it first")
        before(found)
        self._guests.remove(name, attempt)

    def _startable(self, name: str, attempt: str) -> Found:
        found = self._guests.need(name, attempt)
        if found.replica:
            raise Refused(self._node, attempt, "this copy is a replica, its server is elsewhere", "make a new plan")
        return found

    def _own(self, name: str, attempt: str) -> Found:
        """A copy that was cut off before it was a server of its own, made one."""
        declared = self._fleet.servers.get(name)
        if declared is None:
            raise Refused(self._node, attempt, "it is a copy that was not finished", "delete it; it never ran")
        finish(self._guests, declared, attempt)
        return self._guests.need(name, attempt)

    def _note(self, name: str, found: Found, state: str, attempt: str) -> None:
        """Before a server is started or stopped where it is: a move that was cut off is over, and nodes that look after
        it are told how it is to be kept, lest they undo what we do."""
        keys = dict(handover.STAYS) if handover.other_node(found.config) else {}
        kept = safekeeping.is_kept(found.config) and not found.replica
        if kept:
            keys[safekeeping.KEEPS] = state
        if any(found.config.get(key, "") != value for key, value in keys.items()):
            self._guests.set_keys(name, attempt, keys)
        if kept and self._noted is not None and found.config.get(safekeeping.KEEPS, "") != state:
            self._noted(name, found, state)

    def _create(self, server: Server, attempt: str, progress: Progress | None = None) -> None:
        body = guest.instance(server, self._guests.node, self._fleet)
        self._guests.run("POST", INSTANCES, attempt, body, progress=progress)

    def _complete(self, name: str, attempt: str) -> Found:
        """A guest whose creation was cut off, made whole: waited for, or made again. It never ran."""
        self._guests.settle(name, attempt)
        found = self._guests.need(name, attempt)
        if found.whole:
            return found
        declared = self._fleet.servers.get(name)
        if declared is None or found.generation > 1:
            raise Refused(self._node, attempt, "its creation was cut off half way", "delete it; it never ran")
        self._guests.remove(name, attempt)
        self._create(declared, attempt)
        return self._guests.need(name, attempt)
