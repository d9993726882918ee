# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS to one node's Incus server: requests, answers, and what went wrong in the words of base.py.

The server's certificate is pinned by its SHA-256 fingerprint; the controller shows its own. Reads are sent a
second time when a kept-alive connection turns out to be dead; writes never are.
"""

from __future__ import annotations

import json
import math
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...fleet.model import Limits
from ..base import EngineError, Refused, Unreachable, Untrusted
from ..trace import Trace
from .hints import hint, without_secrets

try:
    import urllib3
    from urllib3 import exceptions as http
except ImportError:
    HAS_URLLIB3 = False
else:
    HAS_URLLIB3 = True

ROLE_HINT = "run the site playbook (node role) against the node"


class Missing(Refused):
    """Incus knows no such thing (404)."""


class Broken(Unreachable):
    """The connection ended while it was in use: what was sent may have arrived."""


class Exists(Refused):
    """Incus has one of that name already (409)."""


class Changed(Refused):
    """The thing is no longer what it was when its ETag was read (412)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the node at the other end has to be. ``certificate`` (PEM) may be unknown, its fingerprint not."""

    fingerprint: str
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Incus said. ``operation`` is the path of the background task, where it began one."""

    metadata: Any
    etag: str = ""
    operation: str = ""


def client_context(certificate: str, key: str) -> ssl.SSLContext:
    """TLS settings with the controller's certificate (paths). Who the server is, the fingerprint decides."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(certificate, key)
    return context


class Client:
    """One node. Safe to use from several threads; keeps its connections until ``close``."""

    def __init__(
        self,
        node: str,
        address: str,
        port: int,
        *,
        identity: Identity,
        context: ssl.SSLContext,
        limits: Limits,
        trace: Trace,
    ) -> None:
        if not HAS_URLLIB3:
            raise EngineError(
                "controller", "load urllib3", "not installed", "install urllib3 (Debian: python3-urllib3)"
            )
        self.node = node
        self.address = address
        self.port = port
        self.identity = identity
        self.limits = limits
        self.context = context
        self.trace = trace
        self._pool = urllib3.HTTPSConnectionPool(
            address,
            port,
            maxsize=max(limits.concurrency, 4),
            block=False,
            retries=False,
            ssl_context=context,
            # Releases of urllib3 before 2 would overrule the context here.
            cert_reqs="CERT_NONE",
            assert_hostname=False,
            assert_fingerprint=identity.fingerprint,
            socket_options=_liveness(limits.connect),
        )

    @property
    def url(self) -> str:
        """Where other nodes reach this one."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"https://{host}:{self.port}"

    def close(self) -> None:
        """Let go of every connection."""
        self._pool.close()

    def get(self, path: str, attempt: str, *, read: float = 0.0) -> Answer:
        """Ask. ``read`` is the longest silence borne, in seconds; 0 is ``Limits.request``."""
        try:
            return self._request("GET", path, attempt, read=read)
        except Broken:
            # A kept-alive connection whose other end restarted meanwhile. Asking does no harm: once more.
            pass
        return self._request("GET", path, attempt, read=read)

    def send(self, method: str, path: str, attempt: str, body: Any = None, *, etag: str = "") -> Answer:
        """Change something, once. With ``etag``: only if it still is what that ETag was read from."""
        return self._request(method, path, attempt, body=body, etag=etag)

    def upload(self, path: str, attempt: str, content: bytes, headers: Mapping[str, str]) -> None:
        """Write a file of a guest."""
        self._request("POST", path, attempt, headers=headers, content=content)

    def _request(
        self,
        method: str,
        path: str,
        attempt: str,
        *,
        body: Any = None,
        etag: str = "",
        read: float = 0.0,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        headers = dict(headers or {})
        if body is not None:
            headers["Content-Type"] = "application/json"
        if etag:
            headers["If-Match"] = etag
        self.trace.record(method, self.node, path)
        try:
            response = self._pool.request(
                method,
                path,
                body=json.dumps(body).encode() if body is not None else content,
                headers=headers,
                timeout=urllib3.Timeout(connect=self.limits.connect, read=read or self.limits.request),
                retries=False,
            )
        except http.SSLError as error:
            raise self._tls_failure(error, attempt) from None
        except http.HTTPError as error:
            raise self._silence(error, attempt) from None
        return self._answer(response.status, response.data, response.headers.get("ETag", ""), attempt)

    def _tls_failure(self, error: Exception, attempt: str) -> EngineError:
        text = str(error)
        seen = re.search(r"""got "(?:b')?([0-9a-fA-F]+)""", text)
        if seen:
            return Untrusted(
                self.node,
                attempt,
                f"another certificate than the known one: expected SHA-256 {self.identity.fingerprint}, "
                f"seen {seen.group(1).lower()}",
                "if the node was reinstalled on purpose, run the site playbook against it with "
                "node_accept_certificate=true; otherwise find out who answers at "
                f"{self.address} port {self.port}",
            )
        if "EOF" in text or "reset" in text.lower():
            return Broken(self.node, attempt, f"connection closed: {_reason(error)}", unsure=True)
        return Untrusted(
            self.node,
            attempt,
            f"no TLS as Incus speaks it: {_reason(error)}",
            f"find out who answers at {self.address} port {self.port}",
        )

    def _silence(self, error: Exception, attempt: str) -> EngineError:
        where = f"{self.address} port {self.port}"
        if isinstance(error, http.NewConnectionError):
            # Before ConnectTimeoutError, of which it is a special case in some releases of urllib3.
            return Unreachable(self.node, attempt, f"no connection to {where}: {_reason(error)}")
        if isinstance(error, http.ConnectTimeoutError):
            answer = f"no connection to {where} within {self.limits.connect:g} s"
            return Unreachable(self.node, attempt, answer)
        if isinstance(error, http.TimeoutError):
            return Unreachable(self.node, attempt, f"{where} accepted the connection, but did not answer", unsure=True)
        return Broken(self.node, attempt, f"connection to {where} broke: {_reason(error)}", unsure=True)

    def _answer(self, status: int, data: bytes, etag: str, attempt: str) -> Answer:
        try:
            body = json.loads(data)
            if not isinstance(body, dict):
                raise ValueError("not an object")
        except ValueError:
            raise Refused(self.node, attempt, f"HTTP {status} that is not Incus: {data[:200]!r}") from None
        if status < 400 and body.get("type") != "error":
            return Answer(body.get("metadata"), etag, str(body.get("operation") or ""))
        text = without_secrets(str(body.get("error") or f"HTTP {status}"))
        # What an operation failed with comes as HTTP 200: its code speaks of something else than this request.
        if status in (401, 403):
            raise Untrusted(
                self.node,
                attempt,
                f"the node does not accept this controller's certificate: {text}",
                ROLE_HINT,
            )
        kind = {404: Missing, 409: Exists, 412: Changed}.get(status, Refused)
        raise kind(self.node, attempt, text, hint(text))


def _liveness(seconds: float) -> list[tuple[int, int, int]]:
    """Socket options by which a peer that lost its power is noticed on an open connection as soon as on a new one,
    instead of after the kernel's quarter of an hour. Linux; elsewhere the read timeout has to do."""
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        idle = max(math.ceil(seconds), 1)
        options += [
            (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000)),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, idle),
        ]
    return options


def _reason(error: BaseException) -> str:
    """The innermost words of an exception, without the object addresses urllib3 puts before them."""
    cause: BaseException = error
    for argument in error.args:
        if isinstance(argument, BaseException):
            cause = argument
    text = str(cause) or type(cause).__name__
    return re.sub(r"^<[^>]*>: |HTTPSConnection\([^)]*\): ", "", text)
