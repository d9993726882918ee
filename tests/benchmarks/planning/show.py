# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures for people: a table, and growth with size as a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

from .measure import Row, ratio

LINES: tuple[tuple[str, str], ...] = (
    ("wall s", "seconds"),
    ("CPU s", "cpu_seconds"),
    ("first plan, CPU s", "first_cpu_seconds"),
    ("hbal: CPU s", "hbal_seconds"),
    ("hbal: came to its end", "hbal_finished"),
    ("score at the start", "start_score"),
    ("score", "score"),
    ("hbal: score", "hbal_score"),
    ("score, no more moves than hbal", "score_at_hbal_moves"),
    ("score, first plan", "first_score"),
    ("score, 60 s", "score_60s"),
    ("moves", "moves"),
    ("bound on moves at that score", "lp_moves"),
    ("moves over that bound", "moves_over_lp"),
    ("hbal: moves", "hbal_moves"),
    ("bound on moves at its score", "hbal_lp_moves"),
    ("hbal: moves over that bound", "hbal_moves_over_lp"),
    ("no more moves than hbal: over the bound", "moves_over_lp_at_hbal_moves"),
    ("moves, first plan", "first_moves"),
    ("moves, 60 s", "moves_60s"),
    ("bound on moves at that score", "lp_moves_60s"),
    ("60 s: moves over that bound", "moves_over_lp_60s"),
    ("moves to a score of 0.1", "moves_at_0.1"),
    ("bound on those", "lp_moves_at_0.1"),
    ("moves over that bound", "moves_over_lp_at_0.1"),
    ("bound in whole servers", "least_moves_at_0.1"),
    ("moved MiB", "moved_mib"),
    ("moved MiB, no more moves than hbal", "moved_mib_at_hbal_moves"),
    ("hbal: moved MiB", "hbal_moved_mib"),
    ("worst node", "worst_node"),
    ("hbal: worst node", "hbal_worst_node"),
    ("proven optimum", "optimum_worst_node"),
    ("spread", "spread"),
    ("hbal: spread", "hbal_spread"),
    ("waves", "waves"),
    ("bound on waves", "schedule_bound"),
    ("hbal: job sets", "hbal_waves"),
    ("losses survived after", "survives"),
    ("losses survived before", "survives_before"),
    ("after a loss: wall s", "replan_s"),
    ("after a loss: CPU s", "replan_cpu_s"),
)


def table(rows: Mapping[str, Row]) -> str:
    """One column per fleet, one line per figure that any of them has."""
    lines = [("", *rows)]
    for label, key in LINES:
        if any(key in row for row in rows.values()):
            lines.append((label, *(_cell(row.get(key)) for row in rows.values())))
    widths = [max(len(line[column]) for line in lines) for column in range(len(rows) + 1)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def growth(rows: Mapping[str, Row]) -> str:
    """CPU seconds size by size, and how many times ours hbal took."""
    sized = [(_servers(name), row) for name, row in rows.items() if _servers(name)]
    lines = [f"{'servers':>8}  {'first plan':>10}  {'default':>8}  {'hbal':>8}  {'hbal / default':>14}"]
    for servers, row in sized:
        times = ratio(row, "hbal_seconds", "cpu_seconds")
        cells = (row.get("first_cpu_seconds"), row.get("cpu_seconds"), row.get("hbal_seconds"))
        first, default, peer = (_cell(cell) for cell in cells)
        limited = "" if row.get("hbal_finished") else ", and not done"
        lines.append(f"{servers:8}  {first:>10}  {default:>8}  {peer:>8}  {times or 0:14.1f}{limited}")
    return "\n".join(lines)


def plot(rows: Mapping[str, Row], path: Path) -> bool:
    """CPU seconds, moves and score over the number of servers. False: no fleet has a size for a name."""
    sized = sorted(((_servers(name), row) for name, row in rows.items() if _servers(name)), key=lambda pair: pair[0])
    if not sized:
        return False
    mpl.use("Agg")
    from matplotlib import pyplot

    panels: tuple[tuple[str, Sequence[tuple[str, str]]], ...] = (
        (
            "CPU seconds",
            (("hbal", "hbal_seconds"), ("ours", "cpu_seconds"), ("ours, first plan", "first_cpu_seconds")),
        ),
        ("moves to a score of 0.1", (("ours", "moves_at_0.1"), ("LP bound", "lp_moves_at_0.1"))),
        ("score", (("hbal", "hbal_score"), ("ours", "score"), ("ours, 60 s", "score_60s"))),
    )
    figure, axes = pyplot.subplots(1, len(panels), figsize=(15, 4.5), constrained_layout=True)
    for axis, (title, curves) in zip(axes, panels, strict=True):
        for label, key in curves:
            points = [(servers, row[key]) for servers, row in sized if row.get(key)]
            if points:
                axis.plot([x for x, _y in points], [y for _x, y in points], marker="o", label=label)
        axis.set(title=title, xlabel="servers")
        if axis.lines:
            axis.set(xscale="log", yscale="log")
            axis.legend()
        axis.grid(visible=True, which="both", alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    return True


def _servers(name: str) -> int:
    """The number of servers in a size's name; 0 where it is not a size."""
    nodes, _times, servers = name.partition("x")
    return int(servers) if nodes.isdigit() and servers.isdigit() else 0


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
