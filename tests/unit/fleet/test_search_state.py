# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner's scratch pad: whatever is begun, finished and undone on it, its sums are those of a fresh one."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Failover, Replication, Size
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.problem import Problem, formulate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.state import NOWHERE, State
from fleets import apart, fleet, guest, node, observed, seen, server

SURVIVES = Failover(mode="auto")
EVERY_HOUR = Replication("interval", 3600)


def some_problem(chance: random.Random) -> Problem:
    """A few nodes in a few racks, servers of three sizes, some of which fail over, rules among them."""
    nodes = [node(f"n{number}", failure_domain=chance.choice(("", "r1", "r2"))) for number in range(5)]
    servers = [
        server(
            f"s{number:02}",
            size=Size(chance.choice((0.5, 1, 2)), chance.choice((256, 512, 1024)), 512),
            failover=chance.choice((Failover(), SURVIVES)),
            replication=chance.choice((Replication(), EVERY_HOUR)),
        )
        for number in range(14)
    ]
    names = [item.name for item in servers]
    rules = [apart(*chance.sample(names, 3), over=chance.choice(("node", "failure_domain"))) for _rule in range(3)]
    guests = [guest(item, chance.choice(nodes).name) for item in servers]
    problem = formulate(fleet(nodes, servers, rules), observed([seen(item.name) for item in nodes], guests))
    backup = tuple(chance.choice([b for b in (NOWHERE, *range(5)) if b != home]) for home in problem.start)
    return replace(problem, backup=backup)


def sums(state: State) -> object:
    """Everything a state adds up, without what has become zero."""
    losses = range(len(state.problem.losses))
    return (
        [[round(value, 6) for value in load] for load in state.load],
        [sorted(here) for here in state.here],
        [[tuple(round(value, 6) for value in state.spill(b, loss)) for loss in losses] for b in range(5)],
        [state.survivable(loss) for loss in losses],
        [len(state.stranded(loss)) for loss in losses],
        state.gaps(),
        [state.misplaced(i) for i in range(len(state.at))],
        state.violations(),
    )


def fresh(state: State) -> State:
    """The same assignment, counted from nothing."""
    return State(replace(state.problem, start=tuple(state.at), backup=tuple(state.backup)))


@pytest.mark.parametrize("seed", range(100))
def test_sums_stay_true(seed: int) -> None:
    chance = random.Random(seed)
    state = State(some_problem(chance))
    for _step in range(40):
        i, j = chance.randrange(14), chance.randrange(5)
        if i in state.going:
            chance.choice((state.finish, state.cancel))(i)
        elif j != state.at[i] and chance.random() < 0.8:
            others = [b for b in (NOWHERE, *range(5)) if b != j]
            state.begin(i, j, chance.choice((None, None, chance.choice(others))))
        else:
            state.assign_backup(i, chance.choice([b for b in (NOWHERE, *range(5)) if b != state.at[i]]))
    for i in list(state.going):
        state.finish(i)
    assert sums(state) == sums(fresh(state))


@pytest.mark.parametrize("seed", range(100))
def test_what_is_protected_survives_every_move_that_fits(seed: int) -> None:
    chance = random.Random(seed)
    state = State(some_problem(chance))
    for i in range(14):
        state.assign_backup(i, chance.choice([b for b in range(5) if b != state.at[i]]))
    state.protect()
    before = state.violations()
    moves = 0
    for _step in range(200):
        i, j = chance.randrange(14), chance.randrange(5)
        if i in state.going:
            state.finish(i)
        elif j != state.at[i] and state.fits(i, j):
            state.begin(i, j)
            moves += 1
        assert all(state.survivable(loss) for loss in state.protected)
    for i in list(state.going):
        state.finish(i)
    checked = fresh(state)
    assert all(checked.survivable(loss) for loss in state.protected)
    assert checked.violations() <= before


@pytest.mark.parametrize("seed", range(20))
def test_a_copy_goes_its_own_way(seed: int) -> None:
    chance = random.Random(seed)
    state = State(some_problem(chance))
    state.protect()
    twin, before = state.copy(), sums(state)
    assert sums(twin) == before
    for _step in range(20):
        i = chance.randrange(14)
        if (j := chance.randrange(5)) != twin.at[i]:
            twin.move(i, j)
        twin.assign_backup(i, chance.choice([b for b in (NOWHERE, *range(5)) if b != twin.at[i]]))
    assert sums(state) == before
    assert sums(twin) == sums(fresh(twin))
    assert twin.protected == state.protected


def test_a_new_backup_needs_disk_for_the_replica() -> None:
    nodes = [node(name) for name in ("n1", "n2", "n3")]
    one = server("one", size=Size(1, 256, 512), failover=SURVIVES, replication=EVERY_HOUR)
    there = observed([seen("n1"), seen("n2"), seen("n3", disk=511)], [guest(one, "n1")])
    state = State(formulate(fleet(nodes, [one]), there))
    assert state.fits(0, 1, NOWHERE)
    assert state.fits(0, 1, 0), "what it leaves behind is its replica"
    assert not state.fits(0, 1, 2)
    state.assign_backup(0, 2)
    assert state.fits(0, 1, 2), "it is there already"
