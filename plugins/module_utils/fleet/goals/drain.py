# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal ``drain``: nodes, or a failure domain, empty and closed until they are undrained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..conflict import MOST_CHOICES
from ..facts import Wish
from ..fit import SCOPE_WORDS, some
from ..model import Fleet, Observed, Plan, Refusal, Step
from ..search.problem import formulate
from ..search.relocate import Relocation
from ..search.replacement import stand_by
from ..search.resettle import Outcome
from ..search.state import State
from ..shortfall import find_shortfall
from .asked import guests_beyond_reach, nodes_of, quorum, unknown_domain, unknown_nodes
from .moving import Undertaking
from .options import DrainOptions
from .stuck import no_way
from .tied_sets import send_sets


def drain(fleet: Fleet, observed: Observed, options: DrainOptions) -> Plan:
    """Close the nodes, and move everything of ours that they carry elsewhere."""
    problem = formulate(fleet, observed)
    names = nodes_of(fleet, options.nodes, options.failure_domain)
    work = Undertaking("drain", problem, State(problem), backups=stand_by, partial=options.partial)
    work.refusals += [
        *quorum(fleet, observed),
        *unknown_nodes(fleet, options.nodes),
        *unknown_domain(fleet, options.failure_domain),
    ]
    if not names and not work.refusals:
        work.refusals.append(Refusal("drain", "names no node and no failure domain"))
    work.refusals += _silent(observed, names)
    if work.refusals:
        return work.plan()
    closing = frozenset(problem.node_index[name] for name in names)
    words = dict.fromkeys(closing, "is being drained")
    closed = replace(problem, closed=tuple(words.get(j, why) for j, why in enumerate(problem.closed)))
    work.enter(closed)
    work.first += _close(fleet, observed, names, work.notes)
    work.notes += guests_beyond_reach(fleet, observed, names)
    leaving = [i for i, home in enumerate(problem.start) if home in closing]
    wishes = [Wish(f"{name} is to be empty", frozenset({name})) for name in names]
    others = [j for j in range(len(problem.nodes)) if j not in closing]
    if not options.partial and len(problem.servers) * len(problem.nodes) > MOST_CHOICES:
        # In smaller fleets everything that is in the way is found out, and exactly.
        relocation = Relocation(work.state)
        tied_down = tuple(leader for leader in relocation.leaders(leaving) if not relocation.targets(leader))
        work.refusals += _too_much(work, closing, names) or no_way(
            work, Outcome(tied_down, proven=True, forsaken=()), leaving, others, wishes
        )
        if work.refusals:
            return work.plan()
    outcome = work.settle(leaving)
    if outcome.stuck:
        outcome = send_sets(work, leaving, outcome, lambda narrowed: work.enter(closed, narrowed))
    work.because |= {i: f"{problem.nodes[problem.start[i]]} is drained" for i in leaving}
    impossible = no_way(work, outcome, leaving, others, wishes)
    if options.partial:
        work.notes += [f"{refusal.subject} stays: {refusal.reason}" for refusal in impossible]
    else:
        work.refusals += impossible
    plan = work.plan()
    return replace(plan, notes=(*plan.notes, *_protected_anew(work, plan, closing), *_given_up(plan, names)))


def _too_much(work: Undertaking, closing: frozenset[int], names: Sequence[str]) -> list[Refusal]:
    """A refusal where all that is left has too little, which no search has to find out."""
    short = find_shortfall(work.problem, closing)
    return [Refusal(some(names), f"cannot be empty: {short.reason}", short.facts)] if short else []


def _protected_anew(work: Undertaking, plan: Plan, closing: frozenset[int]) -> list[str]:
    """Servers whose backup is on the nodes, and which get another."""
    problem = work.problem
    anew = [
        name
        for i, name in enumerate(problem.servers)
        if problem.backup[i] in closing and plan.backups.get(name) not in (None, problem.nodes[problem.backup[i]])
    ]
    return [f"another backup for {some(anew)}: theirs is drained"] if anew and plan.steps else []


def _given_up(plan: Plan, names: Sequence[str]) -> list[str]:
    """Failures that can be survived now, and not while the nodes are out of service."""
    # Of what carries nobody nothing is proven: its loss was survived as well.
    fatal = {(proof.lost, proof.over) for proof in plan.survival_before if not proof.holds}
    lost = [
        proof.lost if proof.over == "node" else f"{SCOPE_WORDS[proof.over]} {proof.lost}"
        for proof in plan.survival_after
        if not proof.holds and (proof.lost, proof.over) not in fatal
    ]
    if not lost:
        return []
    are = "are" if len(names) > 1 else "is"
    return [f"until {some(names)} {are} undrained, the fleet does not survive the death of {' or of '.join(lost)}"]


def _silent(observed: Observed, names: Sequence[str]) -> list[Refusal]:
    """Nodes nothing can be moved from, since nobody answers there."""
    return [
        Refusal(name, "does not answer, so nothing can be moved from it; failover starts its servers elsewhere")
        for name in names
        if name not in observed.nodes or observed.nodes[name].reach != "online"
    ]


def _close(fleet: Fleet, observed: Observed, names: Sequence[str], notes: list[str]) -> list[Step]:
    """Nothing new comes to the nodes from here on."""
    steps = []
    for name in names:
        if observed.nodes[name].maintenance:
            notes.append(f"{name} is closed already")
        elif fleet.nodes[name].state == "maintenance":
            notes.append(f"{name} is closed already, by node_state: maintenance in the inventory")
        else:
            steps.append(
                Step(
                    id=f"maintenance/{name}",
                    action="maintenance",
                    node=name,
                    reason="nothing new comes here until it is undrained",
                    changes={"state": ("active", "maintenance")},
                )
            )
    return steps
