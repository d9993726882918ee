# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Little fleets whose moves are put in order and watched in every interleaving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Failover,
    Fleet,
    Node,
    Observed,
    ObservedServer,
    Replication,
    Rule,
    Server,
    Size,
    Template,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.order import Ordering, order
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.problem import Problem, formulate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.state import NOWHERE, State
from fleets import fleet, guest, node, observed, seen
from interleavings import Watch

SURVIVES = Failover(mode="auto")
EVERY_HOUR = Replication("interval", 3600)


def of(memory: int, disk: int = 64) -> Size:
    """A size in which memory is what counts."""
    return Size(cores=0.1, memory=memory, disk=disk)


class Case:
    """A little fleet: where everything is, and what has become of it."""

    def __init__(
        self,
        nodes: Sequence[Node],
        where: Mapping[Server, str] | Sequence[tuple[Server, str]],
        rules: Sequence[Rule] = (),
        *,
        memory: int = 100,
        disk: int = 8192,
        replicas: Sequence[ObservedServer] = (),
        backups: Mapping[str, str] | None = None,
        **facts: object,
    ) -> None:
        pairs = list(where.items()) if isinstance(where, Mapping) else list(where)
        templates = {"tiny": Template("tiny"), "machine": Template("machine", kind="vm")}
        self.fleet: Fleet = fleet(nodes, [item for item, _on in pairs], rules, templates=templates)
        self.observed: Observed = observed(
            [seen(item.name, memory=memory, disk=disk) for item in nodes],
            [*(guest(item, on) for item, on in pairs), *replicas],
            **facts,
        )
        self.problem: Problem = formulate(self.fleet, self.observed)
        if backups is not None:
            chosen = tuple(self.problem.node_index.get(backups.get(name, ""), NOWHERE) for name in self.problem.servers)
            self.problem = replace(self.problem, backup=chosen)
        self.state = State(self.problem)
        self.state.protect()
        self.protected = self.state.protected
        self.ordering = Ordering(())

    def to(
        self, way: Sequence[tuple[str, str, str]] = (), backups: Mapping[str, str] | None = None, **target: str
    ) -> Ordering:
        """Put moves in order: ``a="n2"``."""
        index, nodes = self.problem.server_index, self.problem.node_index
        wanted = {index[name.replace("_", "-")]: nodes[j] for name, j in target.items()}
        known = [(index[name], nodes[j], nodes.get(after, NOWHERE)) for name, j, after in way]
        chosen = {index[name]: nodes[b] for name, b in (backups or {}).items()}
        reasons = {i: f"because of {i}" for i in wanted}
        self.ordering = order(self.state, wanted, reasons, chosen, way=known)
        return self.ordering

    def wrong(self) -> list[str]:
        """What goes wrong in any interleaving."""
        problem = self.problem
        replay, after = State(problem), {}
        last = {step.server: step.id for step in self.ordering.steps}
        for step in self.ordering.steps:
            i, j = problem.server_index[step.server], problem.node_index[step.node]
            final = last[step.server] == step.id
            replay.move(i, j, self.state.backup[i] if final else None)
            after[step.id] = self._name(replay.backup[i])
        assert replay.at == self.state.at
        watch = Watch(
            self.fleet,
            self.observed,
            self.ordering.steps,
            {name: self._name(b) for name, b in zip(problem.servers, problem.backup, strict=True)},
            after,
            frozenset(
                frozenset(problem.nodes[j] for j in problem.losses[loss].nodes) for loss in sorted(self.protected)
            ),
        )
        return watch.look()

    def ids(self) -> list[str]:
        """The steps' ids, in the order listed."""
        return [step.id for step in self.ordering.steps]

    def needs(self, name: str) -> set[str]:
        """What a step needs."""
        return {need for step in self.ordering.steps if step.id == name for need in step.needs}

    def _name(self, b: int) -> str:
        return "" if b == NOWHERE else self.problem.nodes[b]


def nodes_of(count: int, width: int = 4) -> list[Node]:
    return [node(f"n{number}", concurrency=width) for number in range(1, count + 1)]
