# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every interleaving of a few moves, looked at one moment after the other, by somebody who trusts nobody.

Nothing of the planner's own bookkeeping is used: sizes, limits and rules are added up anew at every moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Observed, Step
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.usage import usable

SLACK = 1e-6


@dataclass(frozen=True)
class Moment:
    """Steps done, and steps under way."""

    done: frozenset[str] = frozenset()
    going: frozenset[str] = frozenset()


@dataclass
class Watch:
    """Looks at moments."""

    fleet: Fleet
    observed: Observed
    steps: Sequence[Step]
    backup: Mapping[str, str]
    """Server -> its backup at the start."""
    backup_after: Mapping[str, str]
    """Step -> the server's backup once it is done."""
    protected: frozenset[frozenset[str]] = frozenset()
    """Sets of nodes whose death has to stay survivable."""
    found: list[str] = field(default_factory=list)

    def moments(self) -> Iterator[Moment]:
        """Every moment any interleaving passes through."""
        ahead, seen = [Moment()], {Moment()}
        while ahead:
            now = ahead.pop()
            yield now
            following = [Moment(now.done | {name}, now.going - {name}) for name in now.going]
            following += [
                Moment(now.done, now.going | {step.id})
                for step in self.steps
                if step.id not in now.done | now.going and set(step.needs) <= now.done
            ]
            for moment in following:
                if moment not in seen:
                    seen.add(moment)
                    ahead.append(moment)

    def look(self) -> list[str]:
        """What is wrong at any moment; empty: nothing ever is."""
        first = self._places(Moment())
        allowed = {name: self._taken(first, name) for name in self.fleet.nodes}
        broken = set(self._rules_broken(first, frozenset()))
        ends = 0
        for moment in self.moments():
            places = self._places(moment)
            ends += len(moment.done) == len(self.steps)
            for name in self.fleet.nodes:
                self._look_at_node(name, places, allowed[name], moment)
            under_way = self._halfway(moment)
            self.found += [f"{moment}: {what}" for what in self._rules_broken(places, under_way) if what not in broken]
            self.found += [f"{moment}: {what}" for loss in self.protected for what in self._lost(places, loss)]
        if not ends:
            self.found.append("the end is never reached")
        return self.found

    def _halfway(self, moment: Moment) -> frozenset[str]:
        """Servers of moves between the first begin and the last end of those with the same needs and node."""
        together: dict[object, list[Step]] = {}
        for step in self.steps:
            together.setdefault((step.needs, step.node), []).append(step)
        return frozenset(
            step.server
            for steps in together.values()
            for step in steps
            if moment.done | moment.going & {other.id for other in steps}
            and not {other.id for other in steps} <= moment.done
        )

    def _places(self, moment: Moment) -> dict[str, tuple[tuple[str, ...], str, str]]:
        """Server -> the nodes it counts on, its backup now, and the one after its move under way."""
        places = {
            guest.name: ((guest.node,), self.backup.get(guest.name, ""), self.backup.get(guest.name, ""))
            for guest in self.observed.servers
            if guest.role == "primary"
        }
        for step in self.steps:
            if step.id in moment.done:
                places[step.server] = ((step.node,), self.backup_after[step.id], self.backup_after[step.id])
        for step in self.steps:
            if step.id in moment.going:
                at, backup, _after = places[step.server]
                assert at == (step.source,), f"{step.id} leaves {step.source}, the server is on {at}"
                places[step.server] = ((step.source, step.node), backup, self.backup_after[step.id])
        return places

    def _taken(self, places: Mapping[str, tuple[tuple[str, ...], str, str]], name: str) -> list[float]:
        taken = [0.0, 0.0, 0.0, 0.0]
        for server, (nodes, backup, after) in places.items():
            declared = self.fleet.servers[server]
            size = declared.size
            if name in nodes:
                taken[0] += size.cores
                taken[1] += size.memory
                taken[2] += size.io
            has_disk = name in nodes or (declared.replication.mode != "none" and name in (backup, after))
            taken[3] += size.disk if has_disk else 0
        return taken

    def _limit(self, name: str) -> list[float]:
        limit = usable(self.fleet.nodes[name], self.observed.nodes[name])
        io = float(limit.io) if limit.io >= 0 else float("inf")
        return [limit.cores, limit.memory, io, sum(limit.pools.values())]

    def _look_at_node(self, name: str, places: Mapping[str, object], before: Sequence[float], moment: Moment) -> None:
        taken = self._taken(places, name)  # type: ignore[arg-type]
        for what, used, most, was in zip(
            ("cores", "memory", "io", "disk"), taken, self._limit(name), before, strict=True
        ):
            if used > max(most, was) + SLACK:
                self.found.append(f"{moment}: {name} has {used} of {most} {what}")

    def _rules_broken(
        self, places: Mapping[str, tuple[tuple[str, ...], str, str]], under_way: frozenset[str]
    ) -> Iterator[str]:
        for number, rule in enumerate(self.fleet.rules):
            if not rule.hard:
                continue
            for one in sorted(rule.subjects & set(places)):
                for other in sorted((rule.others & set(places)) - {one}):
                    mine = {self._domain(node, rule.over) for node in places[one][0]}
                    theirs = {self._domain(node, rule.over) for node in places[other][0]}
                    if rule.kind == "apart" and mine & theirs:
                        yield f"rule {number}: {one} and {other} in {sorted(mine & theirs)}"
                    if rule.kind == "together" and not {one, other} & under_way and mine != theirs:
                        yield f"rule {number}: {one} and {other} in different places"
        for server, (nodes, _backup, _after) in places.items():
            if self.fleet.servers[server].dedicated:
                for other in sorted(places):
                    if other != server and set(places[other][0]) & set(nodes):
                        yield f"{server} is beside {other}, and wants to be alone"

    def _domain(self, node: str, over: str) -> str:
        found = self.fleet.nodes[node]
        return {"node": node, "failure_domain": found.domain, "site": found.site}[over]

    def _lost(self, places: Mapping[str, tuple[tuple[str, ...], str, str]], loss: frozenset[str]) -> Iterator[str]:
        coming: dict[str, list[float]] = {}
        for server, (nodes, backup, _after) in places.items():
            declared = self.fleet.servers[server]
            if declared.failover.mode == "off" or nodes[0] not in loss:
                continue
            if not backup or backup in loss:
                yield f"{server} has no backup when {sorted(loss)} die"
            elif backup not in nodes:
                sums = coming.setdefault(backup, [0.0, 0.0, 0.0])
                for column, amount in enumerate((declared.size.cores, declared.size.memory, declared.size.io)):
                    sums[column] += amount
            else:
                coming.setdefault(backup, [0.0, 0.0, 0.0])
        for name, more in coming.items():
            for used, extra, most in zip(self._taken(places, name), more, self._limit(name), strict=False):
                if used + extra > most + SLACK:
                    yield f"{name} is too full when {sorted(loss)} die"
