# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers sent elsewhere: a way is found whenever one exists, held against every order of moves there is."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Observed, Size
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.problem import formulate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.relocate import Relocation
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.resettle import resettle
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.state import State
from fleets import apart, fleet, guest, node, observed, seen, server

NODES = ("n1", "n2", "n3")


@dataclass
class Tiny:
    """A fleet so small that every order of moves can be tried by the plainest means."""

    fleet: Fleet
    observed: Observed
    memory: dict[str, int]
    room: dict[str, int]
    pins: dict[str, str]
    apart: list[frozenset[str]]
    start: dict[str, str]

    def possible(self, where: dict[str, set[str]], name: str, to: str) -> bool:
        """Whether a move may begin: room there beside everybody, no pin, nobody there it is kept apart from."""
        if self.pins.get(name, to) != to:
            return False
        there = [other for other, places in where.items() if to in places and other != name]
        if sum(self.memory[other] for other in there) + self.memory[name] > self.room[to]:
            return False
        return not any(name in rule and other in rule for rule in self.apart for other in there)

    def fewest_left(self, drained: str) -> int:
        """How few servers can be left on a node, over all orders of moves."""
        names = sorted(self.start)
        first = tuple(self.start[name] for name in names)
        known, queue = {first}, [first]
        while queue:
            places = queue.pop()
            where = {name: {place} for name, place in zip(names, places, strict=True)}
            for at, to in itertools.product(range(len(names)), NODES):
                if to in (drained, places[at]) or not self.possible(where, names[at], to):
                    continue
                after = (*places[:at], to, *places[at + 1 :])
                if after not in known:
                    known.add(after)
                    queue.append(after)
        return min(places.count(drained) for places in known)


def some_fleet(seed: int) -> Tiny:
    """Three nodes, up to six servers, memory scarce, some pinned, some kept apart."""
    chance = random.Random(seed)
    count = chance.randint(3, 6)
    names = [f"s{number}" for number in range(count)]
    memory = {name: chance.choice((1, 2, 3, 4, 5)) * 512 for name in names}
    start: dict[str, str] = {}
    room = {name: chance.choice((6, 7, 8)) * 512 for name in NODES}
    for name in names:
        fitting = [
            n for n in NODES if sum(memory[o] for o, w in start.items() if w == n) + memory[name] <= room[n]
        ] or [NODES[0]]
        start[name] = chance.choice(fitting)
    for n in NODES:
        room[n] = max(room[n], sum(memory[o] for o, w in start.items() if w == n))
    pins = {name: start[name] for name in names if chance.random() < 0.1}
    pair = frozenset(chance.sample(names, 2))
    rules = [pair] if len({start[name] for name in pair}) == 2 and chance.random() < 0.6 else []
    servers = [server(n, size=Size(0.1, memory[n], 16), node=pins.get(n, "")) for n in names]
    return Tiny(
        fleet([node(n) for n in NODES], servers, [apart(*sorted(rule)) for rule in rules]),
        observed([seen(n, memory=room[n]) for n in NODES], [guest(s, start[s.name]) for s in servers]),
        memory,
        room,
        pins,
        rules,
        start,
    )


@pytest.mark.parametrize("seed", range(300))
def test_a_way_is_found_whenever_there_is_one(seed: int) -> None:
    tiny = some_fleet(seed)
    problem = formulate(tiny.fleet, tiny.observed)
    problem = replace(problem, closed=("is being drained", "", ""))
    state = State(problem)
    relocation = Relocation(state)
    leaving = [i for i, home in enumerate(problem.start) if home == 0]
    resettle(relocation, leaving)
    left = sum(1 for i in leaving if state.at[i] == 0)
    assert left == tiny.fewest_left("n1")
    where = {name: {place} for name, place in tiny.start.items()}
    for hop in relocation.hops:
        name, to = problem.servers[hop.i], problem.nodes[hop.to]
        assert where[name] == {problem.nodes[hop.source]}
        assert tiny.possible(where, name, to)
        where[name] = {to}
    assert {name: problem.nodes[state.at[i]] for name, i in problem.server_index.items()} == {
        name: next(iter(places)) for name, places in where.items()
    }
