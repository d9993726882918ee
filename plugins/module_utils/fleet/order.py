# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves put in order: which may go side by side, which wait for which, and which cannot be.

First a route is found, one unit after another, with detours where units wait for each other (``cycles``). Then,
for each leg of it, the smallest set of earlier legs found that suffices for room and rules however all of them are
interleaved (``needs``, with the proof). Then the legs are packed into waves (``packing``).

A barrier between waves would be as safe, but would make every wave as long as its longest move, and moves that
copy disks differ a hundredfold: 900 such moves among 256 nodes, carried out on paper, took four times as long with
barriers. So a step needs the few steps it really waits for. One more need puts it in its wave: where nothing else keeps
it from the wave before, it is for want of a place on a node, and it waits for one of those that have the places there.
On that same paper this cost one percent of the time with four places a node, and 40 percent with one. How many may be
at work on a node is the executor's to enforce anyway; but without that need, waves read off the needs would promise
more at once than the nodes allow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from .model import Refusal, Step
from .moving import Transport
from .needs import Start
from .pace import Job, ends
from .packing import bound, hold_wave, pack
from .route import Leg, Route, Unit
from .search.problem import Problem
from .search.relocate import Hop
from .search.state import State
from .standstill import standstill
from .wayfinding import Way, find


@dataclass(frozen=True, slots=True)
class Expense:
    """What an ordering costs, for a person to weigh. Times are seconds, data is MiB."""

    moves: int = 0
    copied: int = 0
    downtime: float = 0.0
    """Over all servers."""
    longest: float = 0.0
    """Of the one server longest without service, all its hops together."""
    seconds: float = 0.0
    """From the first move's begin to the last one's end, with as many at once as the nodes allow."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """Steps that are safe in every interleaving their needs allow, listed in an order that works."""

    steps: tuple[Step, ...]
    waves: tuple[tuple[str, ...], ...] = ()
    """Ids of the steps that may run side by side; what ``schedule.waves`` says of the steps. No node has more of
    one wave than its concurrency, unless servers that can only move together are more than that."""
    bound: int = 0
    """No order of these legs has fewer waves: the most legs at one node over its concurrency, or the longest chain
    of needs."""
    impossible: tuple[Refusal, ...] = ()
    """Servers that stay where they are, each with what blocks it; the steps do without them."""
    expense: Expense = Expense()


def order(
    state: State,
    target: Mapping[int, int],
    reasons: Mapping[int, str] | None = None,
    backups: Mapping[int, int] | None = None,
    way: Way = (),
) -> Ordering:
    """Put moves in order: server ``i`` to node ``target[i]``, every intermediate state within all limits and rules.

    ``state`` is where things are, ``protect()`` called and backups assigned; it is left as the steps leave it,
    with every server that is ``impossible`` where it was. Servers whose target is where they are do nothing.
    ``reasons[i]`` becomes the reason of the server's last step. ``backups[i]`` is its backup from the end of its
    last move on; without it, what ``State.backup_after`` says of the direct move. Backups of servers that do not
    move are not looked at.
    ``way`` is an order the caller knows to work, hop by hop as (server, node, backup after), each possible once those
    before it are done; it is taken where the one found here brings fewer servers home, or copies more.
    """
    transport = Transport(state.problem)
    parted = _parted(state, target)
    units = _units(state, {i: j for i, j in target.items() if state.problem.units[i][0] not in parted})
    width = {j: max(1, state.problem.node(j).concurrency) for j in range(len(state.problem.nodes))}
    known = Start(state)
    route = Route(
        state,
        {i: (backups or {}).get(i, state.backup_after(i, unit.to)) for unit in units for i in unit.members},
        tuple(state.at),
        width,
    )
    waiting = find(route, transport, units, way)
    legs = route.legs
    needs = known.needs(legs)
    jobs = [
        Job(route.places(leg.hops), frozenset(wanted), max(transport.seconds(hop.i, hop.to) for hop in leg.hops))
        for leg, wanted in zip(legs, needs, strict=True)
    ]
    least, wave = bound(jobs, width), pack(jobs, width)
    jobs = [replace(job, needs=held) for job, held in zip(jobs, hold_wave(jobs, wave, width), strict=True)]
    steps = _steps(transport, legs, [job.needs for job in jobs], wave, reasons or {})
    waves: list[list[str]] = [[] for _wave in range(max(wave, default=-1) + 1)]
    for at, step in steps:
        waves[wave[at]].append(step.id)
    ordered = tuple(step for _at, step in steps)
    return Ordering(
        steps=ordered,
        waves=tuple(tuple(ids) for ids in waves),
        bound=least,
        impossible=(*(refusal for refused in parted.values() for refusal in refused), *standstill(state, waiting)),
        expense=_expense(ordered, max(ends(jobs, width, wave), default=0.0)),
    )


def _parted(state: State, target: Mapping[int, int]) -> dict[int, list[Refusal]]:
    """Refusals for servers whose targets would part what has to be together and is; by the first of the unit."""
    problem, found = state.problem, dict[int, list[Refusal]]()
    for i in sorted(target):
        unit = problem.units[i]
        ends = {target.get(member, state.at[member]) for member in unit}
        if len(ends) > 1 and len({state.at[member] for member in unit}) == 1 and target[i] != state.at[i]:
            facts = tuple(
                f"{problem.servers[member]} on {problem.nodes[target.get(member, state.at[member])]}" for member in unit
            )
            reason = f"only go together, by affinity, and are wanted apart: {', '.join(facts)}"
            names = " and ".join(problem.servers[member] for member in unit)
            found.setdefault(unit[0], []).append(Refusal(problem.servers[i], f"{names} {reason}", facts))
    return found


def _units(state: State, target: Mapping[int, int]) -> list[Unit]:
    """Who moves together where to, those at the busiest nodes first."""
    members: dict[tuple[int, int], list[int]] = {}
    busy: dict[int, int] = {}
    for i, j in sorted(target.items()):
        if state.at[i] != j:
            members.setdefault((state.problem.units[i][0], j), []).append(i)
            for node in (state.at[i], j):
                busy[node] = busy.get(node, 0) + 1
    units = [Unit(tuple(found), j) for (_leader, j), found in members.items()]
    return sorted(
        units,
        key=lambda unit: (-max(busy[unit.to], *(busy[state.at[i]] for i in unit.members)), unit.members),
    )


def _steps(
    transport: Transport,
    legs: Sequence[Leg],
    needs: Sequence[Collection[int]],
    wave: Sequence[int],
    reasons: Mapping[int, str],
) -> list[tuple[int, Step]]:
    """(leg, step), wave by wave."""
    problem = transport.problem
    final = {hop.i: at for at, leg in enumerate(legs) for hop in leg.hops}
    ids: list[tuple[str, ...]] = []
    known: set[str] = set()
    for at, leg in enumerate(legs):
        own = []
        for hop in leg.hops:
            name = f"move/{problem.servers[hop.i]}"
            if final[hop.i] != at:
                name += f"@{problem.nodes[hop.to]}"
            while name in known:
                # Round and round: only a caller's own way passes a node twice.
                name += "+"
            known.add(name)
            own.append(name)
        ids.append(tuple(own))
    steps = []
    for at in sorted(range(len(legs)), key=lambda at: (wave[at], at)):
        wanted = tuple(step for other in sorted(needs[at]) for step in ids[other])
        for name, hop in zip(ids[at], legs[at].hops, strict=True):
            source, to = problem.nodes[hop.source], problem.nodes[hop.to]
            aside = final[hop.i] != at
            step = Step(
                id=name,
                action="move",
                node=to,
                server=problem.servers[hop.i],
                source=source,
                needs=wanted,
                reason=_aside(problem, legs, at, hop) if aside else reasons.get(hop.i, ""),
                changes={"node": (source, to)},
                cost=transport.cost(hop.i, hop.to),
                manner=transport.manner(hop.i, hop.to),
            )
            steps.append((at, step))
    return steps


def _aside(problem: Problem, legs: Sequence[Leg], at: int, hop: Hop) -> str:
    """Why a server stops on a third node."""
    later = [other for leg in legs[at + 1 :] for other in leg.hops]
    goal = next(problem.nodes[other.to] for other in reversed(later) if other.i == hop.i)
    taker = next((problem.servers[other.i] for other in later if other.to == hop.source), "")
    for_whom = f" so that {taker} can come to {problem.nodes[hop.source]}" if taker else ""
    return f"steps aside{for_whom}; goes on to {goal} when there is room"


def _expense(steps: Sequence[Step], seconds: float) -> Expense:
    lost: dict[str, float] = {}
    for step in steps:
        lost[step.server] = lost.get(step.server, 0.0) + step.cost.downtime
    return Expense(
        moves=len(steps),
        copied=sum(step.cost.copied for step in steps),
        downtime=sum(lost.values()),
        longest=max(lost.values(), default=0.0),
        seconds=seconds,
    )
