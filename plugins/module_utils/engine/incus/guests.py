# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guests of one node, one question and one change at a time.

Nothing is changed on a guest whose ownership mark was not read right before, and where Incus can compare (ETag)
the change holds only for what was read. Whatever goes wrong on the way, the guest itself is asked how it is
before an error is raised: an operation whose end nobody saw may well have succeeded.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from ...fleet.model import Fleet
from ..base import EngineError, Progress, Refused, TimedOut, Untrusted
from . import operation
from .client import Changed, Client, Missing
from .guest import MARK
from .safekeeping import replicas

TRIES = 5
_IS_BUSY = 'busy running a "'
"""In Incus' answer where another node is fetching a copy, or somebody else is just changing the guest."""
_PAUSE = 0.1
_MOMENT = 3.0
"""Seconds a copy is let go on before it is broken off: most are over by then."""
INSTANCES = "/1.0/instances"
_MOMENT_WRITTEN = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)$")
"""As Incus writes a moment: RFC 3339, to the nanosecond, in any zone."""


@dataclass(frozen=True, slots=True)
class Found:
    """A guest of ours as it is now, and its ETag."""

    raw: dict[str, Any]
    etag: str
    node: str = ""

    @property
    def config(self) -> Mapping[str, str]:
        """Its configuration, ours and Incus' own."""
        return self.raw.get("config") or {}

    @property
    def status(self) -> str:
        """In Incus' words."""
        return str(self.raw.get("status", ""))

    @property
    def stopped(self) -> bool:
        """Nothing of it runs."""
        return self.status == "Stopped"

    @property
    def running(self) -> bool:
        """It runs, and is not frozen."""
        return self.status in ("Running", "Ready")

    @property
    def replica(self) -> bool:
        """A copy that is not to run until it is promoted."""
        return self.config.get(f"{MARK}role") == "replica" or self.restored

    @property
    def restored(self) -> bool:
        """A replica that bears what its server did, whose state it was brought back to: no server has its replica on
        its own node."""
        return self.config.get(f"{MARK}role") != "replica" and self.node in replicas(self.config)

    @property
    def started(self) -> float:
        """When it was started last, seconds since the epoch; 0: never, or nobody knows."""
        moment = _MOMENT_WRITTEN.match(str(self.raw.get("last_used_at", "")))
        if moment is None:
            return 0.0
        zone = moment[2].replace("Z", "+00:00")
        return max(datetime.fromisoformat(f"{moment[1]}{zone}").timestamp(), 0.0)

    @property
    def generation(self) -> int:
        """How often its server was promoted so far, and once for its creation."""
        text = self.config.get(f"{MARK}generation", "")
        return int(text) if text.isdigit() else 1

    @property
    def whole(self) -> bool:
        """False: its creation (or first copy) was cut off, or is still going on.

        Incus notes the end of a creation by ``volatile.apply_template``, until the first start. A daemon that
        dies before leaves a guest that looks like any other and has half a root file system.
        """
        started = not str(self.raw.get("last_used_at", "")).startswith(("1970-", "0001-"))
        return started or "volatile.apply_template" in self.config or "volatile.last_state.power" in self.config


