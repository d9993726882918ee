# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a goal was asked, held against what there is: names, quorum. Every mistake at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..census import take_census
from ..fit import some
from ..inventory.mistakes import Known
from ..layout import ours
from ..model import Fleet, Observed, Refusal
from ..search.problem import Problem


def quorum(fleet: Fleet, observed: Observed) -> tuple[Refusal, ...]:
    """Why nothing may be changed at all; empty if enough nodes answer."""
    if observed.quorate:
        return ()
    silent = [name for name, node in observed.nodes.items() if node.reach == "offline"]
    which = f"silent: {', '.join(silent)}" if silent else "their cluster has no quorum (see 'pvecm status' on one)"
    why = f"too few nodes answer to be sure of anything; {which}"
    return (Refusal(fleet.name, why),)


def unknown_servers(fleet: Fleet, names: Iterable[str]) -> tuple[Refusal, ...]:
    """Servers asked for that the inventory does not have, with the nearest name each."""
    return _unknown("virtual server", fleet.servers, names)


def unknown_nodes(fleet: Fleet, names: Iterable[str]) -> tuple[Refusal, ...]:
    """Nodes asked for that carry no servers or are not there, with the nearest name each."""
    carrying = [name for name, node in fleet.nodes.items() if not node.witness]
    witnesses = [name for name in dict.fromkeys(names) if name in fleet.nodes and fleet.nodes[name].witness]
    return (
        *(Refusal(name, "is a witness and carries no servers") for name in witnesses),
        *_unknown("node", carrying, (name for name in names if name not in witnesses)),
    )


def unknown_domain(fleet: Fleet, name: str) -> tuple[Refusal, ...]:
    """A failure domain asked for that no node is in."""
    return _unknown("failure domain", {node.domain for node in fleet.nodes.values()}, [name] if name else [])


def nodes_of(fleet: Fleet, nodes: Iterable[str], failure_domain: str) -> tuple[str, ...]:
    """The nodes named, and those of a failure domain, in the inventory's order; witnesses have no part in it."""
    named = frozenset(nodes)

    def meant(name: str) -> bool:
        node = fleet.nodes[name]
        return not node.witness and (name in named or (bool(failure_domain) and node.domain == failure_domain))

    return tuple(filter(meant, fleet.nodes))


def absent(problem: Problem, names: Iterable[str]) -> tuple[Refusal, ...]:
    """Declared servers asked for that nobody can move now: they do not exist, or which copy is right is unclear."""
    census = take_census(problem.fleet, problem.observed)
    refusals = []
    for name in names:
        if name in census.unclear:
            refusals.append(Refusal(name, census.unclear[name]))
        elif name in problem.server_index:
            stuck = problem.stuck[problem.server_index[name]]
            refusals += [Refusal(name, stuck)] if stuck else []
        elif name in problem.fleet.servers:
            refusals.append(Refusal(name, "does not exist yet; site creates it"))
    return tuple(refusals)


def companions(problem: Problem, named: Collection[int], target: int | None) -> list[str]:
    """Servers nobody named that have to move as well, a line for each: they are tied to one that was named."""
    units = {member for i in named for member in problem.units[i]}
    tied = [i for i in sorted(units - {*named}) if problem.start[i] != target]
    lines = []
    for i in tied:
        leaders = [problem.servers[other] for other in problem.units[i] if other in named]
        lines.append(f"{problem.servers[i]} goes with them: it is tied to {some(leaders)}")
    return lines


def guests_beyond_reach(fleet: Fleet, observed: Observed, nodes: Iterable[str]) -> list[str]:
    """Guests on these nodes that no plan moves, and why, a line for each kind."""
    unclear = take_census(fleet, observed).unclear
    notes = []
    for node in nodes:
        here = [guest for guest in observed.servers if guest.node == node]
        kinds = {
            "not ours": [guest.name for guest in here if not ours(fleet, guest)],
            "ours, but not in the inventory": [
                guest.name for guest in here if ours(fleet, guest) and guest.name not in fleet.servers
            ],
            "several copies call themselves primary": [guest.name for guest in here if guest.name in unclear],
        }
        for why, guests in kinds.items():
            if guests:
                notes.append(f"{node}: {some(guests, 8)} {'stay' if len(guests) > 1 else 'stays'} there: {why}")
    return notes


def _unknown(what: str, known: Iterable[str], names: Iterable[str]) -> tuple[Refusal, ...]:
    there = Known(known)
    return tuple(
        Refusal(name, f"no such {what}; there is {there.nearest(name, 'none at all')}")
        for name in dict.fromkeys(names)
        if name not in there
    )
