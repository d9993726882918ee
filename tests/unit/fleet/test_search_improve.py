# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the search finds: few moves, big ones first, swaps where nothing else helps, and nothing forbidden."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Failover,
    Replication,
    Rule,
    Score,
    Size,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.board import Board
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.evenness import Evenness
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.improve import Wishes, improve
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.objective import Objective, better
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.problem import formulate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.recount import recount
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.state import State
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.steepest import Steepest
from fleets import apart, fleet, guest, node, observed, seen, server, together

BIG, SMALL = Size(2, 2048, 1024), Size(0.25, 256, 128)


def piled_up(count: int, *, nodes: int = 4, seed: int = 1, rules: tuple[Rule, ...] = (), **facts: object) -> State:
    """Servers of three sizes on the first half of the nodes."""
    chance = random.Random(seed)
    servers = [server(f"s{number:03}", size=chance.choice((BIG, SMALL, SMALL)), **facts) for number in range(count)]
    names = [f"n{number}" for number in range(nodes)]
    guests = [guest(item, chance.choice(names[: nodes // 2])) for item in servers]
    places = [seen(name, cores=64, memory=65536, disk=65536) for name in names]
    return State(formulate(fleet([node(name) for name in names], servers, rules), observed(places, guests)))


def found(state: State, **wishes: object) -> State:
    """The state, improved."""
    improve(state, Wishes(**wishes), (), lambda: True)  # type: ignore[arg-type]
    return state


def moves(state: State) -> int:
    """Servers away from home."""
    return sum(1 for now, then in zip(state.at, state.problem.start, strict=True) if now != then)


def deviation(state: State) -> float:
    """The deviation of a state."""
    objective = Objective(state.problem)
    return objective.deviation(objective.taken(state))


def test_same_input_same_plan() -> None:
    assert found(piled_up(60)).at == found(piled_up(60)).at


def test_it_ends_more_even_and_with_nothing_broken() -> None:
    state = piled_up(60)
    before = deviation(state)
    found(state)
    assert deviation(state) < before / 4
    assert not state.violations()


def test_big_servers_move_rather_than_many() -> None:
    state = found(piled_up(60))
    sizes = Counter(state.problem.demand[i][0] for i, home in enumerate(state.problem.start) if state.at[i] != home)
    assert sizes[2.0] > sizes[0.25]


def test_what_is_even_stays() -> None:
    state = found(piled_up(60))
    again = State(formulate_again(state))
    assert moves(found(again)) == 0


def formulate_again(state: State) -> object:
    """The problem as it is once the plan is done."""
    problem = state.problem
    servers = list(problem.fleet.servers.values())
    guests = [guest(item, problem.nodes[state.at[i]]) for i, item in enumerate(servers)]
    return formulate(problem.fleet, observed(list(problem.observed.nodes.values()), guests))


@pytest.mark.parametrize("most", [0, 1, 3, 7])
def test_no_more_move_than_may(most: int) -> None:
    state = found(piled_up(60), most=most)
    assert moves(state) == most


def test_a_higher_price_means_fewer_moves() -> None:
    assert 0 < moves(found(piled_up(60), price=0.02)) < moves(found(piled_up(60), price=0.005))


def test_a_target_takes_no_more_moves_than_it_needs() -> None:
    state = found(piled_up(60), until=0.3)
    assert deviation(state) <= 0.3
    assert moves(state) < moves(found(piled_up(60), until=0.1))


def test_ignored_servers_stay() -> None:
    state = piled_up(20)
    improve(state, Wishes(), range(20), lambda: True)
    assert not moves(state)


def test_out_of_time_still_gives_what_the_descent_found() -> None:
    state = piled_up(60)
    before = deviation(state)
    improve(state, Wishes(effort=0.0), (), lambda: False)
    assert deviation(state) < before / 2


def test_full_nodes_change_places() -> None:
    state = found(full_nodes_that_would_change_places())
    assert deviation(state) == pytest.approx(0.0)
    assert moves(state) == 2


def test_those_tied_together_move_together_and_those_apart_stay_apart() -> None:
    rules = (together("s000", "s001"), apart(*(f"s{number:03}" for number in range(2, 6))))
    state = piled_up(60, rules=rules)
    before = state.violations()
    found(state)
    assert state.violations() <= before
    assert (state.at[0] == state.at[1]) == (state.problem.start[0] == state.problem.start[1])


def test_a_replica_is_a_cheap_place_to_go() -> None:
    state = piled_up(24, failover=Failover(mode="auto"), replication=Replication("interval", 60))
    for i in range(24):
        state.assign_backup(i, 2)
    found(state)
    arrived = Counter(j for i, j in enumerate(state.at) if j != state.problem.start[i])
    assert arrived[2] > arrived[3]


def test_what_survives_keeps_surviving() -> None:
    state = piled_up(60, failover=Failover(mode="auto"))
    for i in range(60):
        state.assign_backup(i, 3)
    state.protect()
    assert state.protected
    found(state)
    assert all(state.survivable(loss) for loss in state.protected)


def test_reasons_are_told_of_the_way_taken() -> None:
    assert recount(piled_up(4), [], {}) == {}


def full_nodes_that_would_change_places(*rules: Rule) -> State:
    """Two full nodes, one with all that compute, the other with all that do not."""
    hungry, idle = Size(3, 1024, 128), Size(0.5, 1024, 128)
    servers = [server(f"h{number}", size=hungry) for number in range(2)]
    servers += [server(f"i{number}", size=idle) for number in range(2)]
    guests = [guest(item, "n1" if item.name.startswith("h") else "n2") for item in servers]
    places = [seen("n1", memory=2048), seen("n2", memory=2048)]
    return State(formulate(fleet([node("n1"), node("n2")], servers, rules), observed(places, guests)))


def test_nobody_changes_places_against_a_rule() -> None:
    state = found(full_nodes_that_would_change_places(*(apart(h, i) for h in ("h0", "h1") for i in ("i0", "i1"))))
    assert not moves(state)
    assert not state.violations()


def test_a_trifle_is_not_worth_a_plan() -> None:
    servers = [server(f"s{number:02}") for number in range(40)]
    odd = server("odd", size=Size(0.7, 64, 64))
    # The nodes differ for good; the odd one evens out a little less than a tenth of it.
    places = [seen("n1", cores=64, memory=65536, disk=65536), seen("n2", cores=32, memory=32768, disk=32768)]
    guests = [guest(item, "n1" if number < 30 else "n2") for number, item in enumerate(servers)]
    seen_now = observed(places, [*guests, guest(odd, "n1")])
    problem = formulate(fleet([node("n1"), node("n2")], [*servers, odd]), seen_now)
    free, asked = State(problem), State(problem)
    pinned = range(1, 41)  # by name the odd one is first
    improve(free, Wishes(), pinned, lambda: True)
    improve(asked, Wishes(price=1e-5), pinned, lambda: True)
    assert (moves(free), moves(asked)) == (0, 1)


def test_whoever_goes_to_its_replica_leaves_one_behind() -> None:
    state = piled_up(4, failover=Failover(mode="auto"), replication=Replication("interval", 60))
    for i in range(4):
        state.assign_backup(i, 3)
    board = Board(state, Objective(state.problem))
    assert board.go(0, 3)
    assert state.backup[0] == state.problem.start[0]
    assert board.go(0, state.problem.start[0])
    assert state.backup[0] == 3


def test_whoever_has_left_home_already_goes_where_it_is_evenest() -> None:
    servers = [server(f"s{number}", size=SMALL) for number in range(6)]
    guests = [guest(item, "n1" if item.name in ("s0", "s1") else "n2") for item in servers]
    names = ("n1", "n2", "n3")
    state = State(
        formulate(fleet([node(name) for name in names], servers), observed([seen(name) for name in names], guests))
    )
    state.move(0, 1)
    assert found(state, price=10.0, effort=0.0).at == [2, 0, 1, 1, 1, 1]


def test_a_crowded_fleet_is_evened_out_over_the_one_node_with_room() -> None:
    chance = random.Random(2)
    servers, guests = [], []
    for number in range(10):
        left = 124 if number < 9 else 62
        while left >= 2:
            size = min(left, chance.choice((2, 4, 8, 16)))
            item = server(f"s{len(servers):03}", size=Size(size / 4, size * 512, 64))
            servers.append(item)
            guests.append(guest(item, f"n{number}"))
            left -= size
    names = [f"n{number}" for number in range(10)]
    places = [seen(name, cores=64, memory=65536, disk=65536) for name in names]
    state = found(State(formulate(fleet([node(name) for name in names], servers), observed(places, guests))))
    assert deviation(state) < 0.05
    assert not state.violations()


@pytest.mark.parametrize("until", [0.4, 0.2, 0.1])
def test_nobody_moves_whom_a_target_does_not_need(until: float) -> None:
    state = found(piled_up(60, seed=3), until=until)
    assert deviation(state) <= until
    for i, home in enumerate(state.problem.start):
        now = state.at[i]
        if now != home:
            state.move(i, home)
            assert deviation(state) > until
            state.move(i, now)


def test_so_many_moves_bring_more_than_where_the_price_alone_stops_them() -> None:
    few = found(piled_up(60), price=0.05)
    assert deviation(found(piled_up(60), most=moves(few))) <= deviation(few)


def test_of_two_placements_as_even_the_one_with_the_emptier_fullest_node_is_better() -> None:
    one = Score(violations=0, gaps=0, balance=0.1, worst=0.7)
    assert better(one, replace(one, worst=0.8))
    assert better(replace(one, balance=0.09, worst=0.9), one)


def test_somebody_takes_the_place_of_somebody_who_goes_home() -> None:
    servers = [server("a", size=BIG), server("b", size=SMALL)]
    names = ["n1", "n2", "n3"]
    guests = [guest(servers[0], "n1"), guest(servers[1], "n2")]
    state = State(formulate(fleet(map(node, names), servers), observed(map(seen, names), guests)))
    board = Board(state, Objective(state.problem))
    assert board.go(0, 2)
    back, out = board.weights
    rest = [more - less for more, less in zip(out, back, strict=True)]
    expected = Evenness(board).deviation_after(((0, back), (1, [-amount for amount in out]), (2, rest)))
    assert board.relieve(0, 1)
    assert board.at == [0, 2]
    assert board.deviation() == pytest.approx(expected)


def test_nobody_leaves_for_somebody_who_cannot_come() -> None:
    servers = [server("a", size=SMALL), server("b", size=Size(2, 8192, 1024))]
    guests = [guest(servers[0], "n1"), guest(servers[1], "n2")]
    places = [seen("n1"), seen("n2"), seen("n3", memory=4096)]
    state = State(formulate(fleet(map(node, ["n1", "n2", "n3"]), servers), observed(places, guests)))
    board = Board(state, Objective(state.problem))
    assert board.go(0, 2)
    before = board.deviation()
    assert not board.relieve(0, 1)
    assert board.at == [2, 1]
    assert state.at == [2, 1]
    assert board.deviation() == pytest.approx(before)


def test_one_that_was_sent_to_its_replica_may_go_home_again() -> None:
    state = piled_up(12, failover=Failover(mode="auto"), replication=Replication("interval", 60))
    for i in range(len(state.at)):
        state.assign_backup(i, 2 + i % 2)
    # As a repair does, before it is asked what is even.
    state.move(0, state.backup[0], state.problem.start[0])
    board = Board(state, Objective(state.problem))
    assert board.items[0].shelter == state.at[0]
    assert board.go(0, board.items[0].home)
    assert state.backup[0] == board.items[0].shelter
    Steepest(board).run(0.0, len(state.at))
    assert all(b != j for j, b in zip(state.at, state.backup, strict=True))
