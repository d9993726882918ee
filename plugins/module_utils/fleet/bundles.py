# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long lists of steps in short: like ones, of the same nodes, are told as one. Pure.

What is carried out, saved and compared is the whole list; this is for reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .model import Step

MANY = 60
"""Steps that are still read one by one."""
_LEAST = 4
"""Like steps that are worth a line of their own together."""
_ALONE = ("gate", "maintenance", "arrange")


def bundles(steps: Sequence[Step], wave: Mapping[str, int]) -> list[tuple[Step, ...]]:
    """The steps in their order, each with those like it; short lists one by one. ``wave``: step -> when it is done,
    where that is told."""
    if len(steps) <= MANY:
        return [(step,) for step in steps]
    like: dict[tuple[object, ...], list[Step]] = {}
    for step in steps:
        key = (step.id,) if step.action in _ALONE else (step.action, step.node, step.source, wave.get(step.id, 0))
        like.setdefault(key, []).append(step)
    found: list[tuple[Step, ...]] = []
    for each in like.values():
        found += [tuple(each)] if len(each) >= _LEAST else [(step,) for step in each]
    return found


def common(reasons: Sequence[str]) -> str:
    """What several reasons have in common, part by part; what is in none of the others is left out."""
    parts = [reason.split("; ") for reason in reasons]
    shared = [part for part in parts[0] if all(part in other for other in parts[1:])]
    return "; ".join(shared)
