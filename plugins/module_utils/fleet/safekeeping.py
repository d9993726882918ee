# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replicas, protections and arrangements of a plan, after its other steps: when it converges, and when it moves."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .arrangements import arrangements
from .fit import some
from .model import Arrangement, Fleet, Observed, Refusal, Step
from .safeguards import Safeguards, safeguards, wanted
from .standbys import standbys
from .unguarded import unguarded

_NAMED = 4
"""Servers of an arrangement that its step's id names; of more it has a digest."""


@dataclass(frozen=True, slots=True)
class Safety:
    """Steps to carry out after the others, and what to say."""

    steps: tuple[Step, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    backups: Mapping[str, str] = field(default_factory=dict)


def keep_safe(fleet: Fleet, observed: Observed, where: Mapping[str, str], steps: Sequence[Step]) -> Safety:
    """Everything that is declared of replication and failover, for all servers.

    ``where``: server -> its node once ``steps`` are done.
    """
    if not (wanted(fleet, observed) or observed.arrangements):
        return Safety()
    if not (observed.abilities.replicates or observed.abilities.protects):
        found = unguarded(fleet, observed.abilities, {})
        return Safety(refusals=found.refusals, notes=found.notes)
    declared = {name: node for name, node in where.items() if name in fleet.servers}
    backups = standbys(fleet, observed, declared)
    safe = safeguards(fleet, observed, declared, backups, _last(steps))
    arranged, notes = _arrange(fleet, observed, declared, safe)
    failing_over = {name for name in backups if fleet.servers[name].failover.mode != "off"}
    return Safety(
        steps=_in_order([*safe.steps, *arranged]),
        refusals=tuple(safe.refusals),
        notes=(*safe.notes, *notes),
        backups={name: backups[name] for name in sorted(failing_over)},
    )


def keep_safe_moved(
    fleet: Fleet,
    observed: Observed,
    where: Mapping[str, str],
    backups: Mapping[str, str],
    steps: Sequence[Step],
) -> tuple[Step, ...]:
    """What moves change for the replicas and protections there are: after them, all is as it was declared before.

    Concerns servers that have any; to set up what is declared and not there yet is for converge.
    """
    guarded = {guest.name for guest in observed.servers if guest.role == "replica" or guest.protection}
    if not guarded:
        return ()
    declared = {name: node for name, node in where.items() if name in fleet.servers}
    safe = safeguards(fleet, observed, declared, backups, _last(steps), guarded)
    return _in_order(safe.steps)


def _last(steps: Sequence[Step]) -> dict[str, tuple[str, ...]]:
    """Server -> the steps that are about it."""
    found: dict[str, tuple[str, ...]] = {}
    for step in steps:
        if step.server:
            found[step.server] = (*found.get(step.server, ()), step.id)
    return found


def _arrange(
    fleet: Fleet, observed: Observed, where: Mapping[str, str], safe: Safeguards
) -> tuple[list[Step], tuple[str, ...]]:
    """Steps from the sets the platform keeps together or apart to those it is to keep."""
    if not observed.abilities.arranges:
        return [], ()
    told = arrangements(fleet, where, safe.protected)
    guards = {step.server: step.id for step in safe.steps if step.action == "protect"}
    fresh = [
        _arrangement(each, on=True, needs=[guards[name] for name in sorted(each.servers) if name in guards])
        for each in _sorted(told.wanted - observed.arrangements)
    ]
    stale = [_arrangement(each, on=False, needs=()) for each in _sorted(observed.arrangements - told.wanted)]
    return [*stale, *fresh], told.notes


def _sorted(found: Collection[Arrangement]) -> list[Arrangement]:
    return sorted(found, key=lambda each: (each.kind, sorted(each.servers)))


def _arrangement(arrangement: Arrangement, *, on: bool, needs: Sequence[str]) -> Step:
    names = sorted(arrangement.servers)
    label = "+".join(names)
    if len(names) > _NAMED:
        label = f"{names[0]}+{len(names) - 1}+{hashlib.sha256(label.encode()).hexdigest()[:8]}"
    words = some(names, 8)
    reason = "the platform keeps to it when it starts them elsewhere" if on else "no longer declared, or told otherwise"
    return Step(
        id=f"arrange/{arrangement.kind}/{label}" if on else f"arrange/{arrangement.kind}/{label}/not",
        action="arrange",
        servers=tuple(names),
        needs=tuple(needs),
        reason=reason,
        changes={arrangement.kind: (None, words) if on else (words, None)},
    )


def _in_order(steps: Sequence[Step]) -> tuple[Step, ...]:
    """What an arrangement no longer binds comes first; an unprotect waits for it. Each step after all it needs."""
    stale = [step for step in steps if step.action == "arrange" and not next(iter(step.changes.values()))[1]]
    freed = {name: step.id for step in stale for name in step.servers}
    rest = [step for step in steps if step not in stale]
    bound = [
        _needing(step, freed[step.server]) if step.action in ("protect", "unprotect") and step.server in freed else step
        for step in rest
    ]
    return (*stale, *(step for step in bound if step.action != "arrange"), *(s for s in bound if s.action == "arrange"))


def _needing(step: Step, need: str) -> Step:
    return replace(step, needs=(*step.needs, need))
