# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the planner is to reach, and whether it did: one line per aim and fleet, with its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .measure import Row

FASTER = 200
"""How many times less CPU than hbal on 40x1000."""
NEAR_BOUND, NEAR_LONG = 1.03, 1.10
"""Moves to a score of 0.1 over the bound on them; score at the defaults over that with a minute."""
PLANNED, PLANNED_AGAIN = 10.0, 2.0
"""Seconds for 256x10000, and for the same after the loss of a node."""
TIGHT_SCORE = 0.05


def verdicts(rows: Mapping[str, Row]) -> str:
    """The lines; an aim whose figures are not there has none."""
    return "\n".join(
        f"{'reached' if reached else 'MISSED '}  {name}: {what}"
        for name, row in rows.items()
        for what, reached in _aims(name, row)
    )


def _aims(name: str, row: Row) -> Iterator[tuple[str, bool]]:
    yield from _beside_hbal(row, str(row.get("storage", "")))
    for storage in ("local", "replicas"):
        there = row.get(storage)
        if isinstance(there, dict):
            yield from _beside_hbal(there, storage)
    few, least = _number(row, "moves_at_0.1"), _number(row, "least_moves_at_0.1") or _number(row, "lp_moves_at_0.1")
    if least is not None:
        yield f"moves to a score of 0.1: {few}, at least {least:g}", few is not None and few <= NEAR_BOUND * least
    score, longest = _number(row, "score"), _number(row, "score_60s")
    if score is not None and longest is not None:
        yield f"score {score} at the defaults, {longest} with a minute", score <= NEAR_LONG * longest
    ours, theirs = _number(row, "cpu_seconds"), _number(row, "hbal_seconds")
    if name == "40x1000" and ours and theirs:
        yield f"{theirs / ours:.0f} times less CPU than hbal, of {FASTER}", theirs >= FASTER * ours
    if name == "256x10000":
        for key, most in (("seconds", PLANNED), ("replan_s", PLANNED_AGAIN)):
            took = _number(row, key)
            yield f"{key} {took}, of {most:g}", took is not None and took < most
    if name == "tight" and score is not None:
        yield f"score {score}, of {TIGHT_SCORE}", score <= TIGHT_SCORE


def _beside_hbal(row: Row, storage: str) -> Iterator[tuple[str, bool]]:
    """A score no worse with no more moves and bytes; as few waves as can be; nothing wrong with the plan."""
    for what, ours, theirs in (
        ("score", "score_at_hbal_moves", "hbal_score"),
        ("MiB", "moved_mib_at_hbal_moves", "hbal_moved_mib"),
    ):
        here, there = _number(row, ours), _number(row, theirs)
        if here is not None and there is not None:
            yield f"{storage}: {what} {row[ours]} with no more moves than hbal, whose is {row[theirs]}", here <= there
    waves, bound = _number(row, "waves"), _number(row, "schedule_bound")
    if waves is not None and bound is not None:
        yield f"{storage}: {waves:g} waves, at least {bound:g}", waves <= bound
    faults, before, after = row.get("faults"), _number(row, "survives_before"), _number(row, "survives")
    yield f"{storage}: {faults or 'nothing'} wrong with the plan", not faults
    if before is not None and after is not None:
        yield f"{storage}: {after:g} nodes may die, {before:g} before", after >= before


def _number(row: Row, key: str) -> float | None:
    value = row.get(key)
    return value if isinstance(value, int | float) else None
