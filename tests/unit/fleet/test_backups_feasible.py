# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On fleets so small that every choice of backups can be tried: where one lets everything survive, one is found."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.backups import choose_backups
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Failover,
    Fleet,
    Observed,
    Replication,
    Rule,
    Size,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.problem import formulate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.state import State
from fleets import apart, fleet, guest, node, observed, seen, server, together

NODES = 4
SERVERS = 7


def some_fleet(chance: random.Random) -> tuple[Fleet, Observed]:
    """Four nodes, perhaps in racks, half full; seven servers of three sizes, perhaps with rules among them."""
    racks = chance.choice((("", "", "", ""), ("a", "a", "b", "b"), ("a", "a", "b", "c")))
    nodes = [node(f"n{number}", failure_domain=rack) for number, rack in enumerate(racks)]
    servers = [
        server(
            f"s{number}",
            size=Size(1, chance.choice((1, 2, 3)) * 1024, chance.choice((1, 2)) * 1024),
            failover=Failover("auto"),
            replication=chance.choice((Replication(), Replication("interval", 300))),
            dedicated=chance.random() < 0.05,
        )
        for number in range(SERVERS)
    ]
    names = [item.name for item in servers]
    home = {name: chance.randrange(NODES) for name in names}
    rules = []
    for _rule in range(chance.randrange(3)):
        pair = chance.sample(names, 2)
        if home[pair[0]] != home[pair[1]]:
            rules.append(apart(*pair))
    alike = [pair for pair in itertools.combinations(names, 2) if home[pair[0]] == home[pair[1]]]
    if alike and chance.random() < 0.3:
        rules.append(together(*chance.choice(alike)))
    memory = chance.choice((6, 8, 10)) * 1024
    answering = [seen(item.name, memory=memory, disk=chance.choice((6, 8, 12)) * 1024) for item in nodes]
    return fleet(nodes, servers, rules), observed(answering, [guest(item, f"n{home[item.name]}") for item in servers])


def survives(wanted: Fleet, seen_there: Observed, backup: Mapping[str, str]) -> bool:
    """Whether every node and every rack may die, counted from nothing."""
    home = {guest.name: guest.node for guest in seen_there.servers}
    for name in wanted.nodes:
        disk = sum(wanted.servers[one].size.disk for one, where in home.items() if where == name)
        disk += sum(
            wanted.servers[one].size.disk
            for one, where in backup.items()
            if where == name and wanted.servers[one].replication.mode != "none"
        )
        if disk > seen_there.nodes[name].capacity.pools["default"]:
            return False
    racks: dict[str, set[str]] = {name: {name} for name in wanted.nodes}
    for name, its in wanted.nodes.items():
        racks.setdefault(f"rack {its.domain}", set()).add(name)
    return all(stands(wanted, seen_there, home, backup, dead) for dead in racks.values())


def stands(
    wanted: Fleet, seen_there: Observed, home: Mapping[str, str], backup: Mapping[str, str], dead: set[str]
) -> bool:
    """Whether, with these nodes dead, everything runs, with room, and as the rules want it."""
    where = {name: backup[name] if node in dead else node for name, node in home.items()}
    came = {name for name, node in home.items() if node in dead}
    if any(where[name] in dead for name in came):
        return False
    for node_name in {where[name] for name in came}:
        here = [name for name, node in where.items() if node == node_name]
        if sum(wanted.servers[name].size.memory for name in here) > seen_there.nodes[node_name].capacity.memory:
            return False
        if sum(wanted.servers[name].size.cores for name in here) > seen_there.nodes[node_name].capacity.cores:
            return False
        if len(here) > 1 and any(wanted.servers[name].dedicated for name in here):
            return False
    return all(kept(rule, where) for rule in wanted.rules if rule.subjects & came)


def kept(rule: Rule, where: Mapping[str, str]) -> bool:
    """Whether a rule between two servers holds."""
    first, second = sorted(rule.subjects)
    return (where[first] == where[second]) == (rule.kind == "together")


def possible(wanted: Fleet, seen_there: Observed) -> bool:
    """Whether any choice of backups lets everything survive."""
    home = {guest.name: guest.node for guest in seen_there.servers}
    elsewhere = [
        [
            name
            for name in wanted.nodes
            if name != home[one]
            and (wanted.nodes[name].domain != wanted.nodes[home[one]].domain or not wanted.nodes[name].failure_domain)
        ]
        for one in wanted.servers
    ]
    return any(
        survives(wanted, seen_there, dict(zip(wanted.servers, choice, strict=True)))
        for choice in itertools.product(*elsewhere)
    )


IN_ANOTHER_ORDER = (137, 338, 420)
"""Where the first order in which the servers choose leads nowhere."""


@pytest.mark.parametrize("seed", [*range(60), *IN_ANOTHER_ORDER])
def test_what_can_survive_does(seed: int) -> None:
    wanted, there = some_fleet(random.Random(seed))
    state = State(formulate(wanted, there))
    choose_backups(state)
    problem = state.problem
    backup = {name: problem.nodes[b] for name, b in zip(problem.servers, state.backup, strict=True) if b >= 0}
    found = len(backup) == len(home_of(there)) and survives(wanted, there, backup)
    assert found == possible(wanted, there)


def home_of(there: Observed) -> dict[str, str]:
    """Server -> its node."""
    return {guest.name: guest.node for guest in there.servers}
