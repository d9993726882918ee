# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a plan hold what it promises? It is carried out on paper, in every order its needs allow.

Everything is counted anew after every event (``naive_world``). Plans of a few moves are looked at in every
interleaving there is; of bigger ones, many by chance, and those with as much under way at once as may be.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import naive_claims
import naive_form
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Observed, Plan, Size, Step
from naive_world import SLACK, Fact, Going, Moment, World, finished

Done = frozenset[int]
Here = tuple[Done, Done]
"""Numbers of the steps that are done, and of those under way."""


def objections(
    fleet: Fleet,
    observed: Observed,
    plan: Plan,
    *,
    dead: Iterable[str] = (),
    states: int = 800,
    walks: int = 12,
) -> list[str]:
    """Everything wrong with a plan, in words; nothing, if it is right.

    ``dead``: the nodes a failover is asked about. Up to ``states`` states are looked at one by one; beyond that,
    ``walks`` orders by chance.
    """
    trial = Trial(World(fleet, observed), plan, frozenset(dead))
    found = naive_form.objections(trial)
    if found or plan.refusals:
        return found
    found = list(dict.fromkeys([*trial.interleavings(states, walks), *trial.end(), *trial.needless()]))
    return found + naive_claims.objections(trial.world, plan, trial.along(), trial.start, trial.free)


@dataclass(frozen=True)
class Account:
    """What is wrong at a moment, right or not."""

    over: Mapping[tuple[str, str], float]
    loads: Mapping[str, Mapping[str, float]]
    broken: set[Fact]
    survivable: set[tuple[str, str]]


