# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node each server would be started on if its own died, where neither a replica nor the inventory says so.

The biggest server chooses first, and takes the node that would be least full after the worst loss it has to
help in. One that finds no room sends others, whose backups were chosen before, to other nodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .search.emptiest import Emptiest
from .search.standby import Group, Standby
from .search.state import NOWHERE, State

_EFFORT = 20_000
"""Times, at most, that one group is tried in another's place."""

_EFFORT_EACH = 500
"""Of these, for one group."""

_TRIES = 16
"""Orders, at most, in which few groups choose, when not all find room in the first."""

_FEW = 100
"""Groups for which other orders are worth the time."""


def choose_backups(state: State, servers: Iterable[int] | None = None) -> None:
    """Give every server that fails over or is replicated, and has no backup that would help, the best there is.

    ``servers``: only these (indices); ``None``: all. No server may be under way. A backup that would help stays;
    one that is closed, or that rules forbid, is replaced, by ``NOWHERE`` if there is no other.
    Best: in another failure domain; with room, in every loss of the server's node, for all that would come;
    leaving the fullest node, over all losses, as empty as can be. ``node_backup`` of the server's node wins.
    """
    choice = _Choice(state)
    lacking = [i for i in (range(len(state.at)) if servers is None else servers) if not choice.keeps(i)]
    choice.settle([i for i in lacking if not choice.declared(i)])


def backups_of(state: State) -> dict[str, str]:
    """Server -> its backup, of those that fail over."""
    problem = state.problem
    return {
        name: problem.nodes[state.backup[i]]
        for i, name in enumerate(problem.servers)
        if problem.failing_over[i] and state.backup[i] != NOWHERE
    }


def worst_share(state: State) -> float:
    """How full the fullest node would be after the worst single loss: the most, over every loss and every node
    in service that survives it, and over cores, memory and io, of (promised there + what would come) / usable.
    """
    problem = state.problem
    return max(
        (
            (load + coming) / most
            for loss, lost in enumerate(problem.losses)
            for b, why in enumerate(problem.closed)
            if not why and b not in lost.nodes
            for load, coming, most in zip(state.load[b], state.spill(b, loss), problem.limit[b], strict=False)
            if 0 < most < math.inf
        ),
        default=0.0,
    )


