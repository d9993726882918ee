# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order steps may go: what needs what, start orders behind gates, waves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from .model import Fleet, Step, Template

UNDECLARED_ORDER = 50


def copies(template: Template, holders: Sequence[str], wanting: Iterable[str]) -> tuple[Step, ...]:
    """Bring a template to the nodes that want it, as a tree: whoever has it passes it on.

    With h holders and w copies the last copy begins after about log2(w / h) others, not after w.
    """
    chain: list[tuple[str, str]] = [(node, "") for node in holders]
    steps = []
    for position, node in enumerate(wanting):
        source, source_step = chain[position // 2] if position >= len(holders) else chain[position]
        step = Step(
            id=f"template/{template.name}@{node}",
            action="template",
            node=node,
            template=template.name,
            source=source,
            needs=(source_step,) if source_step else (),
            reason=f"servers made from it go to {node}",
        )
        steps.append(step)
        chain.append((node, step.id))
    return tuple(steps)


def in_start_order(fleet: Fleet, steps: Iterable[Step], *, reverse: bool = False) -> tuple[Step, ...]:
    """Put a gate between the start orders of start (or, in reverse, stop) steps.

    A gate opens when everything of the order before it is done, and the longest ``start_delay`` among
    those servers has passed. One gate instead of a need per pair keeps a plan of n steps at size n.
    """
    by_order: dict[int, list[Step]] = {}
    for step in steps:
        by_order.setdefault(_order(fleet, step), []).append(step)
    ordered: list[Step] = []
    previous: list[Step] = []
    for order in sorted(by_order, reverse=reverse):
        gate: tuple[str, ...] = ()
        if previous:
            verb = previous[0].action
            before = _order(fleet, previous[0])
            delays = [fleet.servers[s.server].start_delay for s in previous if s.server in fleet.servers]
            gate = (f"gate/{verb}-{order}",)
            ordered.append(
                Step(
                    id=gate[0],
                    action="gate",
                    needs=tuple(step.id for step in previous),
                    reason=f"start order {order} {verb}s once order {before} has",
                    pause=0.0 if reverse else max(delays, default=0.0),
                )
            )
        previous = by_order[order]
        ordered += [replace(step, needs=step.needs + gate) for step in previous]
    return tuple(ordered)


def _order(fleet: Fleet, step: Step) -> int:
    """A step's start order; a server nobody declares any more is in the middle."""
    server = fleet.servers.get(step.server)
    return server.start_order if server else UNDECLARED_ORDER


def waves(steps: Sequence[Step]) -> Mapping[str, int]:
    """Step -> the wave it is in: one more than the highest wave among its needs.

    Raises ValueError for a need that is no step, or comes later: steps are listed in an order that works.
    """
    wave: dict[str, int] = {}
    for step in steps:
        missing = [need for need in step.needs if need not in wave]
        if missing:
            raise ValueError(f"step {step.id} needs {missing[0]}, which does not come before it")
        # A gate does nothing itself, so it shares the wave of what it waits for.
        depth = max((wave[need] for need in step.needs), default=-1)
        wave[step.id] = max(0, depth + (0 if step.action == "gate" else 1))
    return wave
