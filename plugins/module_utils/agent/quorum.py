# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a majority of the cluster knows of nodes that do not answer: who is certainly dead, and who was promoted there.

A node that has just joined may still hold Pacemaker's configuration as of its own death. So nothing counts before the
cluster has taken in every member, of which the status that it only keeps in memory tells.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, ParseError, fromstring

from ..engine.base import EngineError
from . import cib, record, survivors
from .record import Claim

_OUT = ("false", "0")
"""How a node that is no member is written: before Pacemaker 2.1.7, and since, where it is a time otherwise."""


@dataclass(frozen=True, slots=True)
class Quorum:
    """What the part of the cluster that has the majority agrees on, this node among it."""

    claims: Mapping[str, Claim] = field(default_factory=dict)
    nodes: frozenset[str] = frozenset()
    """All nodes it counts, alive or not: what these promoted, the record tells."""
    dead: frozenset[str] = frozenset()
    """Nodes that are no members, and were seen off: fenced, or gone in order."""

    def rules_out(self, name: str, generation: int, silent: Collection[str], here: str) -> bool:
        """Whether none of the silent nodes has a newer copy of a server than the one of that generation here."""
        claim = self.claims.get(name)
        outdone = claim is not None and claim.generation > generation and claim.node != here
        return set(silent) <= self.nodes and not outdone


def known() -> Quorum | None:
    """None: there is no majority, or not for certain yet."""
    members = survivors.members()
    if not members or not _has_majority():
        return None
    try:
        return parsed(cib.query("see what the cluster knows"), members)
    except EngineError:
        return None


def parsed(text: str, members: Collection[str]) -> Quorum | None:
    """What Pacemaker's configuration and status say; None: not every member has been taken in. Pure."""
    try:
        whole = fromstring(text)  # noqa: S314 - this node's own cluster
    except ParseError:
        return None
    states = {each.get("uname", ""): each for each in whole.iterfind("status/node_state")}
    if not all(node in states and states[node].get("join") == "member" for node in members):
        return None
    nodes = {each.get("uname", "") for each in whole.iterfind("configuration/nodes/node")}
    dead = {node for node, state in states.items() if node not in members and _seen_off(state)}
    return Quorum(record.held(whole), frozenset(nodes), frozenset(dead))


def _seen_off(state: Element) -> bool:
    """As Pacemaker itself takes a node for cleanly gone, and starts what it carried elsewhere."""
    out = state.get("in_ccm", "") in _OUT and state.get("crmd", "") in ("offline", "0")
    return out and state.get("join") == "down" and state.get("expected") == "down"


def _has_majority() -> bool:
    try:
        done = subprocess.run(["crm_node", "-q"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.strip() == "1"
