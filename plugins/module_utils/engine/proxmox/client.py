# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to a cluster: any node that answers passes them on, and what went wrong is told in the words of base.py.

A request about a node goes to that node's own server, others to the one that answered last. Where nobody listens the
next host is tried. A question is asked again when its connection breaks; a change is sent once.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ...fleet.model import Limits
from ..base import EngineError, Refused, Unreachable, Untrusted
from ..trace import Trace
from .hints import hint, readable
from .session import Credentials, Endpoint, LoginFailed, Ticket, require_proxmoxer, resource

try:
    from proxmoxer.core import ResourceException
    from requests import exceptions as http
    from urllib3 import exceptions as below
except ImportError:
    # Client() says what is missing.
    pass

_QUORATE = 3.0
"""Seconds the answer to "is there a quorum" is taken for true."""
_SPARE = 30.0
"""Seconds a host that does not listen is not asked first again."""
_UP = "see that the node is up, and pveproxy on it"
_MAYBE = "see that the node is up; nobody knows how far it got, and another run goes on from what it finds"


class Missing(Refused):
    """There is no such thing."""


class Exists(Refused):
    """Something has that id or name already."""


class Changed(Refused):
    """The thing is no longer what it was when its digest was read."""


class Busy(Refused):
    """Another task holds the lock."""


_KINDS: tuple[tuple[str, type[Refused]], ...] = (
    (r"detected modified configuration|checksum mismatch", Changed),
    (r"can't lock file|is locked \(|got lock (request )?timeout", Busy),
    (r"already exists|already in use|already defined", Exists),
    (
        r"(configuration file|pool|CT \d+|VM \d+|resource|volume)\b.* does not exist|"
        r"no such (task|resource|(replication )?job)",
        Missing,
    ),
)


def classify(text: str) -> type[Refused]:
    """What kind of refusal the words of an answer, or a task's last word, are."""
    return next((kind for pattern, kind in _KINDS if re.search(pattern, text, re.IGNORECASE)), Refused)


