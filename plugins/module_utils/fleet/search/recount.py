# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why each server went where it went: the way found is gone once more, and told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..model import Share
from ..placement import refusal_words
from .hindrance import Hindrances
from .relocate import Hop, Relocation
from .state import State

_TOLD = 3
"""Nodes, at most, that would have been better and could not be: told with the reason."""


def recount(
    start: State, hops: Sequence[Hop], because: Mapping[int, str], *, refused_too: bool = True
) -> dict[int, str]:
    """Server -> one line: why it moves, what that makes of the two nodes, and which better nodes refused it.

    ``start`` is where the first hop began, and is changed. ``because`` has the first words where there are any;
    who is moved without one makes room for the next that is not. ``refused_too``: look for better nodes at all.
    """
    problem = start.problem
    guide, view = Relocation(start), Hindrances(start)
    lines: dict[int, str] = {}
    for at, hop in enumerate(hops):
        ranked = guide.ranked(problem.units[hop.i][0]) if refused_too else []
        better = ranked[: ranked.index(hop.to)] if hop.to in ranked else []
        refused = {problem.nodes[j]: why for j in better[:_TOLD] if (why := view.why(hop.i, j))}
        source, to = problem.nodes[hop.source], problem.nodes[hop.to]
        before = {name: view.layout.loads[name].share() for name in (source, to)}
        guide.follow(hop)
        view.follow(hop.i, hop.before, hop.to)
        after = {name: view.layout.loads[name].share() for name in (source, to)}
        first = because[hop.i] if hop.i in because else _for_whom(hops[at + 1 :], because, start)
        words = [first, *(_shift(name, before[name], after[name]) for name in (source, to)), *refusal_words(refused)]
        lines[hop.i] = "; ".join(word for word in words if word)
    return lines


def _for_whom(later: Sequence[Hop], because: Mapping[int, str], state: State) -> str:
    """Who needs the room."""
    for hop in later:
        if hop.i in because:
            return f"makes room for {state.problem.servers[hop.i]}"
    return "makes room"


def _shift(node: str, before: Share, after: Share) -> str:
    """``node1 memory 91% → 74%``: of what changes, the resource that is fullest; empty where nothing does."""
    shares = {kind: (getattr(before, kind), getattr(after, kind)) for kind in ("memory", "cores", "disk", "io")}
    changed = {kind: pair for kind, pair in shares.items() if f"{pair[0]:.0%}" != f"{pair[1]:.0%}"}
    if not changed:
        return ""
    fullest = max(changed, key=lambda kind: max(changed[kind]))
    return f"{node} {fullest} {changed[fullest][0]:.0%} → {changed[fullest][1]:.0%}"
