# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The double on the network: one HTTP(S) server for each node, and faults at /double."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .control import control
from .errors import Hangup
from .world import Answer, Credentials, World, encode


class Door(ThreadingHTTPServer):
    """One node's address. Closed while the node is dead."""

    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], node: str, world: World, ready: threading.Condition) -> None:
        self.node, self.world, self.ready = node, world, ready
        self.tls: ssl.SSLContext | None = None
        super().__init__(address, Conversation)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Wrap the connection on its own thread, so that a slow handshake holds up nobody."""
        if self.silent():
            return
        if self.tls:
            request.settimeout(30)
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def silent(self) -> bool:
        """Whether the node is dead. One that is deaf lets the client wait."""
        node = self.world.cluster.nodes[self.node]
        if node.deaf:
            threading.Event().wait(60.0 * self.world.clock.latency)
        return not node.online

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""

    def shutdown_request(self, request: Any) -> None:
        """End a connection that may have been wrapped meanwhile."""
        with contextlib.suppress(OSError):
            super().shutdown_request(request)


class Conversation(BaseHTTPRequestHandler):
    """One connection: request after request."""

    server: Door
    protocol_version = "HTTP/1.1"
    server_version = "pve-api-daemon/3.0"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        path, _mark, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        params = {**_form(query), **_body(body, self.headers.get("Content-Type", ""))}
        if path.startswith("/double"):
            self._send(control(self.server.world, self.server.ready, self.command, path, params))
            return
        try:
            answer = self._ask(path, params)
        except Hangup:
            self._hang_up()
            return
        self._send(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _handle

    def _ask(self, path: str, params: dict[str, Any]) -> Answer:
        world, ready = self.server.world, self.server.ready
        if self.server.silent():
            raise Hangup
        if not re.match(r"/api2/(json|extjs)(/|$)", path):
            return Answer(404, "Not Found")
        with ready:
            world.clock.catch_up()
            process = world.request(self.command, path, params, self.server.node, self._who())
            world.clock.catch_up()
            while not process.done:
                due = world.clock.next_due()
                if world.clock.manual and due is not None:
                    world.clock.advance(max(0.0, due - world.clock.now()))
                    continue
                ready.wait(None if due is None else max(0.0, min(due - world.clock.now(), 1.0)))
                world.clock.catch_up()
                ready.notify_all()
            if not world.cluster.nodes[self.server.node].online:
                raise Hangup
        if process.error:
            raise process.error
        answer: Answer = process.result
        return answer

    def _who(self) -> Credentials:
        authorization = self.headers.get("Authorization", "")
        cookie = re.search(r"PVEAuthCookie=([^;]+)", self.headers.get("Cookie", ""))
        token = authorization.removeprefix("PVEAPIToken=") if authorization.startswith("PVEAPIToken=") else ""
        ticket = urllib.parse.unquote(cookie[1]) if cookie else ""
        return Credentials(ticket, self.headers.get("CSRFPreventionToken", ""), token)

    def _send(self, answer: Answer) -> None:
        body = encode(answer)
        reason = answer.reason.encode("utf-8").decode("latin-1")
        self.send_response(answer.status, reason)
        self.send_header("Cache-Control", "max-age=0")
        if body:
            self.send_header("Content-Type", "application/json;charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if answer.cut:
            self.wfile.write(body[: len(body) // 2])
            self._hang_up()
        else:
            self.wfile.write(body)

    def _hang_up(self) -> None:
        """End the connection as a crash does: without another word."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)


def _form(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in urllib.parse.parse_qsl(text, keep_blank_values=True):
        found[key] = (
            [*found[key], value] if isinstance(found.get(key), list) else [found[key], value] if key in found else value
        )
    return found


def _body(body: bytes, kind: str) -> dict[str, Any]:
    if not body:
        return {}
    if kind.startswith("application/json"):
        parsed: dict[str, Any] = json.loads(body)
        return {key: int(value) if isinstance(value, bool) else value for key, value in parsed.items()}
    if kind.startswith("multipart/form-data"):
        return _multipart(body, kind)
    return _form(body.decode())


def _multipart(body: bytes, kind: str) -> dict[str, Any]:
    """The fields of an upload; of a file only its name is kept."""
    boundary = kind.partition("boundary=")[2].strip('"').encode()
    found: dict[str, Any] = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _gap, value = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]+)"', head)
        file = re.search(rb'filename="([^"]+)"', head)
        if name:
            found[name[1].decode()] = file[1].decode() if file else value.rstrip(b"\r\n").decode()
    return found