class Trial:
    """One plan, carried out on paper."""

    def __init__(self, world: World, plan: Plan, dead: frozenset[str] = frozenset()) -> None:
        self.world, self.plan, self.steps, self.dead = world, plan, plan.steps, dead
        self.number = {step.id: at for at, step in enumerate(self.steps)}
        backups, self.free = backups_at_start(world, plan)
        self.start = world.start(backups)
        self._seen: dict[Here, Account] = {}

    # ---- carrying it out

    def at(self, here: Here) -> Moment:
        """The moment with these steps done and those under way."""
        now = self._stricken()
        for at, step in enumerate(self.steps):
            if at in here[0]:
                now = self._done(self._begun(now, at, step), step)
        for at, step in enumerate(self.steps):
            if at in here[1]:
                now = self._begun(now, at, step)
        return now

    def _stricken(self) -> Moment:
        """The start, with what is dead dead; backups nobody needs any more are those the plan says."""
        if not self.dead:
            return self.start
        backup = {n: self.plan.backups.get(n, "") for n in self.start.home}
        return replace(self.start, dead=self.dead, closed=self.start.closed | self.dead, backup=backup)

    def _begun(self, now: Moment, at: int, step: Step) -> Moment:
        if step.action == "move":
            going = Going(step.node, self._backup_after(now, at, step), step.manner)
            return replace(now, going={**now.going, step.server: going})
        if step.action == "create":
            server = self.world.fleet.servers[step.server]
            size = {**now.size, step.server: (server.size, server.pool)}
            return replace(now, home={**now.home, step.server: step.node}, size=size)
        if step.action == "start" and "node" in step.changes:
            return replace(now, home={**now.home, step.server: step.node})
        if step.action == "resize" and step.server in now.size:
            return self._sized(now, step, max)
        return now

    def _done(self, now: Moment, step: Step) -> Moment:
        if step.action == "move":
            return finished(now, step.server)
        if step.action == "maintenance":
            closing = step.changes["state"][1] == "maintenance"
            return replace(now, closed=now.closed | {step.node} if closing else now.closed - {step.node})
        if step.action == "resize" and step.server in now.size:
            return self._sized(now, step, lambda _before, after: after)
        return now

    @staticmethod
    def _sized(now: Moment, step: Step, choose: Callable[[Any, Any], Any]) -> Moment:
        size, pool = now.size[step.server]
        new = {name: choose(getattr(size, name), after) for name, (_b, after) in step.changes.items()}
        facts = {"cores": size.cores, "memory": size.memory, "disk": size.disk, "io": size.io, **new}
        return replace(now, size={**now.size, step.server: (Size(**facts), pool)})

    def _backup_after(self, now: Moment, at: int, step: Step) -> str:
        """What the plan says, at the last move; before that the old home of a server that goes to its backup."""
        last = not any(s.action == "move" and s.server == step.server for s in self.steps[at + 1 :])
        if last and step.server in self.plan.backups and step.server not in self.free:
            return self.plan.backups[step.server]
        old = now.backup.get(step.server, "")
        return now.home[step.server] if old == step.node else old

    def ready(self, here: Here) -> list[int]:
        """Steps that may begin now, as the executor sees it."""
        done, under_way = here
        busy = [node for at in under_way for node in (self.steps[at].node, self.steps[at].source)]
        width = {name: node.concurrency for name, node in self.world.fleet.nodes.items()}
        return [
            at
            for at, step in enumerate(self.steps)
            if at not in done | under_way
            and all(self.number[need] in done for need in step.needs)
            and all(busy.count(node) < width.get(node, 1) for node in {step.node, step.source} - {""})
            and len(under_way) < self.world.fleet.limits.concurrency
        ]

    def interleavings(self, states: int, walks: int) -> list[str]:
        """Every one of them, or as many as is reasonable."""
        found: list[str] = []
        seen: set[Here] = {(frozenset(), frozenset())}
        waiting = list(seen)
        while waiting and len(seen) <= states:
            here = waiting.pop()
            for there in self._next(here):
                found += self._compare(here, there)
                if there not in seen:
                    seen.add(there)
                    waiting.append(there)
        if not any(len(done) == len(self.steps) for done, _under_way in seen) and not waiting:
            found.append("comes to a standstill: " + ", ".join(s.id for s in self.steps))
        if waiting:
            found += self._walks(walks)
        return found

    def _next(self, here: Here) -> list[Here]:
        done, under_way = here
        begins = [(done, under_way | {at}) for at in self.ready(here)]
        return begins + [(done | {at}, under_way - {at}) for at in under_way]

    def _walks(self, walks: int) -> list[str]:
        found: list[str] = []
        for walk in range(walks + 2):
            chance = random.Random(walk)
            here: Here = (frozenset(), frozenset())
            while len(here[0]) < len(self.steps):
                ready, under_way = self.ready(here), sorted(here[1])
                # The first two have as much under way as may be; one ends the oldest first, the other the newest.
                if ready and (walk < 2 or not under_way or chance.random() < 0.6):
                    pick = ready[0] if walk < 2 else chance.choice(ready)
                    there = (here[0], here[1] | {pick})
                elif under_way:
                    pick = under_way[-walk] if walk < 2 else chance.choice(under_way)
                    there = (here[0] | {pick}, here[1] - {pick})
                else:
                    return [*found, "comes to a standstill"]
                found += self._compare(here, there)
                here = there
        return found

    # ---- what may not be

    def account(self, here: Here) -> Account:
        if here not in self._seen:
            now = self.at(here)
            loads = self.world.loads(now)
            self._seen[here] = Account(
                self.world.overfull(loads),
                loads,
                self.world.broken(now),
                self.world.survivable(now, self.free) if self.protected else set(),
            )
        return self._seen[here]

    def _compare(self, here: Here, there: Here) -> Iterator[str]:
        """What one event makes wrong, or worse."""
        before, after = self.account(here), self.account(there)
        what = self._event(here, there)
        for (node, resource), over in after.over.items():
            if after.loads[node][resource] > before.loads[node].get(resource, 0) + SLACK:
                yield f"{what}: {node} has {over:g} too much {resource}"
        for fact in sorted(after.broken - before.broken):
            # A dead node's servers start where their data is, whatever else would be nicer.
            if not self._in_transit(fact, there) and not self.dead:
                yield f"{what}: breaks {' '.join(fact)}"
        for loss in sorted((self.protected & before.survivable) - after.survivable):
            yield f"{what}: the loss of {loss[0]} {loss[1]} can no longer be survived"
        now = self.at(there)
        for at in there[1] - here[1]:
            if self.steps[at].action == "move" and self.steps[at].node in now.closed:
                yield f"{what}: {self.steps[at].node} is closed"

    def _event(self, here: Here, there: Here) -> str:
        begun = [f"{self.steps[at].id} begins" for at in there[1] - here[1]]
        ended = [f"{self.steps[at].id} ends" for at in there[0] - here[0]]
        done = ", ".join(self.steps[at].id for at in sorted(here[0]))
        other = ", ".join(self.steps[at].id for at in sorted(here[1] & there[1]))
        return f"{', '.join(begun + ended)} (done: {done}; under way: {other})"

    def _in_transit(self, fact: Fact, here: Here) -> bool:
        """Servers tied to one node may part while they move there as one; and so may those tied to a failure domain or
        a site, where all of them go to another."""
        if fact[0] != "together":
            return False
        over = self.world.fleet.rules[int(fact[1])].over
        tied = self._tied(fact[2], over)
        if over != "node" and not self._all_leave(tied, over):
            return False
        own = {at for at, step in enumerate(self.steps) if step.action == "move" and step.server in tied}
        return not own <= here[0]

    def _all_leave(self, tied: set[str], over: str) -> bool:
        """Whether servers share one domain at the start, and another one in the end."""
        domains = [
            {self.world.domain(moment.home[name], over) for name in tied if name in moment.home}
            for moment in (self.start, self.at(self._end))
        ]
        return len(domains[0]) == len(domains[1]) == 1 and domains[0] != domains[1]

    def _tied(self, name: str, over: str) -> set[str]:
        """Everybody a hard rule ties to a server, directly or through others."""
        tied, grown = set(), {name}
        while grown != tied:
            tied = set(grown)
            for rule in self.world.fleet.rules:
                if (
                    rule.kind == "together"
                    and rule.hard
                    and rule.over in ("node", over)
                    and tied & (rule.subjects | rule.others)
                ):
                    grown |= rule.subjects | rule.others
        return tied

    @cached_property
    def protected(self) -> set[tuple[str, str]]:
        """Losses that may not become fatal: those survivable at first, with the nodes closed that are to be.

        A drain may have to give one up rather than leave a server behind; then it says so.
        """
        everything = (frozenset(range(len(self.steps))), frozenset[int]())
        closed = self.at(everything).closed
        if self.dead:
            return set()
        held = self.world.survivable(replace(self.start, closed=self.start.closed | closed), self.free)
        if self.plan.survival_before:
            # Whether everything can be started somewhere is hard to find out; what the planner cannot prove is let off.
            held &= {(proof.over, proof.lost) for proof in self.plan.survival_before if proof.holds}
        if self.plan.goal in ("drain", "dedicate"):
            told = " ".join(self.plan.notes).split()
            gaps = {(proof.over, proof.lost) for proof in self.plan.survival_after if not proof.holds}
            held = {loss for loss in held if loss not in gaps and loss[1] not in {word.strip(",.;:") for word in told}}
        return held

    def end(self) -> Iterator[str]:
        """What is worse at the end than at the beginning."""
        before, after = self.account((frozenset(), frozenset())), self.account(self._end)
        if self.dead:
            return
        for fact in sorted(after.broken - before.broken):
            yield f"in the end: breaks {' '.join(fact)}"
        for key, over in after.over.items():
            if over > before.over.get(key, 0) + SLACK:
                yield f"in the end: {key[0]} has {over:g} too much {key[1]}"

    @property
    def _end(self) -> Here:
        return (frozenset(range(len(self.steps))), frozenset())

    def along(self) -> list[Moment]:
        """The moments of the steps one after another, the first and the last included."""
        moments = [self.at((frozenset(range(count)), frozenset())) for count in range(len(self.steps) + 1)]
        chosen = {name: self.plan.backups.get(name, "") for name in self.free if self.world.fails_over(name)}
        return [*moments[:-1], replace(moments[-1], backup={**moments[-1].backup, **chosen})]

    # ---- what need not be

    def needless(self) -> Iterator[str]:
        """Servers moved twice that could have gone straight there, at the first move or at the last."""
        for name in sorted({step.server for step in self.steps if step.action == "move"}):
            hops = [at for at, s in enumerate(self.steps) if s.action == "move" and s.server == name]
            if len(hops) > 1:
                straight = replace(self.steps[hops[-1]], source=self.steps[hops[0]].source, needs=(), changes={})
                for place in (hops[0], hops[-1]):
                    rest = [
                        straight if at == place else s
                        for at, s in enumerate(self.steps)
                        if at == place or at not in hops
                    ]
                    if straight.node != straight.source and self._works(rest):
                        yield f"{name} moves {len(hops)} times, and could have gone straight to {straight.node}"
                        break
            if len(hops) == 2 and self.steps[hops[0]].source == self.steps[hops[1]].node:
                rest = [s for at, s in enumerate(self.steps) if at not in hops]
                if self._works(rest):
                    yield f"{name} leaves and comes back for nothing"

    def _works(self, steps: Sequence[Step]) -> bool:
        """Whether steps, one after another, do no wrong."""
        trial = Trial(self.world, replace(self.plan, steps=tuple(replace(step, needs=()) for step in steps)))
        trial.__dict__["protected"] = self.protected
        for at in range(len(steps)):
            done = frozenset(range(at))
            under_way: Here = (done, frozenset({at}))
            if any(trial._compare((done, frozenset()), under_way)) or any(
                trial._compare(under_way, (done | {at}, frozenset()))
            ):
                return False
        return True


def backups_at_start(world: World, plan: Plan) -> tuple[dict[str, str], set[str]]:
    """Where each server would be started before the first step; and who is free to be started anywhere.

    Replicas and the inventory say, where they say something that helps. Else the planner chooses, and may choose
    again at every moment, as there is no data that would have to be there; a plan names its last choice alone.
    """
    started = {step.server: step.node for step in plan.steps if step.action == "start" and "node" in step.changes}
    found: dict[str, str] = {}
    free: set[str] = set()
    for name, guest in world.primaries.items():
        replica = world.replicas.get(name)
        known = replica.node if replica else ""
        if not known and (world.fails_over(name) or world.replicated(name)):
            known = world.fleet.nodes[guest.node].backup
        if plan.goal == "failover":
            known = started.get(name, "")
        elif world.fails_over(name) and plan.backups.get(name) not in (known, guest.node):
            known = ""
        if known and not world.welcomes(name, known):
            known = ""
        if (not known or plan.goal == "failover") and (world.fails_over(name) or world.replicated(name)):
            free.add(name)
        found[name] = known
    return found, free
