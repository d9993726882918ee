# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One moment of a fleet, counted from nothing: loads, broken rules, what survives.

Slow and plain on purpose, and written apart from the planner: of its code only the words of ``model`` are used,
so that a mistake in the planner's sums is not repeated here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Fleet,
    Manner,
    Observed,
    ObservedNode,
    ObservedServer,
    Rule,
    Size,
)

Loads = dict[str, dict[str, float]]
"""Node -> resource (cores, memory, io, ``disk <pool>``) -> amount."""
Fact = tuple[str, ...]
"""Something that is broken: what, and who and where."""

SLACK = 1e-6
RESOURCES = ("cores", "memory", "io")
"""What has to be there wherever a server starts; its disk is there already, or nowhere."""


@dataclass(frozen=True)
class Going:
    """A move under way."""

    to: str
    backup: str
    """From the end of the move on."""
    manner: Manner = "copy"


@dataclass(frozen=True)
class Moment:
    """Who is where, who is going where, and who stands by."""

    home: Mapping[str, str]
    going: Mapping[str, Going]
    backup: Mapping[str, str]
    size: Mapping[str, tuple[Size, str]]
    """Size and pool each server is counted with."""
    closed: frozenset[str]
    dead: frozenset[str] = frozenset()
    """Known to be lost, with everything on them."""


