# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many nodes have to be bought for so many more servers: of each kind there is, proven by placing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .growth import Addition, Growth, Newcomer, Survive
from .search.state import State

_KINDS = 4
"""Kinds of nodes, at most, that are tried: the commonest."""


@dataclass(frozen=True, slots=True)
class Offer:
    """So many nodes like this one would do."""

    like: int
    """A node of this kind."""
    growth: Growth
    """The newcomers on the nodes there are and those to be bought."""
    domains: tuple[str, ...]
    """The failure domain each of the bought nodes is put in; empty: one of its own."""

    @property
    def count(self) -> int:
        """Nodes to buy."""
        return len(self.domains)


def offers(state: State, newcomer: Newcomer, survive: Survive, wanted: int) -> tuple[Offer, ...]:
    """For each kind of node on which a newcomer fits, the fewest that make room for all wanted; fewest first.

    A new node goes to the failure domain with the fewest nodes; where fewer than two are declared it is one itself.
    """
    found = [offer for like in _kinds(state, newcomer) if (offer := _fewest(state, newcomer, survive, wanted, like))]
    return tuple(sorted(found, key=lambda offer: offer.count))


def _kinds(state: State, newcomer: Newcomer) -> list[int]:
    """One node of each kind, the commonest kind first; of equals the first in the inventory."""
    problem = state.problem
    alike: dict[tuple[float, ...], list[int]] = {}
    for j, limit in enumerate(problem.limit):
        big_enough = all(wanted <= most for wanted, most in zip(newcomer.demand, limit, strict=True))
        if not problem.closed[j] and not problem.node(j).dedicated and big_enough:
            alike.setdefault(limit, []).append(j)
    return [nodes[0] for nodes in sorted(alike.values(), key=lambda nodes: (-len(nodes), nodes[0]))[:_KINDS]]


def _fewest(state: State, newcomer: Newcomer, survive: Survive, wanted: int, like: int) -> Offer | None:
    """Double the number of new nodes until it is enough, then halve the distance to what was not."""

    def offer(count: int) -> Offer | None:
        domains = _spread(state, count)
        growth = Growth(state, newcomer, survive, _additions(state, like, domains))
        return Offer(like, growth, domains) if growth.fill(wanted) >= wanted else None

    enough, best = 1, offer(1)
    while best is None:
        enough *= 2
        if enough > 4 * (wanted + 1):
            return None
        best = offer(enough)
    lacking = enough // 2
    while enough - lacking > 1:
        middle = (enough + lacking) // 2
        tried = offer(middle)
        if tried is None:
            lacking = middle
        else:
            enough, best = middle, tried
    return best


def _spread(state: State, count: int) -> tuple[str, ...]:
    """The failure domain of each new node."""
    nodes: dict[str, int] = {}
    for node in state.problem.fleet.nodes.values():
        if node.failure_domain and not node.witness:
            nodes[node.failure_domain] = nodes.get(node.failure_domain, 0) + 1
    if len(nodes) < 2:
        return ("",) * count
    domains = []
    for _node in range(count):
        emptiest = min(nodes, key=nodes.__getitem__)
        nodes[emptiest] += 1
        domains.append(emptiest)
    return tuple(domains)


def _additions(state: State, like: int, domains: Sequence[str]) -> list[Addition]:
    problem = state.problem
    numbers = problem.domains["failure_domain"]
    known = {node.domain: number for node, number in zip(problem.fleet.nodes.values(), numbers, strict=True)}
    return [
        Addition(problem.limit[like], known[domain] if domain else len(numbers) + at)
        for at, domain in enumerate(domains)
    ]
