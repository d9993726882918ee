# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers whose failover is to call a live peer: what their backup node has to know of them once their own is dead.

They have no replica that could tell it, so it is a key of the backup's own server configuration: ``{server: {"home":
node, "activate_url": ..., "deactivate_url": ..., "activated": when}}``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from .client import Changed, Client
from .guests import TRIES

_ATTEMPT = "write whose peers are to be called"


@dataclass(frozen=True, slots=True)
class Peer:
    """One server's."""

    home: str
    activate_url: str
    deactivate_url: str = ""
    activated: float = 0.0
    """When the peer was told to take over, seconds since the epoch; 0: it was not, or was told since to hand back."""


Book = Mapping[str, Peer]


def key(fleet: str) -> str:
    """The configuration key a fleet's peers are kept under."""
    return f"user.switchyard.activate.{fleet}"


def parse(text: str) -> dict[str, Peer]:
    """A book as it was written; one that somebody spoiled is read as empty."""
    try:
        return {str(name): Peer(**each) for name, each in json.loads(text or "{}").items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def text(book: Book) -> str:
    """The book as it is written; equal books are equal texts. Empty: no key at all."""
    if not book:
        return ""
    return json.dumps({name: asdict(peer) for name, peer in book.items()}, sort_keys=True, separators=(",", ":"))


def read(client: Client, fleet: str) -> dict[str, Peer]:
    """The book of a node. One request."""
    return parse(
        (client.get("/1.0", "read whose peers are to be called").metadata.get("config") or {}).get(key(fleet), "")
    )


def change(client: Client, fleet: str, wanted: Callable[[dict[str, Peer]], Book]) -> None:
    """Make a node's book what ``wanted`` makes of it. One request, two where that differs."""
    for tried in range(TRIES):
        answer = client.get("/1.0", _ATTEMPT)
        before = parse((answer.metadata.get("config") or {}).get(key(fleet), ""))
        after = wanted(dict(before))
        if dict(after) == before:
            return
        try:
            client.send("PATCH", "/1.0", _ATTEMPT, {"config": {key(fleet): text(after)}}, etag=answer.etag)
        except Changed:
            # Somebody set another option of this server meanwhile.
            if tried == TRIES - 1:
                raise
            continue
        return
