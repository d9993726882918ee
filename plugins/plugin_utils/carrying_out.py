# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a plan to what became of it, for every action that carries one out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleActionFail

from ..module_utils.apply import Result, Run
from ..module_utils.engine.base import Engine
from ..module_utils.fleet.explain import step_line
from ..module_utils.fleet.model import Fleet, Plan
from ..module_utils.steps import doer
from ..module_utils.whereabouts import Book
from .progress import Lines


def carry_out(fleet: Fleet, plan: Plan, engine: Engine, stop: threading.Event, say: Callable[[str], None]) -> Result:
    """Do every step of a plan, with a line for each that is done. The fleet's lock has to be held."""
    # Before anything is made: a node may die with it, and then only its neighbours know.
    book = Book(fleet, plan)
    engine.remember(book.after())
    per_node = {name: node.concurrency for name, node in fleet.nodes.items()}
    run = Run(plan.steps, doer(fleet, engine, stop), per_node, fleet.limits.concurrency, Lines(plan.steps, say))
    outcome = run(stop)
    if any(step.action in ("move", "promote") for step in plan.steps):
        engine.remember(book.after({done.step.id for done in outcome.done}))
    return outcome


def conclude(result: dict[str, Any], outcome: Result, why_stopped: str = "the run was stopped") -> dict[str, Any]:
    """The result as Ansible's; raises AnsibleActionFail saying what is done and what remains."""
    result["done"] = [done.step.id for done in outcome.done if done.step.action != "gate"]
    result["remaining"] = [step.id for step in (*outcome.running, *outcome.remaining) if step.action != "gate"]
    result["gaps"] = {
        done.step.server: round(done.gap, 3)
        for done in sorted(outcome.done, key=lambda each: each.gap or 0.0)
        if done.gap is not None
    }
    result["failed_steps"] = [{"step": failed.step.id, "error": str(failed.error)} for failed in outcome.failed]
    if outcome.ok:
        return result
    lines = [f"{step_line(failed.step)}: {failed.error}" for failed in outcome.failed]
    lines += [f"{step_line(step)}: was still going on when the run was stopped" for step in outcome.running]
    if outcome.interrupted:
        lines.insert(0, why_stopped)
    lines.append(
        f"{len(result['done'])} steps are done, {len(result['remaining'])} remain; run again to go on from here"
    )
    # The plan was shown when it was made; printed again, as data, it would bury the words that count.
    raise AnsibleActionFail("\n".join(lines), result={key: value for key, value in result.items() if key != "plan"})
