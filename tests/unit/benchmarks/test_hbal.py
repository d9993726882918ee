# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""hbal's score by hand, the fleets that are measured, and what is read from hbal's output."""

from __future__ import annotations

import pytest
from planning import hbal, hbal_format
from planning.instances import SHAPES, Storage, instance
from planning.score import figures, homes

OUTPUT = """\
Loaded 20 nodes, 80 instances
Initial score: 0.52329131
Trying to minimize the CV...
    1. one   alpha:beta  => gamma:beta  0.42109120 a=f r:gamma f
    2. two   delta       => eta         0.31904594 a=fa:eta
    3. three alpha:gamma => gamma:alpha 0.26611015 a=f
   10. two   eta         => delta       0.20000000 a=fa:delta
Cluster score improved from 0.52329131 to 0.20000000
"""


def test_the_score_of_two_nodes_by_hand() -> None:
    text = (
        "g|g|preferred|\n\na|1000|0|200|0|0|10|N|g\nb|2000|0|1600|0|0|20|N|g\n\n"
        "x|600|0|8|running|Y|a||ext|\ny|200|0|4|running|Y|a||ext|\nz|400|0|10|running|Y|b||ext|\n\n"
    )
    fleet, observed = hbal_format.read(text)
    found = figures(fleet, observed, homes(observed))
    # Memory 0.8 and 0.2: 0.3 from their mean. Cores 12 of 10 and 10 of 20: 0.35. Four virtual cores fit on one.
    assert found.score == pytest.approx(0.3 + 0.35)
    assert (found.worst_node, found.spread) == pytest.approx((0.8, 0.6))
    moved = figures(fleet, observed, {**homes(observed), "x": "b"})
    assert moved.score == pytest.approx((0.5 - 0.2) / 2 + (0.9 - 0.4) / 2)


@pytest.mark.parametrize("storage", ["external", "local", "replicas"])
@pytest.mark.parametrize("name", ["10x200", "40x1000", "tight"])
def test_a_fleet_is_what_it_is_said_to_be(name: str, storage: Storage) -> None:
    fleet, observed = instance(SHAPES[name], 3, storage)
    where = homes(observed)
    memory = dict.fromkeys(observed.nodes, 0)
    for server, node in where.items():
        memory[node] += fleet.servers[server].size.memory
    fills = sorted(memory[node] / seen.capacity.memory for node, seen in observed.nodes.items())
    if name == "tight":
        assert fills[0] == pytest.approx(0.5, abs=0.05)
        assert min(fills[1:]) > 0.94
    else:
        full = [fill for fill in fills if fill > 0.7]
        assert len(full) == round(0.6 * len(fills))
        assert min(full) > 0.76
        assert max(fills) < 0.93
        assert fills[len(fills) - len(full) - 1] < 0.27
    grouped = set().union(*(rule.subjects for rule in fleet.rules))
    assert len(grouped) == pytest.approx(0.2 * len(where), abs=1)
    assert {len(rule.subjects) for rule in fleet.rules} <= {2, 3, 4}
    assert all(len({where[server] for server in rule.subjects}) == len(rule.subjects) for rule in fleet.rules)
    pinned = [server for server in fleet.servers.values() if server.node]
    assert len(pinned) == round(0.03 * len(where))
    assert all(server.node == where[server.name] for server in pinned)
    replicas = {guest.name: guest.node for guest in observed.servers if guest.role == "replica"}
    assert set(replicas) == (set(where) if storage == "replicas" else set())
    assert all(node != where[server] for server, node in replicas.items())


def test_the_same_seed_gives_the_same_fleet_and_another_one_another() -> None:
    assert instance(SHAPES["10x200"], 5) == instance(SHAPES["10x200"], 5)
    assert homes(instance(SHAPES["10x200"], 5)[1]) != homes(instance(SHAPES["10x200"], 6)[1])
    assert homes(instance(SHAPES["10x200"], 5)[1]) == homes(instance(SHAPES["10x200"], 5, "local")[1])


def test_moves_are_read_with_their_copies() -> None:
    moves = hbal.parse(OUTPUT)
    assert [(move.server, move.before, move.after, move.copies) for move in moves] == [
        ("one", ("alpha", "beta"), ("gamma", "beta"), 1),
        ("two", ("delta", ""), ("eta", ""), 0),
        ("three", ("alpha", "gamma"), ("gamma", "alpha"), 0),
        ("two", ("eta", ""), ("delta", ""), 0),
    ]
    assert [move.score for move in moves] == [0.4210912, 0.31904594, 0.26611015, 0.2]


def test_job_sets_grow_from_the_end_until_a_node_is_busy() -> None:
    moves = hbal.parse(OUTPUT)
    # From the end: the last and the third share no node; the second shares delta with the last, the first only alpha.
    assert hbal.job_sets(moves) == 2
    assert hbal.job_sets(moves[:1] * 3) == 3
    assert hbal.job_sets(()) == 0
