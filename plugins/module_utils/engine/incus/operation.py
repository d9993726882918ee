# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for Incus' background operations, whatever happens to the connection meanwhile."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..base import EngineError, Progress, Refused, TimedOut, Unreachable
from .client import Client, Missing
from .hints import hint, without_secrets

PATIENCE = 60.0
"""Seconds a node may be silent in the middle of an operation (a restart of its daemon takes a few)."""
_SLICE = 15.0
_PROGRESS_SLICES = (1.0, 2.0, 4.0)
_LATE = 10.0
"""Seconds an answer may come later than asked for before the connection is taken for dead."""
_PAUSE = 0.5
_FAILED = 400
_SESSIONS = ("Executing command", "Showing console")
"""Operations that last as long as somebody looks into a guest, and change nothing about it."""
MIGRATION = "Migrating instance"
"""What Incus calls an offer of a guest to another node."""


class Gone(EngineError):
    """Nobody knows the operation any more: it ended, or ended with its daemon. The guest has to be asked."""


def wait(
    client: Client,
    operation: str,
    attempt: str,
    seconds: float,
    progress: Progress | None = None,
    *,
    peer: Client | None = None,
) -> Any:
    """The operation's metadata once it has succeeded.

    ``peer`` is a node the operation fetches from: where that one dies, Incus notices after minutes, and we at once.
    Raises Refused with Incus' own words if it failed, TimedOut (unsure) after ``seconds``, Unreachable
    (unsure) if the node kept silent for ``PATIENCE`` seconds, Gone if the operation is not known any more.
    """
    deadline = time.monotonic() + seconds
    silent_since: float | None = None
    told = ""
    asked = 0
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimedOut(client.node, attempt, f"not finished after {seconds:g} s", unsure=True)
        piece = min(left, _PROGRESS_SLICES[min(asked, len(_PROGRESS_SLICES) - 1)] if progress else _SLICE)
        asked += 1
        try:
            # Incus counts whole seconds; -1 would be for ever.
            answer = client.get(
                f"{operation}/wait?timeout={math.ceil(piece)}", attempt, read=piece + min(client.limits.request, _LATE)
            )
        except Missing:
            raise Gone(client.node, attempt, "the operation is not known any more", unsure=True) from None
        except Refused as error:
            # Incus answers so if the operation failed, but also if it is not over yet.
            state = _state(client, operation, attempt, error)
        except Unreachable as error:
            now = time.monotonic()
            silent_since = silent_since or now
            if now - silent_since > PATIENCE:
                raise Unreachable(client.node, attempt, error.answer, error.hint, unsure=True) from None
            time.sleep(_PAUSE)
            continue
        else:
            state = answer.metadata
        silent_since = None
        code = int(state.get("status_code", 0))
        if code == 200:
            return state.get("metadata") or {}
        if code >= _FAILED:
            text = without_secrets(str(state.get("err") or state.get("status")))
            raise Refused(client.node, attempt, text, hint(text))
        told = _tell(state.get("metadata") or {}, told, progress)
        if peer is not None:
            _see(peer, attempt)


def _see(peer: Client, attempt: str) -> None:
    """Raise Unreachable (unsure) if a node does not answer, asked twice."""
    try:
        peer.get("/1.0", attempt, read=peer.limits.connect)
    except Unreachable:
        try:
            peer.get("/1.0", attempt)
        except Unreachable as error:
            raise Unreachable(peer.node, attempt, error.answer, error.hint, unsure=True) from None


def _state(client: Client, operation: str, attempt: str, failure: Refused) -> dict[str, Any]:
    """What an operation says of itself, after waiting for it ended with ``failure``."""
    try:
        state: dict[str, Any] = client.get(operation, attempt).metadata
    except (Refused, Unreachable):
        # Forgotten meanwhile, so it is over: what was said first is its end.
        raise failure from None
    return state


def settle(client: Client, resource: str, attempt: str, seconds: float, progress: Progress | None = None) -> None:
    """Wait until no operation on ``resource`` (``/1.0/instances/NAME``) is running, however each of them ends."""
    deadline = time.monotonic() + seconds
    while True:
        for path in running(client, resource, attempt, deadline):
            try:
                wait(client, path, attempt, max(deadline - time.monotonic(), 0.0), progress)
            except (Gone, Refused):
                continue
        return


def cancel(client: Client, resource: str, attempt: str, kind: str) -> None:
    """Break off the operations of one kind on ``resource``; those that are over by now, or cannot be, are left."""
    at_once = 0.0
    for path in running(client, resource, attempt, at_once, kind):
        with suppress(Refused):
            client.send("DELETE", path, attempt)


def running(client: Client, resource: str, attempt: str, deadline: float, kind: str = "") -> list[str]:
    """Paths of the operations on ``resource`` that are not over, of one kind or any; asks until the node answers."""
    until = min(deadline, time.monotonic() + PATIENCE)
    everything: dict[str, list[dict[str, Any]]] = persist(
        lambda: client.get("/1.0/operations?recursion=1", attempt).metadata or {}, until
    )
    found = []
    for operations in everything.values():
        for operation in operations:
            named = [path for paths in (operation.get("resources") or {}).values() for path in paths or ()]
            what = operation.get("description")
            if int(operation.get("status_code", 0)) >= 200 or what in _SESSIONS or kind not in ("", what):
                continue
            if resource in [path.split("?")[0] for path in named]:
                found.append(f"/1.0/operations/{operation['id']}")
    return found


def persist(ask: Callable[[], Any], until: float) -> Any:
    """The answer to a question, asked again while nobody answers, until that moment of the monotonic clock."""
    while True:
        try:
            return ask()
        except Unreachable as error:
            if time.monotonic() >= until:
                raise Unreachable(error.node, error.attempt, error.answer, error.hint, unsure=True) from None
            time.sleep(_PAUSE)


def _tell(metadata: dict[str, Any], told: str, progress: Progress | None) -> str:
    """Pass on what Incus says of its progress, once per change."""
    if progress is None:
        return told
    for key, value in metadata.items():
        if key.endswith("_progress") and value and value != told:
            progress(str(value))
            return str(value)
    return told
