# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes die: who runs again where, who does not and why, and how old the data is that each wakes up with.

Servers start on their backups in start order; where a backup cannot hold all of them, those that start last are left
out. A server wakes up with a replica that is complete, or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .layout import ours
from .model import ObservedServer
from .search.problem import DISKS, Problem
from .search.state import EPSILON, NOWHERE, State


@dataclass(frozen=True, slots=True)
class Coming:
    """A server that starts again."""

    i: int
    home: int
    """Its node, which is dead."""
    to: int
    fuller: str
    """What it makes of the node it comes to: ``node3 memory 60 % → 64 %``."""
    replica: ObservedServer | None
    """What it wakes up from; ``None``: none was seen, or its disk is where it was."""


@dataclass(slots=True)
class Rescue:
    """What becomes of the servers of some nodes once they are dead."""

    problem: Problem
    before: State
    """As things are, everybody with a backup."""
    dead: frozenset[int]
    after: State = field(init=False)
    coming: list[Coming] = field(default_factory=list)
    """In start order."""
    lost: dict[int, str] = field(default_factory=dict)
    """Server that does not run again, though it should -> why."""
    resting: dict[int, str] = field(default_factory=dict)
    """Server that is not started anywhere, by its own declaration -> which."""
    copies: dict[int, ObservedServer] = field(init=False)
    """Server -> the complete replica of it there is to start from."""
    known: frozenset[int] = frozenset()
    """Servers that some replica was seen of, complete or not, on any node."""

    def __post_init__(self) -> None:
        problem = self.problem
        closed = tuple("is dead" if j in self.dead else why for j, why in enumerate(problem.closed))
        self.copies, self.known = self._replicas()
        # Where a replica is, or the inventory wants one, is where the server starts, however good that is.
        backup = tuple(
            problem.node_index[self.copies[i].node]
            if i in self.copies
            else known
            if known != NOWHERE
            else self.before.backup[i]
            for i, known in enumerate(problem.backup)
        )
        self.after = State(replace(problem, closed=closed, backup=backup))
        for i in sorted(self.hit(), key=lambda i: (problem.server(i).start_order, problem.servers[i])):
            declared = self._kept_down(i)
            why = "" if declared else self._unsaved(i)
            if declared:
                self.resting[i] = declared
            elif why:
                self.lost[i] = why
            else:
                self._start(i)

    def hit(self) -> list[int]:
        """Everybody whose node is dead."""
        return [i for i, home in enumerate(self.problem.start) if home in self.dead]

    def has_no_copy(self, i: int) -> bool:
        """Whether a server has a replica by declaration only."""
        return self.problem.replicated[i] and i not in self.copies

    def age(self, i: int) -> float | None:
        """Seconds since what a server wakes up with was copied from it; ``None``: nobody tells."""
        if self.problem.server(i).replication.mode != "interval":
            return 0.0
        replica, seen_at = self.copies.get(i), self.problem.observed.at
        if replica is None or replica.copying is None or not (replica.copying.refreshed and seen_at):
            return None
        return max(0.0, seen_at - replica.copying.refreshed)

    def missing(self, i: int) -> float | None:
        """MiB a server may have written since what it wakes up with was copied, by what changed in it between refreshes
        before: a file that was written to counts whole. ``None``: nobody tells."""
        age, replica = self.age(i), self.copies.get(i)
        if age is None or replica is None or replica.copying is None or replica.copying.changing is None:
            return None
        return replica.copying.changing * max(1.0, age / max(replica.copying.interval, 1))

    def fullest(self, b: int, state: State | None = None) -> tuple[float, ...]:
        """Every resource's share on a node, pools last."""
        load, limit = (state or self.after).load[b], self.problem.limit[b]
        return tuple(used / most if most > 0 else float(used > EPSILON) for used, most in zip(load, limit, strict=True))

    def shift(self, b: int, was: Sequence[float], *, short: bool = False) -> str:
        """``node3 memory 60 % → 64 %``, of the resource that is fullest among those taken."""
        now = self.fullest(b)
        taken = [at for at in range(len(now)) if now[at] > was[at] + EPSILON] or range(len(now))
        column = max(taken, key=lambda at: (now[at], -at))
        name = "" if short else f"{self.problem.nodes[b]} "
        return f"{name}{self._word(column)} {was[column] * 100:.0f} % → {now[column] * 100:.0f} %"

    # ---- inside

    def _replicas(self) -> tuple[dict[int, ObservedServer], frozenset[int]]:
        """The replica each server would start from: where its backup is, else the freshest; and who has any at all."""
        problem = self.problem
        found: dict[int, list[ObservedServer]] = {}
        known = set()
        for guest in problem.observed.servers:
            i = problem.server_index.get(guest.name)
            if i is None or guest.role != "replica" or guest.node not in problem.node_index:
                continue
            if ours(problem.fleet, guest) and problem.replicated[i]:
                known.add(i)
                if guest.complete or self._was_complete(guest):
                    found.setdefault(i, []).append(guest)
        return {i: max(copies, key=lambda copy: self._rank(i, copy)) for i, copies in found.items()}, frozenset(known)

    def _was_complete(self, guest: ObservedServer) -> bool:
        """Whether a replica was about to become the server by a move, when the server's node died."""
        j = self.problem.node_index.get(guest.moving)
        return j in self.dead and guest.copying is not None and guest.copying.refreshed > 0

    def _rank(self, i: int, copy: ObservedServer) -> tuple[object, ...]:
        j = self.problem.node_index[copy.node]
        alive = j not in self.dead and not self.problem.closed[j]
        refreshed = copy.copying.refreshed if copy.copying else 0.0
        return (alive, copy.generation, j == self.problem.backup[i], refreshed, copy.node)

    def _kept_down(self, i: int) -> str:
        """Why a server is not started anywhere, by its own declaration; empty if it is to be."""
        server = self.problem.server(i)
        if server.state == "stopped":
            return "declared stopped"
        if server.failover.mode == "off":
            return "failover is off"
        if server.failover.action == "activate":
            return "its peer is told to take over instead"
        if server.failover.action == "none":
            return "its service moves by itself"
        return ""

    def _unsaved(self, i: int) -> str:
        """Why a server that is to run again cannot."""
        problem, b = self.problem, self.after.backup[i]
        if b == NOWHERE:
            return "no backup node"
        name = problem.nodes[b]
        if b in self.dead:
            return f"its backup {name} is dead too" if b != problem.start[i] else "its backup is its own node"
        if problem.closed[b]:
            return f"its backup {name} {problem.closed[b]}"
        if self.has_no_copy(i) and problem.stuck[i]:
            return "its replica was never complete" if i in self.known else "its replica was never made"
        short = self._short(i, b)
        return f"not enough {short} left on {name} after all that start before" if short else ""

    def _short(self, i: int, b: int) -> str:
        """What a server needs and its backup has not; empty if it has room."""
        problem, load = self.problem, self.after.load[b]
        if self.after.has_room(i, b):
            return ""
        wanted = problem.demand[i]
        over = (at for at, most in enumerate(problem.limit[b]) if wanted[at] and load[at] + wanted[at] > most + EPSILON)
        return self._word(next(over))

    def _start(self, i: int) -> None:
        home, b = self.problem.start[i], self.after.backup[i]
        full = self.fullest(b)
        self.after.move(i, b, NOWHERE)
        self.coming.append(Coming(i, home, b, self.shift(b, full), self.copies.get(i)))

    def _word(self, column: int) -> str:
        return self.problem.columns[column] if column < DISKS else f"disk on pool {self.problem.columns[column]}"
