# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API of the Proxmox VE node we are on, through its own command ``pvesh``: as root, without a password.

Answers as engine/proxmox/client.py does, so that whoever asks need not know which of the two it is.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from ..engine.base import EngineError, Refused, Unreachable
from ..engine.proxmox.hints import hint

_VERBS = {"GET": "get", "POST": "create", "PUT": "set", "DELETE": "delete"}
_TIMEOUT = 1800.0
"""Seconds. A change that is a task is waited for by the command itself: an image may take long to fetch."""


class Pvesh:
    """This node's API. ``node`` of a request is not needed: the command forwards by the path."""

    def __init__(self, command: str = "pvesh") -> None:
        self._command = command

    def get(self, path: str, attempt: str, *, node: str = "", **params: Any) -> Any:
        """Ask."""
        return self._run("GET", path, attempt, node, params)

    def send(self, method: str, path: str, attempt: str, body: Mapping[str, Any] | None = None, node: str = "") -> Any:
        """Change something."""
        return self._run(method, path, attempt, node, body or {})

    def is_online(self, node: str, attempt: str) -> bool:
        """Whether the cluster sees the node."""
        rows = self.get("/cluster/status", attempt)
        return any(row.get("type") == "node" and row.get("name") == node and row.get("online") for row in rows)

    def close(self) -> None:
        """Nothing is kept open."""

    def _run(self, method: str, path: str, attempt: str, node: str, params: Mapping[str, Any]) -> Any:
        words = [self._command, _VERBS[method], path]
        for name, value in params.items():
            for each in value if isinstance(value, list | tuple) else (value,):
                words += [f"--{name}", str(int(each) if isinstance(each, bool) else each)]
        words += ["--output-format", "json"]
        where = node or "this node"
        try:
            done = subprocess.run(
                words, capture_output=True, text=True, timeout=_TIMEOUT, check=False, stdin=subprocess.DEVNULL
            )
        except FileNotFoundError:
            raise EngineError(where, attempt, f"no {self._command} here", "is Proxmox VE installed?") from None
        except subprocess.TimeoutExpired:
            raise Unreachable(where, attempt, f"no end after {_TIMEOUT:g} s", unsure=True) from None
        if done.returncode:
            text = readable(done.stderr) or readable(done.stdout) or f"exit code {done.returncode}"
            raise Refused(where, attempt, text, hint(text))
        return answer(done.stdout)


def readable(text: str) -> str:
    """What a failed command said, without its usage."""
    lines = [line.strip() for line in text.split("\nUSAGE:", maxsplit=1)[0].splitlines()]
    return " ".join(line for line in lines if line)


def answer(text: str) -> Any:
    """The answer in a command's output; a task's log may stand before it."""
    text = text.strip()
    if not text:
        return None
    for part in (text, text.splitlines()[-1]):
        try:
            return json.loads(part)
        except ValueError:
            continue
    return text.splitlines()[-1].strip()
