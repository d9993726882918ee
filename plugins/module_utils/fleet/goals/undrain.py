# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal ``undrain``: nodes back in service. It moves nothing; ``balance`` brings them load again."""

from __future__ import annotations

from dataclasses import replace

from ..model import Fleet, Observed, Plan, Refusal, Step
from ..search.problem import formulate
from ..search.state import State
from .asked import nodes_of, quorum, unknown_domain, unknown_nodes
from .moving import Undertaking
from .options import UndrainOptions


def undrain(fleet: Fleet, observed: Observed, options: UndrainOptions) -> Plan:
    """Open the nodes again."""
    problem = formulate(fleet, observed)
    work = Undertaking("undrain", problem, State(problem))
    work.refusals += [
        *quorum(fleet, observed),
        *unknown_nodes(fleet, options.nodes),
        *unknown_domain(fleet, options.failure_domain),
    ]
    names = nodes_of(fleet, options.nodes, options.failure_domain)
    if not names and not work.refusals:
        work.refusals.append(Refusal("undrain", "names no node and no failure domain"))
    opened = []
    for name in names:
        seen = observed.nodes.get(name)
        declared = fleet.nodes[name].state == "maintenance"
        if seen is None or seen.reach != "online":
            work.refusals.append(Refusal(name, "does not answer, so it cannot be told that it is in service again"))
        elif seen.maintenance:
            work.first.append(
                Step(
                    id=f"maintenance/{name}",
                    action="maintenance",
                    node=name,
                    reason="in service again",
                    changes={"state": ("maintenance", "active")},
                )
            )
            opened += [] if declared else [name]
        elif not declared:
            work.notes.append(f"{name} is in service already")
        if declared:
            work.notes.append(
                f"{name} stays closed as long as the inventory says node_state: maintenance; take that out of it"
            )
    if opened:
        closed = ("" if name in opened else why for name, why in zip(problem.nodes, problem.closed, strict=True))
        work.enter(replace(problem, closed=tuple(closed)))
        work.notes.append(f"nothing is moved to {', '.join(opened)} by this; balance brings load back")
    return work.plan()
