# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal ``dedicate``: a node for some servers alone: everybody else off it, and those servers onto it."""

from __future__ import annotations

from dataclasses import replace

from ..facts import Wish
from ..fit import some
from ..model import Fleet, Observed, Plan, Refusal
from ..search.problem import Problem, formulate
from ..search.state import State
from .asked import absent, companions, guests_beyond_reach, quorum, unknown_nodes, unknown_servers
from .moving import Undertaking
from .options import DedicateOptions
from .stuck import no_way
from .tied_sets import send_sets


def dedicate(fleet: Fleet, observed: Observed, options: DedicateOptions) -> Plan:
    """Move out who does not belong there, and in who does."""
    problem = formulate(fleet, observed)
    work = Undertaking("dedicate", problem, State(problem), yielding=False)
    names = tuple(dict.fromkeys(options.servers))
    work.refusals += [
        *quorum(fleet, observed),
        *unknown_nodes(fleet, [options.node]),
        *unknown_servers(fleet, names),
        *absent(problem, names),
    ]
    if not names:
        work.refusals.append(Refusal("dedicate", "names no server"))
    if work.refusals:
        return work.plan()
    target = problem.node_index[options.node]
    if problem.closed[target]:
        work.refusals.append(Refusal(options.node, problem.closed[target]))
        return work.plan()
    named = {problem.server_index[name] for name in names}
    chosen = {member for i in named for member in problem.units[i]}
    work.notes += companions(problem, named, target)
    work.notes += guests_beyond_reach(fleet, observed, [options.node])
    lasting = replace(problem, allowed=_without(problem, target, chosen))
    work.enter(lasting, replace(lasting, allowed=_onto(lasting, target, chosen)))
    leaving = [i for i, home in enumerate(problem.start) if (home == target) != (i in chosen)]
    outcome = work.settle(leaving)
    if outcome.stuck:
        outcome = send_sets(work, leaving, outcome, lambda narrowed: work.enter(lasting, narrowed))
    work.because |= {i: _because(options.node, i in chosen) for i in leaving}
    work.refusals += no_way(work, outcome, leaving, range(len(problem.nodes)), _wishes(problem, target, chosen))
    work.notes.append(_lasts(fleet, options.node, [problem.servers[i] for i in sorted(chosen)]))
    return work.plan()


def _because(node: str, chosen: bool) -> str:
    return f"{node} is to be its node" if chosen else f"{node} is to be for others"


def _without(problem: Problem, target: int, chosen: set[int]) -> tuple[frozenset[int] | None, ...]:
    """Where servers may be from now on: those not chosen, on any node but this."""
    everywhere = frozenset(range(len(problem.nodes)))
    return tuple(
        allowed if i in chosen else (everywhere if allowed is None else allowed) - {target}
        for i, allowed in enumerate(problem.allowed)
    )


def _onto(problem: Problem, target: int, chosen: set[int]) -> tuple[frozenset[int] | None, ...]:
    """The chosen, on this node alone."""
    return tuple(
        frozenset({target} if allowed is None or target in allowed else ()) if i in chosen else allowed
        for i, allowed in enumerate(problem.allowed)
    )


def _wishes(problem: Problem, target: int, chosen: set[int]) -> list[Wish]:
    node = problem.nodes[target]
    servers = frozenset(problem.servers[i] for i in chosen)
    rest = frozenset(problem.servers) - servers
    return [
        Wish(f"{node} is to carry nobody but {some(sorted(servers))}", frozenset({node}), rest),
        *(
            Wish(f"{name} is to be on {node}", frozenset(problem.nodes) - {node}, frozenset({name}))
            for name in sorted(servers)
        ),
    ]


def _lasts(fleet: Fleet, node: str, servers: list[str]) -> str:
    """What to write into the inventory, or the next run is free to undo it all."""
    declared = fleet.nodes[node].dedicated
    if declared and declared <= frozenset(servers):
        return f"the inventory has {node} dedicated to {some(sorted(declared))}, so it lasts"
    wanted = ", ".join(sorted(declared.union(servers)))
    return f"for this to last, the inventory has to say so: node_dedicated: [{wanted}] on {node}"
