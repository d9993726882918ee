# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole double without a network: a cluster, who may do what in it, and how a request is answered."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from .access import Access
from .clock import Clock, Process, Wait
from .endpoints import ROUTES
from .errors import Refusal
from .faults import Faults
from .hamanager import HaManager
from .replicator import Replicator
from .routes import Call, Router
from .schema import table, verify
from .seed import populate
from .state import Cluster
from .tasks import Tasks

CALL = 0.02  # seconds any call takes
NOTICED = 5.0  # seconds until a dead node is known to be
RELEASES = {8: ("8.4.14", "8.4", "b502d23c55afcba1"), 9: ("9.1.9", "9.1", "f4009599")}


@dataclass
class Answer:
    """What goes back: status and reason phrase, and a body, or none."""

    status: int
    reason: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False  # the connection ends in the middle of it

    @property
    def data(self) -> Any:
        """What was asked for."""
        return self.body.get("data") if isinstance(self.body, dict) else None


@dataclass
class Credentials:
    """What a request brings along to say who it is."""

    ticket: str = ""
    csrf: str = ""
    token: str = ""


class World:
    """A cluster and everything that goes on in it."""

    def __init__(
        self,
        nodes: int = 3,
        version: str = "9.1",
        clock: Clock | None = None,
        name: str = "double",
        staleness: float = 1.0,
    ) -> None:
        self.clock = clock or Clock()
        self.staleness = staleness  # how old lists may be: 1 as the real ones, 0 never
        self.fingerprint = ""
        self.node_changed: Callable[[str], object] = lambda _node: None  # told when a node dies or comes back
        self.cluster = Cluster(name, version, self.clock)
        self.release = RELEASES[self.cluster.major]
        self.tasks = Tasks(self.cluster)
        self.access = Access(self.cluster)
        self.faults = Faults(self)
        populate(self.cluster, nodes)
        self.ha = HaManager(self)
        self.replicator = Replicator(self)
        self.table = table(self.cluster.major)
        self.router = Router(self.table)
        self.calls: Counter[str] = Counter()  # requests, by endpoint

    def request(
        self,
        method: str,
        path: str,
        params: dict[str, Any] | None = None,
        via: str = "",
        who: Credentials | str = "root@pam",
    ) -> Process:
        """Begin to answer a request. ``who`` is a user's name, taken as it is, or what the request brings along."""
        return self.clock.spawn(
            self._serve(method, path, dict(params or {}), via or next(iter(self.cluster.nodes)), who)
        )

    def _serve(
        self, method: str, path: str, params: dict[str, Any], via: str, who: Credentials | str
    ) -> Generator[Wait, None, Answer]:
        yield CALL
        extjs = path.startswith("/api2/extjs")
        path = path.removeprefix("/api2/json").removeprefix("/api2/extjs")
        try:
            answer = yield from self.faults.around(method, path, params, self._answer(method, path, params, via, who))
        except Refusal as refusal:
            answer = _refused(refusal)
        if extjs and answer.body is not None:
            success = int(answer.status == 200)
            answer = Answer(200, "OK", {"data": None, **answer.body, "status": answer.status, "success": success})
        assert isinstance(answer, Answer)
        return answer

    def _answer(
        self, method: str, path: str, params: dict[str, Any], via: str, who: Credentials | str
    ) -> Generator[Wait, None, Answer]:
        if method not in ("GET", "POST", "PUT", "DELETE"):
            raise Refusal(f"method '{method}' not available", 501, empty=True)
        endpoint, in_path = self.router.find(method, path)
        self.calls[endpoint or f"{method} {path}"] += 1
        allowed = self.table[endpoint].get("permissions", {}) if endpoint else {}
        if isinstance(who, str):
            user = who
        elif allowed.get("user") == "world" and not who.token:
            user = ""
        else:
            user = yield from self._who(who, method)
        if not endpoint or endpoint not in ROUTES:
            raise Refusal(f"Method '{method} {path.rstrip('/') or '/'}' not implemented", 501)
        if "!" in user and not self.table[endpoint].get("allowtoken", 1):
            raise Refusal(
                f"Permission check failed (URI '{path}' not available with API token, need proper ticket.\n)", 403
            )
        call = Call(self, user, via, method, path, {**params, **in_path})
        self.access.check(call, allowed)
        if self.table[endpoint].get("proxy") and "node" in in_path:
            yield from self._reach(in_path["node"], via)
        call.node = in_path.get("node", via)
        call.params = verify(self.table[endpoint]["parameters"], call.params)
        if method != "GET":
            yield from self.cluster.worker(call.node)
        result = ROUTES[endpoint](call)
        if inspect.isgenerator(result):
            result = yield from result
        if self.table[endpoint].get("proxy") and call.node != via and not self.cluster.nodes[call.node].online:
            raise Refusal("Broken pipe", 596, empty=True)  # it died while it was asked
        return Answer(200, "OK", {"data": result, **call.extra})

    def _who(self, who: Credentials, method: str) -> Generator[Wait, None, str]:
        try:
            return self.access.authenticate(who.ticket, who.csrf, who.token, method)
        except Refusal:
            yield 3.0
            raise

    def _reach(self, name: str, via: str) -> Generator[Wait, None, None]:
        node = self.cluster.nodes.get(name)
        if node is None:
            reason = "Temporary failure in name resolution"
            raise Refusal(f"hostname lookup '{name}' failed - failed to get address info for: {name}: {reason}")
        if name == via or node.online:
            return
        if node.deaf or self.clock.now() < node.died + NOTICED * self.clock.latency:
            yield 30.0
            raise Refusal("Connection timed out", 595, empty=True)
        raise Refusal("Connection refused", 595, empty=True)


def _refused(refusal: Refusal) -> Answer:
    reason = refusal.text.partition("\n")[0]
    if refusal.empty:
        return Answer(refusal.status, reason)
    body: dict[str, Any] = {"data": None, "message": refusal.text.rstrip("\n") + "\n"}
    if refusal.errors:
        body["errors"] = refusal.errors
    return Answer(refusal.status, reason, body)


def encode(answer: Answer) -> bytes:
    """The body as it goes over the wire."""
    return b"" if answer.body is None else json.dumps(answer.body, separators=(",", ":")).encode()
