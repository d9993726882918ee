# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node each server has as its backup once everything is where it is wanted.

The node its own declares (``node_backup``) wins; where none is declared, the one that has a replica is kept, however
good others are; otherwise the planner chooses. A node that only does not answer keeps its replicas: they are as good
as they were once it is back, and to copy them all anew is a decision for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .backups import choose_backups
from .census import take_census
from .layout import ours
from .model import Fleet, Observed, ObservedServer
from .search.problem import Problem, formulate
from .search.state import NOWHERE, State


def standbys(fleet: Fleet, observed: Observed, where: Mapping[str, str]) -> dict[str, str]:
    """Server -> its backup node, for all that fail over or are replicated and have one.

    ``where``: server -> the node it will be on.
    """
    problem = formulate(fleet, _planned(fleet, observed, where))
    state = State(problem)
    waiting = [i for i, b in enumerate(problem.backup) if b != NOWHERE and _only_silent(problem, b)]
    choose_backups(state)
    for i in waiting:
        state.assign_backup(i, problem.backup[i])
    _heed_declared(state, frozenset(waiting))
    return {
        name: problem.nodes[state.backup[i]]
        for i, name in enumerate(problem.servers)
        if state.backup[i] not in (NOWHERE, state.at[i]) and name in where
    }


def _heed_declared(state: State, waiting: frozenset[int]) -> None:
    """Give each server the backup its node declares instead of the one that has its replica, where it would help."""
    problem = state.problem
    for i, home in enumerate(state.at):
        declared = problem.node_index.get(problem.node(home).backup, NOWHERE)
        kept = state.backup[i]
        if declared in (NOWHERE, home, kept) or kept == NOWHERE or i in waiting:
            continue
        state.assign_backup(i, NOWHERE)
        choose_backups(state, [i])
        if state.backup[i] != declared:
            state.assign_backup(i, kept)


def _only_silent(problem: Problem, j: int) -> bool:
    """Whether a node is in service but for its silence."""
    seen = problem.observed.nodes.get(problem.nodes[j])
    return problem.node(j).state == "active" and seen is not None and seen.reach == "offline" and not seen.maintenance


def _planned(fleet: Fleet, observed: Observed, where: Mapping[str, str]) -> Observed:
    """What will be seen once everything is where it is wanted."""
    primaries = take_census(fleet, observed).primaries
    guests = [
        replace(guest, node=where[guest.name]) if primaries.get(guest.name) is guest and guest.name in where else guest
        for guest in observed.servers
        if guest.name in where or not ours(fleet, guest)
    ]
    for name, node in sorted(where.items()):
        server = fleet.servers.get(name)
        if server is not None and name not in primaries:
            guests.append(
                ObservedServer(
                    name, node, server.state, server.size, pool=server.pool, fleet=fleet.name, template=server.template
                )
            )
    return replace(observed, servers=tuple(guests))