class World:
    """What does not change while a plan is carried out, and the questions about a moment."""

    def __init__(self, fleet: Fleet, observed: Observed) -> None:
        self.fleet, self.observed = fleet, observed
        self.primaries = self._primaries()
        self.replicas = self._replicas()
        self.limits = {name: self._limit(name) for name in fleet.nodes}
        self.sleepers: list[ObservedServer] = []
        """Copies that take room on disk and nothing else."""
        self.fixed: list[ObservedServer] = []
        """Guests that are load and never move."""
        for guest in observed.servers:
            if guest.node in fleet.nodes and guest not in (*self.primaries.values(), *self.replicas.values()):
                (self.sleepers if self._asleep(guest) else self.fixed).append(guest)
        self.unaccounted = self._unaccounted()

    # ---- what there is

    def ours(self, guest: ObservedServer) -> bool:
        return guest.fleet == self.fleet.name and guest.fleet != ""

    def newest(self, name: str) -> int:
        return max(g.generation for g in self.observed.servers if self.ours(g) and g.name == name)

    def _asleep(self, guest: ObservedServer) -> bool:
        if not self.ours(guest):
            return False
        old = guest.state == "stopped" and guest.generation < self.newest(guest.name)
        return guest.role == "replica" or old

    def _primaries(self) -> dict[str, ObservedServer]:
        found = {}
        for name in sorted(self.fleet.servers):
            copies = [g for g in self.observed.servers if self.ours(g) and g.name == name and g.role == "primary"]
            top = [g for g in copies if g.generation == max(c.generation for c in copies)]
            if len(top) == 1 and top[0].node in self.fleet.nodes:
                found[name] = top[0]
        return found

    def _replicas(self) -> dict[str, ObservedServer]:
        found: dict[str, ObservedServer] = {}
        for guest in self.observed.servers:
            if self.ours(guest) and guest.role == "replica" and guest.name in self.primaries:
                wanted = self.fleet.servers[guest.name].replication.mode != "none"
                known = found.get(guest.name)
                if wanted and guest.node in self.fleet.nodes and (not known or guest.generation > known.generation):
                    found[guest.name] = guest
        return found

    def _seen(self, node: str) -> ObservedNode:
        return self.observed.nodes.get(node, ObservedNode(node, "offline"))

    def _limit(self, name: str) -> dict[str, float]:
        node, seen = self.fleet.nodes[name], self._seen(name)
        declared, measured, kept, times = node.capacity, seen.capacity, node.reserve, node.overcommit
        cores = measured.cores if declared.cores is None else declared.cores
        memory = measured.memory if declared.memory is None else declared.memory
        io = measured.io if declared.io is None else declared.io
        limit = {
            "cores": max(0.0, cores - kept.cores) * times.cores,
            "memory": math.floor(max(0, memory - kept.memory) * times.memory),
            "io": math.inf if not io and declared.io is None else math.floor(max(0, io - kept.io) * times.io),
        }
        there = {**measured.pools, **declared.pools}
        for pool, total in there.items():
            if not measured.pools or pool in measured.pools:
                limit[f"disk {pool}"] = math.floor(max(0, total - kept.pools.get(pool, 0)) * times.disk)
        return limit

    def _unaccounted(self) -> Loads:
        """Measured use beyond all promises, where capacity is measured too."""
        extra: Loads = {name: {} for name in self.fleet.nodes}
        for name, node in self.fleet.nodes.items():
            seen, promised = self._seen(name), dict.fromkeys(("memory",), 0.0)
            for guest in self.observed.servers:
                if guest.node == name:
                    disk = f"disk {guest.pool}"
                    promised[disk] = promised.get(disk, 0) + guest.size.disk
                    promised["memory"] += 0 if guest in self.sleepers or self._asleep(guest) else guest.size.memory
            if node.capacity.memory is None:
                extra[name]["memory"] = max(0, seen.memory_used - node.reserve.memory - promised["memory"])
            for pool, used in seen.pools_used.items():
                if f"disk {pool}" in self.limits[name] and pool not in node.capacity.pools:
                    beyond = used - node.reserve.pools.get(pool, 0) - promised.get(f"disk {pool}", 0)
                    extra[name][f"disk {pool}"] = max(0, beyond)
        return extra

    def fails_over(self, name: str) -> bool:
        server = self.fleet.servers[name]
        return server.failover.mode != "off" and server.failover.action == "relocate" and server.state == "running"

    def replicated(self, name: str) -> bool:
        return self.fleet.servers[name].replication.mode != "none"

    def closed(self, node: str) -> bool:
        """Takes nobody new, as things are before the plan."""
        said, seen = self.fleet.nodes[node], self._seen(node)
        return said.witness or seen.reach != "online" or said.state == "maintenance" or seen.maintenance

    def welcomes(self, name: str, node: str) -> bool:
        """Whether a node takes newcomers, and this one in particular, whoever else is there."""
        return not self.closed(node) and not [*self._misfit(name, node, {})]

    def immovable(self, name: str) -> bool:
        guest = self.primaries[name]
        return guest.state == "unknown" or self._seen(guest.node).reach != "online"

    def start(self, backups: Mapping[str, str]) -> Moment:
        return Moment(
            home={name: guest.node for name, guest in self.primaries.items()},
            going={},
            backup=dict(backups),
            size={name: (guest.size, guest.pool) for name, guest in self.primaries.items()},
            closed=frozenset(filter(self.closed, self.fleet.nodes)),
        )

    # ---- one moment

    def loads(self, now: Moment) -> Loads:
        total: Loads = {name: dict.fromkeys(limit, 0.0) for name, limit in self.limits.items()}

        def add(node: str, size: Size, pool: str, *, disk: bool = True, awake: bool = True) -> None:
            load = total[node]
            if awake:
                load["cores"] += size.cores
                load["memory"] += size.memory
                load["io"] += size.io
            if disk:
                load[f"disk {pool}"] = load.get(f"disk {pool}", 0) + size.disk

        for guest in self.fixed:
            add(guest.node, guest.size, guest.pool)
        for guest in self.sleepers:
            add(guest.node, guest.size, guest.pool, awake=False)
        for node, extra in self.unaccounted.items():
            for resource, amount in extra.items():
                total[node][resource] += amount
        for name, home in now.home.items():
            size, pool = now.size[name]
            add(home, size, pool, disk=False)
            disks = {home}
            if name in now.going:
                going = now.going[name]
                add(going.to, size, pool, disk=False)
                disks |= {going.to} if going.manner != "shared" else set()
            if name in self.fleet.servers and self.replicated(name):
                disks |= {now.backup.get(name, "")} | ({now.going[name].backup} if name in now.going else set())
            for node in disks - {""}:
                add(node, size, pool, awake=False)
        return total

    def overfull(self, loads: Loads) -> dict[tuple[str, str], float]:
        """(node, resource) -> how much is promised beyond the limit."""
        return {
            (node, resource): amount - self.limits[node].get(resource, 0)
            for node, load in loads.items()
            for resource, amount in load.items()
            if amount > self.limits[node].get(resource, 0) + SLACK
        }

    def broken(self, now: Moment) -> set[Fact]:
        """Every hard rule that does not hold, as small a fact as can be."""
        there = {name: self._presences(name, now) for name in now.home}
        facts: set[Fact] = set()
        for name, nodes in there.items():
            for node in nodes:
                if name in self.fleet.servers:
                    facts |= set(self._misfit(name, node, there))
        for number, rule in enumerate(self.fleet.rules):
            if rule.hard:
                facts |= set(self._rule_broken(str(number), rule, there))
        return facts

    def _presences(self, name: str, now: Moment) -> tuple[str, ...]:
        return (now.home[name], now.going[name].to) if name in now.going else (now.home[name],)

    def _misfit(self, name: str, node: str, there: Mapping[str, tuple[str, ...]]) -> Iterator[Fact]:
        server, place = self.fleet.servers[name], self.fleet.nodes[node]
        if place.witness:
            yield ("witness", name, node)
        if server.node and server.node != node:
            yield ("pin", name, node)
        if server.site and server.site != place.site:
            yield ("site", name, node)
        if server.devices - place.devices:
            yield ("device", name, node)
        if place.dedicated and name not in place.dedicated:
            yield ("kept", name, node)
        if server.dedicated:
            others = [other for other, nodes in there.items() if other != name and node in nodes]
            others += [guest.name for guest in self.fixed if guest.node == node]
            for other in others:
                yield ("alone", name, other, node)

    def _rule_broken(self, number: str, rule: Rule, there: Mapping[str, tuple[str, ...]]) -> Iterator[Fact]:
        for one in rule.subjects & set(there):
            for two in (rule.others - {one}) & set(there):
                pair = tuple(sorted((one, two)))
                here = {self.domain(node, rule.over) for node in there[one]}
                near = {self.domain(node, rule.over) for node in there[two]}
                if rule.kind == "apart":
                    for domain in here & near:
                        yield ("apart", number, *pair, domain)
                elif here != near or len(here) > 1:
                    yield ("together", number, *pair)

    def domain(self, node: str, over: str) -> str:
        place = self.fleet.nodes[node]
        if over == "node":
            return node
        return place.site if over == "site" else place.failure_domain or place.name

    # ---- what survives

    def losses(self) -> dict[tuple[str, str], frozenset[str]]:
        """(scope, name) -> the nodes that die."""
        found = {("node", name): frozenset({name}) for name in self.fleet.nodes}
        for name in self.fleet.nodes:
            domain = self.domain(name, "failure_domain")
            members = frozenset(n for n in self.fleet.nodes if self.domain(n, "failure_domain") == domain)
            if len(members) > 1:
                found["failure_domain", domain] = members
        return found

    def stranded(self, now: Moment, dying: frozenset[str]) -> list[str]:
        """Servers that have to run again and would not."""
        useless = {*dying, *now.closed, ""}
        return [
            name
            for name, home in now.home.items()
            if home in dying - now.dead and self.counts(name) and now.backup.get(name, "") in useless
        ]

    def coming(self, now: Moment, dying: frozenset[str]) -> dict[str, list[str]]:
        """Surviving node -> servers that would be started there."""
        useless = {*dying, *now.closed, ""}
        found: dict[str, list[str]] = {}
        for name, home in now.home.items():
            backup = now.backup.get(name, "")
            if home in dying - now.dead and self.counts(name) and backup not in useless:
                found.setdefault(backup, []).append(name)
        return found

    def counts(self, name: str) -> bool:
        """It has to run again after its node's death."""
        return name in self.fleet.servers and self.fails_over(name)

    def after_loss(self, now: Moment, dying: frozenset[str]) -> Loads:
        """Loads of the backups once everything runs there; of the other nodes nothing is said."""
        loads = self.loads(now)
        after: Loads = {}
        for node, servers in self.coming(now, dying).items():
            after[node] = dict(loads[node])
            for name in servers:
                if name in now.going and now.going[name].to == node:
                    continue  # counted there already
                size, _pool = now.size[name]
                after[node]["cores"] += size.cores
                after[node]["memory"] += size.memory
                after[node]["io"] += size.io
        return after

    def overwhelmed(self, now: Moment, dying: frozenset[str]) -> list[str]:
        """Backups that would have to carry more than they can."""
        return [
            node
            for node, load in self.after_loss(now, dying).items()
            if any(load[r] > self.limits[node][r] + SLACK for r in RESOURCES)
        ]

    def survivable(self, now: Moment, free: Set[str] = frozenset()) -> set[tuple[str, str]]:
        """Losses after which everything runs that has to. ``free``: servers that may start wherever there is room."""
        return {loss for loss, dying in self.losses().items() if self._endures(now, dying, free)}

    def _endures(self, now: Moment, dying: frozenset[str], free: Set[str]) -> bool:
        fixed = replace(now, home={n: home for n, home in now.home.items() if n not in free or home not in dying})
        if self.stranded(fixed, dying) or self.overwhelmed(fixed, dying):
            return False
        loads = self._with_fixed(now, fixed, dying)
        room = {
            node: [self.limits[node][r] - loads[node][r] for r in RESOURCES]
            for node in self.fleet.nodes
            if node not in dying and node not in now.closed
        }
        waiting = [n for n, home in now.home.items() if n in free and home in dying and self.counts(n)]
        # Who is on its way to a node that lives has its room there already.
        waiting = [n for n in waiting if n not in now.going or now.going[n].to in dying]
        wanted = [[getattr(now.size[n][0], r) for r in RESOURCES] for n in waiting]
        return self._packs(sorted(wanted, key=lambda one: -one[1]), room, [2000])

    def _with_fixed(self, now: Moment, fixed: Moment, dying: frozenset[str]) -> Loads:
        """Backups with those that come to them for certain; nobody else is taken off them."""
        loads = self.loads(now)
        for node, servers in self.coming(fixed, dying).items():
            for name in servers:
                if not (name in now.going and now.going[name].to == node):
                    for resource in RESOURCES:
                        loads[node][resource] += getattr(now.size[name][0], resource)
        return loads

    def _packs(self, wanted: list[list[float]], room: dict[str, list[float]], tries: list[int]) -> bool:
        """Whether all find room; taken for granted where that takes too long to find out."""
        if not wanted or tries[0] <= 0:
            return True
        tries[0] -= 1
        for left in room.values():
            if all(want <= has + SLACK or not want for want, has in zip(wanted[0], left, strict=True)):
                left[:] = [has - want for want, has in zip(wanted[0], left, strict=True)]
                if self._packs(wanted[1:], room, tries):
                    return True
                left[:] = [has + want for want, has in zip(wanted[0], left, strict=True)]
        return False


def finished(now: Moment, name: str) -> Moment:
    """A move has ended."""
    going = now.going[name]
    rest = {other: each for other, each in now.going.items() if other != name}
    return replace(now, home={**now.home, name: going.to}, going=rest, backup={**now.backup, name: going.backup})
