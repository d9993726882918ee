# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drain, migrate and dedicate on random fleets, carried out in random order: nothing is ever too full or misplaced."""

from __future__ import annotations

import random

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.dedicate import dedicate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.drain import drain
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.migrate import migrate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import (
    DedicateOptions,
    DrainOptions,
    MigrateOptions,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Failover,
    Fleet,
    Observed,
    Plan,
    Replication,
    Size,
)
from fleets import apart, fleet, guest, node, observed, seen, server, together

MEMORY = 8192
NODES = [f"n{number}" for number in range(5)]


def some_fleet(chance: random.Random) -> tuple[Fleet, Observed]:
    """Five nodes in racks, servers placed so that no limit and no rule is broken."""
    nodes = [node(name, failure_domain=chance.choice(("", "r1", "r2")), concurrency=2) for name in NODES]
    racks = {item.name: item.domain for item in nodes}
    names = [f"s{number:02}" for number in range(chance.randint(6, 22))]
    protected = chance.random() < 0.5
    facts = {"failover": Failover(mode="auto"), "replication": Replication("interval", 60)} if protected else {}
    rules = [
        apart(*chance.sample(names, 3), over=chance.choice(("node", "failure_domain")))
        for _rule in range(chance.randint(0, 3))
    ]
    pair = chance.sample(names, 2)
    rules += [together(*pair)] if chance.random() < 0.4 else []
    where: dict[str, str] = {}
    servers = []
    for name in names:
        size = Size(0.1, chance.choice((256, 512, 1024, 2048, 3072)), 64)
        places = [
            place
            for place in NODES
            if size.memory + sum(s.size.memory for s in servers if where[s.name] == place) <= MEMORY
            and not any(
                rule.kind == "apart"
                and name in rule.subjects
                and any(
                    other in where
                    and (where[other] == place if rule.over == "node" else racks[where[other]] == racks[place])
                    for other in rule.subjects
                )
                for rule in rules
            )
        ]
        if name in pair and len(rules) and rules[-1].kind == "together":
            mate = next(other for other in pair if other != name)
            places = [place for place in places if where.get(mate, place) == place]
        if places:
            where[name] = chance.choice(places)
            servers.append(server(name, size=size, node=where[name] if chance.random() < 0.03 else "", **facts))
    kept = {item.name for item in servers}
    rules = [rule for rule in rules if rule.subjects <= kept]
    guests = [guest(item, where[item.name]) for item in servers]
    if protected:
        guests += [
            guest(item, chance.choice([n for n in NODES if n != where[item.name]]), role="replica", state="stopped")
            for item in servers
        ]
    there = [seen(name, cores=100, memory=MEMORY, disk=10**6) for name in NODES]
    return fleet(nodes, servers, rules), observed(there, guests)


def broken(plan_fleet: Fleet, where: dict[str, set[str]]) -> str:
    """What is too full or misplaced, with servers under way on both nodes; empty: nothing."""
    for name in NODES:
        taken = sum(plan_fleet.servers[s].size.memory for s, places in where.items() if name in places)
        if taken > MEMORY:
            return f"{name} has promised {taken} MiB"
    for server_name, places in where.items():
        if plan_fleet.servers[server_name].node not in ("", *places):
            return f"{server_name} is pinned elsewhere"
    for rule in plan_fleet.rules:
        if rule.kind == "apart":
            taken_by: dict[str, str] = {}
            for name in sorted(rule.subjects):
                for place in {
                    place if rule.over == "node" else plan_fleet.nodes[place].domain for place in where[name]
                }:
                    if place in taken_by:
                        return f"{name} and {taken_by[place]} are both in {place}"
                    taken_by[place] = name
    return ""


def carry_out(plan_fleet: Fleet, now: Observed, plan: Plan, chance: random.Random) -> dict[str, str]:
    """Start and end steps in a random order their needs allow; where everything is then."""
    where = {g.name: {g.node} for g in now.servers if g.role == "primary"}
    waiting, running, done = list(plan.steps), [], set()
    while waiting or running:
        ready = [step for step in waiting if done.issuperset(step.needs)]
        if ready and (not running or chance.random() < 0.6):
            step = chance.choice(ready)
            waiting.remove(step)
            running.append(step)
            if step.action == "move":
                assert where[step.server] == {step.source}
                where[step.server].add(step.node)
        else:
            step = running.pop(chance.randrange(len(running)))
            done.add(step.id)
            if step.action == "move":
                where[step.server] = {step.node}
        assert not broken(plan_fleet, where), step.id
    for rule in plan_fleet.rules:
        if rule.kind == "together":
            assert len({next(iter(where[name])) for name in rule.subjects}) == 1
    return {name: next(iter(places)) for name, places in where.items()}


@pytest.mark.parametrize("seed", range(30))
def test_every_step_keeps_every_limit_and_the_goal_is_reached(seed: int) -> None:
    chance = random.Random(seed)
    what, now = some_fleet(chance)
    names = sorted(what.servers)
    chosen = tuple(chance.sample(names, 2))
    plans = {
        "drain": drain(what, now, DrainOptions(("n0",))),
        "partial": drain(what, now, DrainOptions(("n0", "n1"), partial=True)),
        "migrate": migrate(what, now, MigrateOptions(chosen, "n1")),
        "best": migrate(what, now, MigrateOptions(chosen)),
        "dedicate": dedicate(what, now, DedicateOptions("n2", chosen)),
    }
    assert plans["drain"] == drain(what, now, DrainOptions(("n0",)))
    start = {g.name: g.node for g in now.servers if g.role == "primary"}
    for goal, plan in plans.items():
        if plan.refusals:
            assert goal != "partial"
            assert not plan.steps
            assert plan.placement == start
            continue
        for _again in range(3):
            end = carry_out(what, now, plan, chance)
            assert end == plan.placement
        held = {(proof.lost, proof.over) for proof in plan.survival_before if proof.holds}
        kept = {(proof.lost, proof.over) for proof in plan.survival_after if proof.holds}
        if goal not in ("drain", "partial"):
            assert not (held - kept) & {(proof.lost, proof.over) for proof in plan.survival_after}
        if goal == "drain":
            assert "n0" not in end.values()
        if goal == "migrate":
            assert {end[name] for name in chosen} == {"n1"}
        if goal == "best":
            assert all(end[name] != start[name] for name in chosen)
        if goal == "dedicate":
            assert set(chosen) <= {name for name, place in end.items() if place == "n2"}
            assert {name for name, place in end.items() if place == "n2"} <= set(chosen) | {
                name for rule in what.rules if rule.kind == "together" for name in rule.subjects
            }
