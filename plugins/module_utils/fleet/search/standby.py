# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that need one backup together, and whether a node can be it: by room, by rule, and how full it gets.

A group is a single server, or all of a unit on one node. ``near`` tells nodes of the home's own failure domain
from all others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import mul

from .aftermath import Aftermath, Refuges
from .problem import CORES, DISKS, IO, MEMORY
from .state import EPSILON, NOWHERE, State


@dataclass(frozen=True, slots=True)
class Group:
    """Servers that need one backup together."""

    members: tuple[int, ...]
    home: int
    coming: tuple[float, ...]
    """Cores, memory and io that would come to the backup."""
    kept: tuple[tuple[int, float], ...]
    """(column, MiB) of the disk that replicas take there."""
    allowed: frozenset[int] | None = None
    """Where it may be started; ``None``: anywhere."""
    bulk: float = 0.0
    """Its biggest resource, as a share of all there is."""
    soft: bool = False
    """Preferences speak of it."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a group takes; as in ``Group``."""

    coming: tuple[float, ...]
    kept: tuple[tuple[int, float], ...]
    bulk: float


class Standby:
    """Backups of a state, given and taken group by group."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.problem = state.problem
        self.after = Aftermath(state)
        self.refuges = Refuges(state.problem)
        self.open = [j for j, why in enumerate(self.problem.closed) if not why]
        self.domains = self.problem.domains["failure_domain"]
        """[j] The number of the node's failure domain."""
        self.standing: dict[int, dict[int, Group]] = {}
        """[b] Groups that were given this backup, by their first member."""
        self._parts = [tuple(map(_part, limit)) for limit in self.problem.limit]
        """[b] What one of each resource is as a part of what the node has."""
        self._total = [sum(column) for column in zip(*self.problem.limit, strict=True)]
        self._shapes: dict[tuple[object, ...], _Shape] = {}
        self._idle: dict[tuple[float, ...], dict[int, float]] = {}
        """What comes -> node -> its fullest resource's part of the burden with that, where nobody else would come.
        Backups change no load but that of disks, so this stays as it is."""
        self._calm: dict[tuple[float, ...], dict[int, float]] = {}
        """The same, and the whole burden where no replica comes along, until one comes or goes."""
        self._stored: dict[int, float] = {}
        """Node -> its fullest pool's part of the burden, until a replica comes or goes."""

    # ---- changes

    def give(self, group: Group, b: int) -> None:
        """A group's backup is this node from now on."""
        for i in group.members:
            self.after.assign(i, b)
        self.standing.setdefault(b, {})[group.members[0]] = group
        self._refilled(group, b)

    def take(self, group: Group, b: int) -> None:
        """A group has no backup any more; it was this node."""
        for i in group.members:
            self.after.assign(i, NOWHERE)
        del self.standing[b][group.members[0]]
        self._refilled(group, b)

    def _refilled(self, group: Group, b: int) -> None:
        """A node's pools are as full as they were no longer, where the group brings or takes a replica."""
        if any(wanted for _column, wanted in group.kept):
            self._stored.pop(b, None)
            for known in self._calm.values():
                known.pop(b, None)

    # ---- does it fit

    def candidates(self, group: Group, *, near: bool) -> list[int]:
        """Nodes in service that a group may be started on, rules and room aside."""
        home, domains = group.home, self.domains
        own = domains[home]
        return [
            b
            for b in (self.open if group.allowed is None else sorted(group.allowed.intersection(self.open)))
            if b != home and (domains[b] == own) == near
        ]

    def near(self, home: int, b: int) -> bool:
        """Whether two nodes are in one failure domain."""
        return self.domains[home] == self.domains[b]

    def fits(self, group: Group, b: int) -> bool:
        """Whether a node has room for a group in all its losses, and rules let it be there."""
        return self.has_room(group, b) and self.obeyed(group, b)

    def obeyed(self, group: Group, b: int) -> bool:
        """Whether rules let a group be started on a node."""
        after = self.after
        return all(after.obeys(i, b) for i in group.members)

    def has_room(self, group: Group, b: int, losses: Sequence[int] | None = None) -> bool:
        """Whether a node has room for a group in these losses: all of its home's, where none are named."""
        problem, load, limit = self.problem, self.state.load[b], self.problem.limit[b]
        for column, wanted in group.kept:
            most = limit[column]
            if most <= 0 or load[column] + wanted > most + EPSILON:
                return False
        for loss in problem.losses_of[group.home] if losses is None else losses:
            if b in problem.losses[loss].nodes:
                continue
            coming = self.state.spill(b, loss)
            for column, wanted in enumerate(group.coming):
                if wanted and load[column] + coming[column] + wanted > limit[column] + EPSILON:
                    return False
        return True

    def has_disk(self, b: int, piece: tuple[int, float]) -> bool:
        """Whether a pool is there and has room for what a replica takes."""
        column, wanted = piece
        most = self.problem.limit[b][column]
        return most > 0 and self.state.load[b][column] + wanted <= most + EPSILON

    def burden(self, group: Group, b: int) -> float:
        """How full a node would be as a group's backup: a^4 + d^4, a being the share of its fullest resource after the
        worst loss of the group's home, d that of its fullest pool. Whichever is scarce counts most, and both count.
        """
        return self.burdens(group, (b,))[0]

    def burdens(self, group: Group, nodes: Sequence[int]) -> list[float]:
        """The same for several nodes."""
        # Asked two hundred thousand times for ten thousand servers, and so with nothing looked up twice.
        loads, parts, stored, found = self.state.load, self._parts, self._stored, []
        kept = [(column, wanted) for column, wanted in group.kept if wanted]
        idle = self._idle.setdefault(group.coming, {})
        calm = {} if kept else self._calm.setdefault(group.coming, {})
        for b, spilt in zip(nodes, self.state.spilt(nodes, self.problem.losses_of[group.home]), strict=True):
            burden = None if spilt else calm.get(b)
            if burden is not None:
                found.append(burden)
                continue
            after = None if spilt else idle.get(b)
            if after is None:
                after = _fullest(loads[b], group.coming, spilt, parts[b]) ** 4
                if not spilt:
                    idle[b] = after
            disk = stored.get(b)
            if disk is None:
                disk = stored[b] = max([0.0, *map(mul, loads[b][DISKS:], parts[b][DISKS:])]) ** 4
            for column, wanted in kept:
                disk = max(disk, ((loads[b][column] + wanted) * parts[b][column]) ** 4)
            if not (spilt or kept):
                calm[b] = after + disk
            found.append(after + disk)
        return found

    def rank(self, group: Group, b: int) -> tuple[int, float, int]:
        """The lower, the better a node is as a group's backup: fewest preferences broken, then the least burdened."""
        broken = sum(self.after.soft_breaks(i, b) for i in group.members) if group.soft else 0
        return (broken, self.burden(group, b), b)

    # ---- who needs one together

    def groups(self, servers: Sequence[int]) -> list[Group]:
        """Servers by unit and node: what has to be together needs one backup."""
        problem = self.problem
        found: dict[tuple[int, int], list[int]] = {}
        for i in servers:
            found.setdefault((problem.units[i][0], self.state.at[i]), []).append(i)
        return [self._group(tuple(members), home) for (_leader, home), members in found.items()]

    def _group(self, members: tuple[int, ...], home: int) -> Group:
        problem = self.problem
        if len(members) == 1:
            return self._single(members, home)
        coming = [0.0, 0.0, 0.0]
        kept: dict[int, float] = {}
        allowed: frozenset[int] | None = None
        for i in members:
            demand, column = problem.demand[i], problem.disk[i]
            if problem.failing_over[i]:
                coming = [known + more for known, more in zip(coming, demand, strict=False)]
            kept[column] = kept.get(column, 0.0) + demand[column] * problem.replicated[i]
            own = self.refuges.of(i, home)
            if own is not None:
                allowed = own if allowed is None else allowed & own
        soft = any(not bond.rule.hard for i in members for bond in problem.bonds[i])
        shape = self._shape((coming[CORES], coming[MEMORY], coming[IO]), kept)
        return Group(members, home, shape.coming, shape.kept, allowed, shape.bulk, soft)

    def _single(self, members: tuple[int, ...], home: int) -> Group:
        """Nearly all groups: one server, of a size many have."""
        problem, i = self.problem, members[0]
        demand, column, fails, kept = problem.demand[i], problem.disk[i], problem.failing_over[i], problem.replicated[i]
        key = (demand, column, fails, kept)
        shape = self._shapes.get(key)
        if shape is None:
            coming = demand[:DISKS] if fails else (0.0,) * DISKS
            shape = self._shapes[key] = self._shape(
                (coming[CORES], coming[MEMORY], coming[IO]), {column: demand[column] * kept}
            )
        bonds = problem.bonds[i]
        soft = bool(bonds) and any(not bond.rule.hard for bond in bonds)
        return Group(members, home, shape.coming, shape.kept, self.refuges.of(i, home), shape.bulk, soft)

    def _shape(self, coming: tuple[float, float, float], kept: Mapping[int, float]) -> _Shape:
        wanted = {**dict(enumerate(coming)), **kept}
        bulk = max(_ratio(most, self._total[column]) for column, most in wanted.items())
        return _Shape(coming, tuple(kept.items()), bulk)


def _fullest(
    load: Sequence[float], more: Sequence[float], spilt: Sequence[Sequence[float]], parts: Sequence[float]
) -> float:
    """The share of a node's fullest resource once something has come, after the worst of these losses."""
    cores, memory, io = more
    cores, memory, io = cores + load[CORES], memory + load[MEMORY], io + load[IO]
    after = max(0.0, cores * parts[CORES], memory * parts[MEMORY], io * parts[IO])
    for coming in spilt:
        after = max(
            after,
            (cores + coming[CORES]) * parts[CORES],
            (memory + coming[MEMORY]) * parts[MEMORY],
            (io + coming[IO]) * parts[IO],
        )
    return after


def _part(most: float) -> float:
    """One over a limit; as good as nothing where there is none, and out of all proportion where it is 0."""
    return 1 / most if most > 0 else 1e9


def _ratio(used: float, most: float) -> float:
    if used <= 0 or most == math.inf:
        return 0.0
    return used / most if most > 0 else 1e9
