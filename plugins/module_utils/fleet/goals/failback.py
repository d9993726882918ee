# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal ``failback``: servers that a failover sent away go home, one after the other.

Each has a complete replica at home first, so that all it takes is a last refresh and a start. Who would break something
at home stays, where that is asked for, and is told why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..census import take_census
from ..digest import digest
from ..fit import some, standing
from ..layout import ours
from ..model import Copying, Cost, Fleet, Observed, ObservedServer, Plan, Refusal, Step
from ..safeguards import held
from ..search.hindrance import Hindrances
from ..search.objective import better, score
from ..search.problem import Problem, formulate
from ..search.state import State
from .asked import companions, quorum, unknown_nodes
from .migrate import wanted, wishes
from .moving import Undertaking
from .options import FailbackOptions
from .stuck import no_way

_NAMED = 8


def failback(fleet: Fleet, observed: Observed, options: FailbackOptions) -> Plan:
    """Bring home everybody whose home is one of these nodes."""
    away = _away(fleet, observed, options)
    homes = tuple(dict.fromkeys((*options.nodes, *(guest.home for guest in away))))
    refusals = [*quorum(fleet, observed), *unknown_nodes(fleet, options.nodes)]
    closed = {} if refusals else _closed(fleet, observed, homes)
    refusals += [Refusal(home, why) for home, why in closed.items() if home in options.nodes]
    if not refusals:
        refusals += _too_soon(observed, options, [home for home in homes if home not in closed])
    problem, fresh = _with_replicas(fleet, observed, [guest for guest in away if guest.home not in closed])
    work = Undertaking("failback", problem, State(problem), yielding=False)
    work.refusals += refusals
    if work.refusals:
        return _told(work, fleet, observed)
    for home, why in closed.items():
        work.notes.append(f"{some([guest.name for guest in away if guest.home == home], _NAMED)}: {home} {why}")
    going = _going(problem, away, closed, work.notes)
    if options.to == "best":
        going = _worth_it(work.before(), going, work.notes)
    if not going:
        work.notes += [] if work.notes else ["everybody is at home"]
        return replace(_told(work, fleet, observed), steps=())
    narrowed = problem
    for j in dict.fromkeys(going.values()):
        members = [i for i, to in going.items() if to == j]
        work.notes += companions(problem, members, j)
        narrowed = replace(narrowed, allowed=wanted(narrowed, members, j))
    work.enter(problem, narrowed)
    outcome = work.settle([*going])
    work.because = {i: f"{problem.nodes[j]} is its home, and back" for i, j in going.items()}
    wish = [each for i, j in going.items() for each in wishes(problem, [i], j)]
    work.refusals += no_way(work, outcome, [*going], sorted({*going.values()}), wish)
    plan = _told(work, fleet, observed)
    if plan.refusals:
        return replace(plan, notes=(*plan.notes, "failback_to=best takes home whom it can, and tells of the others"))
    return replace(plan, steps=_one_by_one(problem, plan.steps, fresh))


@dataclass(frozen=True, slots=True)
class _Away:
    """A server that is not at home."""

    name: str
    node: str
    home: str
    order: int
    trouble: str
    """Why the platform must not be disturbed with it; empty: it may."""


def _away(fleet: Fleet, observed: Observed, options: FailbackOptions) -> list[_Away]:
    """In start order."""
    found = []
    for name, guest in take_census(fleet, observed).primaries.items():
        if name not in fleet.servers or guest.home in ("", guest.node) or guest.home not in fleet.nodes:
            continue
        if not options.nodes or guest.home in options.nodes:
            protection = guest.protection
            trouble = (protection.trouble or protection.waits) if protection and held(protection) else ""
            found.append(_Away(name, guest.node, guest.home, fleet.servers[name].start_order, trouble))
    return sorted(found, key=lambda away: (away.order, away.name))


def _closed(fleet: Fleet, observed: Observed, homes: Sequence[str]) -> dict[str, str]:
    """Home -> why nobody goes back to it."""
    return {home: why for home in homes if home in fleet.nodes and (why := standing(fleet.nodes[home], observed))}


def _too_soon(observed: Observed, options: FailbackOptions, homes: Sequence[str]) -> list[Refusal]:
    """Homes that came up a moment ago."""
    found = []
    for home in homes:
        up = observed.nodes[home].uptime
        if up is not None and up < options.hold:
            why = f"came up {up:.0f} s ago, and has to be up for {options.hold:.0f} s first (failback_hold)"
            found.append(Refusal(home, why))
    return found


