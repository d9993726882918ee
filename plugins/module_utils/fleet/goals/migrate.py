# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal ``migrate``: named servers to a named node, or each to the best one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..facts import Wish
from ..model import Fleet, Observed, Plan, Refusal
from ..search.problem import Problem, formulate
from ..search.state import State
from .asked import absent, companions, quorum, unknown_nodes, unknown_servers
from .moving import Undertaking
from .options import MigrateOptions
from .stuck import no_way
from .tied_sets import send_sets


def migrate(fleet: Fleet, observed: Observed, options: MigrateOptions) -> Plan:
    """Move the servers, and whatever has to make room for them."""
    problem = formulate(fleet, observed)
    work = Undertaking("migrate", problem, State(problem), yielding=False)
    names = tuple(dict.fromkeys(options.servers))
    work.refusals += [
        *quorum(fleet, observed),
        *unknown_servers(fleet, names),
        *unknown_nodes(fleet, [options.node] if options.node else []),
        *absent(problem, names),
    ]
    if not names:
        work.refusals.append(Refusal("migrate", "names no server"))
    if work.refusals:
        return work.plan()
    target = problem.node_index[options.node] if options.node else None
    asked = [problem.server_index[name] for name in names]
    going = [i for i in asked if problem.start[i] != target]
    work.notes += [f"{problem.servers[i]} is on {options.node} already" for i in asked if i not in going]
    work.notes += companions(problem, going, target)
    if target is not None and problem.closed[target] and going:
        work.refusals.append(Refusal(options.node, problem.closed[target]))
        return work.plan()
    work.enter(problem, replace(problem, allowed=wanted(problem, asked, target)))
    outcome = work.settle(going)
    if outcome.stuck:
        outcome = send_sets(work, going, outcome, lambda narrowed: work.enter(problem, narrowed))
    work.because |= {member: "asked for" for i in going for member in problem.units[i]}
    nodes = range(len(problem.nodes)) if target is None else [target]
    work.refusals += no_way(work, outcome, going, nodes, wishes(problem, asked, target))
    return work.plan()


def wishes(problem: Problem, asked: list[int], target: int | None) -> list[Wish]:
    """What was asked, in words."""
    told = []
    for i in asked:
        name, home = problem.servers[i], problem.nodes[problem.start[i]]
        unit = frozenset(problem.servers[member] for member in problem.units[i])
        if target is None:
            told.append(Wish(f"{name} is to leave {home}", frozenset({home}), unit))
        else:
            node = problem.nodes[target]
            told.append(Wish(f"{name} is asked onto {node}", frozenset(problem.nodes) - {node}, unit))
    return told


def wanted(problem: Problem, asked: list[int], target: int | None) -> tuple[frozenset[int] | None, ...]:
    """Where each server may be once the wish has come true."""
    everywhere = frozenset(range(len(problem.nodes)))
    places: Mapping[int, frozenset[int]] = {
        member: frozenset({target}) if target is not None else everywhere - {problem.start[i]}
        for i in asked
        for member in problem.units[i]
    }
    return tuple(
        allowed if i not in places else places[i] if allowed is None else places[i] & allowed
        for i, allowed in enumerate(problem.allowed)
    )
