# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a plan can be carried out: followed wave by wave, every server of a wave counted on both its nodes.

This knows nothing of how plans are made. It looks at what has to hold: servers move from where they are, no node
promises more memory, cores or disk than it may, no two servers that have to be apart are on a node together, pinned
ones stay, and in the end everything is where the plan says.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Observed, Plan, Size, Step
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.schedule import waves
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.usage import usable

from .score import homes


def moves(plan: Plan) -> list[list[Step]]:
    """The plan's moves, wave by wave; a wave without moves is left out."""
    wave = waves(plan.steps)
    found: dict[int, list[Step]] = {}
    for step in plan.steps:
        if step.action == "move":
            found.setdefault(wave[step.id], []).append(step)
    return [found[number] for number in sorted(found)]


def fewest_waves(fleet: Fleet, plan: Plan) -> int:
    """No schedule has fewer: the most moves any one node takes part in, over what it may do at once."""
    busy: dict[str, int] = {}
    for step in (step for wave in moves(plan) for step in wave):
        for node in (step.source, step.node):
            busy[node] = busy.get(node, 0) + 1
    return max((-(-count // fleet.nodes[node].concurrency) for node, count in busy.items()), default=0)


def faults(fleet: Fleet, observed: Observed, plan: Plan) -> list[str]:
    """What goes wrong when the plan is carried out, the first few; empty: nothing."""
    book = _Book(fleet, observed)
    for number, wave in enumerate(moves(plan), start=1):
        for step in wave:
            book.begin(step)
        book.look(f"wave {number}", (step.node for step in wave))
        for step in wave:
            book.end(step)
    book.found += [
        f"{name} ends on {book.where[name]}, not on {node} as the plan says"
        for name, node in plan.placement.items()
        if name in book.where and book.where[name] != node
    ]
    book.found += [f"{name} was moved, and is pinned" for name in book.strayed()]
    return book.found[:10]


class _Book:
    """Who is where, and what that takes of each node."""

    def __init__(self, fleet: Fleet, observed: Observed) -> None:
        self._fleet = fleet
        self.found: list[str] = []
        self.where = homes(observed)
        self._start = dict(self.where)
        self._limits = {name: usable(fleet.nodes[name], node) for name, node in observed.nodes.items()}
        self._taken: dict[str, list[float]] = {name: [0.0, 0.0, 0.0] for name in observed.nodes}
        self._sizes = {guest.name: (guest.size, guest.pool) for guest in observed.servers}
        self._shared = observed.abilities.shared_pools
        self._here: dict[str, list[str]] = {name: [] for name in observed.nodes}
        self._replica: dict[str, str] = {}
        self._rules: dict[str, list[frozenset[str]]] = {}
        for rule in fleet.rules:
            for name in rule.subjects if rule.kind == "apart" and rule.hard and rule.over == "node" else ():
                self._rules.setdefault(name, []).append(rule.others)
        for guest in observed.servers:
            if guest.role == "replica":
                self._replica[guest.name] = guest.node
                self._count(guest.name, guest.node, 1, disk_only=True)
            else:
                self._here[guest.node].append(guest.name)
                self._count(guest.name, guest.node, 1)
        # What is overfull before anything moves is not the plan's doing.
        self._before = {name: list(taken) for name, taken in self._taken.items()}

    def begin(self, step: Step) -> None:
        """A server is on its way: it counts on both nodes, its disk once where the other node has a copy."""
        if self.where.get(step.server) != step.source:
            self.found.append(f"{step.id} leaves {step.source}, but the server is on {self.where.get(step.server)}")
        self._here[step.node].append(step.server)
        self._count(step.server, step.node, 1, disk=self._replica.get(step.server) != step.node)

    def end(self, step: Step) -> None:
        """It has arrived: gone from where it was, save the replica that a switch leaves there."""
        switched = self._replica.get(step.server) == step.node
        left = self.where[step.server]
        self._here[left].remove(step.server)
        self._count(step.server, left, -1, disk=not switched)
        if switched:
            self._replica[step.server] = left
        self.where[step.server] = step.node

    def look(self, when: str, nodes: Iterable[str]) -> None:
        """Note what does not hold now on these nodes."""
        for name in sorted(set(nodes)):
            limit = self._limits[name]
            room = (limit.memory, limit.cores, float(sum(limit.pools.values())))
            for what, taken, most, before in zip(
                ("memory", "cores", "disk"), self._taken[name], room, self._before[name], strict=True
            ):
                if taken > max(most, before) + 1e-6:
                    self.found.append(f"{when}: {name} promises {taken:g} of {most:g} {what}")
            present = set(self._here[name])
            for server in self._here[name]:
                for others in self._rules.get(server, ()):
                    if (others - {server}) & present:
                        self.found.append(f"{when}: {server} is on {name} with one it has to be apart from")

    def strayed(self) -> list[str]:
        """Pinned servers that are no longer where they were."""
        return [
            name
            for name, node in self.where.items()
            if name in self._fleet.servers and self._fleet.servers[name].node and node != self._start[name]
        ]

    def _count(self, server: str, node: str, sign: int, *, disk: bool = True, disk_only: bool = False) -> None:
        size, pool = self._sizes[server]
        taken = self._taken[node]
        if not disk_only:
            self._add(taken, size, sign)
        if disk and pool not in self._shared:
            taken[2] += sign * size.disk

    @staticmethod
    def _add(taken: list[float], size: Size, sign: int) -> None:
        taken[0] += sign * size.memory
        taken[1] += sign * size.cores