class Guests:
    """The guests of one node."""

    def __init__(self, fleet: Fleet, client: Client) -> None:
        self.fleet = fleet
        self.client = client
        self.node = fleet.nodes[client.node]

    def patient(self, stop: float) -> Guests:
        """The same guests, which have so many seconds to shut down."""
        return Guests(replace(self.fleet, limits=replace(self.fleet.limits, stop=stop)), self.client)

    # ---- questions

    def find(self, name: str, attempt: str) -> Found | None:
        """Our guest of that name; None: there is none. Raises Refused for anybody else's."""
        try:
            answer = self.client.get(path_of(name), attempt)
        except Missing:
            return None
        owner = (answer.metadata.get("config") or {}).get(f"{MARK}fleet", "")
        if owner != self.fleet.name:
            whose = f"belongs to fleet {owner}" if owner else f"does not bear the mark of fleet {self.fleet.name}"
            raise Refused(
                self.client.node,
                attempt,
                f"the guest {name} on this node {whose}",
                "rename the server in the inventory, or remove the stranger yourself; it was not touched",
            )
        return Found(answer.metadata, answer.etag, self.client.node)

    def all(self, attempt: str) -> dict[str, Found]:
        """Every guest of ours, by name, without ETags. One request, however many there are."""
        listed = self.client.get(f"{INSTANCES}?recursion=1", attempt).metadata or []
        return {
            raw["name"]: Found(raw, "", self.client.node)
            for raw in listed
            if (raw.get("config") or {}).get(f"{MARK}fleet", "") == self.fleet.name
        }

    def need(self, name: str, attempt: str) -> Found:
        """Our guest of that name. Raises Refused where there is none."""
        found = self.find(name, attempt)
        if found is None:
            raise Refused(
                self.client.node, attempt, f"no guest {name} on this node", "it was removed meanwhile: make a new plan"
            )
        return found

    def settle(self, name: str, attempt: str, progress: Progress | None = None, seconds: float = 0.0) -> None:
        """Nothing goes on with this guest any more. Waits for ``Limits.operation``, or as many seconds as given."""
        limit = seconds or self.fleet.limits.operation
        operation.settle(self.client, path_of(name), attempt, limit, progress)

    # ---- changes

    def run(
        self,
        method: str,
        path: str,
        attempt: str,
        body: Any = None,
        *,
        etag: str = "",
        progress: Progress | None = None,
        peer: Client | None = None,
        seconds: float = 0.0,
    ) -> None:
        """One change, and its operation's end. ``peer`` is the node it fetches from, if it does; ``seconds`` how long
        it may take, if not ``Limits.operation``.

        While another node fetches a copy of a guest, or an agent writes on it, Incus changes nothing of it. That is let
        end; a copy that takes longer than a moment is broken off: whoever keeps a replica there begins again.
        """
        until = time.monotonic() + self.fleet.limits.operation
        while True:
            try:
                answer = self.client.send(method, path, attempt, body, etag=etag)
                if answer.operation:
                    limit = seconds or self.fleet.limits.operation
                    operation.wait(self.client, answer.operation, attempt, limit, progress, peer=peer)
            except Refused as error:
                if _IS_BUSY not in error.answer or time.monotonic() > until:
                    raise
                self._free(path, attempt)
            else:
                return

    def _free(self, path: str, attempt: str) -> None:
        resource = "/".join(path.split("/")[:4])
        try:
            operation.settle(self.client, resource, attempt, _MOMENT)
        except TimedOut:
            operation.cancel(self.client, resource, attempt, operation.MIGRATION)
        # Incus lets go of a guest a little after the operation has ended.
        time.sleep(_PAUSE)

    def set_keys(self, name: str, attempt: str, keys: Mapping[str, str]) -> Found:
        """Write keys of a guest's configuration, an empty value to remove one; the guest as it was before.

        Two requests.
        """
        return self._write(name, attempt, lambda _found: dict(keys))

    def mark(self, name: str, attempt: str, choose: Callable[[Found], Mapping[str, str]]) -> Found:
        """Write the keys ``choose`` chooses for a guest as it is, and what it raises: nothing; the guest before that.

        Two requests, one where it bears them already.
        """

        def differing(found: Found) -> dict[str, str]:
            return {key: value for key, value in choose(found).items() if found.config.get(key, "") != value}

        return self._write(name, attempt, differing)

    def _write(self, name: str, attempt: str, choose: Callable[[Found], dict[str, str]]) -> Found:
        for _try in range(TRIES):
            found = self.need(name, attempt)
            keys = choose(found)
            if not keys:
                return found
            try:
                self.run("PATCH", path_of(name), attempt, {"config": keys}, etag=found.etag)
            except Changed:
                continue
            except EngineError as error:
                if not doubtful(error):
                    raise
                self.settle(name, attempt)
                now = self.need(name, attempt).config
                if any(now.get(key, "") != value for key, value in keys.items()):
                    raise error from None
            return found
        raise self.busy(attempt)

    def replace(self, name: str, attempt: str, wanted: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
        """Make a guest what ``wanted`` makes of it; None: it is so already."""
        for _try in range(TRIES):
            found = self.need(name, attempt)
            body = wanted(found.raw)
            if body is None:
                return
            try:
                self.run("PUT", path_of(name), attempt, body, etag=found.etag)
            except Changed:
                # Incus itself notes things on guests, at a start for example.
                continue
            except EngineError as error:
                if not doubtful(error):
                    raise
                self.settle(name, attempt)
                if wanted(self.need(name, attempt).raw) is not None:
                    raise error from None
            return
        raise self.busy(attempt)

    def start(self, name: str, attempt: str, action: str = "start") -> None:
        """Two requests: PUT and wait."""
        self._state(name, action, attempt, lambda now: now.running)

    def stop(self, name: str, found: Found, attempt: str) -> None:
        """Two requests: PUT and wait; some more where the guest does not go by itself."""
        if found.stopped:
            return
        seconds = max(int(self.fleet.limits.stop), 1)
        try:
            self._state(name, "stop", attempt, lambda now: now.stopped, timeout=seconds)
        except Refused:
            # It does not listen, or is frozen: cut its power, if it still is the one it was.
            if not self.need(name, attempt).stopped:
                self._state(name, "stop", attempt, lambda now: now.stopped, force=True)

    def remove(self, name: str, attempt: str) -> None:
        """Two requests: DELETE and wait. The caller has made sure that it is ours, and not running."""
        try:
            self.run("DELETE", path_of(name), attempt)
        except EngineError as error:
            if not doubtful(error):
                raise
            self.settle(name, attempt)
            if self.find(name, attempt) is not None:
                raise error from None

    def busy(self, attempt: str) -> Refused:
        """What to raise when a guest keeps changing between our look at it and our change."""
        return Refused(self.client.node, attempt, "somebody else keeps changing it", "try again later")

    def _state(
        self,
        name: str,
        action: str,
        attempt: str,
        reached: Callable[[Found], bool],
        *,
        timeout: int = -1,
        force: bool = False,
    ) -> None:
        """Change what a guest is doing. An error counts only if the guest is not, in the end, as wanted."""
        body = {"action": action, "timeout": timeout, "force": force}
        try:
            self.run("PUT", f"{path_of(name)}/state", attempt, body)
        except EngineError as error:
            if not doubtful(error):
                raise
            self.settle(name, attempt)
            if not reached(self.need(name, attempt)):
                raise error from None


def path_of(name: str) -> str:
    """Where a guest is in Incus' API."""
    return f"{INSTANCES}/{quote(name, safe='')}"


def doubtful(error: EngineError) -> bool:
    """Whether the guest itself has to be asked before this error may be believed."""
    if isinstance(error, (Untrusted, TimedOut)):
        return False
    return isinstance(error, (Refused, operation.Gone)) or error.unsure
