# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet with the newcomers a growth has placed, as a state of its own: proof that they fit, and survive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .growth import Growth
from .model import Node, ObservedNode, ObservedServer, Server
from .search.problem import formulate
from .search.state import State


def enlarged(growth: Growth, pattern: Server, like: str = "", domains: Sequence[str] = ()) -> State:
    """The state once all newcomers are there, counted anew from fleet and guests; everybody keeps the backup it has.

    ``pattern`` is what each newcomer is declared like; ``like`` the node each of the bought ones is like, one
    for each of ``domains``. Newcomers are called like the pattern, and a number.
    """
    before = growth.state.problem
    fleet, observed = before.fleet, before.observed
    bought = [_another(fleet.nodes[like], observed.nodes[like], at, domain) for at, domain in enumerate(domains)]
    nodes = [*before.nodes, *(node.name for node, _seen in bought)]
    newcomers = [replace(pattern, name=f"{pattern.name}+{at:06}") for at in range(len(growth.placed))]
    guests = [
        _guest(server, nodes[place.home], fleet.name) for server, place in zip(newcomers, growth.placed, strict=True)
    ]
    problem = formulate(
        replace(
            fleet,
            nodes={**fleet.nodes, **{node.name: node for node, _seen in bought}},
            servers={**fleet.servers, **{server.name: server for server in newcomers}},
        ),
        replace(
            observed,
            nodes={**observed.nodes, **{seen.name: seen for _node, seen in bought}},
            servers=(*observed.servers, *guests),
        ),
    )
    backup = dict(zip(before.servers, growth.state.backup, strict=True))
    backup |= {server.name: place.backup for server, place in zip(newcomers, growth.placed, strict=True)}
    return State(replace(problem, backup=tuple(backup[name] for name in problem.servers)))


def _another(node: Node, seen: ObservedNode, number: int, domain: str) -> tuple[Node, ObservedNode]:
    """A new node of the same kind, with nobody on it."""
    name = f"{node.name}+{number + 1}"
    return (
        replace(node, name=name, failure_domain=domain, backup=""),
        replace(seen, name=name, memory_used=0, load=None, pools_used={}),
    )


def _guest(server: Server, node: str, fleet: str) -> ObservedServer:
    return ObservedServer(name=server.name, node=node, state="running", size=server.size, pool=server.pool, fleet=fleet)
