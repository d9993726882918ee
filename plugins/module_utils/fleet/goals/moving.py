# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every goal that moves servers has in common: from a way found to a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace

from ..backups import backups_of, choose_backups
from ..digest import digest
from ..model import Plan, Refusal, Step
from ..order import Ordering, order
from ..safekeeping import keep_safe_moved
from ..search.hindrance import loss_words
from ..search.objective import score
from ..search.picture import picture
from ..search.problem import Problem
from ..search.recount import recount
from ..search.relocate import Backups, Hop, Relocation, keep_backup
from ..search.resettle import Outcome, resettle
from ..search.state import NOWHERE, State
from ..survival import prove
from ..violations import violations


@dataclass(slots=True)
class Undertaking:
    """One plan that moves servers, in the making.

    ``enter`` gives the state to move them on; what was done there is told in ``hops``.
    """

    goal: str
    problem: Problem
    """As things are."""
    state: State
    """Where it ends."""
    first: list[Step] = field(default_factory=list)
    """Steps every move waits for."""
    hops: list[Hop] = field(default_factory=list)
    proven: bool = True
    """Each hop is possible when those before it are done. False: what order they can go in is to be found."""
    because: dict[int, str] = field(default_factory=dict)
    """Server -> the first words of its reason."""
    reasons: dict[int, str] | None = None
    """Server -> its whole reason; ``None``: told from the hops."""
    backups: Backups = keep_backup
    """Which backup a server has after a move."""
    yielding: bool = True
    """Failures that can be survived are given up where nothing else helps; otherwise the plan is refused."""
    partial: bool = False
    """What cannot be put in order stays where it is, and the rest is done."""
    refusals: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    staying: list[str] = field(default_factory=list)
    """Servers left where they are, as no order of moves gets them away."""
    known: InitVar[State | None] = None
    """What ``before`` is to say, where it was worked out already."""
    lasting: Problem = field(init=False)
    """As things are from now on."""
    _opening: tuple[int, ...] = ()
    _before: State | None = None
    _fresh: State | None = None
    """Where the moves begin, untouched."""

    def __post_init__(self, known: State | None) -> None:
        self.lasting, self._before = self.problem, known

    def enter(self, lasting: Problem | None = None, narrowed: Problem | None = None) -> State:
        """Where the moves begin: every server has a backup, and what is survivable is protected.

        ``lasting`` is the problem as it is from now on, with what the goal closes; ``narrowed`` that problem
        with less allowed while the goal sends servers where it wants them.
        """
        self.lasting = lasting or self.problem
        guarded = self.before()
        if self.lasting is not self.problem:
            guarded = State(self.lasting)
            choose_backups(guarded)
        self._opening = tuple(guarded.backup)
        self._fresh = _with_backups(State(narrowed), self._opening) if narrowed else guarded
        self.state = self._fresh.copy()
        self.state.protect()
        return self.state

    def reach(self, places: Sequence[int], before: Sequence[int], after: Sequence[int]) -> None:
        """End with servers on these nodes, each with one backup before its move and one after it."""
        if self._opening != tuple(before):
            self._opening = tuple(before)
            self._fresh = _with_backups(State(self.state.problem), before)
            if self.lasting is self.problem:
                self._before = _with_backups(State(self.problem), before)
        state = self.start()
        for i, j in enumerate(places):
            if state.at[i] != j:
                self.hops.append(Hop(i, state.at[i], j, before[i], after[i]))
                state.move(i, j, after[i])
        self.state = state

    def settle(self, leaving: Sequence[int]) -> Outcome:
        """Find everybody who has to go a way, from where the moves begin."""
        relocation = Relocation(self.state, self.backups)
        outcome = resettle(relocation, leaving, yielding=self.yielding)
        if not outcome.stuck and self._lost(self._afterwards(self.state)):
            careful = Relocation(self.start(), self.backups, sheltering=True)
            better = resettle(careful, leaving)
            if not better.stuck and not self._lost(self._afterwards(careful.state)):
                relocation, outcome = careful, better
        self.state, self.hops = relocation.state, relocation.hops
        return outcome

    def plan(self) -> Plan:
        """The plan; without steps, and with everything left where it is, where something is refused."""
        problem = self.problem
        before = self.before()
        steps: tuple[Step, ...] = ()
        after = before
        if not self.refusals:
            ordering, arrived = self._order()
            if self.partial:
                self.staying += [refusal.subject for refusal in ordering.impossible]
                self.notes += [f"{refusal.subject} stays: {refusal.reason}" for refusal in ordering.impossible]
            else:
                self.refusals += ordering.impossible
            if not self.refusals:
                after = self._afterwards(arrived)
                if not self.yielding:
                    self.refusals += [
                        Refusal(loss_words(problem, loss), f"could no longer be survived: {gap}")
                        for loss, gap in self._lost(after)
                    ]
            if self.refusals:
                after = before
            else:
                steps = (*self.first, *self._after_the_first(ordering.steps))
                steps = (*steps, *self._safeguards(after, steps))
        return self._told(before, after, steps)

    def before(self) -> State:
        """How things are, with a backup for everybody who needs one; not to be changed."""
        if self._before is None:
            self._before = State(self.problem)
            choose_backups(self._before)
        return self._before

    def _afterwards(self, arrived: State) -> State:
        """How things are when all is done, with new backups for whom the moves have left none that helps."""
        after = State(replace(self.lasting, start=tuple(arrived.at), backup=tuple(arrived.backup)))
        choose_backups(after)
        return after

    def _lost(self, after: State) -> list[tuple[int, str]]:
        """Losses that can be survived as things are, and not afterwards, each with its first gap."""
        before = self.before()
        held = {(proof.lost, proof.over) for proof in prove(before) if proof.holds}
        gaps = {(proof.lost, proof.over): proof.gaps[0] for proof in prove(after) if not proof.holds}
        return [
            (number, gaps[loss.name, loss.over])
            for number, loss in enumerate(self.problem.losses)
            if (loss.name, loss.over) in held and (loss.name, loss.over) in gaps
        ]

    def _order(self) -> tuple[Ordering, State]:
        start = self.start()
        target = {hop.i: self.state.at[hop.i] for hop in self.hops}
        backups = {i: self.state.backup[i] for i in target}
        way = [(hop.i, hop.to, hop.after) for hop in self.hops] if self.proven else []
        ordering = order(start, target, self.reasons, backups, way)
        if self.reasons is None:
            ordering = replace(ordering, steps=self._reasoned(ordering.steps, backups))
        return ordering, start

    def _reasoned(self, steps: tuple[Step, ...], backups: Mapping[int, int]) -> tuple[Step, ...]:
        """The steps with what each makes of its two nodes, done in this order; detours say already why."""
        state, places = self.start(), self.state.at
        hops = []
        for step in steps:
            i, to = self.problem.server_index[step.server], self.problem.node_index[step.node]
            after = backups[i] if to == places[i] else state.backup_after(i, to)
            hops.append(Hop(i, state.at[i], to, state.backup[i], after))
            state.move(i, to, after)
        lines = recount(self.start(), hops, self._first_words())
        return tuple(
            replace(step, reason=lines[hop.i]) if hop.to == places[hop.i] else step
            for step, hop in zip(steps, hops, strict=True)
        )

    def _first_words(self) -> dict[int, str]:
        """Why each server moves: it has to, or makes room for the next that has to."""
        words = dict(self.because)
        waiting: list[int] = []
        for hop in self.hops:
            if hop.i not in self.because:
                waiting.append(hop.i)
                continue
            words.update(dict.fromkeys(waiting, f"makes room for {self.problem.servers[hop.i]}"))
            waiting.clear()
        return words

    def start(self) -> State:
        """A fresh state where the moves begin."""
        if self._fresh is None:
            self._fresh = _with_backups(State(self.state.problem), self._opening)
        state = self._fresh.copy()
        state.protect(self.state.protected)
        return state

    def _after_the_first(self, moves: tuple[Step, ...]) -> tuple[Step, ...]:
        needs = tuple(step.id for step in self.first)
        return tuple(step if step.needs else replace(step, needs=needs) for step in moves)

    def _safeguards(self, after: State, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """What keeps the replicas and protections there are as they are declared, once all has moved."""
        problem = self.problem
        where = {name: problem.nodes[after.at[i]] for i, name in enumerate(problem.servers)}
        backups = {
            name: problem.nodes[after.backup[i]]
            for i, name in enumerate(problem.servers)
            if after.backup[i] not in (NOWHERE, after.at[i])
        }
        return keep_safe_moved(problem.fleet, problem.observed, where, backups, steps)

    def _told(self, before: State, after: State, steps: tuple[Step, ...]) -> Plan:
        fleet, observed = self.problem.fleet, self.problem.observed
        then = picture(before)
        now = picture(after, then)
        return Plan(
            goal=self.goal,
            steps=steps,
            base=digest(fleet, observed),
            placement=dict(sorted(now.where.items())),
            before={name: load.share() for name, load in then.loads.items()},
            after={name: load.share() for name, load in now.loads.items()},
            violations_before=violations(then),
            violations_after=violations(now),
            refusals=tuple(self.refusals),
            notes=tuple(self.notes),
            backups=backups_of(after),
            backups_before=backups_of(before),
            survival_before=prove(before),
            survival_after=prove(after),
            score_before=score(before),
            score_after=score(after),
        )


def _with_backups(state: State, backups: Sequence[int]) -> State:
    for i, b in enumerate(backups):
        if state.backup[i] != b:
            state.assign_backup(i, b)
    return state
