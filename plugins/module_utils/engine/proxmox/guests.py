# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guests of a cluster, one question and one change at a time.

Nothing is changed on a guest whose ownership mark was not read right before. Whatever goes wrong on the way, the guest
itself is asked how it is before an error is raised: an operation whose end nobody saw may well have succeeded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...fleet.model import Fleet
from ..base import EngineError, Progress, Refused, TimedOut, Untrusted
from . import marks, task, unfinished
from .client import Changed, Client, Missing
from .dialect import Dialect
from .dialects import DIALECTS
from .patience import patiently
from .recognise import name_of
from .vmids import Numbers

TRIES = 5
_PAUSE = 0.5
_LAG = 4.0
"""Seconds after a request, or after its end, in which a guest's own node may tell how it was before."""
_ONSET = 3.0
"""Seconds from a request to what can be seen of it."""
_HA = ("hastart", "hastop", "hashutdown")
"""Tasks that end as soon as the HA manager has been asked; what it then does is a task of its own, later."""


@dataclass(frozen=True, slots=True)
class Found:
    """A guest of ours as it is configured now."""

    node: str
    kind: str
    vmid: int
    config: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Where it is in the API."""
        return f"/nodes/{self.node}/{self.kind}/{self.vmid}"

    @property
    def lock(self) -> str:
        """What a task has locked it for, or left it locked for; empty: nothing."""
        return str(self.config.get("lock") or "")

    @property
    def dialect(self) -> Dialect:
        """How its kind is spoken of."""
        return DIALECTS[self.kind]

    @property
    def name(self) -> str:
        """What it is called."""
        return self.dialect.name(self.config)

    @property
    def description(self) -> str:
        """Somebody's words about it; ours while it is not finished."""
        return str(self.config.get("description") or "")

    @property
    def marks(self) -> marks.Marks:
        """What our tags say."""
        return marks.read(str(self.config.get("tags") or ""))


