# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan's moves cost, and how the fleet stands before and after it: what may die, how even it is. In words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .model import Plan, Score, Step, Survival
from .survival import survival_line

_SHOWN = 4
"""Gaps of one loss that are named one by one."""


def amount(mib: int) -> str:
    """``640 MiB``, ``1.2 GiB``."""
    return f"{mib} MiB" if mib < 1024 else f"{mib / 1024:.1f} GiB"


def expected(steps: Iterable[Step]) -> list[str]:
    """What the moves of a plan are expected to cost, all together; nothing where nothing moves."""
    moves = [step for step in steps if step.action == "move"]
    if not moves:
        return []
    gaps = [step.cost.downtime for step in moves]
    copied = sum(step.cost.copied for step in moves)
    head = f"{len(moves)} {'move' if len(moves) == 1 else 'moves'}: {amount(copied)} to copy"
    if not any(gaps):
        return [f"{head}, no gap in service expected"]
    return [f"{head}; gap in service expected: {max(gaps):.1f} s the longest, {sum(gaps):.1f} s in all"]


def standing(plan: Plan) -> list[str]:
    """What may die, and how good the placement is, before and after."""
    return [*_survival(plan.survival_before, plan.survival_after), *_score(plan.score_before, plan.score_after)]


def _survival(before: Sequence[Survival], after: Sequence[Survival]) -> list[str]:
    if not after:
        return []
    open_now = [proof for proof in before if not proof.holds]
    open_then = [proof for proof in after if not proof.holds]
    if open_then:
        known = {(proof.lost, proof.over) for proof in open_now}
        return [
            f"not survived{'' if (proof.lost, proof.over) in known else ' any more'}: the loss of {_name(proof)}: "
            f"{_list(proof.gaps)}"
            for proof in open_then
        ]
    until_now = f"; until now not for {', '.join(_name(proof) for proof in open_now)}" if open_now else ""
    return [survival_line(after) + until_now]


def _score(before: Score | None, after: Score | None) -> list[str]:
    if before is None or after is None:
        return []
    parts = [
        f"balance {_change(f'{before.balance:.3f}', f'{after.balance:.3f}')}",
        f"fullest node {_change(f'{before.worst:.0%}', f'{after.worst:.0%}')}",
    ]
    if before.violations or after.violations:
        parts.append(f"broken rules {_change(str(before.violations), str(after.violations))}")
    if before.gaps or after.gaps:
        parts.append(f"losses not survived {_change(str(before.gaps), str(after.gaps))}")
    return [", ".join(parts)]


def _change(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _name(proof: Survival) -> str:
    return proof.lost if proof.over == "node" else f"{proof.over.replace('_', ' ')} {proof.lost}"


def _list(gaps: Sequence[str]) -> str:
    more = f"; and {len(gaps) - _SHOWN} more" if len(gaps) > _SHOWN else ""
    return "; ".join(gaps[:_SHOWN]) + more
