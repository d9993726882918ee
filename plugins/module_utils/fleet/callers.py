# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node calls the live peer of a server when the server's own node dies. It needs no room for that."""

from __future__ import annotations

from .model import Fleet, Observed


def caller(fleet: Fleet, observed: Observed, home: str, now: str = "") -> str:
    """The node to do it for a server on ``home``; empty: there is no other.

    The backup its home declares; else ``now``, which does it already, in service even if it is silent just now; else
    the next one in the inventory's order, so that not one node calls for all others.
    """
    names = list(fleet.nodes)
    after = names[names.index(home) + 1 :] + names[: names.index(home)] if home in names else names
    in_service = [
        name
        for name in after
        if fleet.nodes[name].state == "active" and not fleet.nodes[name].witness and not _drained(observed, name)
    ]
    online = [name for name in in_service if name in observed.nodes and observed.nodes[name].reach == "online"]
    declared = fleet.nodes[home].backup if home in fleet.nodes else ""
    if declared in online:
        return declared
    if now in in_service:
        return now
    return online[0] if online else ""


def _drained(observed: Observed, name: str) -> bool:
    seen = observed.nodes.get(name)
    return seen is not None and seen.maintenance
