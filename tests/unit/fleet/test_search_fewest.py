# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fewest moves to a balance: as few as there can be, and nothing forbidden for it."""

from __future__ import annotations

import random
import sys
from itertools import product

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.balance import balance
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import BalanceOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Abilities, Rule, Size
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search import fewest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.board import Board
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.objective import Objective
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.problem import formulate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.state import State
from fleets import apart, crowded, fleet, guest, node, observed, seen, server

SHARED = Abilities(shared_pools=frozenset({"default"}))
NODES = ("n0", "n1", "n2")
BIG, SMALL = Size(4, 8192, 1024), Size(4, 2048, 1024)


def board(seed: int, rules: tuple[Rule, ...] = ()) -> Board:
    """Eight servers of two sizes on two nodes of three that all reach their disks."""
    chance = random.Random(seed)
    servers = [server(f"s{number}", size=chance.choice((BIG, SMALL))) for number in range(8)]
    guests = [guest(item, chance.choice(NODES[:2])) for item in servers]
    places = [seen(name, cores=32, memory=65536, disk=65536) for name in NODES]
    there = observed(places, guests, abilities=SHARED)
    state = State(formulate(fleet([node(name) for name in NODES], servers, rules), there))
    return Board(state, Objective(state.problem))


def least(there: Board, until: float) -> int | None:
    """The fewest moves of all placements that are even enough and break no rule."""
    homes, found = list(there.at), []
    for places in product(range(len(NODES)), repeat=len(there.items)):
        there.restore(places)
        if there.deviation() <= until and not there.state.violations():
            found.append(there.moved())
    there.restore(homes)
    return min(found, default=None)


def test_no_placement_gets_there_with_fewer_moves() -> None:
    pytest.importorskip("highspy")
    reached = 0
    for seed in range(1, 7):
        there, until = board(seed), 0.2 if seed % 2 else 0.12
        needed, homes = least(there, until), list(there.at)
        if fewest.reach(there, until, len(homes), lambda: True):
            assert there.deviation() <= until
            assert there.moved() == needed
            reached += 1
        else:
            assert there.at == homes
    assert reached >= 4


def test_no_fewer_are_found_by_annealing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cores and memory each have a low of their own: which of them is made even is not to be chance."""
    pytest.importorskip("highspy")
    for seed in range(1, 4):
        crowd, there = crowded(seed)
        moved = {}
        for able in (True, False):
            with monkeypatch.context() as patch:
                patch.setattr(fewest, "available", lambda able=able: able)
                plan = balance(crowd, there, BalanceOptions(target=0.1))
            assert plan.score_after is not None
            assert plan.score_after.balance <= 0.1
            moved[able] = len({step.server for step in plan.steps if step.action == "move"})
        assert moved[True] <= moved[False]


def test_servers_that_must_be_apart_are() -> None:
    pytest.importorskip("highspy")
    loose = board(4)
    one = next(name for name, j in zip(loose.problem.servers, loose.at, strict=True) if j == 0)
    two = next(name for name, j in zip(loose.problem.servers, loose.at, strict=True) if j == 1)
    there = board(4, (apart(one, two),))
    needed = least(there, 0.2)
    assert fewest.reach(there, 0.2, 8, lambda: True)
    assert not there.state.violations()
    assert there.moved() == needed


def test_without_the_libraries_a_plan_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "highspy", None)
    problem = board(1).problem
    plan = balance(problem.fleet, problem.observed, BalanceOptions(target=0.2))
    assert plan.steps
    assert any("highspy" in note for note in plan.notes)
