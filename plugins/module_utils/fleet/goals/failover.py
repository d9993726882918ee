# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal ``failover``: what some nodes carried runs on its backups, once they are known to run nothing any more.

On paper it is planned for nodes that are alive as well. Replicas are promoted, then started in start order. What the
platform starts by itself is left to it, unless a person asks for it. Whoever then has no backup gets a new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import ceil

from ..backups import backups_of, choose_backups
from ..census import take_census
from ..digest import digest
from ..fit import some
from ..layout import ours
from ..model import Fleet, Observed, Plan, Refusal, Server, Step
from ..rescue import Coming, Rescue
from ..schedule import in_start_order
from ..search.picture import picture
from ..search.problem import Problem, formulate
from ..search.state import NOWHERE, State
from ..standing import amount
from ..survival import prove
from ..uncollected import uncollected
from ..violations import violations
from .asked import nodes_of, unknown_domain, unknown_nodes
from .death import conditions
from .options import FailoverOptions

_LISTED = 16
"""Backups, at most, that are listed one by one."""
_NAMED = 8


@uncollected
def failover(fleet: Fleet, observed: Observed, options: FailoverOptions) -> Plan:
    """Bring the servers of these nodes up on their backups."""
    told = (*options.nodes, *options.dead, *options.sure)
    refusals = [*unknown_nodes(fleet, told), *unknown_domain(fleet, options.failure_domain)]
    names = nodes_of(fleet, options.nodes, options.failure_domain)
    if not names and not refusals:
        refusals.append(Refusal("failover", "names no node and no failure domain"))
    stray = [name for name in dict.fromkeys((*options.dead, *options.sure)) if name not in names]
    if not refusals:
        refusals += [Refusal(name, "is told to be dead, and is none of the nodes to fail over") for name in stray]
    if refusals:
        return Plan("failover", (), digest(fleet, observed), refusals=tuple(refusals))
    problem = formulate(fleet, observed)
    dead = frozenset(problem.node_index[name] for name in names)
    before = State(problem)
    choose_backups(before)
    return _Work(problem, before, names, options, Rescue(problem, before, dead)).plan()


