# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One fleet measured: ours beside hbal, the bound and the optimum, as a row of figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import BalanceOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Observed

from . import bound, hbal, optimum, ours, replan
from .instances import Storage
from .score import figures, homes

Row = dict[str, object]
"""What the last line of the benchmark has for one fleet; docs in ``planner.py``."""

GOAL_SCORE = 0.1
LONG = 60.0
"""Seconds for the plan that may take its time."""
SAME = 1e-6
"""How far hbal's account of a score and ours may differ: it prints eight digits."""
FEW = 300
"""Servers up to which the bound on moves is asked for in whole servers too."""
PROVABLE = 1000
"""Servers up to which the optimum is looked for."""


@dataclass(frozen=True, slots=True)
class Case:
    """A fleet to be measured."""

    name: str
    storage: Storage
    fleet: Fleet
    observed: Observed
    path: Path | None = None
    """The file it came from, which hbal is then given as it is."""


def measure(case: Case, wall: float) -> tuple[Row, hbal.HbalRun]:
    """Everything there is to know about one fleet; hbal has ``wall`` seconds."""
    fleet, observed = case.fleet, case.observed
    say(case, "ours")
    plan = ours.run(fleet, observed, case.storage)
    start = figures(fleet, observed, homes(observed))
    row: Row = {"storage": case.storage, "start_score": round(start.score, 4), **our_row(plan)}
    say(case, "ours, the first plan, and the one that may take its time")
    first = ours.run(fleet, observed, case.storage, BalanceOptions(time_limit=0))
    longest = ours.run(fleet, observed, case.storage, BalanceOptions(time_limit=LONG))
    row |= {
        "first_seconds": round(first.wall, 3),
        "first_cpu_seconds": round(first.cpu, 3),
        "first_moves": first.moves,
        "first_score": round(first.figures.score, 4),
        "moves_60s": longest.moves,
        "score_60s": round(longest.figures.score, 4),
        "lp_moves_60s": _bound(case, longest.figures.score),
        "lp_moves": _bound(case, plan.figures.score),
    }
    say(case, f"ours, the fewest moves to a score of {GOAL_SCORE}")
    row |= _fewest(case)
    say(case, "ours, planned anew once a node is lost")
    row |= _again(case, plan)
    peer = _hbal(case, wall)
    row |= hbal_row(case, peer)
    row |= _at_their_length(case, peer)
    row |= _over_bounds(row)
    if len(fleet.servers) <= PROVABLE:
        say(case, "the optimum")
        best = optimum.least_worst_node(fleet, observed)
        if best is not None:
            row |= {"optimum_bound": round(best.bound, 4), "optimum_proven": best.proven}
            row |= {"optimum_worst_node": round(best.worst_node, 4)} if best.proven else {}
    return row, peer


def variant(case: Case, peer: hbal.HbalRun | None, wall: float) -> Row:
    """The same fleet with other storage: ours and hbal. ``peer``: a run of hbal's whose moves stand for this one's."""
    say(case, "ours")
    plan = ours.run(case.fleet, case.observed, case.storage)
    row = our_row(plan)
    peer = peer or _hbal(case, wall)
    row |= hbal_row(case, peer)
    return row | _at_their_length(case, peer)


def our_row(plan: ours.Ours) -> Row:
    """Figures of a plan of ours."""
    return {
        "seconds": round(plan.wall, 3),
        "cpu_seconds": round(plan.cpu, 3),
        "moves": plan.moves,
        "moved_mib": plan.sent,
        "worst_node": round(plan.figures.worst_node, 4),
        "spread": round(plan.figures.spread, 4),
        "score": round(plan.figures.score, 4),
        "waves": plan.waves,
        "schedule_bound": plan.fewest_waves,
        "faults": list(plan.faults),
        **(_survival(plan) if plan.plan.backups else {}),
    }


def _survival(plan: ours.Ours) -> Row:
    """What a plan proves; where nothing fails over, as on local disks without replicas, it proves nothing."""
    return {
        "survives": plan.survived,
        "survives_before": sum(proof.holds for proof in plan.plan.survival_before),
        "losses": len(plan.plan.survival_after),
    }


def hbal_row(case: Case, run: hbal.HbalRun) -> Row:
    """Figures of what hbal had found in the end, or when its time was up."""
    reached = figures(case.fleet, case.observed, hbal.placement(case.observed, run.moves))
    return {
        "hbal_seconds": round(run.cpu, 2),
        "hbal_wall_seconds": round(run.wall, 2),
        "hbal_finished": run.finished,
        "hbal_moves": len(run.moves),
        "hbal_moved_mib": hbal.sent(case.fleet, run.moves, case.storage),
        "hbal_worst_node": round(reached.worst_node, 4),
        "hbal_spread": round(reached.spread, 4),
        "hbal_score": round(reached.score, 4),
        "hbal_waves": hbal.job_sets(run.moves),
        "hbal_lp_moves": _bound(case, reached.score),
    }


