# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speaking to the Incus of this very machine, through its Unix socket, as root."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

SOCKET = Path("/var/lib/incus/unix.socket")
TIMEOUT = 120.0
"""Seconds; the first request may have to wait for the daemon to start."""


class LocalError(Exception):
    """Incus refused, or did not answer; says what was asked and what came back."""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(str(SOCKET))


class LocalIncus:
    """A connection to this machine's Incus."""

    def __init__(self) -> None:
        self._connection = _UnixConnection("incus", timeout=TIMEOUT)

    def __enter__(self) -> LocalIncus:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def get(self, path: str) -> Any:
        """What Incus has at ``path``."""
        return self._ask("GET", path)

    def send(self, method: str, path: str, content: Mapping[str, Any]) -> Any:
        """Change something, synchronously."""
        return self._ask(method, path, json.dumps(content))

    def _ask(self, method: str, path: str, body: str | None = None) -> Any:
        try:
            self._connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = json.loads(self._connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise LocalError(f"{method} {path}: Incus does not answer on {SOCKET}: {error}") from error
        if answer.get("type") == "error":
            raise LocalError(f"{method} {path}: {answer.get('error')}")
        return answer.get("metadata")
