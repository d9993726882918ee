# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer moves found near those there are: as even as asked for, and nothing that may not be."""

from __future__ import annotations

import random

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.balance import balance
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import BalanceOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Abilities, Size
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search import fewest, nearby
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.board import Board
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.objective import Objective
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.problem import formulate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.state import State
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.steepest import Steepest
from fleets import apart, crowded, fleet, guest, node, observed, seen, server
from naive import objections

pytest.importorskip("highspy")
UNTIL = 0.15


def reached(seed: int, *, pinned: int = 0, rules: int = 0) -> Board:
    """A board more even than asked for: servers of four sizes were on the first half of the nodes, and have left by
    descent alone. Some may not leave, and pairs of some are kept apart, and were."""
    chance, names = random.Random(seed), [f"n{number}" for number in range(8)]
    servers, guests = [], []
    for number in range(96):
        size, home = Size(chance.choice((1, 2)), chance.choice((1024, 2048)), 64), chance.choice(names[:4])
        servers.append(server(f"s{number:02}", size=size, node=home if number < pinned else ""))
        guests.append(guest(servers[-1], home))
    homes = {each.name: each.node for each in guests}
    pairs = [(f"s{number:02}", f"s{95 - number}") for number in range(2 * rules)]
    kept = [apart(*pair) for pair in pairs if homes[pair[0]] != homes[pair[1]]]
    assert len(kept) >= rules
    places = [seen(name, cores=64, memory=65536, disk=65536) for name in names]
    there = observed(places, guests, abilities=Abilities(shared_pools=frozenset({"default"})))
    state = State(formulate(fleet([node(name) for name in names], servers, kept), there))
    board = Board(state, Objective(state.problem))
    Steepest(board).run(0.0, len(state.at), UNTIL / 2)
    assert board.deviation() < UNTIL
    return board


@pytest.mark.parametrize(("pinned", "rules"), [(0, 0), (3, 0), (0, 6), (2, 4)])
def test_it_takes_fewer_moves_and_breaks_nothing(pinned: int, rules: int) -> None:
    fewer = 0
    for seed in range(1, 5):
        board = reached(seed, pinned=pinned, rules=rules)
        before = board.moved()
        nearby.reduce(board, UNTIL, lambda: True)
        assert board.deviation() <= UNTIL + 1e-9
        assert board.moved() <= before
        assert not board.state.violations()
        fewer += board.moved() < before
    assert fewer


def test_what_is_not_even_enough_is_left_alone() -> None:
    board = reached(1)
    places = list(board.at)
    nearby.reduce(board, board.deviation() / 2, lambda: True)
    assert board.at == places


def test_without_time_everything_stays() -> None:
    board = reached(1)
    places = list(board.at)
    nearby.reduce(board, UNTIL, lambda: False)
    assert board.at == places


def test_a_plan_made_so_is_one_nobody_objects_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a fleet too large for all patterns."""
    monkeypatch.setattr(fewest, "MOST_CELLS", 0)
    crowd, there = crowded(2)
    plan = balance(crowd, there, BalanceOptions(target=UNTIL))
    assert plan.score_after is not None
    assert plan.score_after.balance <= UNTIL
    wrong = objections(crowd, there, plan, states=50, walks=2)
    assert not wrong, "\n".join(wrong)
