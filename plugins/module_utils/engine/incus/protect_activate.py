# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers whose failover is to call a live peer: their backup node is told whom to call, and the others no longer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...fleet.model import Server
from ..base import Unreachable
from . import activation, safekeeping
from .activation import Peer
from .client import Client
from .several import ask_all


def wanted(server: Server) -> bool:
    """Whether a server is one of these."""
    return server.failover.action == "activate"


def peer(server: Server, home: str) -> Peer:
    """What its backup has to know."""
    return Peer(home, server.failover.activate_url, server.failover.deactivate_url)


def known(book: Mapping[str, Peer], server: Server, home: str) -> bool:
    """Whether a node's book says so already."""
    there = book.get(server.name)
    said = peer(server, home)
    return there is not None and (there.home, there.activate_url, there.deactivate_url) == (
        said.home,
        said.activate_url,
        said.deactivate_url,
    )


def tell(fleet: str, server: Server, home: str, backup: Client, others: Iterable[Client]) -> None:
    """Have ``backup`` call the server's peer when ``home`` dies. One request per node, two where something differs."""

    def told(book: dict[str, Peer]) -> dict[str, Peer]:
        if not known(book, server, home):
            book[server.name] = peer(server, home)
        return book

    activation.change(backup, fleet, told)
    forget(fleet, server.name, others)


def forget(fleet: str, name: str, clients: Iterable[Client]) -> None:
    """Have these nodes call nobody for a server any more, but for those that are yet to tell its peer to hand back.

    A node that does not answer knows too much when it is back: its next ``protect`` puts that right.
    """

    def without(book: dict[str, Peer]) -> dict[str, Peer]:
        if name in book and not book[name].activated:
            del book[name]
        return book

    for answer in ask_all(clients, lambda client: activation.change(client, fleet, without)).values():
        if isinstance(answer, Exception) and not isinstance(answer, Unreachable):
            raise answer


def is_one(config: Mapping[str, str]) -> bool:
    """Whether a guest is marked as such a server."""
    return safekeeping.guarded(config).action == "activate"
