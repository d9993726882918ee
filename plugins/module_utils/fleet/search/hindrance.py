# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a server, and those that move with it, cannot go to a node: one sentence a person can check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..fit import forbidden, obstacle, some
from ..layout import Layout
from .picture import picture
from .problem import Problem
from .state import NOWHERE, State


class Hindrances:
    """Explains a state; told of every move with ``follow``, or made anew."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.layout: Layout = picture(state)

    def follow(self, i: int, before: int, j: int) -> None:
        """The state has moved a server to a node; ``before`` was its backup."""
        problem, layout = self.state.problem, self.layout
        name = problem.servers[i]
        size, pool = layout.size_of(name)
        layout.take(name)
        layout.put(name, problem.nodes[j], size, pool)
        if problem.replicated[i]:
            for b, sign in ((before, -1), (self.state.backup[i], 1)):
                if b != NOWHERE:
                    pools = layout.loads[problem.nodes[b]].pools
                    pools[pool] = pools.get(pool, 0) + sign * size.disk

    def everywhere(self, i: int) -> dict[str, str]:
        """Node -> why a server's unit cannot go there, for every node it cannot go to; witnesses left out."""
        nodes = range(len(self.state.problem.nodes))
        found = {self.state.problem.nodes[j]: self.why(i, j) for j in nodes if not self.state.problem.node(j).witness}
        return {name: why for name, why in found.items() if why}

    def here(self, i: int) -> str:
        """Why a server must not be where it is, however much room there is; empty if it may."""
        problem, layout = self.state.problem, self.layout
        name = problem.servers[i]
        size, pool = layout.size_of(name)
        node = layout.take(name)
        why = forbidden(problem.server(i), problem.fleet.nodes[node], layout)
        layout.put(name, node, size, pool)
        return why

    def why(self, i: int, j: int) -> str:
        """Why a server's unit cannot begin to move to a node; empty if it can, or is there."""
        problem = self.state.problem
        coming = [member for member in problem.units[i] if self.state.at[member] != j]
        if not coming:
            return ""
        if problem.closed[j]:
            return problem.closed[j]
        for member in coming:
            if problem.stuck[member]:
                return f"{problem.servers[member]} {problem.stuck[member]}"
        return self._beside(coming, j) or self._unsafe(i, j)

    def _beside(self, coming: Sequence[int], j: int) -> str:
        """By rule or for want of room, with the whole unit off its nodes and coming one by one."""
        problem, layout = self.state.problem, self.layout
        taken: list[tuple[str, str]] = []
        servers = [problem.server(member) for member in coming]
        sizes = {server.name: layout.size_of(server.name) for server in servers}
        for server in servers:
            taken.append((server.name, layout.take(server.name)))
        why, put = "", []
        for server in servers:
            size, pool = sizes[server.name]
            why = obstacle(replace(server, size=size, pool=pool), problem.node(j), layout)
            if why:
                if len(servers) > 1 and server.name != servers[0].name:
                    why = f"{server.name}, which moves with it: {why}"
                break
            layout.put(server.name, problem.nodes[j], size, pool)
            put.append(server.name)
        for name in put:
            layout.take(name)
        for name, home in taken:
            layout.put(name, home, *sizes[name])
        return why

    def _unsafe(self, i: int, j: int) -> str:
        """By what would no longer survive."""
        state, problem = self.state, self.state.problem
        if state.unit_fits(i, j):
            return ""
        allowed = problem.allowed[i]
        if allowed is not None and j not in allowed:
            return "is not where it is asked to go"
        homes = [
            (member, state.at[member], state.backup[member]) for member in problem.units[i] if state.at[member] != j
        ]
        for member, _home, _backup in homes:
            state.begin(member, j)
        broken = self._broken()
        for member, _home, _backup in homes:
            state.finish(member)
        broken = broken or self._broken()
        for member, home, backup in homes:
            state.move(member, home, backup)
        return broken or "what may fail now could no longer be survived"

    def _broken(self) -> str:
        """The first protected failure that is not survivable any more, and what would be wrong then."""
        state, problem = self.state, self.state.problem
        for loss in sorted(state.protected):
            if not state.survivable(loss):
                lost = [problem.servers[i] for i in state.stranded(loss)]
                full = [problem.nodes[b] for b in state.overwhelmed(loss)]
                if not lost and not full:
                    # Whoever would be lost is under way still, and is named once it is there.
                    continue
                what = f"{some(full)} would be too full" if full else f"{some(lost)} would run nowhere"
                return f"then {loss_words(problem, loss)} could not be survived: {what}"
        return ""


def loss_words(problem: Problem, loss: int) -> str:
    """A loss in words: ``the death of node2``."""
    found = problem.losses[loss]
    place = "" if found.over == "node" else "failure domain "
    return f"the death of {place}{found.name}"
