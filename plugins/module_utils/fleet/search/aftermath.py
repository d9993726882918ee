# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who would be where after each loss, as far as hard rules ask: the living where they are, the dead on their backups.

A pin says where a server lives while its node does; after the node's death the server may run wherever its
site, its devices and dedicated nodes let it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ..layout import Bond
from ..model import Server
from .problem import Problem, admits
from .state import NOWHERE, State


class Aftermath:
    """What a state's backups come to, rule by rule; all that change meanwhile are given through ``assign``."""

    def __init__(self, state: State) -> None:
        self.state = state
        problem = state.problem
        self._members: dict[tuple[int, bool], list[int]] = {}
        """(rule, subjects' side or others') -> the servers of that side."""
        for i, bonds in enumerate(problem.bonds):
            for bond in bonds:
                for side in _sides(bond):
                    self._members.setdefault((bond.number, side), []).append(i)
        self._there: dict[tuple[int, bool, int], Counter[int]] = {}
        """(rule, side, loss) -> domain -> how many of that side would run there; worked out when first asked."""
        self._claimed = any(problem.solitary)
        self._coming: dict[tuple[int, int], list[int]] = {}
        """(node, loss) -> servers that would come, and how many of them want the node to themselves."""
        self._claimants = [sum(problem.solitary[i] for i in here) for here in state.here]
        """[j] Servers there that want the node to themselves."""
        if self._claimed:
            for i in range(len(state.at)):
                self._crowd(i, 1)

    def assign(self, i: int, b: int) -> None:
        """Give a server another backup node, ``NOWHERE`` for none."""
        self._count(i, -1)
        self.state.assign_backup(i, b)
        self._count(i, 1)

    def unbound(self, i: int) -> bool:
        """Whether it makes no difference to a server who else would run where."""
        return not (self._claimed or self.state.problem.bonds[i])

    def obeys(self, i: int, b: int) -> bool:
        """Whether a server that has no backup now breaks no hard rule on a node, were it started there after a loss."""
        problem = self.state.problem
        if not problem.failing_over[i] or not (self._claimed or problem.bonds[i]):
            return True
        return not any(
            (self._claimed and self._crowded(i, b, loss))
            or any(bond.rule.hard and self._breaks(bond, b, loss) for bond in problem.bonds[i])
            for loss in problem.losses_of[self.state.at[i]]
            if b not in problem.losses[loss].nodes
        )

    def soft_breaks(self, i: int, b: int) -> int:
        """How many preferences a server that has no backup now would break on a node, over all losses of its own."""
        problem = self.state.problem
        if not problem.failing_over[i]:
            return 0
        return sum(
            not bond.rule.hard and self._breaks(bond, b, loss)
            for bond in problem.bonds[i]
            for loss in problem.losses_of[self.state.at[i]]
            if b not in problem.losses[loss].nodes
        )

    def _breaks(self, bond: Bond, b: int, loss: int) -> bool:
        domain = self.state.problem.domains[bond.rule.over][b]
        near = everywhere = 0
        for faces, side in ((bond.subject, False), (bond.other, True)):
            if faces:
                there = self._running(bond, side, loss)
                near += there[domain]
                everywhere += there.total() if bond.rule.kind == "together" else 0
        return near > 0 if bond.rule.kind == "apart" else everywhere > near

    def _running(self, bond: Bond, side: bool, loss: int) -> Counter[int]:
        """Domain -> how many of a rule's side would run there after a loss."""
        key = (bond.number, side, loss)
        there = self._there.get(key)
        if there is None:
            state, problem = self.state, self.state.problem
            domains, dying = problem.domains[bond.rule.over], problem.losses[loss].nodes
            there = self._there[key] = Counter()
            for i in self._members.get(key[:2], ()):
                home, b = state.at[i], state.backup[i]
                if home not in dying:
                    there[domains[home]] += 1
                elif problem.failing_over[i] and b != NOWHERE and b not in dying and not problem.closed[b]:
                    there[domains[b]] += 1
        return there

    def _crowded(self, i: int, b: int, loss: int) -> bool:
        """Whether somebody wants the node alone, this server or another that is or would be there."""
        coming, alone = self._coming.get((b, loss), (0, 0))
        if self.state.problem.solitary[i]:
            return coming + len(self.state.here[b]) + self.state.problem.others[b] > 0
        return alone + self._claimants[b] > 0

    def _count(self, i: int, sign: int) -> None:
        """Count a server where its backup is, in (1) or out (-1)."""
        problem, b = self.state.problem, self.state.backup[i]
        if b == NOWHERE or not problem.failing_over[i] or problem.closed[b]:
            return
        self._crowd(i, sign)
        for bond in problem.bonds[i]:
            domain = problem.domains[bond.rule.over][b]
            for side in _sides(bond):
                for loss in problem.losses_of[self.state.at[i]]:
                    there = self._there.get((bond.number, side, loss))
                    if there is not None and b not in problem.losses[loss].nodes:
                        there[domain] += sign

    def _crowd(self, i: int, sign: int) -> None:
        problem, b = self.state.problem, self.state.backup[i]
        if not self._claimed or b == NOWHERE or not problem.failing_over[i] or problem.closed[b]:
            return
        for loss in problem.losses_of[self.state.at[i]]:
            if b not in problem.losses[loss].nodes:
                coming = self._coming.setdefault((b, loss), [0, 0])
                coming[0] += sign
                coming[1] += sign * problem.solitary[i]


class Refuges:
    """Where servers may be started after a loss, by everything that does not depend on who else is there."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._known: dict[tuple[str, frozenset[str]], tuple[frozenset[int], tuple[int, ...]]] = {}
        """(site, devices) -> nodes that suit whoever asks for these, and those of them that only some may use."""

    def of(self, i: int, home: int) -> frozenset[int] | None:
        """Where pins that no longer bind, sites, devices and dedicated nodes let a server be, and where its replica is
        near enough to its home; ``None``: anywhere.

        Nobody measures round-trip times: whoever limits them (``vs_replica_rtt``) has the replica in the home's own
        site.
        """
        problem = self.problem
        server = problem.server(i)
        site = problem.node(home).site if server.max_rtt_ms > 0 else ""
        if site and server.site in ("", site) and self._several_sites():
            server = replace(server, site=site)
        elif not server.node:
            return problem.allowed[i]
        free, claimed = self._suited(server)
        nodes = problem.fleet.nodes
        return free.union(j for j in claimed if server.name in nodes[problem.nodes[j]].dedicated) if claimed else free

    def _several_sites(self) -> bool:
        return len({node.site for node in self.problem.fleet.nodes.values()}) > 1

    def _suited(self, server: Server) -> tuple[frozenset[int], tuple[int, ...]]:
        """For everybody, and for those alone that they are dedicated to."""
        key = (server.site, server.devices)
        if key not in self._known:
            unbound = replace(server, node="")
            suited = [(j, node) for j, node in enumerate(self.problem.fleet.nodes.values()) if admits(node, unbound)]
            self._known[key] = (
                frozenset(j for j, node in suited if not node.dedicated),
                tuple(j for j, node in suited if node.dedicated),
            )
        return self._known[key]


def refuge(problem: Problem, i: int, home: int) -> frozenset[int] | None:
    """As ``Refuges.of``, for whoever asks of one server."""
    return Refuges(problem).of(i, home)


def _sides(bond: Bond) -> tuple[bool, ...]:
    """The sides of a rule a server is on: subjects, others, or both."""
    return (True,) * bond.subject + (False,) * bond.other
