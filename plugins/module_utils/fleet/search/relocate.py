# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Some servers have to go elsewhere: where to, and who has to make room for them, at the least cost.

Where each may go is the problem's to say (``allowed``, ``closed``). A server that finds room goes there
directly. One that does not has others moved out of its way, and those others yet others, as few of them as
possible: ejection chains, tried with one server moved aside, then two, and so on.

Every hop is possible when those before it are done, so the hops in their order are proof that there is a way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .leaning import Leaning
from .problem import DISKS
from .shelter import sheltered
from .state import EPSILON, State

MOST_ASIDE = 5
"""Servers moved aside, at most, for one that has to go."""

_LEAST = 40
"""What one try counts for in a fleet of few nodes."""

Backups = Callable[[State, int, int], int]
"""(state, server, node): the backup of the server from the end of its move to the node on."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One server's move, and its backup before and after."""

    i: int
    source: int
    to: int
    before: int
    after: int


def keep_backup(state: State, i: int, j: int) -> int:
    """The backup a server has after a move when nobody chooses another."""
    return state.backup_after(i, j)


@dataclass(slots=True)
class Relocation:
    """Finds ways for servers, on the state itself: what is found is done."""

    state: State
    backups: Backups = keep_backup
    sheltering: bool = False
    """No move may end with servers kept apart that a failure would bring together; otherwise their backups are left
    to be chosen anew."""
    effort: int = 160_000
    """Nodes to look at, at most, for servers that nowhere takes directly."""
    hops: list[Hop] = field(default_factory=list)
    _leaning: Leaning = field(init=False)

    def __post_init__(self) -> None:
        self._leaning = Leaning(self.state)

    def settle(self, leaving: Iterable[int]) -> list[int]:
        """Move each of these, and what is tied to it, to some node that may carry it; the ones nobody could help.

        The biggest goes first. Who stays behind is tried again when the others have gone.
        """
        waiting = self.leaders(leaving)
        stuck = [leader for leader in waiting if not self.settled(leader) and not self._place(leader, 0, frozenset())]
        while stuck:
            still = [leader for leader in stuck if not self.settled(leader) and not self.place(leader)]
            if len(still) == len(stuck):
                break
            stuck = still
        return stuck

    def settled(self, leader: int) -> bool:
        """Whether a unit is where it may be."""
        problem = self.state.problem
        places = {self.state.at[i] for i in problem.units[leader]}
        return len(places) == 1 and not any(
            problem.closed[j] or not self._admitted(i, j) for i in problem.units[leader] for j in places
        )

    def leaders(self, servers: Iterable[int]) -> list[int]:
        """One of each unit, the biggest unit first."""
        problem = self.state.problem
        total = [sum(limits) for limits in zip(*problem.limit, strict=True)]
        units = {problem.units[i][0] for i in servers}
        return sorted(units, key=lambda leader: (-self._bulk(leader, total), leader))

    def place(self, leader: int, nodes: Sequence[int] | None = None) -> bool:
        """Find a place for a unit, on one of ``nodes`` if given, moving as few others aside as possible."""
        barred = frozenset[int]() if nodes is None else frozenset(range(len(self.state.load))) - frozenset(nodes)
        return any(
            self._place(leader, aside, barred) for aside in range(MOST_ASIDE + 1) if not aside or self.effort > 0
        )

    def go(self, leader: int, j: int) -> bool:
        """Move a unit to a node if it fits there as things are."""
        state = self.state
        begun: list[Hop] = []
        for i in state.problem.units[leader]:
            if state.at[i] == j:
                continue
            after = self.backups(state, i, j)
            fits = not state.problem.stuck[i] and state.fits(i, j, after)
            if not fits or (self.sheltering and not sheltered(state, i, j, after)):
                for hop in reversed(begun):
                    state.cancel(hop.i)
                return False
            begun.append(Hop(i, state.at[i], j, state.backup[i], after))
            state.begin(i, j, after)
        for hop in begun:
            state.finish(hop.i)
            self._leaning.moved(hop.i, hop.source, hop.to)
        self.hops += begun
        return True

    def follow(self, hop: Hop) -> None:
        """Make a hop that is known to be possible."""
        self.state.move(hop.i, hop.to, hop.after)
        self._leaning.moved(hop.i, hop.source, hop.to)
        self.hops.append(hop)

    def undo(self, mark: int) -> None:
        """Take back every hop from a position in ``hops`` on."""
        while len(self.hops) > mark:
            hop = self.hops.pop()
            self.state.move(hop.i, hop.source, hop.before)
            self._leaning.moved(hop.i, hop.to, hop.source)

    # ---- ejection chains

    def _place(self, leader: int, aside: int, barred: frozenset[int], busy: frozenset[int] = frozenset()) -> bool:
        """Place a unit anywhere but on ``barred``, moving at most ``aside`` others; nothing is changed in vain."""
        if any(self.go(leader, j) for j in self.roomy(leader) if j not in barred):
            return True
        if aside < 1 or self.effort <= 0:
            return False
        ranked = [j for j in self.ranked(leader) if j not in barred]
        return any(self._make_way(leader, j, aside, busy | {leader}) for j in ranked)

    def _make_way(self, leader: int, j: int, aside: int, busy: frozenset[int]) -> bool:
        """Place a unit on one node, with at most ``aside`` others moved out of its way."""
        if self.effort <= 0:
            return False
        self.effort -= _LEAST
        for other, barred in self._in_the_way(leader, j, aside, busy):
            if self.effort <= 0:
                return False
            self.effort -= max(_LEAST, len(self.state.load))
            mark = len(self.hops)
            if self._place(other, aside - 1, barred, busy):
                if self.go(leader, j):
                    return True
                left = aside - self._moved(mark)
                if left > 0 and self._make_way(leader, j, left, busy | {other}):
                    return True
            self.undo(mark)
        return False

    def _moved(self, mark: int) -> int:
        """Units moved since a position in ``hops``."""
        units = self.state.problem.units
        return len({units[hop.i][0] for hop in self.hops[mark:]})

    def _in_the_way(
        self, leader: int, j: int, aside: int, busy: frozenset[int]
    ) -> Iterator[tuple[int, frozenset[int]]]:
        """Units whose leaving helps this one onto a node, with the nodes they must not go to then; best first."""
        state, units = self.state, self.state.problem.units
        foes, domain = self._foes(leader, j)
        if foes:
            if len(foes - busy) == len(foes) <= aside:
                yield from ((foe, domain) for foe in sorted(foes, key=self._dear))
            return
        short = self._short(leader, j)
        here = {units[i][0] for i in state.here[j]} - busy
        helping = [other for other in here if not short or any(self._held(other, j, c) > 0 for c in short)]

        def rank(other: int) -> tuple[object, ...]:
            lacking = sum(max(0.0, wanted - self._held(other, j, c)) / wanted for c, wanted in short.items())
            return (round(lacking, 6), self._dear(other))

        for other in sorted(helping, key=rank):
            if aside > 1 or all(self._held(other, j, c) >= wanted - EPSILON for c, wanted in short.items()):
                yield other, frozenset({j})

    def _foes(self, leader: int, j: int) -> tuple[set[int], frozenset[int]]:
        """Units a hard rule keeps this one apart from on a node, and all nodes the rule means by it."""
        problem, state = self.state.problem, self.state
        foes: set[int] = set()
        nodes = {j}
        for i in problem.units[leader]:
            for bond in problem.bonds[i]:
                if not bond.rule.hard or bond.rule.kind != "apart":
                    continue
                domains = problem.domains[bond.rule.over]
                facing = (bond.rule.others if bond.subject else frozenset()) | (
                    bond.rule.subjects if bond.other else frozenset()
                )
                near = [j2 for j2, domain in enumerate(domains) if domain == domains[j]]
                found = {
                    problem.units[other][0]
                    for name in facing
                    if (other := problem.server_index.get(name, i)) != i and state.at[other] in near
                }
                if found:
                    foes |= found
                    nodes.update(near)
        return foes - {leader}, frozenset(nodes)

    def _short(self, leader: int, j: int) -> dict[int, float]:
        """Columns in which a node lacks room for a unit -> how much; a failure's newcomers count where protected."""
        state, problem = self.state, self.state.problem
        coming = [i for i in problem.units[leader] if state.at[i] != j]
        kept = state.reserved(j)
        short: dict[int, float] = {}
        for column in range(len(problem.columns)):
            wanted = sum(problem.demand[i][column] for i in coming)
            reserved = kept[column] if column < DISKS else 0.0
            lacking = state.load[j][column] + wanted + reserved - problem.limit[j][column]
            if wanted > 0 and lacking > EPSILON:
                short[column] = lacking
        return short

    def _held(self, leader: int, j: int, column: int) -> float:
        """What a unit takes on a node."""
        problem = self.state.problem
        return sum(problem.demand[i][column] for i in problem.units[leader] if self.state.at[i] == j)

    # ---- what is better

    def targets(self, leader: int) -> list[int]:
        """Nodes a unit may go to by everything that does not depend on who else is where; not where all of it is."""
        state, problem = self.state, self.state.problem
        members = problem.units[leader]
        found = [j for j, closed in enumerate(problem.closed) if not closed]
        for i in members:
            allowed = problem.allowed[i]
            if allowed is not None:
                found = [j for j in found if j in allowed]
        homes = {state.at[i] for i in members}
        return [j for j in found if homes != {j}]

    def roomy(self, leader: int) -> list[int]:
        """As ``ranked``, without nodes that clearly take one of the unit not in as things are."""
        state, members = self.state, self.state.problem.units[leader]
        able = [
            j
            for j in self.targets(leader)
            if all(state.at[i] == j or (not state.problem.stuck[i] and state.takes_in(i, j)) for i in members)
        ]
        return self.ranked(leader, able) if able else []

    def ranked(self, leader: int, among: Sequence[int] | None = None) -> list[int]:
        """Nodes for a unit, best first: fewest preferences broken, least data copied, evenest afterwards."""
        state, problem = self.state, self.state.problem
        members = problem.units[leader]
        nodes = self.targets(leader) if among is None else among
        unevenness = self._leaning.with_them_on(members, nodes)
        # Nearly all are spoken of by no preference, and many have their disks where every node reaches them.
        choosy = [i for i in members if problem.bonds[i]]
        heavy = [i for i in members if problem.columns[problem.disk[i]] not in problem.observed.abilities.shared_pools]
        return [
            j
            for *_rank, j in sorted(
                (
                    sum([state.soft_breaks(i, j) for i in choosy]),
                    sum([copied(state, i, j) for i in heavy if state.at[i] != j]),
                    round(unevenness[j], 9),
                    j,
                )
                for j in nodes
            )
        ]

    def _admitted(self, i: int, j: int) -> bool:
        allowed = self.state.problem.allowed[i]
        return allowed is None or j in allowed

    def _bulk(self, leader: int, total: Sequence[float]) -> float:
        """A unit's size: its biggest resource, as a share of all there is."""
        problem = self.state.problem
        members = problem.units[leader]
        return max(sum(problem.demand[i][c] for i in members) / most for c, most in enumerate(total) if most > 0)

    def _dear(self, leader: int) -> tuple[float, float, int]:
        """What it costs to move a unit aside: nothing if it is on its way anyway, else its data."""
        members = self.state.problem.units[leader]
        moved = any(self.state.at[i] != self.state.problem.start[i] for i in members)
        disk = sum(self.state.problem.demand[i][self.state.problem.disk[i]] for i in members)
        return (0.0 if moved else 1.0, disk, leader)


def copied(state: State, i: int, j: int) -> float:
    """MiB a move copies: nothing to a node that holds the replica, or on storage both nodes reach."""
    problem = state.problem
    pool = problem.columns[problem.disk[i]]
    if pool in problem.observed.abilities.shared_pools or (problem.replicated[i] and state.backup[i] == j):
        return 0.0
    return problem.demand[i][problem.disk[i]]
