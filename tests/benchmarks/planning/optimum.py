# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least worst node any placement has, moves unlimited: found and proven by CP-SAT.

Servers of one size and the same rules are alike, so a node's number of them is one variable.

OR-tools is imported in a process of its own: it brings a HiGHS along, and where highspy has been imported before, the
loader mixes the two up.
"""

from __future__ import annotations

import math
import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Observed
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.usage import usable

FINEST = 10**9
"""Shares are counted in parts that divide every node's memory, in as many at most. The share of cores is rounded down
to such a part, which leaves the bound a bound; what was found is judged without rounding."""
TINY = 1e-6
CORE = 100
"""Cores are counted in hundredths."""
_Kind = tuple[tuple[int, ...], int, float]
"""Rules a server is in, its memory, its cores."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best worst node found, the one no placement is better than, and whether the two are proven the same."""

    worst_node: float
    bound: float
    proven: bool


def least_worst_node(fleet: Fleet, observed: Observed, seconds: float = 300.0) -> Optimum | None:
    """Look for so long; ``None``: no placement at all was found in that time."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as apart:
        return apart.submit(_solve, fleet, observed, seconds).result()


def _solve(fleet: Fleet, observed: Observed, seconds: float) -> Optimum | None:
    from ortools.sat.python import cp_model

    nodes = [node for node in observed.nodes.values() if node.reach == "online"]
    rules_of: dict[str, list[int]] = {}
    for number, rule in enumerate(fleet.rules):
        for name in rule.subjects:
            rules_of.setdefault(name, []).append(number)
    kinds: Counter[_Kind] = Counter()
    fixed = {node.name: [0, 0.0] for node in nodes}
    barred: set[tuple[int, str]] = set()
    for guest in observed.servers:
        if guest.role == "replica":
            continue
        rules = tuple(rules_of.get(guest.name, ()))
        server = fleet.servers.get(guest.name)
        if server is not None and not server.node:
            kinds[rules, guest.size.memory, guest.size.cores] += 1
        elif guest.node in fixed:
            fixed[guest.node][0] += guest.size.memory
            fixed[guest.node][1] += guest.size.cores
            barred.update((rule, guest.node) for rule in rules)

    limits = {node.name: usable(fleet.nodes[node.name], node) for node in nodes}
    grain = math.gcd(
        *(size for _rules, size, _threads in kinds),
        *(limit.memory for limit in limits.values()),
        *(full for full, _busy in fixed.values()),
    )
    scale = min(FINEST, math.lcm(*(limit.memory // grain for limit in limits.values())))
    model = cp_model.CpModel()
    worst = model.new_int_var(0, scale, "worst")
    members: dict[tuple[int, str], list[cp_model.IntVar]] = {}
    memory: dict[str, list[cp_model.LinearExpr]] = {node.name: [] for node in nodes}
    cores: dict[str, list[cp_model.LinearExpr]] = {node.name: [] for node in nodes}
    for (rules, size, threads), count in sorted(kinds.items()):
        here = []
        for node in nodes:
            number = model.new_int_var(0, 1 if rules else count, "")
            here.append(number)
            memory[node.name].append(size // grain * number)
            cores[node.name].append(round(CORE * threads) * number)
            for rule in rules:
                members.setdefault((rule, node.name), []).append(number)
        model.add(sum(here) == count)
    for place, numbers in members.items():
        model.add(sum(numbers) <= (0 if place in barred else 1))
    for node in nodes:
        full, busy = fixed[node.name]
        limit = limits[node.name]
        model.add(scale * (sum(memory[node.name]) + full // grain) <= limit.memory // grain * worst)
        threads = round(CORE * limit.cores)
        model.add(scale * (sum(cores[node.name]) + round(CORE * busy)) <= threads * worst + threads - 1)
    model.minimize(worst)

    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = 2
    solver.parameters.random_seed = 1
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    found = max(
        max(
            (grain * solver.value(sum(memory[name])) + fixed[name][0]) / limit.memory,
            (solver.value(sum(cores[name])) / CORE + fixed[name][1]) / limit.cores,
        )
        for name, limit in limits.items()
    )
    bound = solver.best_objective_bound / scale
    return Optimum(found, bound, proven=status == cp_model.OPTIMAL and found - bound < TINY)
