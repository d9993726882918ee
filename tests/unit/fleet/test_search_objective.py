# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts for balance, and that quick sums say what slow ones do."""

from __future__ import annotations

import random

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Abilities, Factors, Size, Use
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.board import Board
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.evenness import NARROW, Evenness
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.objective import Objective
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.problem import formulate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.state import State
from fleets import fleet, guest, node, observed, seen, server

NODES = ("n1", "n2", "n3")


SHARED = Abilities(shared_pools=frozenset({"default"}))


def some_state(chance: random.Random, **facts: object) -> State:
    """Three nodes, one of them bigger, and a dozen servers anywhere."""
    servers = [
        server(f"s{number:02}", size=Size(chance.choice((0.25, 0.5, 1)), chance.choice((128, 256, 512)), 256))
        for number in range(12)
    ]
    nodes = [seen("n1"), seen("n2"), seen("n3", cores=16, memory=16384)]
    guests = [guest(item, chance.choice(NODES)) for item in servers]
    return State(formulate(fleet([node(name) for name in NODES], servers), observed(nodes, guests, **facts)))


def test_even_nodes_have_a_balance_of_zero() -> None:
    servers = [server(f"s{number}") for number in range(2)]
    seen_now = observed([seen("n1"), seen("n2")], [guest(servers[0], "n1"), guest(servers[1], "n2")])
    state = State(formulate(fleet([node("n1"), node("n2")], servers), seen_now))
    assert Objective(state.problem).balance(state) == pytest.approx(0)


def test_deviation_is_that_of_memory_cores_and_disk() -> None:
    servers = [server("s1")]
    seen_now = observed([seen("n1"), seen("n2")], [guest(servers[0], "n1")])
    state = State(formulate(fleet([node("n1"), node("n2")], servers), seen_now))
    objective = Objective(state.problem)
    # One eighth of each of three resources on one of two nodes: half of that each, and storage counts a quarter.
    assert objective.deviation(objective.taken(state)) == pytest.approx(9 / 64)


def test_cores_are_counted_before_overcommit() -> None:
    servers = [server("s1")]
    nodes = [node("n1", overcommit=Factors(cores=4.0)), node("n2", overcommit=Factors(cores=4.0))]
    state = State(formulate(fleet(nodes, servers), observed([seen("n1"), seen("n2")], [guest(servers[0], "n1")])))
    objective = Objective(state.problem)
    assert objective.deviation(objective.taken(state)) == pytest.approx(9 / 64)
    assert objective.worst(state) == pytest.approx(1 / 8)


def test_shared_storage_does_not_count() -> None:
    servers = [server("s1")]
    seen_now = observed([seen("n1"), seen("n2")], [guest(servers[0], "n1")], abilities=SHARED)
    objective = Objective(formulate(fleet([node("n1"), node("n2")], servers), seen_now))
    assert [objective.problem.columns[c] for c in objective.columns] == ["cores", "memory"]


def test_closed_nodes_do_not_count() -> None:
    servers = [server("s1")]
    nodes = [node("n1"), node("n2"), node("n3", state="maintenance")]
    seen_now = observed([seen(name) for name in NODES], [guest(servers[0], "n1")])
    objective = Objective(formulate(fleet(nodes, servers), seen_now))
    assert objective.serving == (0, 1)
    assert set(objective.counts) == {2}


def test_measured_use_counts_as_far_as_asked() -> None:
    one = server("s1")
    busy = guest(one, "n1", use=Use(cores=4.0, memory=512))
    seen_now = observed([seen("n1"), seen("n2")], [busy])
    state = State(formulate(fleet([node("n1"), node("n2")], [one]), seen_now, 0.5))
    assert Objective(state.problem).taken(state)[0] == [2.5, 768.0, 1024.0]


@pytest.mark.parametrize("seed", range(20))
def test_quick_sums_say_what_slow_ones_do(seed: int) -> None:
    # Two resources are added up in another way than more of them.
    chance, facts = random.Random(seed), {"abilities": SHARED} if seed % 2 else {}
    state = some_state(chance, **facts)
    board = Board(state, Objective(state.problem))
    even = Evenness(board)
    for _trial in range(40):
        e, b = chance.randrange(len(board.items)), chance.randrange(3)
        a = board.at[e]
        if a == b:
            continue
        weight = board.items[e].weight
        foretold, estimate, before = even.deviation_with(weight, a, b), even.estimate(weight, a, b), even.deviation()
        assert before == pytest.approx(board.deviation())
        if min(even.widths()) > NARROW:
            # A sum over nodes is never less than what it stands for.
            assert estimate >= foretold - before - 1e-9
        if board.go(e, b):
            even.update((a, b))
            assert board.deviation() == pytest.approx(foretold)
            assert even.deviation() == pytest.approx(foretold)
        even.refresh()


def test_the_fullest_share_is_told_of_a_lone_node_as_well() -> None:
    servers = [server(f"s{number}") for number in range(6)]
    lone = State(formulate(fleet([node("n1")], servers), observed([seen("n1")], [guest(s, "n1") for s in servers])))
    told = Objective(lone.problem).score(lone)
    assert (told.balance, told.worst) == (0.0, 0.75)
