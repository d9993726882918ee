# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node has the server of a replica, asked of the nodes themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Any

from ..engine.base import EngineError, Refused, Unreachable
from ..engine.incus import safekeeping
from ..engine.incus.client import Client, Missing
from ..engine.incus.guest import MARK
from ..engine.incus.guests import Found, Guests, path_of
from ..engine.incus.several import ask_all
from ..fleet.model import Limits
from .settings import Settings

IMPATIENCE = Limits(connect=3.0, request=10.0)
"""How long another node's silence is borne when it is only asked."""


@dataclass(frozen=True, slots=True)
class Server:
    """A copy that calls itself primary, and its node."""

    node: str
    found: Found


def asking(settings: Settings, nodes: Iterable[str], stack: ExitStack) -> list[Client]:
    """Ways to those of these nodes that are known, for short questions; closed with the stack."""
    known = [node for node in dict.fromkeys(nodes) if node in settings.fleet.nodes]
    limits = replace(
        settings.fleet.limits,
        connect=min(IMPATIENCE.connect, settings.fleet.limits.connect),
        request=min(IMPATIENCE.request, settings.fleet.limits.request),
    )
    clients = settings.clients(known, limits)
    for client in clients.values():
        stack.enter_context(closing(client))
    return list(clients.values())


def find(settings: Settings, name: str, replica: Found | None) -> Server:
    """The server of a replica: where it was refreshed from, on another node its marks name, else on any.

    The highest generation is right. One answer is enough where nothing happened to the server since the last refresh;
    else all are asked: a node that was away may have come back with what was outdone meanwhile. Raises Unreachable
    where it may be on a node that does not answer, Refused where it is on none.
    """
    attempt = f"find the server of replica {name}"
    config: Mapping[str, str] = replica.config if replica else {}
    likely = {config.get(safekeeping.SOURCE, ""), *safekeeping.replicas(config), *(safekeeping.pair(config) or ())}
    likely -= {settings.here, ""}
    silent: list[Unreachable] = []
    found: list[Server] = []
    with ExitStack() as stack:
        for nodes in (likely, set(settings.others()) - likely):
            answers = ask_all(
                asking(settings, sorted(nodes), stack), lambda client: _ask(settings.guests(client), name, attempt)
            )
            found += [Server(node, each) for node, each in answers.items() if isinstance(each, Found)]
            silent += [each for each in answers.values() if isinstance(each, Unreachable)]
            if replica is not None and len(found) == 1 and undisturbed(replica, found[0]):
                break
            for answer in answers.values():
                if isinstance(answer, EngineError) and not isinstance(answer, Unreachable) and not found:
                    raise answer
    if found:
        return max(found, key=lambda each: each.found.generation)
    if silent:
        raise silent[0]
    hint = "if it was deleted on purpose, the site playbook drops the replica; if it was lost, do not run that: "
    hint += "this may be the last copy"
    raise Refused(settings.here, attempt, "no node has it", hint)


def undisturbed(replica: Found, server: Server) -> bool:
    """Whether the server is certainly the one the replica was refreshed from last: it has been running on that node
    since before, and was promoted nowhere. Pure."""
    config = replica.config
    kept = safekeeping.copying(config)
    return (
        server.node == config.get(safekeeping.SOURCE, "")
        and server.found.generation == replica.generation
        and server.found.running
        and not kept.failures
        and 0 < server.found.started < kept.refreshed
    )


def _ask(guests: Guests, name: str, attempt: str) -> Found | None:
    """A node's copy of the server, if it is this fleet's and calls itself primary."""
    try:
        raw: dict[str, Any] = guests.client.get(path_of(name), attempt).metadata
    except Missing:
        return None
    found = Found(raw, "", guests.client.node)
    ours = found.config.get(f"{MARK}fleet", "") == guests.fleet.name
    return found if ours and not found.replica else None
