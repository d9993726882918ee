# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs short first when a fleet grows, and where: the words for it."""

from __future__ import annotations

from collections.abc import Sequence

from .fit import some
from .growth import Growth
from .search.problem import CORES, IO, MEMORY
from .search.state import EPSILON


def bottleneck(growth: Growth, names: Sequence[str]) -> tuple[str, ...]:
    """One line per resource that keeps nodes from taking one more, the one short on most nodes first.

    ``growth`` is filled; ``names`` are those of all its nodes, additions included.
    """
    found: dict[str, list[str]] = {}
    for j in growth.open:
        for why in _short(growth, j):
            found.setdefault(why, []).append(names[j])
    ranked = sorted(found, key=lambda why: (-len(found[why]), why))
    return tuple(f"{why} on {_where(found[why], len(growth.open))}" for why in ranked)


def _where(nodes: Sequence[str], everywhere: int) -> str:
    if len(nodes) == everywhere > 1:
        return f"all {everywhere} nodes"
    return some(nodes, 8)


def _short(growth: Growth, j: int) -> list[str]:
    """The resources a node has not enough of for one more newcomer, beside what it keeps free for the worst loss."""
    columns, newcomer = growth.state.problem.columns, growth.newcomer
    taken, kept = growth.homed[j], growth.kept_free(j)
    short = []
    for column in (MEMORY, CORES, IO):
        wanted = newcomer.demand[column]
        room = growth.limit[j][column] - growth.load[j][column] - kept[column] - taken * wanted
        if wanted and room + EPSILON < wanted:
            short.append(columns[column])
    if growth.disk[j] <= 0:
        short.append(f"disk on pool {columns[newcomer.disk]}")
    return short or ["room for one more, but none for its backup elsewhere,"]