def _with_replicas(
    fleet: Fleet, observed: Observed, away: Sequence[_Away]
) -> tuple[Problem, dict[str, ObservedServer | None]]:
    """The fleet as it will be once everybody away has a complete replica at home; those that are still to be made, and
    what there is of them."""
    fresh: dict[str, ObservedServer | None] = {}
    guests = list(observed.servers)
    primaries = take_census(fleet, observed).primaries
    for each in away if observed.abilities.replicates else ():
        server = fleet.servers[each.name]
        if server.replication.mode != "interval":
            continue
        there = next((g for g in guests if (g.name, g.node, g.role) == (each.name, each.home, "replica")), None)
        if there is not None and ours(fleet, there):
            # What a move left that was cut off, the next move takes up.
            if there.complete or there.moving:
                continue
            guests.remove(there)
        fresh[each.name] = there
        kept = Copying(interval=server.replication.interval, refreshed=1.0)
        primary = primaries[each.name]
        guests.append(
            replace(primary, node=each.home, state="stopped", role="replica", home="", copying=kept, protection=None)
        )
    return formulate(fleet, replace(observed, servers=tuple(guests))), fresh


def _going(problem: Problem, away: Sequence[_Away], closed: Mapping[str, str], notes: list[str]) -> dict[int, int]:
    """Server -> its home, of those that can go there now."""
    going = {}
    for each in away:
        i = problem.server_index.get(each.name)
        if i is None or each.home in closed:
            continue
        trouble = each.trouble or problem.stuck[i]
        if trouble:
            notes.append(f"{each.name} stays on {each.node}: {trouble}")
        else:
            going[i] = problem.node_index[each.home]
    return going


def _worth_it(before: State, going: Mapping[int, int], notes: list[str]) -> dict[int, int]:
    """Those of them that fit at home, and leave the fleet no worse than it is; why not the others."""
    state = before.copy()
    found: dict[int, int] = {}
    for i, home in going.items():
        if i in found:
            continue
        problem, name, place = state.problem, state.problem.servers[i], state.problem.nodes[home]
        here = problem.nodes[state.at[i]]
        if not state.unit_fits(i, home):
            why = Hindrances(state).why(i, home) or f"there is no room on {place} for it"
            notes.append(f"{name}: {here} is the better home: {place}: {why}")
            continue
        trial = state.copy()
        for member in problem.units[i]:
            if trial.at[member] != home:
                trial.move(member, home)
        now, then = score(state), score(trial)
        if better(now, then):
            notes.append(f"{name}: {here} is the better home: {_worse(now, then)} if it went back to {place}")
            continue
        state = trial
        found |= {member: home for member in problem.units[i] if member in going or member == i}
    return found


def _worse(now: object, then: object) -> str:
    """What would be worse, in the order it counts."""
    for what, words in (
        ("violations", "rules broken {} → {}"),
        ("gaps", "losses not survived {} → {}"),
        ("balance", "balance {:.3f} → {:.3f}"),
        ("worst", "fullest node {:.0%} → {:.0%}"),
    ):
        if getattr(now, what) < getattr(then, what):
            return words.format(getattr(now, what), getattr(then, what))
    return "nothing better"


def _told(work: Undertaking, fleet: Fleet, observed: Observed) -> Plan:
    """The plan, made from what there is and not from what is imagined."""
    return replace(work.plan(), base=digest(fleet, observed))


def _one_by_one(
    problem: Problem, steps: Sequence[Step], fresh: Mapping[str, ObservedServer | None]
) -> tuple[Step, ...]:
    """Replicas first, side by side; then each move after the one before."""
    first, rest = [], []
    last = ""
    for step in steps:
        if step.action != "move":
            rest.append(step)
            continue
        needs = [last] if last and last not in step.needs else []
        if step.server in fresh:
            there = fresh[step.server]
            server = problem.fleet.servers[step.server]
            copy = Step(
                id=f"replicate/{step.server}@{step.node}",
                action="replicate",
                node=step.node,
                server=step.server,
                source=step.source,
                reason="it goes home to a complete replica" if there is None else "its first copy was cut off",
                changes={"replica": (None if there is None else f"incomplete on {step.node}", step.node)},
                cost=Cost(copied=server.size.disk),
            )
            first.append(copy)
            needs.append(copy.id)
        rest.append(replace(step, needs=(*step.needs, *needs)))
        last = step.id
    return (*first, *rest)
