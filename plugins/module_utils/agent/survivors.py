# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the other nodes have, asked of all of them side by side, for no longer than telephones may be dead."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ..engine.base import EngineError
from ..engine.incus.client import Client
from ..engine.incus.guests import Found
from ..engine.incus.several import ask_all
from .settings import Settings

_ATTEMPT = "see what is there"
_MEMBER = (2.0, 8.0)
"""Seconds a member of the cluster may take to accept a connection, and to answer."""
_GONE = (0.7, 4.0)
"""The same for a node that left it: one that lost its power never accepts, one that is shutting down does at once."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Copies on the other nodes."""

    copies: Mapping[str, Mapping[str, Found]] = field(default_factory=dict)
    """Server -> node -> its copy there."""
    answered: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()
    """Nodes that live and did not answer: nobody knows what they carry."""
    complete: bool = False
    """Whether every node that may carry a copy has answered, dead or alive."""

    def of(self, name: str) -> Mapping[str, Found]:
        """Node -> the server's copy there."""
        return self.copies.get(name, {})


def ask(settings: Settings, members: Collection[str] | None, also: Collection[str] = ()) -> Elsewhere:
    """What the others have; ``members``: the nodes known to live, None where nobody tells; others are not asked, but
    for ``also``. One request each."""
    nodes = [name for name in settings.others() if members is None or name in members or name in also]
    found: dict[str, dict[str, Found]] = {}
    answered, silent = set(), set()
    with _ways(settings, members, nodes) as clients:
        answers = ask_all(clients.values(), lambda client: settings.guests(client).all(_ATTEMPT))
        for node, answer in answers.items():
            if isinstance(answer, EngineError):
                silent.add(node)
                continue
            answered.add(node)
            for name, copy in answer.items():
                found.setdefault(name, {})[node] = copy
    alive = silent - set(also) if members is None else silent & set(members)
    return Elsewhere(found, frozenset(answered), frozenset(alive), answered >= set(settings.others()))


@contextmanager
def _ways(settings: Settings, members: Collection[str] | None, nodes: Iterable[str]) -> Iterator[dict[str, Client]]:
    """Clients that bear as much silence as is due to each node."""
    clients: dict[str, Client] = {}
    try:
        for node in nodes:
            connect, request = _MEMBER if members is None or node in members else _GONE
            clients |= settings.clients([node], replace(settings.fleet.limits, connect=connect, request=request))
        yield clients
    finally:
        for client in clients.values():
            client.close()


def members() -> frozenset[str] | None:
    """The nodes this one's cluster sees alive, itself included; None: there is no cluster to ask."""
    try:
        done = subprocess.run(["crm_node", "-p"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return frozenset(done.stdout.split()) if done.returncode == 0 else None
