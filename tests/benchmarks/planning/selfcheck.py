# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bound and the optimum, held against every placement there is of small fleets.

Both need solvers that the tests do not have, so they are checked each time before they are believed.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Observed

from . import bound, hbal_format, optimum
from .instances import Shape, instance
from .score import figures

SEEDS = range(4)
ROOM = (20, 30, 40)
"""GiB on the nodes of the fleet whose servers are all alike."""


def bound_and_optimum() -> None:
    """Raises AssertionError where the bound says more than is true, or much less, or the optimum is none."""
    for seed in SEEDS:
        _check_bound(seed)
        _check_optimum(seed)


def _check_bound(seed: int) -> None:
    """Where all servers are of one size, a placement is a number of them per node, and the bound off by less than 2."""
    draw = random.Random(seed)
    counts = [draw.randint(0, room) for room in ROOM]
    fleet, observed = hbal_format.read(_alike(counts))
    servers = [f"vs{number}" for number in range(sum(counts))]
    reached: dict[int, float] = {}
    for first, second in itertools.product(range(ROOM[0] + 1), range(ROOM[1] + 1)):
        others = (first, second, sum(counts) - first - second)
        if not 0 <= others[2] <= ROOM[2]:
            continue
        on = [f"node{node}" for node, count in enumerate(others) for _server in range(count)]
        moves = sum(max(0, before - after) for before, after in zip(counts, others, strict=True))
        score = figures(fleet, observed, dict(zip(servers, on, strict=True))).score
        reached[moves] = min(score, reached.get(moves, score))
    for moves in sorted(reached):
        if moves and reached[moves] >= min(score for fewer, score in reached.items() if fewer < moves):
            continue
        least = bound.fewest_moves(fleet, observed, reached[moves] + 1e-9)
        assert least is not None, f"seed {seed}: {moves} moves reach {reached[moves]}, and the bound says nothing does"
        whole = bound.fewest_whole_moves(fleet, observed, reached[moves] + 1e-9, seconds=10)
        assert whole == moves, f"seed {seed}: {whole} moves in whole servers where {moves} do"
        assert moves - 2 < least.moves < moves + 1e-3, f"seed {seed}: a bound of {least.moves} where {moves} do"


def _alike(counts: list[int]) -> str:
    nodes = [
        f"node{number}|{1024 * room}|0|{1024 * (room - count)}|0|0|{room}|N|g"
        for number, (room, count) in enumerate(zip(ROOM, counts, strict=True))
    ]
    on = [number for number, count in enumerate(counts) for _server in range(count)]
    servers = [f"vs{number}|1024|0|1|running|Y|node{node}||ext|" for number, node in enumerate(on)]
    return "\n\n".join(("g|g|preferred|", "\n".join(nodes), "\n".join(servers), "")) + "\n"


def _check_optimum(seed: int) -> None:
    # With the first seed anti-affinity keeps the best placement of all from being one.
    fleet, observed = instance(Shape(nodes=2, servers=10), seed)
    best = min(figures(fleet, observed, placement).worst_node for placement in _placements(fleet, observed))
    found = optimum.least_worst_node(fleet, observed)
    assert found, f"seed {seed}: no optimum"
    assert found.proven, f"seed {seed}: {found} is not proven"
    assert abs(found.worst_node - best) < 1e-6, f"seed {seed}: optimum {found.worst_node}, and there is {best}"


def _placements(fleet: Fleet, observed: Observed) -> Iterator[dict[str, str]]:
    """Every placement that breaks nothing."""
    names = list(fleet.servers)
    size = {name: server.size for name, server in fleet.servers.items()}
    limit = {name: node.capacity.memory for name, node in observed.nodes.items()}
    choices = [[server.node] if server.node else list(observed.nodes) for server in fleet.servers.values()]
    for nodes in itertools.product(*choices):
        placement = dict(zip(names, nodes, strict=True))
        taken = dict.fromkeys(limit, 0)
        for name, node in placement.items():
            taken[node] += size[name].memory
        if any(taken[node] > limit[node] for node in limit):
            continue
        if all(len({placement[name] for name in rule.subjects}) == len(rule.subjects) for rule in fleet.rules):
            yield placement
