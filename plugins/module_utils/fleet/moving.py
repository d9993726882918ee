# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How one server moves, and what that costs, by what the engine can do."""

from __future__ import annotations

from .census import take_census
from .layout import ours
from .model import Cost, Manner
from .search.problem import MEMORY, Problem


class Transport:
    """Manner and cost of any one move."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._known: dict[tuple[int, int], Cost] = {}
        self._running = {
            name
            for name, guest in take_census(problem.fleet, problem.observed).primaries.items()
            if guest.state == "running"
        }
        self._replicas = {
            (guest.name, guest.node)
            for guest in problem.observed.servers
            # What is half copied is no replica yet.
            if guest.role == "replica" and guest.complete and ours(problem.fleet, guest)
        }

    def manner(self, i: int, j: int) -> Manner:
        """How a server moves to a node: live if it can, else the way that copies least.

        Only an observed replica is switched to: one that is wanted but not there yet is as good as none.
        """
        if self._live(i):
            return "live"
        if self._pool(i) in self.problem.observed.abilities.shared_pools:
            return "shared"
        return "switch" if self._replica_there(i, j) else "copy"

    def cost(self, i: int, j: int) -> Cost:
        """Data copied in MiB, and seconds without service, by ``Abilities``.

        A live move copies the memory, and the disk where neither shared storage nor a replica has it; what is
        written meanwhile and copied twice is left out, as is what a switch still has to copy. A stopped server
        is without service anyway.
        """
        if (i, j) not in self._known:
            self._known[i, j] = self._reckon(i, j)
        return self._known[i, j]

    def _reckon(self, i: int, j: int) -> Cost:
        problem, manner = self.problem, self.manner(i, j)
        abilities = problem.observed.abilities
        disk = round(problem.demand[i][problem.disk[i]])
        if manner == "live":
            beyond_reach = self._pool(i) not in abilities.shared_pools and not self._replica_there(i, j)
            return Cost(copied=round(problem.demand[i][MEMORY]) + (disk if beyond_reach else 0))
        seconds = abilities.restart + (0.0 if manner == "shared" else abilities.refresh)
        return Cost(
            copied=disk if manner == "copy" else 0,
            downtime=seconds if problem.servers[i] in self._running else 0.0,
        )

    def seconds(self, i: int, j: int) -> float:
        """How long a move takes, about."""
        cost = self.cost(i, j)
        return cost.copied / self.problem.observed.abilities.copy_rate + cost.downtime

    def _live(self, i: int) -> bool:
        problem = self.problem
        template = problem.fleet.templates.get(problem.server(i).template)
        kind = template.kind if template else "container"
        return kind in problem.observed.abilities.live and problem.servers[i] in self._running

    def _pool(self, i: int) -> str:
        return self.problem.columns[self.problem.disk[i]]

    def _replica_there(self, i: int, j: int) -> bool:
        return (self.problem.servers[i], self.problem.nodes[j]) in self._replicas
