# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered of nodes that may die: which servers they carry, on every node.

The ledger is one key of each node's own server configuration: ``{"serial": 7, "servers": {name: [[nodes],
[addresses]]}}``. A server has one node, and while it moves all it may be found on. A node that was off when the ledger
was last written has an older one; the highest serial counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..base import Whereabouts
from .client import Changed, Client

_ATTEMPT = "write the ledger"
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Ledger:
    """Server -> (nodes, addresses), and how many times it was written before."""

    serial: int = 0
    servers: Mapping[str, Whereabouts] = field(default_factory=dict)


def key(fleet: str) -> str:
    """The configuration key a fleet's ledger is kept under."""
    return f"user.switchyard.ledger.{fleet}"


def parse(text: str) -> Ledger:
    """A ledger as it was written; one that somebody spoiled is read as none."""
    try:
        raw = json.loads(text)
        servers = {
            str(name): (_nodes(nodes), tuple(str(address) for address in addresses))
            for name, (nodes, addresses) in raw["servers"].items()
        }
        return Ledger(int(raw["serial"]), servers)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Ledger()


def text(ledger: Ledger) -> str:
    """The ledger as it is written; equal ledgers are equal texts."""
    servers = {name: [list(nodes), list(addresses)] for name, (nodes, addresses) in ledger.servers.items()}
    return json.dumps({"serial": ledger.serial, "servers": servers}, sort_keys=True, separators=(",", ":"))


def newest(texts: Iterable[str]) -> Ledger:
    """The one that was written last."""
    return max((parse(each) for each in texts if each), key=lambda ledger: ledger.serial, default=Ledger())


def successor(last: Ledger, servers: Mapping[str, Whereabouts]) -> Ledger:
    """The ledger that says this: the last one, if it does."""
    same = last.serial > 0 and dict(last.servers) == dict(servers)
    return last if same else Ledger(last.serial + 1, dict(servers))


def config(answer: Any) -> dict[str, str]:
    """The server's configuration in an answer of ``GET /1.0``."""
    return dict(answer.get("config") or {})


def write(client: Client, fleet: str, ledger: Ledger) -> None:
    """Put the ledger on a node, unless a newer one or the same is there."""
    for attempt in range(_TRIES):
        answer = client.get("/1.0", _ATTEMPT)
        there = parse(config(answer.metadata).get(key(fleet), ""))
        if there == ledger or there.serial > ledger.serial:
            return
        try:
            client.send("PATCH", "/1.0", _ATTEMPT, {"config": {key(fleet): text(ledger)}}, etag=answer.etag)
        except Changed:
            # Somebody set another option of this server meanwhile.
            if attempt == _TRIES - 1:
                raise
            continue
        return


def _nodes(written: Any) -> tuple[str, ...]:
    """Earlier versions wrote the one node alone."""
    return (written,) if isinstance(written, str) else tuple(str(node) for node in written)