class Client:
    """One cluster. Safe to use from several threads; keeps its connections until ``close``."""

    def __init__(
        self, endpoints: Iterable[Endpoint], credentials: Credentials, limits: Limits, trace: Trace | None = None
    ) -> None:
        require_proxmoxer()
        self.limits = limits
        self._endpoints = {endpoint.node: endpoint for endpoint in endpoints}
        if not self._endpoints:
            raise EngineError("controller", "connect", "no node's address is known", "declare node_address")
        self._credentials = credentials
        self._ticket = Ticket(credentials)
        self._trace = trace or Trace()
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Any, Any]] = {}
        self._last = next(iter(self._endpoints))
        self._silent: dict[str, float] = {}
        self._quorate_until = 0.0

    @property
    def calls(self) -> int:
        """Requests sent so far."""
        return self._trace.count

    def close(self) -> None:
        """Let go of every connection."""
        with self._lock:
            for _root, session in self._open.values():
                session.close()
            self._open.clear()
        self._trace.close()

    def get(self, path: str, attempt: str, *, node: str = "", **params: Any) -> Any:
        """Ask."""
        return self._request("GET", path, attempt, node, params)

    def send(self, method: str, path: str, attempt: str, body: Mapping[str, Any] | None = None, node: str = "") -> Any:
        """Change something, once, if the cluster can decide anything at all: without a quorum Proxmox VE does some
        changes by half."""
        self.require_quorum(attempt)
        return self._request(method, path, attempt, node, dict(body or {}))

    def require_quorum(self, attempt: str) -> None:
        """Raise Unreachable where the cluster has none. One request every few seconds."""
        if time.monotonic() < self._quorate_until:
            return
        asked = time.monotonic()
        if not quorate(self.get("/cluster/status", attempt)):
            answer = "the cluster has no quorum; nothing was changed"
            raise Unreachable("cluster", attempt, answer, hint("no quorum"))
        self._quorate_until = asked + _QUORATE

    def is_online(self, node: str, attempt: str) -> bool:
        """Whether the cluster sees the node."""
        rows = self.get("/cluster/status", attempt)
        return any(row.get("type") == "node" and row.get("name") == node and row.get("online") for row in rows)

    # ---- one request

    def _request(self, method: str, path: str, attempt: str, node: str, params: dict[str, Any]) -> Any:
        errors: list[EngineError] = []
        plain = {key: int(value) if isinstance(value, bool) else value for key, value in params.items()}
        for name in self._order(node):
            endpoint = self._endpoints[name]
            self._trace.record(method, name, path)
            try:
                answer = self._ask(endpoint, method, path, plain)
            except ResourceException as error:
                self._heard(name)
                raise self._refusal(error, attempt, node or name) from None
            except LoginFailed as error:
                hints = hint(str(error)) or "see the user, its realm and its password"
                raise Untrusted(name, attempt, f"the login was refused: {error}", hints) from None
            except http.RequestException as error:
                failure = self._failure(error, attempt, endpoint)
                if isinstance(failure, Untrusted) or (failure.unsure and method != "GET"):
                    raise failure from None
                self._silent[name] = time.monotonic() + _SPARE
                errors.append(failure)
                continue
            self._heard(name)
            return answer
        if len(errors) == 1:
            raise errors[0]
        words = "; ".join(f"{error.node}: {error.answer}" for error in errors)
        raise Unreachable("cluster", attempt, f"no node answers: {words}", "see that the nodes are up and reachable")

    def _ask(self, endpoint: Endpoint, method: str, path: str, params: dict[str, Any]) -> Any:
        """The answer. A ticket that is not taken any more is renewed once: whoever is not known has changed nothing."""
        call, asked = self._root(endpoint)(path.strip("/")), time.monotonic()
        do = {"GET": call.get, "POST": call.post, "PUT": call.put, "DELETE": call.delete}[method]
        try:
            return do(**params)
        except ResourceException as error:
            if int(error.status_code) != 401 or self._credentials.token:
                raise
        self._ticket.forget(asked)
        self._trace.record(method, endpoint.node, path)
        return do(**params)

    def _root(self, endpoint: Endpoint) -> Any:
        with self._lock:
            if endpoint.node not in self._open:
                timeout = (self.limits.connect, self.limits.request)
                connections = max(self.limits.concurrency, 4)
                self._open[endpoint.node] = resource(endpoint, self._credentials, self._ticket, timeout, connections)
            return self._open[endpoint.node][0]

    def _order(self, node: str) -> list[str]:
        """Hosts to try: the node itself, the one that answered last, the others; those that kept silent last."""
        now = time.monotonic()
        names = dict.fromkeys(name for name in (node, self._last, *self._endpoints) if name in self._endpoints)
        return sorted(names, key=lambda name: self._silent.get(name, 0.0) > now)

    def _heard(self, name: str) -> None:
        self._last = name
        self._silent.pop(name, None)

    # ---- what went wrong

    def _refusal(self, error: Any, attempt: str, node: str) -> EngineError:
        status = int(error.status_code)
        text = readable(str(error.content or ""), error.errors or {}) or f"HTTP {status}"
        if status in (595, 596, 599):
            # The server that was asked could not pass it on. 595: nothing was sent.
            answer = f"the node does not answer the others: {text}"
            return Unreachable(node, attempt, answer, _UP if status == 595 else _MAYBE, unsure=status != 595)
        if status == 401:
            origin = f" in {self._credentials.origin}" if self._credentials.origin else ""
            advice = f"see the user and its realm, the token's name and secret{origin}, and whether it has expired"
            return Untrusted(node, attempt, f"the cluster does not accept who we are: {text}", advice)
        kind: type[EngineError] = classify(text)
        if kind is Refused and status >= 500 and re.search(r"no quorum|cluster not ready", text):
            kind = Unreachable
        unsure = status in (502, 503, 504)
        return kind(node, attempt, text, hint(text) or (_MAYBE if unsure else ""), unsure=unsure)

    def _failure(self, error: Any, attempt: str, endpoint: Endpoint) -> EngineError:
        where, node, text = f"{endpoint.address} port {endpoint.port}", endpoint.node, str(error)
        if isinstance(error, http.SSLError) and not re.search(r"EOF|reset", text, re.IGNORECASE):
            seen = re.search(r'got "(?:b\')?([0-9a-fA-F:]+)', text)
            advice = f"find out who answers at {where}; if the node's certificate was renewed, give its new fingerprint"
            if seen:
                answer = f"another certificate than the known one: expected SHA-256 {endpoint.fingerprint}, seen "
                return Untrusted(node, attempt, answer + seen.group(1).lower(), advice)
            return Untrusted(node, attempt, f"its certificate is not trusted: {_reason(error)}", advice)
        if isinstance(error, http.ConnectTimeout):
            return Unreachable(node, attempt, f"no connection to {where} within {self.limits.connect:g} s", _UP)
        if isinstance(error, http.ReadTimeout) or "Read timed out" in text:
            answer = f"{where} accepted the connection, but did not answer"
            return Unreachable(node, attempt, answer, _MAYBE, unsure=True)
        if isinstance(_innermost(error), below.NewConnectionError):
            return Unreachable(node, attempt, f"no connection to {where}: {_reason(error)}", _UP)
        return Unreachable(node, attempt, f"connection to {where} broke: {_reason(error)}", _MAYBE, unsure=True)


def quorate(status: Iterable[Mapping[str, Any]]) -> bool:
    """What /cluster/status says. A node on its own has no row for a cluster, and is its own majority."""
    clusters = [row for row in status if row.get("type") == "cluster"]
    return all(int(row.get("quorate") or 0) for row in clusters)


def _innermost(error: BaseException) -> BaseException:
    cause: BaseException | None = error
    while cause is not None:
        error = cause
        nested = getattr(cause, "reason", None)
        if not isinstance(nested, BaseException):
            nested = next((each for each in cause.args if isinstance(each, BaseException)), None)
        cause = nested
        if isinstance(error, below.NewConnectionError):
            break
    return error


def _reason(error: BaseException) -> str:
    """The innermost words of an exception, without the object addresses urllib3 puts before them."""
    cause = _innermost(error)
    text = str(cause) or type(cause).__name__
    return re.sub(r"^<[^>]*>: |HTTPSConnection\([^)]*\): ", "", text)
