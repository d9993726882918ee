# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves in order, at random: no interleaving goes wrong, and nothing possible is called impossible."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Failover,
    Replication,
    Size,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.schedule import waves
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.state import NOWHERE, State
from fleets import apart, node, server, together
from order_cases import EVERY_HOUR, SURVIVES, Case, of


def some_case(chance: random.Random) -> Case:
    """A few nodes, rather full, seven servers, rules, replicas, racks; some of that may be broken from the start."""
    count = chance.choice((3, 4, 4, 5))
    racks = chance.choice((("", ""), ("r1", "r2")))
    nodes = [
        node(f"n{j}", failure_domain=racks[j % 2] if racks[0] else "", concurrency=chance.choice((1, 2, 4)))
        for j in range(count)
    ]
    servers = [
        server(
            f"s{i}",
            size=Size(chance.choice((0.5, 1, 1.5)), chance.choice((10, 20, 30, 45)), chance.choice((10, 200)), 0),
            failover=chance.choice((Failover(), SURVIVES)),
            replication=chance.choice((Replication(), Replication(), EVERY_HOUR)),
            dedicated=chance.random() < 0.03,
        )
        for i in range(7)
    ]
    names = [item.name for item in servers]
    over = chance.choice(("node", "failure_domain"))
    rules = [apart(*chance.sample(names, chance.choice((2, 3))), over="node" if racks[0] else over)]
    if chance.random() < 0.4:
        rules.append(together(*chance.sample(names, 2)))
    if racks[0] and chance.random() < 0.3:
        rules.append(chance.choice((together, apart))(*chance.sample(names, 2), over="failure_domain"))
    homes = [chance.choice(nodes).name for _server in servers]
    backups = {
        name: chance.choice([item.name for item in nodes if item.name != home])
        for name, home in zip(names, homes, strict=True)
    }
    return Case(
        nodes,
        list(zip(servers, homes, strict=True)),
        rules,
        memory=chance.choice((60, 80, 100)),
        disk=chance.choice((600, 8192)),
        backups=backups if chance.random() < 0.6 else {},
    )


def some_target(chance: random.Random, case: Case) -> dict[str, str]:
    """New places for some servers, tied ones together, that break nothing once everything is there."""
    problem = case.problem
    for _attempt in range(200):
        start = list(problem.start)
        if chance.random() < 0.6:
            chance.shuffle(start)
        else:
            start = [chance.randrange(len(problem.nodes)) if chance.random() < 0.7 else j for j in start]
        for i, unit in enumerate(problem.units):
            start[i] = start[unit[0]]
        backup = [NOWHERE if b == j else b for b, j in zip(problem.backup, start, strict=True)]
        there = State(replace(problem, start=tuple(start), backup=tuple(backup)))
        if not there.violations():
            return {problem.servers[i]: problem.nodes[j] for i, j in enumerate(start)}
    return {}


@pytest.mark.parametrize("seed", range(400))
def test_no_interleaving_of_anything_goes_wrong(seed: int) -> None:
    chance = random.Random(seed)
    case = some_case(chance)
    target = some_target(chance, case)
    backups = {
        name: chance.choice([j for j in case.problem.nodes if j != node])
        for name, node in target.items()
        if chance.random() < 0.3 and case.problem.backup[case.problem.server_index[name]] != NOWHERE
    }
    ordering = case.to(backups=backups, **target)
    assert case.wrong() == []
    stays = {refusal.subject for refusal in ordering.impossible}
    assert not stays & {step.server for step in ordering.steps}
    assert max(waves(ordering.steps).values(), default=-1) + 1 == len(ordering.waves) >= ordering.bound


def crowd(chance: random.Random) -> Case:
    """Twelve nodes about 85 % full with some eighty servers of many sizes, a quarter of which fail over."""
    nodes = [node(f"n{j:02}", concurrency=chance.choice((1, 2, 4)), failure_domain=f"r{j % 4}") for j in range(12)]
    free = {item.name: chance.choice((85, 95, 60)) for item in nodes}
    pairs, backups = [], {}
    while len(pairs) < 80:
        size = chance.choice((4, 8, 12, 20))
        fitting = [name for name, room in free.items() if room >= size]
        if not fitting:
            break
        home = chance.choice(fitting)
        free[home] -= size
        fails_over = chance.random() < 0.25
        name = f"s{len(pairs):02}"
        pairs.append((server(name, size=of(size), failover=SURVIVES if fails_over else Failover()), home))
        backups[name] = chance.choice([item.name for item in nodes if item.name != home])
    names = [item.name for item, _home in pairs]
    rules = [apart(*chance.sample(names, 3)) for _rule in range(4)]
    return Case(nodes, pairs, rules, backups=backups)


