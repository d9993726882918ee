# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""May this server run on this node, and if not, why not: one sentence a person can check."""

from __future__ import annotations

from collections.abc import Iterable

from .layout import Bond, Layout
from .model import Node, Observed, Server

SCOPE_WORDS = {"node": "node", "failure_domain": "failure domain", "site": "site"}


def standing(node: Node, observed: Observed) -> str:
    """Why a node takes nobody new at all; empty if it does."""
    seen = observed.nodes.get(node.name)
    if node.witness:
        return "is a witness and carries no servers"
    if seen is None or seen.reach != "online":
        return "does not answer" + (f" ({seen.error})" if seen and seen.error else "")
    if node.state == "maintenance":
        return "is in maintenance"
    if seen.maintenance:
        return "is drained"
    return ""


def obstacle(server: Server, node: Node, layout: Layout) -> str:
    """Why ``server`` may not run on ``node`` beside what is there, by rule or for want of room; empty if it may.

    The server itself must not be counted on the layout. Soft rules are no obstacle.
    """
    return forbidden(server, node, layout) or layout.loads[node.name].shortage(server.size, server.pool)


def forbidden(server: Server, node: Node, layout: Layout) -> str:
    """Why ``server`` may not run on ``node`` however much room there is; empty if it may."""
    return _claim(server, node, layout) or _broken_rule(server, node, layout)


def soft_breaks(server: Server, node: Node, layout: Layout) -> int:
    """How many preferences the server would break on this node."""
    return sum(1 for bond in layout.bonds(server.name) if not bond.rule.hard and _breaks(bond, server, node, layout))


def _claim(server: Server, node: Node, layout: Layout) -> str:
    """Obstacles in who claims what: pins, sites, devices, dedication."""
    if server.node and server.node != node.name:
        return f"{server.name} is pinned to {server.node}"
    if server.site and server.site != node.site:
        return f"in site {node.site}; {server.name} belongs in {server.site}"
    missing = sorted(server.devices - node.devices)
    if missing:
        return f"has no device {', '.join(missing)}"
    if node.dedicated and server.name not in node.dedicated:
        return f"is dedicated to {some(node.dedicated)}"
    holders = layout.dedicated.get(node.name)
    if holders:
        return f"carries {some(holders)}, whose node carries nothing else"
    if server.dedicated and layout.loads[node.name].servers:
        return f"already carries {layout.loads[node.name].servers} guests, and {server.name} wants a node to itself"
    return ""


def _broken_rule(server: Server, node: Node, layout: Layout) -> str:
    for bond in layout.bonds(server.name):
        if bond.rule.hard:
            broken = _breaks(bond, server, node, layout)
            if broken:
                return broken
    return ""


def _breaks(bond: Bond, server: Server, node: Node, layout: Layout) -> str:
    over = bond.rule.over
    domain = layout.domain(node.name, over)
    if bond.rule.kind == "apart":
        near = layout.counterparts(server.name, bond, domain)
        place = "" if over == "node" else f" in {SCOPE_WORDS[over]} {domain}"
        return f"anti-affinity with {some(near)}{place}" if near else ""
    elsewhere = sorted(layout.partner_domains(server.name, bond) - {domain})
    if not elsewhere:
        return ""
    return f"affinity with {some(layout.counterparts(server.name, bond, elsewhere[0]))}, on {elsewhere[0]}"


def some(names: Iterable[str], most: int = 3) -> str:
    """A few names, and how many more there are."""
    ordered = sorted(names)
    rest = len(ordered) - most
    return ", ".join(ordered[:most]) + (f" and {rest} more" if rest > 0 else "")


def figure(amount: float) -> str:
    """A number as a person writes it, whole if it is: ``1048576``, ``0.5``."""
    return f"{amount:.0f}" if amount % 1 == 0 else f"{amount:g}"