class _Choice:
    """Backups in the making."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.problem = state.problem
        self.standby = Standby(state)
        self.emptiest = Emptiest(self.standby)
        self.left = _EFFORT
        self.effort = 0

    # ---- who needs one

    def keeps(self, i: int) -> bool:
        """Whether a server needs no backup, or has one that would help; one that would not is taken away."""
        b = self.state.backup[i]
        if not (self.problem.failing_over[i] or self.problem.replicated[i]):
            return True
        if b == NOWHERE:
            return False
        if self.standby.after.unbound(i):
            # Nothing that is counted has a say, so it need not be counted out first.
            if self._possible(i, b):
                return True
            self.standby.after.assign(i, NOWHERE)
            return False
        self.standby.after.assign(i, NOWHERE)
        return self._assigned(i, b)

    def declared(self, i: int) -> bool:
        """Give a server the backup its node declares, if it has one that would help."""
        b = self.problem.node_index.get(self.problem.node(self.state.at[i]).backup, NOWHERE)
        return b != NOWHERE and self._assigned(i, b)

    def _assigned(self, i: int, b: int) -> bool:
        """Give a server a backup if that may be, whether there is room or not."""
        if not self._possible(i, b) or not self.standby.after.obeys(i, b):
            return False
        self.standby.after.assign(i, b)
        return True

    def _possible(self, i: int, b: int) -> bool:
        """Whether a node may be a server's backup, room and who else is where aside."""
        if b == self.state.at[i] or self.problem.closed[b]:
            return False
        allowed = self.standby.refuges.of(i, self.state.at[i])
        return allowed is None or b in allowed

    # ---- choosing

    def settle(self, servers: Sequence[int]) -> None:
        """Find a backup for each; these have none now."""
        groups, domains = self.standby.groups(servers), self.standby.domains
        weight: dict[int, float] = {}
        for group in groups:
            weight[domains[group.home]] = weight.get(domains[group.home], 0.0) + group.bulk

        def urgency(group: Group) -> tuple[object, ...]:
            choices = len(self.standby.open) if group.allowed is None else len(group.allowed)
            domain = domains[group.home]
            return (choices, -weight[domain], domain, -group.bulk, group.members)

        # One domain after the other, so that what is known of the candidates stays good; who has few goes before.
        ordered = sorted(groups, key=urgency)
        if not self._all_placed(ordered):
            for group in ordered:
                if (
                    not self._place(group, near=False)
                    and not self._halfway(group)
                    and not self._place(group, near=True)
                ):
                    self._make_do(group)

    def _all_placed(self, ordered: Sequence[Group]) -> bool:
        """Give all groups, if they are few, a backup as good as can be; none at all if not all get one."""
        queue = list(ordered)
        for _attempt in range(_TRIES if len(queue) <= _FEW else 0):
            unlucky = next((group for group in queue if not self._place(group, near=False)), None)
            if unlucky is None:
                return True
            for b, groups in self.standby.standing.items():
                for group in tuple(groups.values()):
                    self.standby.take(group, b)
            self.emptiest.forget()
            self.left = _EFFORT
            if queue[0] is unlucky:
                break
            # Whoever found no room chooses first.
            queue.sort(key=lambda group: group is not unlucky)
        return False

    def _place(self, group: Group, *, near: bool) -> bool:
        """Give a group the best backup with room."""
        best = self.emptiest.best(group, near=near)
        if best != NOWHERE:
            self.standby.give(group, best)
            return True
        self.effort = min(_EFFORT_EACH, self.left)
        self.left -= self.effort
        found = self._send_on(group, near=near)
        self.left += self.effort
        if found:
            self.emptiest.forget()
        return found

    def _send_on(self, group: Group, *, near: bool) -> bool:
        """Give a group a backup on which another group makes room, sent on to one as good as the one it had."""
        standby = self.standby
        for b in standby.candidates(group, near=near):
            for other in self._in_the_way(group, b):
                if self.effort <= 0:
                    return False
                self.effort -= 1
                standby.take(other, b)
                if standby.fits(group, b):
                    standby.give(group, b)
                    best = self.emptiest.scan(other, near=standby.near(other.home, b))
                    if best != NOWHERE:
                        standby.give(other, best)
                        return True
                    standby.take(group, b)
                standby.give(other, b)
        return False

    def _in_the_way(self, group: Group, b: int) -> list[Group]:
        """Groups whose leaving might help, small ones first: they come in its losses, or take disk that is short."""
        short = not all(self.standby.has_disk(b, piece) for piece in group.kept)
        losses = set(self.problem.losses_of[group.home])
        return sorted(
            (
                other
                for other in self.standby.standing.get(b, {}).values()
                if short or losses.intersection(self.problem.losses_of[other.home])
            ),
            key=lambda other: (other.bulk, other.members),
        )

    def _halfway(self, group: Group) -> bool:
        """A backup in another domain that only its home's own death finds room on: the data is safer there."""
        if len(self.problem.losses_of[group.home]) == 1:
            return False
        return self._give_best(group, near=False, losses=[group.home])

    def _make_do(self, group: Group) -> None:
        """Without room for it to run, at least its replica is safe somewhere."""
        if not self._give_best(group, near=False, losses=()):
            self._give_best(group, near=True, losses=())

    def _give_best(self, group: Group, *, near: bool, losses: Sequence[int]) -> bool:
        """Give a group the least burdened node with room in these losses."""
        standby = self.standby
        found = [
            b
            for b in standby.candidates(group, near=near)
            if standby.has_room(group, b, losses) and standby.obeyed(group, b)
        ]
        if found:
            standby.give(group, min(found, key=lambda b: standby.rank(group, b)))
        return bool(found)
