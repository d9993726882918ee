# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a plan one at all? Ids, needs, reasons, and moves that begin where their servers are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import naive_claims
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Step

if TYPE_CHECKING:
    from naive import Trial


def objections(trial: Trial) -> list[str]:
    """What makes a plan no plan."""
    found = []
    if trial.plan.refusals and trial.steps:
        found.append("refused, and has steps all the same")
    found += [f"refusal without words: {r}" for r in trial.plan.refusals if not (r.subject and r.reason)]
    if len(trial.number) < len(trial.steps):
        found.append("two steps have one id")
    for at, step in enumerate(trial.steps):
        for need in step.needs:
            if trial.number.get(need, at) >= at:
                found.append(f"{step.id} needs {need}, which does not come before it")
        if not step.reason:
            found.append(f"{step.id} has no reason")
    return [*found, *_moves(trial)]


def _moves(trial: Trial) -> Iterator[str]:
    world, home, last = trial.world, dict(trial.start.home), {}
    closed_at_end = trial.at((frozenset(range(len(trial.steps))), frozenset())).closed if not _torn(trial) else set()
    for step in (step for step in trial.steps if step.action == "move"):
        if step.server not in home:
            yield f"{step.id}: no such server"
            continue
        if step.source != home[step.server] or step.node == step.source or step.node not in world.fleet.nodes:
            yield f"{step.id}: from {step.source} to {step.node}, and it is on {home[step.server]}"
        if dict(step.changes) != {"node": (step.source, step.node)}:
            yield f"{step.id}: changes say {dict(step.changes)}"
        if world.immovable(step.server):
            yield f"{step.id}: {step.source} does not answer"
        if step.node in closed_at_end:
            yield f"{step.id}: {step.node} is closed"
        if step.server in last and last[step.server] not in _behind(trial, step):
            yield f"{step.id}: does not wait for {last[step.server]}"
        home[step.server], last[step.server] = step.node, step.id
        yield from naive_claims.manner(world, step)
    for name in _drained(trial):
        for step in trial.steps:
            if step.action == "move" and f"maintenance/{name}" not in _behind(trial, step) and step.source == name:
                yield f"{step.id}: does not wait until {name} is closed"


def _torn(trial: Trial) -> bool:
    return any(step.action == "move" and step.server not in trial.start.home for step in trial.steps)


def _drained(trial: Trial) -> list[str]:
    return [s.node for s in trial.steps if s.action == "maintenance" and s.changes["state"][1] == "maintenance"]


def _behind(trial: Trial, step: Step) -> set[str]:
    """Steps that are done before this one begins."""
    behind: set[str] = set()
    waiting = list(step.needs)
    while waiting:
        need = waiting.pop()
        if need not in behind:
            behind.add(need)
            waiting += trial.steps[trial.number[need]].needs
    return behind
