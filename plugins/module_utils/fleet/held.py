# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no plan does to a server in step, whose disk is a device of two nodes. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from .model import Fleet, Observed, Plan, Refusal, Step

Options = TypeVar("Options")
_FIRST = "; declare vs_replication: none (and no vs_failover: auto) first, and run site"


def seen_to(plan: Callable[[Fleet, Observed, Options], Plan]) -> Callable[[Fleet, Observed, Options], Plan]:
    """A goal's plan, or why there is none."""

    def planned(fleet: Fleet, observed: Observed, options: Options) -> Plan:
        made = plan(fleet, observed, options)
        found = refusals(made, observed)
        return replace(made, steps=(), refusals=(*made.refusals, *found)) if found else made

    return planned


def refusals(plan: Plan, observed: Observed) -> tuple[Refusal, ...]:
    """Why steps of a plan cannot be; none, where they can."""
    kept = {guest.name: guest.copying for guest in observed.servers if guest.role == "replica" and guest.copying}
    found: dict[str, Refusal] = {}
    for step in plan.steps:
        copying = kept.get(step.server)
        why = _why(step, copying is not None and copying.in_step)
        if why:
            # What follows from a step that cannot be is not worth a line of its own.
            found.setdefault(step.server, Refusal(step.server, why))
    return tuple(found.values())


def _why(step: Step, in_step: bool) -> str:
    if not in_step:
        before, after = step.changes.get("interval", (None, None)) if step.action == "replicate" else (None, None)
        other = before is not None and after == "in step"
        return f"it has a replica that is refreshed at an interval, and is to be in step{_FIRST}" if other else ""
    if step.action == "move":
        return (
            "its disk is in step on two nodes, and no plan moves it; stopping Pacemaker on its node hands it over to "
            "its backup"
        )
    if step.action == "delete" and step.id == f"delete/{step.server}":
        return f"its disk is in step on two nodes, and is not deleted like that{_FIRST}"
    if step.action == "promote":
        return "its disk is in step on two nodes, and only the cluster knows which has every write: let it start it"
    if step.action == "resize" and "disk" in step.changes:
        return f"its disk is in step on two nodes, and does not grow{_FIRST}"
    if step.action == "replicate" and {"replica", "interval"} & set(step.changes):
        return f"its disk is in step on two nodes, and is to be kept otherwise{_FIRST}"
    return ""