def _hbal(case: Case, wall: float) -> hbal.HbalRun:
    """What hbal does with the fleet. Raises RuntimeError where it and we do not mean the same by what we compare."""
    say(case, f"hbal, at most {wall:g} s")
    pinned = [server.name for server in case.fleet.servers.values() if server.node]
    run = hbal.run_file(case.path, pinned, wall) if case.path else hbal.run(case.fleet, case.observed, wall)
    strayed = {move.server for move in run.moves} & set(pinned)
    if strayed:
        raise RuntimeError(f"hbal was told to leave {', '.join(sorted(strayed))} alone, and moved them")
    if case.storage == "external":
        scores = [(run.initial_score, homes(case.observed))] if run.initial_score is not None else []
        scores += [(run.moves[-1].score, hbal.placement(case.observed, run.moves))] if run.moves else []
        for theirs, where in scores:
            here = figures(case.fleet, case.observed, where).score
            if abs(theirs - here) > SAME:
                odd = f"hbal's score is {theirs}, and counted here it is {here:.8f}"
                # A file from elsewhere may have what hbal scores besides: offline nodes, instances kept apart badly.
                if case.path is None:
                    raise RuntimeError(odd)
                print(f"note: {odd}", flush=True)
    return run


def _at_their_length(case: Case, run: hbal.HbalRun) -> Row:
    """Ours with no more moves than hbal made."""
    if not run.moves:
        return {}
    plan = ours.run(case.fleet, case.observed, case.storage, BalanceOptions(max_moves=len(run.moves), min_gain=0.0))
    return {
        "moves_at_hbal_moves": plan.moves,
        "score_at_hbal_moves": round(plan.figures.score, 4),
        "moved_mib_at_hbal_moves": plan.sent,
        "worst_node_at_hbal_moves": round(plan.figures.worst_node, 4),
        "lp_moves_at_hbal_moves": _bound(case, plan.figures.score),
    }


def _fewest(case: Case) -> Row:
    least = _bound(case, GOAL_SCORE)
    if least is None:
        return {}

    found = ours.run(case.fleet, case.observed, case.storage, BalanceOptions(target=GOAL_SCORE))
    reached: Row = {"score_at_0.1": round(found.figures.score, 4), "cpu_seconds_at_0.1": round(found.cpu, 3)}
    if found.figures.score <= GOAL_SCORE:
        reached["moves_at_0.1"] = found.moves
    if len(case.fleet.servers) <= FEW:
        reached["least_moves_at_0.1"] = bound.fewest_whole_moves(case.fleet, case.observed, GOAL_SCORE, LONG)
    return {"lp_moves_at_0.1": least, **reached}


def _over_bounds(row: Row) -> Row:
    """Moves over the fewest any plan needs for the score they reach, so that plans of different scores compare."""
    ends = ("", "_60s", "_at_0.1", "_at_hbal_moves")
    found = {f"moves_over_lp{end}": ratio(row, f"moves{end}", f"lp_moves{end}") for end in ends}
    found["hbal_moves_over_lp"] = ratio(row, "hbal_moves", "hbal_lp_moves")
    return {key: round(value, 4) for key, value in found.items() if value is not None}


def _again(case: Case, plan: ours.Ours) -> Row:
    fleet, observed = ours.without(case.fleet, case.observed, plan.plan)
    again = ours.run(fleet, observed, case.storage)
    return {
        "replan_s": round(again.wall, 3),
        "replan_cpu_s": round(again.cpu, 3),
        "replan_moves": again.moves,
        "replan_score": round(again.figures.score, 4),
        "replan_survives": again.survived,
        **replan.figures(case.fleet, case.observed, plan.plan),
    }


def _bound(case: Case, score: float) -> int | None:
    # Rounding must not make the bound say more than it does.
    found = bound.fewest_moves(case.fleet, case.observed, score + 1e-9)
    return found.whole if found else None


def say(case: Case, what: str) -> None:
    """Where the benchmark has come to."""
    print(f"== {case.name}, {case.storage}: {what}", flush=True)


def ratio(row: Mapping[str, object], over: str, under: str) -> float | None:
    """One figure of a row over another, where both are there."""
    top, bottom = row.get(over), row.get(under)
    if isinstance(top, int | float) and isinstance(bottom, int | float) and bottom:
        return top / bottom
    return None
