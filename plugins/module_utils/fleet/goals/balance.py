# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal ``balance``: the load spread with the fewest, cheapest moves."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..census import take_census
from ..leeway import Standby, standby_for, without_free_backups
from ..model import Fleet, Observed, Plan, Score, Step
from ..search import fewest
from ..search.improve import USUAL, Wishes, improve
from ..search.mending import Mending
from ..search.objective import better
from ..search.problem import Problem, formulate
from ..search.recount import recount
from ..search.relocate import Hop
from ..search.repair import Repair
from ..search.state import State
from ..uncollected import uncollected
from .asked import quorum, unknown_servers
from .moving import Undertaking
from .options import BalanceOptions

RETRIES, BRIEFER = 2, 0.3
"""How often it is searched again without those that no order of moves gets away, and with what part of the effort."""
MOST_TOLD = 50_000
"""Moves times nodes up to which reasons name the better nodes that refused."""


@dataclass(frozen=True, slots=True)
class _Effort:
    """How long it is searched: an amount of work, by the seconds it usually takes, and when it has to be over."""

    seconds: float
    in_time: Callable[[], bool]


@uncollected
def balance(fleet: Fleet, observed: Observed, options: BalanceOptions) -> Plan:
    """Repair what is broken, then move what evens out the load."""
    problem = formulate(fleet, observed, options.measured)
    work = _undertaking(problem)
    work.refusals += [*quorum(fleet, observed), *unknown_servers(fleet, options.ignore)]
    if work.refusals:
        return work.plan()
    ignored = frozenset(problem.server_index[name] for name in options.ignore if name in problem.server_index)
    effort, known = _effort(options.time_limit), work.before()
    plan = _attempt(work, options, ignored, effort)
    notes, again = list(work.notes), work
    for _retry in range(RETRIES):
        # Who cannot go stays; what was to move beside it may be better off elsewhere, or at home.
        if not again.staying:
            break
        ignored = ignored.union(problem.server_index[name] for name in again.staying)
        again = _undertaking(problem, known)
        other = _attempt(again, options, ignored, replace(effort, seconds=BRIEFER * effort.seconds))
        notes += [note for note in again.notes if note not in notes]
        if _better(other, plan.score_after):
            work, plan = again, other
    if plan.steps and not _better(plan, plan.score_before):
        work = _undertaking(problem, known)
        plan = _attempt(work, options, frozenset(range(len(problem.servers))), effort)
    if plan.refusals:
        return plan
    if options.measured > 0:
        notes += _unmeasured(fleet, observed)
    if options.target is not None and not fewest.available():
        notes.append(
            "a target may be reached with fewer moves where the Python libraries numpy and highspy are installed"
        )
    return replace(plan, steps=_told(work, plan.steps), notes=(*notes, *_verdict(plan)))


def _effort(limit: float | None) -> _Effort:
    """What there is time for; the clock is looked at only where somebody has set a limit by it."""
    if limit is None:
        return _Effort(USUAL, lambda: True)
    end = time.thread_time() + limit
    return _Effort(limit, lambda: time.thread_time() < end)


def _undertaking(problem: Problem, known: State | None = None) -> Undertaking:
    """A plan to be made; ``known``: how things are, where that was worked out before."""
    return Undertaking("balance", problem, known or State(problem), partial=True, proven=False, known=known)


def _attempt(work: Undertaking, options: BalanceOptions, ignored: frozenset[int], effort: _Effort) -> Plan:
    """The plan without ``ignored``, whose steps are not told yet."""
    start = work.enter()
    found = _searched(work, without_free_backups(start), options, ignored, effort)
    standby = standby_for(start, found.at, found.backup)
    if standby is None:
        found = _searched(work, work.start(), options, ignored, effort)
        standby = Standby(tuple(start.backup), tuple(found.backup))
    work.reach(found.at, standby.before, standby.after)
    work.reasons = {}
    return work.plan()


def _better(plan: Plan, than: Score | None) -> bool:
    return plan.score_after is not None and than is not None and better(plan.score_after, than)


def _searched(
    work: Undertaking, state: State, options: BalanceOptions, ignored: frozenset[int], effort: _Effort
) -> State:
    """The state, mended and then balanced: rules and room first, then losses that could not be survived."""
    most = len(state.at) if options.max_moves is None else options.max_moves
    if state.violations():
        Repair(state, ignored).run(most)
    mending = Mending(state, ignored)
    mending.run(most)
    until = 0.0
    if options.target is not None:
        until = max(1e-6, options.target)
    wishes = Wishes(options.min_gain, options.max_moves, until, effort.seconds)
    improve(state, wishes, ignored, effort.in_time)
    # Evenness may have made room for what could not be mended before.
    mending.run(most)
    work.because = {i: words for i, words in mending.because.items() if state.at[i] != work.problem.start[i]}
    return state


def _told(work: Undertaking, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps, each with what it makes of its two nodes where they are done in this order."""
    problem, state = work.problem, work.start()
    hops = []
    for step in steps:
        i, to = problem.server_index[step.server], problem.node_index[step.node]
        after = work.state.backup[i] if to == work.state.at[i] else state.backup_after(i, to)
        hops.append(Hop(i, state.at[i], to, state.backup[i], after))
        state.move(i, to, after)
    few = len(hops) * len(problem.nodes) <= MOST_TOLD
    words = {i: work.because.get(i, "") for i in range(len(problem.servers))}
    lines = recount(work.start(), hops, words, refused_too=few)
    return tuple(
        replace(step, reason=lines[hop.i]) if hop.to == work.state.at[hop.i] else step
        for step, hop in zip(steps, hops, strict=True)
    )


def _unmeasured(fleet: Fleet, observed: Observed) -> tuple[str, ...]:
    """Who counts as declared though measured use was asked for."""
    known = take_census(fleet, observed).primaries.items()
    running = [guest for name, guest in known if name in fleet.servers and guest.state == "running"]
    missing = sum(1 for guest in running if guest.use is None)
    if not missing:
        return ()
    return (f"no use is measured of {missing} of {len(running)} running servers: these count as declared",)


def _verdict(plan: Plan) -> tuple[str, ...]:
    """What there is to say of a fleet that nothing was moved in."""
    if plan.steps or plan.score_before is None:
        return ()
    if plan.score_before.violations or plan.score_before.gaps:
        return (f"balance {plan.score_before.balance:.3f}: no move would mend what is wrong, nor bring enough",)
    return (f"already balanced: {plan.score_before.balance:.3f}, and no move would bring enough",)