class Guests:
    """The guests of one cluster."""

    def __init__(self, fleet: Fleet, client: Client) -> None:
        self.fleet = fleet
        self.client = client
        self.numbers = Numbers(client)
        self._known: dict[str, tuple[str, str, int]] = {}

    # ---- questions

    def find(self, name: str, node: str, attempt: str, *, fresh: bool = True) -> Found | None:
        """Our guest of that name on a node; None: it is not there. Raises Refused for anybody else's.

        One request where it was seen there before; otherwise one more for the list of all, which has to be ``fresh``
        for a guest to be missing, or may be some seconds old.
        """
        known = self._known.get(name)
        if known and known[0] == node:
            found = self._read(*known, attempt)
            if found and self._is(found, name):
                return found
        for again in (False, True) if fresh else (False,):
            found = self._look(name, node, attempt, fresh=again)
            if found:
                self.know(name, found.node, found.kind, found.vmid)
                return found
        return None

    def know(self, name: str, node: str, kind: str, vmid: int) -> None:
        """Where to look for a server first."""
        self._known[name] = (node, kind, vmid)

    def need(self, name: str, node: str, attempt: str) -> Found:
        """Our guest of that name. Raises Refused where there is none."""
        found = self.find(name, node, attempt)
        if found is None:
            hint = "it was moved or removed meanwhile: make a new plan"
            raise Refused(node, attempt, f"no guest {name} on this node", hint)
        return found

    def elsewhere(self, name: str, node: str, attempt: str, *, fresh: bool = True) -> Found | None:
        """Our guest of that name on another node; None: there is none.

        A guest of somebody else's that happens to have the name is asked whether it is one we have not finished. Whom
        nobody can ask for his name, because his node is down, is not one of ours: theirs is in their marks.
        """
        for row in self.numbers.rows(attempt, fresh=fresh):
            called = name_of(row)
            if row.get("node") == node or (called or name) != name or self._is_in_the_making(row):
                continue
            if not called and not self.client.is_online(str(row["node"]), attempt):
                continue
            found = self._read_whole(str(row["node"]), str(row["type"]), int(row["vmid"]), attempt)
            if found and self._is(found, name):
                return found
        return None

    def is_unfinished(self, found: Found) -> bool:
        """Whether it is a clone that is not yet what it is to become."""
        return unfinished.says(found.description, self.fleet.name, found.name)

    def waiting(self, found: Found, attempt: str) -> tuple[str, ...]:
        """Keys of its configuration that take effect at its next start."""
        rows = self.client.get(f"{found.path}/pending", attempt, node=found.node)
        return tuple(sorted(str(row["key"]) for row in rows if "pending" in row or row.get("delete")))

    def runs(self, found: Found, attempt: str) -> bool:
        """Whether it runs, as its node says; for some seconds after a stop that may be old."""
        return self._status(found, attempt).get("status") == "running"

    def managed(self, found: Found, attempt: str) -> bool:
        """Whether the HA manager looks after it."""
        return bool((self._status(found, attempt).get("ha") or {}).get("managed"))

    def appeared(self, node: str, kind: str, vmid: int, attempt: str) -> Found | None:
        """Whoever has that number on a node, once nothing works on it; None: nobody, after some seconds.

        A request whose answer was lost may go on for a moment before it has made anything, and before its task begins.
        """
        deadline = time.monotonic() + _ONSET
        while True:
            task.settle(self.client, node, vmid, attempt, self.fleet.limits.operation)
            found = self._read(node, kind, vmid, attempt)
            if (found and not found.lock) or time.monotonic() > deadline:
                return found
            time.sleep(_PAUSE)

    def settle(self, found: Found, attempt: str) -> None:
        """No task of this guest runs any more."""
        task.settle(self.client, found.node, found.vmid, attempt, self.fleet.limits.operation)

    # ---- changes

    def run(
        self,
        method: str,
        path: str,
        node: str,
        attempt: str,
        body: Mapping[str, Any] | None = None,
        *,
        progress: Progress | None = None,
        seconds: float = 0.0,
    ) -> str:
        """One change, and its task's end; the task's id. What else works on the guest is waited for."""
        limit = seconds or self.fleet.limits.operation

        def change() -> str:
            upid = self.client.send(method, path, attempt, body, node)
            for words in task.follow(self.client, upid, attempt, limit, progress):
                if progress:
                    progress(f"warning: {words}")
            return str(upid)

        return patiently(self.client, path, attempt, self.fleet.limits.operation, change)

    def change(
        self,
        name: str,
        node: str,
        attempt: str,
        wanted: Callable[[Found], dict[str, Any]],
        found: Found | None = None,
    ) -> bool:
        """Make a guest's configuration what ``wanted`` asks for; False: it is so already. ``found``: it was just read.

        A change that was refused may have been written all the same: then it is taken back.
        """
        for _try in range(TRIES):
            found = found or self.need(name, node, attempt)
            body = wanted(found)
            if not body:
                return False
            try:
                digest = {"digest": found.config["digest"]} if "digest" in found.config else {}
                self.run("PUT", f"{found.path}/config", node, attempt, body | digest)
            except Changed:
                found = None
                continue
            except EngineError as error:
                if not doubtful(error):
                    raise
                now = self.need(name, node, attempt)
                if error.unsure and not wanted(now):
                    return True
                raise self._taken_back(found, now, body, attempt, error) from None
            return True
        raise Refused(node, attempt, "somebody else keeps changing it", "try again later")

    def start(self, found: Found, attempt: str) -> None:
        """Three requests: POST, and asking how it goes."""
        self._power(found, "start", attempt, {}, running=True)

    def stop(self, found: Found, attempt: str) -> None:
        """Shut down, and cut off after ``Limits.stop`` seconds."""
        seconds = max(int(self.fleet.limits.stop), 1)
        body = {"timeout": seconds, "forceStop": 1}
        self._power(found, "shutdown", attempt, body, running=False, seconds=seconds)

    # ---- inside

    def _power(
        self, found: Found, action: str, attempt: str, body: Mapping[str, Any], *, running: bool, seconds: float = 0.0
    ) -> None:
        path, limit = f"{found.path}/status/{action}", seconds + self.fleet.limits.operation
        try:
            upid = self.run("POST", path, found.node, attempt, body, seconds=limit)
        except EngineError as error:
            if not doubtful(error):
                raise
            if ("already running" if running else "not running") in error.answer:
                return
            if self._came_to(found, attempt, running=running, patience=_LAG if error.unsure else 0.0):
                return
            raise
        if task.type_of(upid) in _HA:
            self.wait_until(found, attempt, running=running)

    def _came_to(self, found: Found, attempt: str, *, running: bool, patience: float) -> bool:
        """Whether it is as wanted once nothing works on it, or within so many seconds: whose answer was lost may not
        have begun yet."""
        deadline = time.monotonic() + patience
        while True:
            self.settle(found, attempt)
            if self.runs(found, attempt) == running:
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)

    def wait_until(self, found: Found, attempt: str, *, running: bool) -> None:
        """The HA manager was asked: wait until it is so."""
        deadline = time.monotonic() + self.fleet.limits.operation
        while self.runs(found, attempt) != running:
            state = self.ha_state(found, attempt)
            if state == "error":
                answer = "the HA manager gave it up (state error)"
                raise Refused(found.node, attempt, answer, "see 'ha-manager status'; set it disabled, then started")
            if time.monotonic() > deadline:
                answer = f"the HA manager has not done it after {self.fleet.limits.operation:g} s (state {state})"
                raise TimedOut(found.node, attempt, answer, unsure=True)
            time.sleep(_PAUSE)

    def ha_state(self, found: Found, attempt: str) -> str:
        """What the HA manager is doing with it."""
        sid = f"{found.dialect.word}:{found.vmid}"
        rows = self.client.get("/cluster/ha/status/current", attempt)
        return next((str(row.get("state", "")) for row in rows if row.get("sid") == sid), "")

    def _status(self, found: Found, attempt: str) -> Mapping[str, Any]:
        status: Mapping[str, Any] = self.client.get(f"{found.path}/status/current", attempt, node=found.node)
        return status

    def _look(self, name: str, node: str, attempt: str, *, fresh: bool) -> Found | None:
        for row in self.numbers.rows(attempt, fresh=fresh):
            if row.get("node") != node or (name_of(row) or name) != name or self._is_in_the_making(row):
                continue
            found = self._read_whole(node, str(row["type"]), int(row["vmid"]), attempt)
            if found is None or found.name != name:
                continue
            if not self._is(found, name):
                owner = found.marks.fleet
                whose = f"belongs to fleet {owner}" if owner else f"does not bear the mark of fleet {self.fleet.name}"
                raise Refused(
                    node,
                    attempt,
                    f"the guest {name} ({found.vmid}) on this node {whose}",
                    "rename the server in the inventory, or remove the stranger yourself; it was not touched",
                )
            return found
        return None

    def _read_whole(self, node: str, kind: str, vmid: int, attempt: str) -> Found | None:
        """A guest once it has a name: one that somebody is just making may be the very one that is looked for."""
        found = self._read(node, kind, vmid, attempt)
        if found and found.lock == "create" and not found.name:
            task.end_of_creation(self.client, node, vmid, attempt, self.fleet.limits.operation)
            found = self._read(node, kind, vmid, attempt)
        return found

    def _read(self, node: str, kind: str, vmid: int, attempt: str) -> Found | None:
        try:
            config = self.client.get(f"/nodes/{node}/{kind}/{vmid}/config", attempt, node=node)
        except Missing:
            return None
        return Found(node, kind, vmid, config)

    def read(self, node: str, kind: str, vmid: int, attempt: str) -> Found | None:
        """Whoever has that number on a node, ours or not."""
        return self._read(node, kind, vmid, attempt)

    def _is(self, found: Found, name: str) -> bool:
        ours = found.marks.fleet == self.fleet.name or self.is_unfinished(found)
        return ours and found.name == name and not found.config.get("template")

    def _is_in_the_making(self, row: Mapping[str, Any]) -> bool:
        """Whether another server is just being made of it, from here."""
        return not row.get("name") and self.numbers.is_ours(int(row["vmid"]))

    def _taken_back(
        self, before: Found, now: Found, body: Mapping[str, Any], attempt: str, error: EngineError
    ) -> EngineError:
        """The error, once what was refused and written all the same is as it was."""
        keys = [key for key in body if key != "delete"] + str(body.get("delete") or "").split(",")
        old = {key: before.config.get(key, "") for key in keys if key}
        undo = now.dialect.changes(now.config, old)
        if not undo:
            return error
        try:
            self.run("PUT", f"{now.path}/config", now.node, attempt, undo)
        except EngineError as second:
            words = f"{error.answer}; it was written all the same, and could not be taken back: {second.answer}"
        else:
            words = f"{error.answer}; it was written all the same, and has been taken back"
        return type(error)(error.node, error.attempt, words, error.hint, unsure=error.unsure)


def doubtful(error: EngineError) -> bool:
    """Whether the guest itself has to be asked before this error may be believed."""
    if isinstance(error, (Untrusted, TimedOut)):
        return False
    return isinstance(error, (Refused, task.Killed)) or error.unsure
