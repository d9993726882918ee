# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where every server may be found while a plan is carried out, for whoever sees a node die meanwhile."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from .engine.base import Whereabouts
from .fleet.model import Fleet, Plan


@dataclass(frozen=True, slots=True)
class Book:
    """The whereabouts of everybody in a plan's placement."""

    fleet: Fleet
    plan: Plan

    def after(self, done: Set[str] = frozenset()) -> dict[str, Whereabouts]:
        """Server -> its nodes and addresses, once these steps (ids) are done and any others may be, or half of them.

        A server whose moves (or whose promotion) are all done has one node: that it goes to.
        """
        ways: dict[str, list[str]] = {}
        for step in self.plan.steps:
            if step.action == "move" and step.id not in done:
                ways.setdefault(step.server, []).extend((step.source, step.node))
            elif step.action == "promote" and step.id not in done:
                # Its own node is dead: until it is promoted, nobody else remembers that there is such a server.
                ways.setdefault(step.server, []).extend((step.changes["node"][0], step.node))
        return {
            name: (tuple(dict.fromkeys((*ways.get(name, ()), node))), self._addresses(name))
            for name, node in self.plan.placement.items()
        }

    def _addresses(self, name: str) -> tuple[str, ...]:
        server = self.fleet.servers.get(name)
        return tuple(leg.address for leg in server.interfaces) if server else ()
