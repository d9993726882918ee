# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner beside Ganeti's hbal, a lower bound on moves and a proven optimum, on the same fleets in the same run.

Run by `make bench NAME=planner [SIZE=40x1000] [SEED=1] [INPUT=file]`. SIZE is one or several (with commas) of 10x200,
40x1000, 80x4000, 256x10000 and tight; without it all of them. INPUT is any cluster in hbal's text format. hbal has
HBAL_WALL seconds (300) and is compared by what it has until then; it is fetched with apt where it is missing.

The last line is a JSON object with an object per size. Its keys, hbal's with `hbal_` before them: seconds (wall; hbal's
are CPU seconds), cpu_seconds, moves, moved_mib (what goes from node to node: memory of the moved servers where disks
are external, else disks), worst_node (share of the fullest node's memory or cores), spread (that less the emptiest
node's), score (hbal's own: sd of memory + sd of virtual cores per core), waves (hbal: job sets), schedule_bound (most
moves any one node takes part in: no schedule has fewer waves), survives of losses (node failures the plan proves
survivable), faults (what is wrong with the plan when followed wave by wave; has to be empty), lp_moves (bound on moves
at our score), first_* (the plan without any search time), *_60s (with a minute), moves_at_0.1 and lp_moves_at_0.1 (with
that as target; least_moves_at_0.1: the bound in whole servers, on small fleets), *_at_hbal_moves (with no more moves
than hbal), moves_over_lp* (moves over the bound at the score they reach: what plans of different scores, and fleets of
different kinds, are compared on), replan_s (a node lost, balanced
anew; wall), replan_seconds (CPU: failover and then balance; _failover_ and _silent_: the failover alone, and a balance
while nobody has started anything yet), optimum_worst_node (where proven).
`local` and `replicas` hold the same fleet with local storage (a move copies the disk; hbal moves nothing there, so its
moves on external storage are beside it, costed as copies) and with replicas (hbal: drbd).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / ".collections"))

from planning import aims, hbal, hbal_format, selfcheck, show
from planning.instances import SHAPES, instance
from planning.measure import Case, Row, measure, variant

ROOT = Path(__file__).parents[2]
PLOT = ROOT / ".cache/bench/planner.png"
FIGURES = ROOT / ".cache/bench/planner.json"
"""What there is so far, should the rest be cut off."""
SEED = int(os.environ.get("SEED") or 1)
WALL = float(os.environ.get("HBAL_WALL") or hbal.WALL)


def main() -> None:
    """Measure what was asked for, print, plot."""
    hbal.install()
    selfcheck.bound_and_optimum()
    given = os.environ.get("INPUT")
    rows = outside(Path(given)) if given else sizes(os.environ.get("SIZE") or ",".join(SHAPES))
    print(f"\nhbal's limit {WALL:g} s, {os.cpu_count()} cores, seed {SEED}\n\n{show.table(rows)}\n")
    for name in ("local", "replicas"):
        there = {size: row[name] for size, row in rows.items() if isinstance(row.get(name), dict)}
        if there:
            print(f"{name}\n\n{show.table(there)}\n")
    if show.plot(rows, PLOT):
        print(f"growth, CPU seconds\n\n{show.growth(rows)}\n\nplot: {PLOT.relative_to(ROOT)}\n")
    print(f"{aims.verdicts(rows)}\n")
    print(json.dumps(rows))


def outside(path: Path) -> dict[str, Row]:
    """A cluster from elsewhere."""
    try:
        fleet, observed = hbal_format.read(path.read_text())
    except (OSError, hbal_format.FormatError) as error:
        sys.exit(f"INPUT={path}: {error}")
    storage = hbal_format.storage(fleet, observed)
    name = f"{len(observed.nodes)}x{len(fleet.servers)}"
    row, _peer = measure(Case(name, storage, fleet, observed, path), WALL)
    return {name: row}


def sizes(wanted: str) -> dict[str, Row]:
    """Seeded fleets, each with every kind of storage."""
    rows: dict[str, Row] = {}
    for name in wanted.split(","):
        if name not in SHAPES:
            sys.exit(f"SIZE={name}: accepted are {', '.join(SHAPES)}")
        row, peer = measure(Case(name, "external", *instance(SHAPES[name], SEED)), WALL)
        row["local"] = variant(Case(name, "local", *instance(SHAPES[name], SEED, "local")), peer, WALL)
        row["replicas"] = variant(Case(name, "replicas", *instance(SHAPES[name], SEED, "replicas")), None, WALL)
        rows[name] = row
        FIGURES.parent.mkdir(parents=True, exist_ok=True)
        FIGURES.write_text(json.dumps(rows, indent=1))
    return rows


if __name__ == "__main__":
    main()
