# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where new servers go, and why there.

Each server goes to the node that is least used once it is there: lowest share of the fullest resource,
after the fewest broken preferences. Servers with the fewest choices are placed first; one that finds no
room is moved to the front of the queue and everything is placed again, a bounded number of times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from .conflict import find_conflict
from .fit import obstacle, soft_breaks, standing
from .layout import Layout
from .model import Fleet, Node, Observed, Refusal, Server

_TRIES = 24
"""Times the queue is rearranged before a placement is called impossible."""

_EXPLAINED = 3
"""Servers without a place whose conflict is looked for."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Server -> node with a reason for each, and who could not be placed."""

    nodes: Mapping[str, str]
    reasons: Mapping[str, str]
    refusals: tuple[Refusal, ...]


def place(fleet: Fleet, observed: Observed, layout: Layout, servers: Iterable[Server]) -> Placement:
    """Find a node for each server, and leave them on the layout.

    Same input, same answer: ties go to the node that stands first in the inventory.
    """
    out_of_service = {name: standing(node, observed) for name, node in fleet.nodes.items()}
    open_nodes = [node for name, node in fleet.nodes.items() if not out_of_service[name]]
    closed = {name: why for name, why in out_of_service.items() if why and not fleet.nodes[name].witness}
    by_urgency = sorted(servers, key=lambda server: _urgency(server, layout))
    queue = list(by_urgency)
    for _attempt in range(_TRIES):
        placement = _pass(queue, open_nodes, closed, layout, give_up=True)
        if not placement.refusals:
            return placement
        for name in placement.nodes:
            layout.take(name)
        stuck = placement.refusals[0].subject
        if queue[0].name == stuck:
            break
        queue.sort(key=lambda server: server.name != stuck)
    return _with_conflicts(_pass(by_urgency, open_nodes, closed, layout, give_up=False), observed, layout)


def _with_conflicts(placement: Placement, observed: Observed, layout: Layout) -> Placement:
    """Say of the first servers without a place which facts are in conflict; the other new ones might go elsewhere."""
    refusals = list(placement.refusals)
    for at, refusal in enumerate(refusals[:_EXPLAINED]):
        asked = frozenset({refusal.subject})
        found = find_conflict(layout, observed, asked, frozenset(placement.nodes), ())
        refusals[at] = replace(refusal, conflict=found.facts)
    return replace(placement, refusals=tuple(refusals))


def _urgency(server: Server, layout: Layout) -> tuple[object, ...]:
    """Fewest choices first, then the biggest, then by name."""
    return (
        not server.node,
        not server.dedicated,
        not server.devices,
        not server.site,
        not any(bond.rule.hard for bond in layout.bonds(server.name)),
        -server.size.memory,
        -server.size.cores,
        -server.size.disk,
        -server.size.io,
        server.name,
    )


def _pass(
    queue: Sequence[Server], nodes: Sequence[Node], closed: Mapping[str, str], layout: Layout, *, give_up: bool
) -> Placement:
    """Place the queue in its order; at the first server without a node, give up or go on without it."""
    placed: dict[str, str] = {}
    reasons: dict[str, str] = {}
    refusals: list[Refusal] = []
    for server in queue:
        best, refused = choose(server, nodes, layout)
        if best is None:
            refusals.append(Refusal(server.name, no_room({**closed, **refused})))
            if give_up:
                break
            continue
        unfit = {**closed, **refused}
        reasons[server.name] = _reason(server, best, len(nodes) - len(refused), unfit, layout)
        layout.put(server.name, best.name, server.size, server.pool)
        placed[server.name] = best.name
    return Placement(placed, reasons, tuple(sorted(refusals, key=lambda refusal: refusal.subject)))


def choose(server: Server, nodes: Sequence[Node], layout: Layout) -> tuple[Node | None, dict[str, str]]:
    """The best node for a server, and why each of the others that cannot be was refused."""
    best: Node | None = None
    best_score: tuple[float, ...] = ()
    refused: dict[str, str] = {}
    for node in nodes:
        why = obstacle(server, node, layout)
        if why:
            refused[node.name] = why
            continue
        load = layout.loads[node.name]
        score = (
            soft_breaks(server, node, layout),
            round(load.worst_with(server.size, server.pool), 9),
            load.servers,
        )
        if best is None or score < best_score:
            best, best_score = node, score
    return best, refused


def _reason(server: Server, best: Node, fitting: int, unfit: Mapping[str, str], layout: Layout) -> str:
    if server.node:
        choice = "pinned here"
    elif fitting == 1:
        choice = "the only node that fits"
    else:
        choice = f"least used of {fitting} nodes that fit"
    load = layout.loads[best.name]
    before = load.share()
    load.add(server.size, server.pool)
    after = load.share()
    load.add(server.size, server.pool, -1)
    fullest = after.fullest
    share = f"{fullest} {getattr(before, fullest):.0%} → {getattr(after, fullest):.0%}"
    return "; ".join([choice, share, *([] if server.node else refusal_words(unfit))])


def refusal_words(refused: Mapping[str, str], most: int = 3) -> list[str]:
    """``node2 refused: anti-affinity with sip1``, nodes with one reason together, the rest counted."""
    by_reason: dict[str, list[str]] = {}
    for node, why in refused.items():
        by_reason.setdefault(why, []).append(node)
    lines = [
        f"{', '.join(nodes[:most])}{f' and {len(nodes) - most} more' if len(nodes) > most else ''} refused: {why}"
        for why, nodes in by_reason.items()
    ]
    rest = len(lines) - most
    return lines[:most] + ([f"and {rest} more reasons"] if rest > 0 else [])


def no_room(refused: Mapping[str, str]) -> str:
    """Why no node takes a server, node by node."""
    if not refused:
        return "no node may carry servers"
    return "no node fits; " + "; ".join(refusal_words(refused, most=8))
