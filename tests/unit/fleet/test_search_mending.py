# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What could not be survived is made survivable where one move does it, and no more is moved than that takes."""

from __future__ import annotations

import random

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.backups import choose_backups
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Failover, Replication, Size
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.mending import Mending
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.problem import formulate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.state import State
from fleets import apart, fleet, guest, node, observed, seen, server

SAFE = {"failover": Failover("auto"), "replication": Replication("interval", 60)}


def crowded(chance: random.Random) -> State:
    """Four nodes whose servers have replicas anywhere, more than there is room for in some losses."""
    nodes = [node(f"n{number}", failure_domain=chance.choice(("", "r1"))) for number in range(4)]
    servers = [
        server(f"s{number:02}", size=Size(0.5, chance.choice((512, 1024, 2048)), 64), **SAFE) for number in range(12)
    ]
    guests = []
    for one in servers:
        home, backup = chance.sample(nodes, 2)
        guests += [guest(one, home.name), guest(one, backup.name, role="replica", state="stopped")]
    rules = [apart(*chance.sample([one.name for one in servers], 2))]
    memory = chance.choice((5120, 6144, 8192))
    state = State(
        formulate(fleet(nodes, servers, rules), observed([seen(n.name, memory=memory) for n in nodes], guests))
    )
    choose_backups(state)
    state.protect()
    return state


def broken(state: State) -> int:
    return len(state.broken(range(len(state.problem.losses))))


def one_move_helps(state: State) -> bool:
    """Whether some single move leaves fewer losses open and brings nobody elsewhere into trouble."""
    everywhere = range(len(state.load))
    before, lacking = broken(state), state.lacking(everywhere)
    for i in range(len(state.at)):
        for j in everywhere:
            home, backup = state.at[i], state.backup[i]
            if j != home and state.fits(i, j):
                state.move(i, j)
                helps = broken(state) < before and state.lacking(everywhere) < lacking
                state.move(i, home, backup)
                if helps:
                    return True
    return False


@pytest.mark.parametrize("seed", range(200))
def test_where_one_move_helps_fewer_losses_are_left_open(seed: int) -> None:
    state = crowded(random.Random(seed))
    before, violations, held = broken(state), state.violations(), state.protected
    helps = one_move_helps(state)
    Mending(state).run(len(state.at))
    assert broken(state) <= before
    assert state.violations() <= violations
    assert held <= state.protected, "what could be survived still can"
    if helps:
        assert broken(state) < before


@pytest.mark.parametrize("seed", range(40))
def test_nobody_moves_where_everything_can_be_survived(seed: int) -> None:
    state = crowded(random.Random(seed))
    healthy = not broken(state)
    start = list(state.at)
    mending = Mending(state)
    mending.run(len(state.at))
    if healthy:
        assert state.at == start
    assert set(mending.because) == {i for i, home in enumerate(start) if state.at[i] != home}


def test_the_fleets_of_these_tests_are_worth_asking() -> None:
    states = [crowded(random.Random(seed)) for seed in range(200)]
    assert sum(1 for state in states if broken(state) and one_move_helps(state)) >= 40
    assert sum(1 for state in states if not broken(state)) >= 5


def test_no_more_are_moved_than_asked_for_and_ignored_servers_stay() -> None:
    state = crowded(random.Random(3))
    Mending(state).run(0)
    assert state.at == list(state.problem.start)
    Mending(state, ignored=range(12)).run(12)
    assert state.at == list(state.problem.start)
