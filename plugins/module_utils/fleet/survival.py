# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the fleet survives: for every node and failure domain, what would not run again if it died."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .fit import SCOPE_WORDS, figure, some
from .model import Survival
from .search.problem import CORES, IO, MEMORY, Loss
from .search.state import EPSILON, NOWHERE, State

_COLUMNS = ((MEMORY, "memory", " MiB"), (CORES, "cores", ""), (IO, "io", ""))


def prove(state: State, besides: frozenset[int] = frozenset()) -> tuple[Survival, ...]:
    """One proof per node that carries servers, then one per failure domain of more than one node that does.

    Gaps are in words, one line each; none: everything that fails over would run. ``besides``: nodes that are dead
    already; what is still counted on them is not asked about. No server may be under way.
    """
    return tuple(
        _proof(state, loss, besides)
        for loss in state.problem.losses
        if any(state.here[j] for j in loss.nodes - besides)
    )


def survival_line(proofs: Sequence[Survival]) -> str:
    """All proofs in one line: ``N+1 holds: any one of 16 nodes or 4 failure domains may die; tightest: node3 memory
    91 % without node1``, or which may not, with the first gap, or that nothing fails over.
    """
    if not proofs:
        return "N+1: nothing runs that a failure could stop"
    failing = [proof for proof in proofs if not proof.holds]
    if failing:
        gaps = [gap for proof in failing for gap in proof.gaps]
        more = f", and {len(gaps) - 1} more {'gap' if len(gaps) == 2 else 'gaps'}" if len(gaps) > 1 else ""
        verb = "die" if len(failing) > 1 else "dies"
        return f"N+1 fails if {some((proof.lost for proof in failing), 8)} {verb}: {gaps[0]}{more}"
    counts = [
        f"{count} {SCOPE_WORDS[over]}{'s' if count > 1 else ''}"
        for over in ("node", "failure_domain")
        if (count := sum(1 for proof in proofs if proof.over == over))
    ]
    may_die = f"any one of {' or '.join(counts)} may die" if len(proofs) > 1 else f"{proofs[0].lost} may die"
    worst = max(proofs, key=lambda proof: _percent(proof.tightest))
    if not worst.tightest:
        # Nothing would come to any backup: what holds then holds of nothing.
        return "N+1: no server fails over (vs_failover); what a node carries stays down until it is back"
    return f"N+1 holds: {may_die}; tightest: {worst.tightest} without {worst.lost}"


def _percent(tightest: str) -> int:
    """The number in ``node3 memory 91 %``; 0 where nothing comes to anybody."""
    return int(tightest.split()[-2]) if tightest else 0


def _proof(state: State, loss: Loss, besides: frozenset[int]) -> Survival:
    """What becomes of all that a loss takes down, backup by backup."""
    problem = state.problem
    coming: dict[int, list[int]] = {}
    gaps = []
    for i in sorted(i for j in loss.nodes - besides for i in state.here[j]):
        if not problem.failing_over[i]:
            continue
        why = _useless(state, state.backup[i], loss)
        if why:
            gaps.append(f"{problem.servers[i]} {why}")
        else:
            coming.setdefault(state.backup[i], []).append(i)
    gaps += [line for b in sorted(coming) for line in _shortages(state, b, coming[b])]
    return Survival(loss.name, loss.over, tuple(gaps), _tightest(state, coming))


def _useless(state: State, b: int, loss: Loss) -> str:
    """Why a backup would be no help; empty if it would."""
    problem = state.problem
    if b == NOWHERE:
        return "has no backup node"
    name = problem.nodes[b]
    if problem.closed[b]:
        return f"would be started on {name}, which {problem.closed[b]}"
    if b not in loss.nodes:
        return ""
    if loss.over == "node":
        return "has its backup on its own node"
    return f"would be started on {name}, which is in {loss.name} too"


def _shortages(state: State, b: int, coming: Sequence[int]) -> list[str]:
    """What a backup would need and has not, once all of these have come, with the biggest of them named."""
    problem, lines = state.problem, []
    for column, word, unit in _COLUMNS:
        needed = state.load[b][column] + sum(problem.demand[i][column] for i in coming)
        if needed > problem.limit[b][column] + EPSILON:
            biggest = sorted(coming, key=lambda i: (-problem.demand[i][column], i))
            named = [f"{problem.servers[i]} ({figure(problem.demand[i][column])}{unit})" for i in biggest[:3]]
            rest = f" and {len(coming) - 3} more" if len(coming) > 3 else ""
            lines.append(
                f"{problem.nodes[b]} would need {word} {figure(needed)}{unit}, has {figure(problem.limit[b][column])}: "
                f"{', '.join(named)}{rest} would come"
            )
    return lines


def _tightest(state: State, coming: Mapping[int, Sequence[int]]) -> str:
    """The backup with the least room left, and how full."""
    problem = state.problem
    worst, words = -1.0, ""
    for b in sorted(coming):
        for column, word, _unit in _COLUMNS:
            most = problem.limit[b][column]
            if most == math.inf:
                continue
            used = state.load[b][column] + sum(problem.demand[i][column] for i in coming[b])
            share = used / most if most > 0 else float(used > 0) * 1e4
            if share > worst:
                worst, words = share, f"{problem.nodes[b]} {word} {share * 100:.0f} %"
    return words
