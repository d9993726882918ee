# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where every server is while a plan is thought through, and what that leaves possible.

Answers at the cost of a few additions: does this server fit there, by room, by rule, and with every failure
still survivable that was survivable at the start. A server under way counts on both nodes.

Servers of one unit (hard affinity over nodes) are moved together, by whoever moves one of them; the rule
that ties them is therefore not asked while they move.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ..layout import Bond
from .problem import CORES, IO, MEMORY, Problem

EPSILON = 1e-6
"""What sums of fractions of cores may be off by."""

NOWHERE = -1

_NOTHING = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Journey:
    """A move under way: where to, and which node is the server's backup from its end on."""

    to: int
    backup: int


class State:
    """One assignment of servers to nodes, changed in place. ``[i]`` is a server, ``[j]`` or ``[b]`` a node."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.at: list[int] = list(problem.start)
        self.going: dict[int, Journey] = {}
        """Servers under way; ``at`` is the node they leave."""
        self.backup: list[int] = list(problem.backup)
        self.load: list[list[float]] = [list(base) for base in problem.base]
        self.here: list[set[int]] = [set() for _node in problem.nodes]
        """[j] Servers there, those on their way there included."""
        self.protected: frozenset[int] = frozenset()
        """Losses that must stay survivable: no move may break one."""
        self._solitary: list[int] = [0] * len(problem.nodes)
        """[j] Servers there that want the node to themselves."""
        self._members: dict[tuple[int, bool, int], int] = {}
        """(rule, subjects' side or others', domain) -> how many of that side are there."""
        self._total: dict[tuple[int, bool], int] = {}
        """(rule, side) -> how many of that side are anywhere."""
        self._spill: list[dict[int, list[float]]] = [{} for _node in problem.nodes]
        """[b] Loss -> cores, memory and io that would come here."""
        self._peak: list[Sequence[float] | None] = [None] * len(problem.nodes)
        """[b] The most that comes here in any protected loss; ``None``: to be worked out again."""
        self._stranded: list[int] = [0] * len(problem.losses)
        """[loss] Servers that would have nowhere to run."""
        self._bound = [
            i
            for i, (allowed, bonds, unit) in enumerate(zip(problem.allowed, problem.bonds, problem.units, strict=True))
            if allowed is not None or bonds or len(unit) > 1
        ]
        """Servers that may not be everywhere."""
        for i, home in enumerate(problem.start):
            self._count(i, home, 1)
            b = self.backup[i]
            if b != NOWHERE:
                self._hold_replica(i, b, 1)
                self._stand_by(i, b, problem.losses_of[home], 1)
            elif problem.failing_over[i]:
                for loss in problem.losses_of[home]:
                    self._stranded[loss] += 1

    def copy(self) -> State:
        """The same assignment, to be changed by itself; nobody may be under way."""
        found = State.__new__(State)
        found.problem, found.protected = self.problem, self.protected
        found.at, found.going, found.backup = list(self.at), {}, list(self.backup)
        found.load = [list(load) for load in self.load]
        found.here = [set(here) for here in self.here]
        found._solitary = list(self._solitary)
        found._members, found._total = dict(self._members), dict(self._total)
        found._spill = [{loss: list(spill) for loss, spill in spills.items()} for spills in self._spill]
        found._peak, found._stranded, found._bound = list(self._peak), list(self._stranded), self._bound
        return found

    def protect(self, losses: Iterable[int] | None = None) -> None:
        """From here on, no move may break what is survivable now; of these losses only, if given."""
        asked = frozenset(range(len(self.problem.losses)) if losses is None else losses)
        self.guard(asked - self.broken(asked))

    def guard(self, losses: frozenset[int]) -> None:
        """Protect just these losses, which are known to be survivable."""
        self.protected = losses
        self._peak = [None] * len(self.problem.nodes)

    # ---- changes

    def move(self, i: int, j: int, backup: int | None = None) -> None:
        """Put a server on another node at once. ``backup`` as for ``begin``."""
        self.begin(i, j, backup)
        self.finish(i)

    def begin(self, i: int, j: int, backup: int | None = None) -> None:
        """A move begins: the server counts on both nodes, and would still be started on its old backup.

        ``backup`` is the backup from the move's end on; ``None``: the same, or the old home of a server that
        moves to its backup, since that one has the data.
        """
        home, b = self.at[i], self.backup[i]
        journey = Journey(j, self.backup_after(i, j) if backup is None else backup)
        self._count(i, j, 1)
        if b == j:
            # The disk is there already; and should the old home die now, the room is taken already.
            self._hold_replica(i, j, -1)
            self._stand_by(i, j, self._only(home, j), -1)
        if journey.backup != home:
            if journey.backup != b:
                self._hold_replica(i, journey.backup, 1)
            self._stand_by(i, journey.backup, self._new_losses(i, journey), 1)
        self.going[i] = journey

    def finish(self, i: int) -> None:
        """The move ends: the server is on its new node alone."""
        journey, home, b = self.going.pop(i), self.at[i], self.backup[i]
        self._count(i, home, -1)
        if b == journey.to:
            self._stand_by(i, b, self._both(home, journey.to), -1)
        elif b == journey.backup:
            self._stand_by(i, b, self._only(home, journey.to), -1)
        else:
            self._stand_by(i, b, self.problem.losses_of[home], -1)
            self._hold_replica(i, b, -1)
        if journey.backup == home:
            self._hold_replica(i, home, 1)
            self._stand_by(i, home, self.problem.losses_of[journey.to], 1)
        self.at[i] = journey.to
        self.backup[i] = journey.backup

    def cancel(self, i: int) -> None:
        """A move that was begun is undone."""
        journey, home, b = self.going.pop(i), self.at[i], self.backup[i]
        if journey.backup != home:
            self._stand_by(i, journey.backup, self._new_losses(i, journey), -1)
            if journey.backup != b:
                self._hold_replica(i, journey.backup, -1)
        if b == journey.to:
            self._stand_by(i, b, self._only(home, journey.to), 1)
            self._hold_replica(i, b, 1)
        self._count(i, journey.to, -1)

    def assign_backup(self, i: int, b: int) -> None:
        """Give a server another backup node, ``NOWHERE`` for none."""
        losses = self.problem.losses_of[self.at[i]]
        self._stand_by(i, self.backup[i], losses, -1)
        self._hold_replica(i, self.backup[i], -1)
        self.backup[i] = b
        self._hold_replica(i, b, 1)
        self._stand_by(i, b, losses, 1)

    def backup_after(self, i: int, j: int) -> int:
        """The backup a server has once it has moved to a node, unless it is given another."""
        return self.at[i] if self.backup[i] == j else self.backup[i]

    # ---- may it be there

    def fits(self, i: int, j: int, backup: int | None = None) -> bool:
        """Whether a server may begin to move to a node: room, rules, disk for a replica on a new backup,
        and nothing protected broken.
        """
        after = self.backup_after(i, j) if backup is None else backup
        return self.takes_in(i, j) and self.holds(i, after) and self.keeps_safe(i, j, after)

    def takes_in(self, i: int, j: int) -> bool:
        """The part of ``fits`` that does not depend on the backup: a node in service, rules, room there, and room as
        well for all that a protected loss would bring.
        """
        if self.problem.closed[j] or not self.has_room(i, j) or not self.obeys(i, j):
            return False
        if not self.protected or self._bears(j, self.problem.demand[i], self._worst(j)):
            return True
        return self.backup[i] == j and self.problem.failing_over[i] and self._bears_beside_itself(i, j)

    def unit_fits(self, i: int, j: int) -> bool:
        """Whether a server and all that move with it may begin to move to a node side by side."""
        begun: list[int] = []
        for member in self.problem.units[i]:
            if self.at[member] == j:
                continue
            if self.problem.stuck[member] or not self.fits(member, j):
                break
            self.begin(member, j)
            begun.append(member)
        else:
            self._cancel_all(begun)
            return True
        self._cancel_all(begun)
        return False

    def sound(self, moved: Iterable[int], nodes: Iterable[int]) -> bool:
        """Whether servers may stay where they have just been put, and these nodes bear what they carry.

        ``nodes`` are all whose load has changed. What is protected must still be survivable.
        """
        if any(self.overfull(j) or not self._bears(j, _NOTHING, self._worst(j)) for j in nodes):
            return False
        for i in moved:
            j, b = self.at[i], self.backup[i]
            if self.problem.closed[j] or not self.obeys(i, j):
                return False
            if not self.problem.failing_over[i] or not self.protected:
                continue
            threats = [loss for loss in self.problem.losses_of[j] if loss in self.protected]
            if any(self._useless(b, self.problem.losses[loss].nodes) for loss in threats):
                return False
            if b != NOWHERE and not self._bears(b, _NOTHING, self._worst(b)):
                return False
        return True

    def has_room(self, i: int, j: int) -> bool:
        """Whether a server's size fits on another node beside what is there."""
        load, limit = self.load[j], self.problem.limit[j]
        kept = self.problem.disk[i] if self.backup[i] == j and self.problem.replicated[i] else NOWHERE
        for column, wanted in enumerate(self.problem.demand[i]):
            if wanted and column != kept and load[column] + wanted > limit[column] + EPSILON:
                return False
        return True

    def holds(self, i: int, b: int) -> bool:
        """Whether a node has disk for a server's replica, where that is not there already, nor the server itself."""
        problem = self.problem
        if not problem.replicated[i] or b in (NOWHERE, self.at[i], self.backup[i]):
            return True
        column = problem.disk[i]
        return self.load[b][column] + problem.demand[i][column] <= problem.limit[b][column] + EPSILON

    def obeys(self, i: int, j: int) -> bool:
        """Whether a server may be on a node however much room there is: pins, dedication, hard rules.

        Whether those it is tied to are there too is not asked: they come along.
        """
        problem = self.problem
        allowed = problem.allowed[i]
        if allowed is not None and j not in allowed:
            return False
        if (self._solitary[j] or problem.solitary[i]) and self._crowded(i, j):
            return False
        bonds = problem.bonds[i]
        # Nearly all are in no rule at all, and this is asked all the time.
        return not bonds or not any(bond.rule.hard and not _ties(bond) and self._breaks(bond, i, j) for bond in bonds)

    def soft_breaks(self, i: int, j: int) -> int:
        """How many preferences a server breaks, or would break, on a node."""
        return sum(1 for bond in self.problem.bonds[i] if not bond.rule.hard and self._breaks(bond, i, j))

    def misplaced(self, i: int) -> bool:
        """Whether a server may not be where it is."""
        j, unit = self.at[i], self.problem.units[i]
        return not self.obeys(i, j) or (len(unit) > 1 and any(self.at[member] != j for member in unit))

    def overfull(self, j: int) -> list[int]:
        """Columns in which a node has promised more than it has."""
        load, limit = self.load[j], self.problem.limit[j]
        return [column for column in range(len(limit)) if load[column] > limit[column] + EPSILON]

    def violations(self) -> int:
        """Servers that may not be where they are, and columns of nodes that are overfull."""
        over = sum(len(self.overfull(j)) for j in range(len(self.problem.nodes)))
        return over + len(self.astray())

    def astray(self) -> list[int]:
        """Servers that may not be where they are."""
        # Who wants a node alone is in the way of everybody.
        asked = range(len(self.at)) if any(self._solitary) else self._bound
        return [i for i in asked if self.misplaced(i)]

    # ---- what survives

    def survivable(self, loss: int) -> bool:
        """Whether everything that has to run again after a loss has a backup with room for all that come."""
        return not self._stranded[loss] and not self.overwhelmed(loss)

    def stranded(self, loss: int) -> list[int]:
        """Servers that would have nowhere to run after a loss."""
        dying = self.problem.losses[loss].nodes
        return sorted(
            i
            for j in dying
            for i in self.here[j]
            if self.at[i] == j and self.problem.failing_over[i] and self._useless(self.backup[i], dying)
        )

    def overwhelmed(self, loss: int) -> list[int]:
        """Backup nodes that more would come to after a loss than they have room for."""
        return [b for b, spill in enumerate(self._spill) if loss in spill and not self._bears(b, _NOTHING, spill[loss])]

    def broken(self, losses: Collection[int], nodes: Iterable[int] | None = None) -> frozenset[int]:
        """Those of these losses that not everything would survive, by what comes to these nodes if they are given."""
        backups = range(len(self._spill)) if nodes is None else nodes
        found = {loss for loss in losses if self._stranded[loss]}
        for b in backups:
            found.update(
                loss for loss, spill in self._spill[b].items() if loss in losses and not self._bears(b, _NOTHING, spill)
            )
        return frozenset(found)

    def lacking(self, nodes: Iterable[int]) -> tuple[int, float]:
        """How many would have nowhere to run, plus these backups without room, loss by loss; and by how much they lack
        room, as shares of what they have.
        """
        count, excess = sum(self._stranded), 0.0
        for b in nodes:
            if b == NOWHERE:
                continue
            load, limit = self.load[b], self.problem.limit[b]
            for spill in self._spill[b].values():
                over = [
                    (load[c] + spill[c] - limit[c]) / (limit[c] or 1.0)
                    for c in (CORES, MEMORY, IO)
                    if load[c] + spill[c] > limit[c] + EPSILON
                ]
                count, excess = count + bool(over), excess + sum(over)
        return count, excess

    def gaps(self) -> int:
        """Servers without a place, and backups without room, over all losses."""
        losses = range(len(self.problem.losses))
        return sum(self._stranded[loss] + len(self.overwhelmed(loss)) for loss in losses)

    def spill(self, b: int, loss: int) -> Sequence[float]:
        """Cores, memory and io that would come to a backup node after a loss."""
        return self._spill[b].get(loss, _NOTHING)

    def spilt(self, nodes: Iterable[int], losses: Sequence[int]) -> list[list[list[float]]]:
        """The same of several nodes, for each of these losses that brings anything there."""
        spills = [self._spill[b] for b in nodes]
        if len(losses) == 1:
            loss = losses[0]
            return [[spill[loss]] if loss in spill else [] for spill in spills]
        return [[spill[loss] for loss in losses if loss in spill] for spill in spills]

    def reserved(self, b: int) -> Sequence[float]:
        """Cores, memory and io a node has to keep free: the most that would come in any protected loss."""
        return self._worst(b)

    def keeps_safe(self, i: int, j: int, backup: int) -> bool:
        """Whether every protected loss stays survivable when a server moves to a node that takes it in.

        ``backup`` is the server's backup from the move's end on.
        """
        problem = self.problem
        if not self.protected or not problem.failing_over[i]:
            return True
        demand, home, b = problem.demand[i], self.at[i], self.backup[i]
        shared = problem.losses_of[home] if backup == b else ()
        for loss in problem.losses_of[j]:
            if loss not in self.protected:
                continue
            if self._useless(backup, problem.losses[loss].nodes):
                return False
            if loss in shared:
                continue
            # The old home, rid of the server, has the room for its return, unless it was overfull with it.
            coming = _NOTHING if backup == home else demand
            if not self._bears(backup, coming, self.spill(backup, loss)):
                return False
        return True

    def _bears_beside_itself(self, i: int, j: int) -> bool:
        """A backup takes its own server in: what its old home's death would bring is less by itself."""
        demand, home = self.problem.demand[i], self.at[i]
        own = self._only(home, j)
        return all(
            self._bears(j, _NOTHING if loss in own else demand, spill)
            for loss, spill in self._spill[j].items()
            if loss in self.protected
        )

    def _bears(self, j: int, wanted: Sequence[float], spill: Sequence[float]) -> bool:
        """Whether a node has cores, memory and io for what is wanted of it and what would come."""
        load, limit = self.load[j], self.problem.limit[j]
        return (
            load[CORES] + wanted[CORES] + spill[CORES] <= limit[CORES] + EPSILON
            and load[MEMORY] + wanted[MEMORY] + spill[MEMORY] <= limit[MEMORY] + EPSILON
            and load[IO] + wanted[IO] + spill[IO] <= limit[IO] + EPSILON
        )

    def _worst(self, b: int) -> Sequence[float]:
        """The most that would come to a node in any protected loss, column by column."""
        peak = self._peak[b]
        if peak is None:
            spills = [spill for loss, spill in self._spill[b].items() if loss in self.protected]
            peak = [max(column) for column in zip(*spills, strict=True)] if spills else _NOTHING
            self._peak[b] = peak
        return peak

    def _useless(self, b: int, dying: frozenset[int]) -> bool:
        """Whether a backup would be no help: there is none, it dies too, or it takes nobody in."""
        return b == NOWHERE or b in dying or bool(self.problem.closed[b])

    # ---- bookkeeping

    def _count(self, i: int, j: int, sign: int) -> None:
        problem = self.problem
        load = self.load[j]
        for column, wanted in enumerate(problem.demand[i]):
            if wanted:
                load[column] += sign * wanted
        if sign > 0:
            self.here[j].add(i)
        else:
            self.here[j].discard(i)
        self._solitary[j] += sign * problem.solitary[i]
        for bond in problem.bonds[i]:
            domain = problem.domains[bond.rule.over][j]
            for side, member in ((True, bond.subject), (False, bond.other)):
                if member:
                    key = (bond.number, side, domain)
                    self._members[key] = self._members.get(key, 0) + sign
                    self._total[key[:2]] = self._total.get(key[:2], 0) + sign

    def _hold_replica(self, i: int, b: int, sign: int) -> None:
        if b != NOWHERE and self.problem.replicated[i]:
            column = self.problem.disk[i]
            self.load[b][column] += sign * self.problem.demand[i][column]

    def _stand_by(self, i: int, b: int, losses: Iterable[int], sign: int) -> None:
        """Count what would come to a backup in these losses."""
        if not self.problem.failing_over[i]:
            return
        demand = self.problem.demand[i]
        for loss in losses:
            if self._useless(b, self.problem.losses[loss].nodes):
                self._stranded[loss] += sign
                continue
            spill = self._spill[b].setdefault(loss, [0.0, 0.0, 0.0])
            for column in (CORES, MEMORY, IO):
                spill[column] += sign * demand[column]
            if sign < 0 and max(spill) < EPSILON:
                # Nobody comes any more: a node that is overfull by itself is no gap of this loss.
                del self._spill[b][loss]
            self._peak[b] = None

    def _new_losses(self, i: int, journey: Journey) -> Sequence[int]:
        """The losses in which a server needs its future backup and does not have it yet."""
        if journey.backup == self.backup[i]:
            return self._only(journey.to, self.at[i])
        return self.problem.losses_of[journey.to]

    def _only(self, j: int, other: int) -> Sequence[int]:
        """Losses of one node that spare the other."""
        return [loss for loss in self.problem.losses_of[j] if other not in self.problem.losses[loss].nodes]

    def _both(self, j: int, other: int) -> Sequence[int]:
        """Losses that take both nodes."""
        return [loss for loss in self.problem.losses_of[j] if other in self.problem.losses[loss].nodes]

    def _cancel_all(self, begun: Sequence[int]) -> None:
        for i in reversed(begun):
            self.cancel(i)

    # ---- rules

    def _crowded(self, i: int, j: int) -> bool:
        """Whether somebody there wants the node alone, this server or another."""
        itself = i in self.here[j]
        alone = self.problem.solitary[i]
        if alone and len(self.here[j]) - itself + self.problem.others[j] > 0:
            return True
        return self._solitary[j] - (itself and alone) > 0

    def _breaks(self, bond: Bond, i: int, j: int) -> bool:
        """Whether one rule is, or would be, broken by this server on that node."""
        domains = self.problem.domains[bond.rule.over]
        domain = domains[j]
        presences = [domains[self.at[i]]]
        if i in self.going:
            presences.append(domains[self.going[i].to])
        near = everywhere = 0
        for faces, side, itself in ((bond.subject, False, bond.other), (bond.other, True, bond.subject)):
            if faces:
                near += self._members.get((bond.number, side, domain), 0) - (itself and presences.count(domain))
                everywhere += self._total.get((bond.number, side), 0) - (itself and len(presences))
        return near > 0 if bond.rule.kind == "apart" else everywhere > near


def _ties(bond: Bond) -> bool:
    """Whether a bond makes servers one unit."""
    return bond.rule.kind == "together" and bond.rule.over == "node"
