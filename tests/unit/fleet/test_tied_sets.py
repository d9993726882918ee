# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of servers tied to a rack, when the rack is emptied, beside every way there is to put them elsewhere."""

from __future__ import annotations

import random
from itertools import product

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.drain import drain
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import DrainOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Observed, Plan
from naive import objections
from scenario import load

RACKS = 4
MEMORY = 16
"""GiB of a node. Each rack has two."""


def _scene(seed: int) -> tuple[dict[str, list[int]], dict[str, int], str]:
    """Sets of sizes in GiB, what is on each node already, and the inventory with both."""
    chance = random.Random(seed)
    sets = {f"set{n}": [chance.choice([1, 2, 3, 5]) for _member in range(chance.randint(2, 3))] for n in range(1, 4)}
    filled = {f"node{n}": chance.randint(4, 14) for n in range(3, 2 * RACKS + 1)}
    nodes = [f"  node{n}: {{node_memory: {MEMORY}GiB, node_failure_domain: rack{(n + 1) // 2}}}" for n in range(1, 9)]
    servers, running = [], {f"node{n}": [f"full{n}"] for n in range(3, 9)} | {"node1": [], "node2": []}
    for name, sizes in sets.items():
        for number, size in enumerate(sizes):
            tie = f", vs_affinity: {{with: {name}x0, over: failure_domain}}" if number else ""
            servers.append(f"  {name}x{number}: {{vs_memory: {size}GiB, vs_failover: off{tie}}}")
            running[chance.choice(["node1", "node2"])].append(f"{name}x{number}")
    servers += [f"  full{node[4:]}: {{vs_memory: {size}GiB, vs_failover: off}}" for node, size in filled.items()]
    there = [f"  {node}: {', '.join(names)}" for node, names in running.items() if names]
    text = "\n".join(
        ["nodes:", *nodes, "virtual_servers:", *servers, "running:", *there, "goal: drain", "expect: {}", "about: x"]
    )
    return sets, filled, text


def _fits(sets: dict[str, list[int]], filled: dict[str, int]) -> bool:
    """Whether there is a rack for each set and a node of it for each member, whatever moves aside not."""
    free = {node: MEMORY - size for node, size in filled.items()}
    for racks in product(range(2, RACKS + 1), repeat=len(sets)):
        sizes = [(size, rack) for rack, members in zip(racks, sets.values(), strict=True) for size in members]
        if _packs(sorted(sizes, reverse=True), dict(free)):
            return True
    return False


def _packs(sizes: list[tuple[int, int]], free: dict[str, int]) -> bool:
    if not sizes:
        return True
    size, rack = sizes[0]
    for node in (f"node{2 * rack - 1}", f"node{2 * rack}"):
        if free[node] >= size:
            free[node] -= size
            if _packs(sizes[1:], free):
                return True
            free[node] += size
    return False


@pytest.mark.parametrize("seed", range(24))
def test_sets_find_a_rack_where_there_is_one(seed, tmp_path):
    sets, filled, text = _scene(seed)
    (tmp_path / "scene.yml").write_text(text)
    scene = load(tmp_path / "scene.yml")
    fleet: Fleet = scene.fleet
    observed: Observed = scene.observed
    plan: Plan = drain(fleet, observed, DrainOptions(failure_domain="rack1"))
    wrong = objections(fleet, observed, plan, states=120, walks=3)
    assert not wrong, "\n".join(wrong)
    if plan.refusals:
        assert not _fits(sets, filled), "\n".join(str(refusal) for refusal in plan.refusals)
        assert any(refusal.conflict for refusal in plan.refusals)
        return
    assert len([note for note in plan.notes if "tied to one failure domain" in note]) == len(sets)
    for name, members in sets.items():
        homes = {plan.placement[f"{name}x{number}"] for number in range(len(members))}
        assert len({fleet.nodes[home].domain for home in homes}) == 1