@dataclass(slots=True)
class _Work:
    """One plan in the making."""

    problem: Problem
    before: State
    names: tuple[str, ...]
    options: FailoverOptions
    rescue: Rescue
    steps: list[Step] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    """Servers the platform starts by itself -> where they are until it does."""
    notes: list[str] = field(default_factory=list)

    def plan(self) -> Plan:
        """Say everything, and put the steps in order."""
        problem, rescue, before = self.problem, self.rescue, self.before
        cared_for = frozenset() if self.options.by_hand else self._cared_for()
        for coming in rescue.coming:
            if coming.i in cared_for:
                self.left[problem.servers[coming.i]] = problem.nodes[coming.home]
            else:
                self.steps += self._revived(coming)
        self.steps += self._half_done()
        self._say_who_is_dead()
        self._say_what_comes()
        orphaned = [i for i, home in enumerate(rescue.after.at) if home not in rescue.dead]
        had = list(rescue.after.backup)
        choose_backups(rescue.after, orphaned)
        changed = [i for i in orphaned if had[i] != rescue.after.backup[i] or self._lost_its_backup(i)]
        self._say_new_backups(changed)
        then = picture(before)
        now = picture(rescue.after, then)
        return Plan(
            goal="failover",
            steps=self._in_order(),
            base=digest(problem.fleet, problem.observed),
            placement=dict(sorted({**now.where, **self.left}.items())),
            before={name: load.share() for name, load in then.loads.items()},
            after={name: load.share() for name, load in now.loads.items()},
            violations_before=violations(then),
            violations_after=violations(now),
            conditions=conditions(problem.fleet, problem.observed, self.options, self.names) if self.steps else (),
            notes=tuple(self.notes),
            backups={
                name: node
                for name, node in backups_of(rescue.after).items()
                if rescue.after.at[problem.server_index[name]] not in rescue.dead
            },
            backups_before=backups_of(before),
            left=self.left,
            survival_before=prove(before),
            survival_after=prove(rescue.after, rescue.dead),
        )

    # ---- one server

    def _cared_for(self) -> frozenset[int]:
        """Servers of nodes that are silent, which the platform starts by itself, or has begun to."""
        problem = self.problem
        if not problem.observed.abilities.protects:
            return frozenset()
        guarded = {guest.name for guest in problem.observed.servers if guest.protection and ours(problem.fleet, guest)}
        return frozenset(
            coming.i
            for coming in self.rescue.coming
            if not self._answers(coming.home)
            and problem.servers[coming.i] in guarded
            and problem.server(coming.i).failover.mode == "auto"
        )

    def _revived(self, coming: Coming) -> list[Step]:
        """The steps that bring one server up again."""
        problem, i = self.problem, coming.i
        server, home, node = problem.server(i), problem.nodes[coming.home], problem.nodes[coming.to]
        old = _age(server, self.rescue.age(i), self.rescue.missing(i))
        words = [f"{home} is dead, {node} is its backup", coming.fuller, old]
        if server.failover.mode == "manual":
            words.append("by hand: vs_failover is manual")
        there = {"node": (home, node)}
        start = Step(f"start/{server.name}", "start", node=node, server=server.name, reason="; ".join(words))
        if not (problem.replicated[i] and problem.observed.abilities.promotes):
            return [replace(start, changes=there)]
        promote = Step(
            id=f"promote/{server.name}",
            action="promote",
            node=node,
            server=server.name,
            reason=f"its replica here is the server from now on; {home} is dead",
            lost=self.names,
            changes=there,
        )
        return [promote, start]

    def _half_done(self) -> list[Step]:
        """Starts of those that stand still where they are: a run that was cut off had promoted them, and no more.

        Where they came from is not always known: one that was brought home by the failover has no other home.
        """
        problem, steps = self.problem, []
        for name, guest in sorted(take_census(problem.fleet, problem.observed).primaries.items()):
            i = problem.server_index.get(name)
            if i is None or not (problem.failing_over[i] and problem.replicated[i]) or guest.state != "stopped":
                continue
            if guest.node in self.names or not self._answers(problem.start[i]) or guest.moving:
                continue
            if guest.protection is not None and not self.options.by_hand:
                continue
            words = "is to run, and stands still"
            if guest.home in self.names:
                words = f"came from {guest.home}, and was never started here"
            steps.append(Step(id=f"start/{name}", action="start", node=guest.node, server=name, reason=words))
        return steps

    def _in_order(self) -> tuple[Step, ...]:
        """Promotions first, as nothing has to wait for them; a server of a later start order not before the others."""
        promoted = {step.server: step.id for step in self.steps if step.action == "promote"}
        starts = in_start_order(self.problem.fleet, (step for step in self.steps if step.action == "start"))
        return (
            *(step for step in self.steps if step.action == "promote"),
            *(_after(step, promoted.get(step.server, "")) for step in starts),
        )

    def _lost_its_backup(self, i: int) -> bool:
        """Whether a server runs on its backup now, or its replica is where nobody answers any more."""
        silent = any(self.problem.closed[j] for j in self.rescue.dead)
        return self.rescue.after.at[i] != self.problem.start[i] or (silent and self.rescue.has_no_copy(i))

    def _answers(self, j: int) -> bool:
        seen = self.problem.observed.nodes.get(self.problem.nodes[j]) if j != NOWHERE else None
        return seen is not None and seen.reach == "online"

    # ---- words

    def _say_who_is_dead(self) -> None:
        problem, dead = self.problem, self.rescue.dead
        if not problem.observed.quorate:
            self.notes.append("too few nodes answer to be sure of anything: this is what would be right if they did")
        for j in sorted(dead):
            if self._answers(j):
                self.notes.append(f"{problem.nodes[j]} answers: this is a drill")
            if problem.others[j]:
                self.notes.append(
                    f"{problem.nodes[j]} carries {problem.others[j]} more, not managed here: lost with it"
                )
        for j, name in enumerate(problem.nodes):
            if j not in dead and not self._answers(j) and not problem.node(j).witness:
                self.notes.append(f"{name} does not answer either; if it is dead, name it too")

    def _say_what_comes(self) -> None:
        problem, rescue = self.problem, self.rescue
        came: dict[int, list[int]] = {}
        for coming in rescue.coming:
            came.setdefault(coming.to, []).append(coming.i)
        where = f", on {_nodes(len(came))}" if came else ""
        self.notes.append(f"{len(rescue.coming)} of {len(rescue.hit())} servers start again{where}")
        fullest = sorted(came, key=lambda b: (-max(rescue.fullest(b)), b))
        for b in sorted(fullest[:_LISTED]):
            was = rescue.fullest(b, self.before)
            self.notes.append(f"{problem.nodes[b]}: {len(came[b])} come, {rescue.shift(b, was, short=True)}")
        if len(fullest) > _LISTED:
            self.notes.append(f"and {len(fullest) - _LISTED} more, less full")
        if self.left:
            self.notes.append(
                f"the platform starts {some(self.left, _NAMED)} by itself, and is left to; where it does not, "
                "failover_by_hand=true has this run do it"
            )
        self._say_what_is_lost()
        for why, names in _by_reason(problem, {**rescue.resting, **rescue.lost}).items():
            self.notes.append(f"not started: {', '.join(names)}: {why}")
        if rescue.lost:
            names = [problem.servers[i] for i in sorted(rescue.lost)]
            are = "are" if len(self.names) > 1 else "is"
            self.notes.append(f"lost until {some(self.names)} {are} back: {some(names, _LISTED)}")
        unmade = [problem.servers[coming.i] for coming in rescue.coming if rescue.has_no_copy(coming.i)]
        if unmade:
            self.notes.append(f"{some(unmade, _NAMED)}: no replica yet; counted as if there were")

    def _say_what_is_lost(self) -> None:
        """How old the data is, all together, where that is known."""
        ages = {coming.i: age for coming in self.rescue.coming if (age := self.rescue.age(coming.i))}
        if not ages:
            return
        oldest = max(ages, key=lambda i: (ages[i], -i))
        middle = sorted(ages.values())[(len(ages) - 1) // 2]
        self.notes.append(
            f"what was written since the last refresh is lost: {ages[oldest]:.0f} s at most "
            f"({self.problem.servers[oldest]}), {middle:.0f} s for half of them{self._how_much(ages)}"
        )
        for i in ages:
            copying, home = self.rescue.copies[i].copying, self.problem.nodes[self.problem.start[i]]
            # That nobody could be asked for more once the node was dead goes without saying.
            if copying is not None and copying.failures and not copying.failure.startswith(f"{home}:"):
                name = self.problem.servers[i]
                self.notes.append(f"{name}: its last {copying.failures} refreshes failed: {copying.failure}")

    def _how_much(self, hit: Iterable[int]) -> str:
        """What they may have written since then, all together; empty: nobody tells."""
        missing = {i: mib for i in hit if (mib := self.rescue.missing(i)) is not None}
        if not missing:
            return ""
        most = max(missing, key=lambda i: (missing[i], -i))
        whole, name = amount(ceil(sum(missing.values()))), self.problem.servers[most]
        return f"; about {whole} in all, {amount(ceil(missing[most]))} at most ({name})"

    def _say_new_backups(self, changed: Iterable[int]) -> None:
        problem, after = self.problem, self.rescue.after
        found: dict[int, list[str]] = {}
        for i in changed:
            found.setdefault(after.backup[i], []).append(problem.servers[i])
        without = found.pop(NOWHERE, [])
        if len(found) > _LISTED:
            count = sum(len(names) for names in found.values())
            self.notes.append(
                f"{count} servers get a new backup, on {_nodes(len(found))}; the plan's backups name them"
            )
        else:
            self.notes += [f"new backup {problem.nodes[b]}: {some(found[b], _NAMED)}" for b in sorted(found)]
        if without:
            self.notes.append(f"no backup is left for {some(without, _NAMED)}")


def _after(step: Step, need: str) -> Step:
    return replace(step, needs=(need, *step.needs)) if need else step


def _by_reason(problem: Problem, reasons: dict[int, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for i, why in reasons.items():
        found.setdefault(why, []).append(problem.servers[i])
    return found


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def _age(server: Server, age: float | None, missing: float | None) -> str:
    """How old the data is, or may be, that a server wakes up with, and how much was written since (MiB)."""
    if server.replication.mode == "interval":
        old = f"data at most {server.replication.interval} s old" if age is None else f"data {age:.0f} s old"
        return old if missing is None else f"{old}, about {amount(ceil(missing))} lost"
    if server.replication.mode == "sync":
        return "no data lost"
    return "its disk is where it was"
