# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our planner on a fleet: what it plans, what that costs, and how long it took."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.balance import balance
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import BalanceOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Capacity,
    Fleet,
    Observed,
    ObservedServer,
    Plan,
)

from . import check, loss
from .instances import Storage
from .score import Figures, figures, homes


@dataclass(frozen=True, slots=True)
class Ours:
    """One plan, its figures, and CPU and wall seconds of making it."""

    plan: Plan
    figures: Figures
    moves: int
    sent: int
    """MiB that go from node to node: memory where the disks are everywhere, else the disks that are copied."""
    waves: int
    fewest_waves: int
    survived: int
    """Nodes that may die once the plan is carried out, counted again here."""
    faults: tuple[str, ...]
    """What is wrong with the plan, or with its proof."""
    cpu: float
    wall: float


def run(fleet: Fleet, observed: Observed, storage: Storage, options: BalanceOptions | None = None) -> Ours:
    """Plan a balance. Raises RuntimeError where the planner refuses."""
    wall, cpu = time.perf_counter(), time.process_time()
    plan = balance(fleet, observed, options or BalanceOptions())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if plan.refusals:
        raise RuntimeError("; ".join(f"{refusal.subject}: {refusal.reason}" for refusal in plan.refusals))
    waves = check.moves(plan)
    return Ours(
        plan=plan,
        figures=figures(fleet, observed, {**homes(observed), **plan.placement}),
        moves=sum(map(len, waves)),
        sent=_sent(fleet, observed, plan, storage),
        waves=len(waves),
        fewest_waves=check.fewest_waves(fleet, plan),
        survived=len(loss.survivable(fleet, observed, plan)),
        faults=(*check.faults(fleet, observed, plan), *loss.disputed(fleet, observed, plan).values()),
        cpu=cpu,
        wall=wall,
    )


def _sent(fleet: Fleet, observed: Observed, plan: Plan, storage: Storage) -> int:
    steps = [step for wave in check.moves(plan) for step in wave]
    if storage == "external":
        return sum(fleet.servers[step.server].size.memory for step in steps)
    replicas = {guest.name: guest.node for guest in observed.servers if guest.role == "replica"}
    copied = 0
    for step in steps:
        if step.node == replicas.get(step.server):
            replicas[step.server] = step.source
        else:
            copied += fleet.servers[step.server].size.disk
    # A backup that has no replica yet is sent one.
    fresh = [name for name, node in replicas.items() if plan.backups.get(name, node) != node]
    return copied + sum(fleet.servers[name].size.disk for name in fresh)


def without(fleet: Fleet, observed: Observed, plan: Plan) -> tuple[Fleet, Observed]:
    """The fleet after the plan, with the node dead that carried most: its servers run on their backups.

    Servers without a backup are still where they were: nobody can move them, and that is part of the question.
    """
    placement = {**homes(observed), **plan.placement}
    carried = {name: sum(where == name for where in placement.values()) for name in observed.nodes}
    lost = max(carried, key=lambda name: carried[name])

    def after(guest: ObservedServer) -> ObservedServer | None:
        if not guest.fleet:
            return guest
        home, backup = placement[guest.name], plan.backups.get(guest.name, "")
        if guest.role == "replica":
            # The dead node's replicas are gone, and so are those that are now in service.
            return replace(guest, node=backup) if backup not in ("", lost) and home != lost else None
        if home != lost:
            return replace(guest, node=home)
        return replace(guest, node=backup) if backup else replace(guest, node=lost, state="unknown")

    nodes = dict(observed.nodes)
    nodes[lost] = replace(nodes[lost], reach="offline", error="no answer", capacity=Capacity())
    guests = tuple(found for found in map(after, observed.servers) if found is not None)
    return fleet, replace(observed, nodes=nodes, servers=guests)