@pytest.mark.parametrize("seed", range(12))
def test_a_crowd_on_the_move_always_finds_the_room_it_was_promised(seed: int) -> None:
    """Many moves, in random interleavings, each asked anew whether it may begin when its needs are done."""
    chance = random.Random(seed)
    case = crowd(chance)
    problem = case.problem
    there = State(problem)
    there.protect()
    names = list(problem.servers)
    broken = there.violations()
    for _try in range(150):
        pair = chance.sample(range(len(names)), 2)
        before = [(i, there.at[i], there.backup[i]) for i in pair]
        if before[0][1] != before[1][1]:
            for i, j in zip(pair, (before[1][1], before[0][1]), strict=True):
                there.move(i, j)
            if there.violations() > broken or not all(there.survivable(loss) for loss in there.protected):
                for undone in before:
                    there.move(*undone)
    ordering = case.to(**{name: problem.nodes[there.at[i]] for i, name in enumerate(names)})
    assert len(ordering.steps) > 20
    last = {step.server: step.id for step in ordering.steps}
    for _interleaving in range(10):
        state = State(problem)
        state.protect()
        done: set[str] = set()
        going: dict[str, int] = {}
        waiting = list(ordering.steps)
        while waiting or going:
            able = [step for step in waiting if done.issuperset(step.needs)]
            if able and (not going or chance.random() < 0.8):
                step = chance.choice(able)
                i, j = problem.server_index[step.server], problem.node_index[step.node]
                after = case.state.backup[i] if last[step.server] == step.id else None
                assert state.fits(i, j, after), f"{step.id} has to wait longer than its needs say"
                state.begin(i, j, after)
                going[step.id] = i
                waiting.remove(step)
            else:
                name = chance.choice(sorted(going))
                state.finish(going.pop(name))
                done.add(name)
            assert all(state.survivable(loss) for loss in state.protected)
        assert state.at == case.state.at


def test_the_same_question_has_the_same_answer():
    answers = set()
    for _time in range(2):
        case = crowd(random.Random(7))
        chance = random.Random(8)
        target = {name: f"n{chance.randrange(12):02}" for name in chance.sample(case.problem.servers, 40)}
        answers.add(repr(case.to(**target)))
    assert len(answers) == 1


def can_be_done(case: Case, target: Mapping[str, str], patience: int = 1000) -> bool | None:
    """Whether there is any way at all, with at most one detour for each, one move after another; None: too many."""
    problem = case.problem
    state = State(problem)
    state.protect()
    wanted = {problem.server_index[name]: problem.node_index[j] for name, j in target.items()}
    moving = {i: j for i, j in wanted.items() if problem.start[i] != j}
    backups = {i: state.backup_after(i, j) for i, j in moving.items()}
    groups = list(dict.fromkeys(tuple(i for i in problem.units[i] if i in moving) for i in moving))
    seen: set[object] = set()

    def together(group: Sequence[int], j: int, *, last: bool) -> bool:
        begun = []
        for i in group:
            after = backups[i] if last else state.backup_after(i, j)
            room = not problem.replicated[i] or after in (NOWHERE, state.at[i], state.backup[i])
            column = problem.disk[i]
            room = room or state.load[after][column] + problem.demand[i][column] <= problem.limit[after][column]
            if not room or not state.fits(i, j, after):
                for undone in reversed(begun):
                    state.cancel(undone)
                return False
            state.begin(i, j, after)
            begun.append(i)
        for i in begun:
            state.finish(i)
        return True

    def search(detoured: frozenset[int]) -> bool | None:
        if all(state.at[i] == j for i, j in moving.items()):
            return True
        here = (tuple(state.at), tuple(state.backup), detoured)
        if here in seen:
            return False
        seen.add(here)
        if len(seen) > patience:
            return None
        for number, group in enumerate(groups):
            home = moving[group[0]]
            if all(state.at[i] == home for i in group):
                continue
            for j in [home] if number in detoured else [home, *range(len(problem.nodes))]:
                before = [(i, state.at[i], state.backup[i]) for i in group if state.at[i] != j]
                if before and together([i for i, _at, _b in before], j, last=j == home):
                    found = search(detoured if j == home else detoured | {number})
                    if found or found is None:
                        return found
                    for undone in reversed(before):
                        state.move(*undone)
        return False

    return search(frozenset())


def test_nothing_is_called_impossible_that_is_possible():
    decided = 0
    for seed in range(70):
        chance = random.Random(seed)
        case = some_case(chance)
        target = some_target(chance, case)
        if case.to(**target).impossible:
            possible = can_be_done(case, target)
            assert not possible, f"seed {seed}"
            decided += possible is False
    assert decided > 20


def test_nine_hundred_moves_of_ten_thousand_servers_take_as_few_waves_as_can_be():
    chance = random.Random(1)
    nodes = [node(f"n{j:03}", concurrency=1) for j in range(256)]
    pairs = [(server(f"s{i:05}", size=of(10)), f"n{i % 160:03}") for i in range(10_000)]
    case = Case(nodes, pairs, memory=1000)
    target = {name: f"n{chance.randrange(160, 256):03}" for name in chance.sample(case.problem.servers, 900)}
    ordering = case.to(**target)
    assert len(ordering.steps) == 900
    assert len(ordering.waves) == ordering.bound
