# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a fleet is like and whatever is asked: the plan holds what it promises, and a refusal says why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.explain import plan_text
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import (
    BalanceOptions,
    CapacityOptions,
    DedicateOptions,
    DrainOptions,
    FailoverOptions,
    MigrateOptions,
    UndrainOptions,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.registry import GOALS
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Plan
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.objective import better
from conflicts import smallest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from naive import objections
from random_fleets import Situation, carried_out, situations

SETTINGS = settings(
    deadline=None,
    max_examples=40,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),  # a fleet shrunk to nothing takes longer than reading the plan
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def planned(goal: str, situation: Situation, options: Any, dead: Iterable[str] = ()) -> Plan:
    """The plan, which is the same a second time and to which nobody objects."""
    fleet, observed = situation
    plan = GOALS[goal].plan(fleet, observed, options)
    assert plan == GOALS[goal].plan(fleet, observed, options)
    wrong = objections(fleet, observed, plan, dead=dead, states=120, walks=3)
    assert not wrong, "\n".join([*wrong, "", plan_text(fleet, plan)])
    return plan


def some_of(names: Iterable[str], most: int = 3) -> st.SearchStrategy[tuple[str, ...]]:
    """A few names."""
    known = sorted(names)
    return st.lists(st.sampled_from(known), min_size=1, max_size=most, unique=True).map(tuple) if known else st.just(())


@SETTINGS
@given(situations(), st.sampled_from([BalanceOptions(time_limit=0), BalanceOptions(time_limit=0, max_moves=2)]))
def test_balance(situation: Situation, options: BalanceOptions) -> None:
    plan = planned("balance", situation, options)
    if plan.score_before and plan.score_after:
        before, after = plan.score_before, plan.score_after
        assert (after.violations, after.gaps) <= (before.violations, before.gaps)
        assert not plan.steps or better(after, before)


@SETTINGS
@given(situations())
def test_a_second_balance_moves_nothing(situation: Situation) -> None:
    fleet, observed = situation
    options = BalanceOptions(time_limit=0)
    first = GOALS["balance"].plan(fleet, observed, options)
    second = GOALS["balance"].plan(fleet, carried_out(observed, first), options)
    assert not second.steps, plan_text(fleet, first) + "\n\n" + plan_text(fleet, second)


@SETTINGS
@given(situations(), st.data())
def test_migrate(situation: Situation, data: Any) -> None:
    fleet, _observed = situation
    node = data.draw(st.sampled_from(["", *fleet.nodes]))
    options = MigrateOptions(data.draw(some_of(fleet.servers)), node)
    plan = planned("migrate", situation, options)
    if not plan.refusals and node:
        assert all(plan.placement[name] == node for name in options.servers)


@SETTINGS
@given(situations(), st.data())
def test_drain(situation: Situation, data: Any) -> None:
    fleet, observed = situation
    options = DrainOptions(data.draw(some_of(fleet.nodes, 2)), partial=data.draw(st.booleans()))
    plan = planned("drain", situation, options)
    if not plan.refusals and not options.partial:
        assert not [name for name, node in plan.placement.items() if node in options.nodes and name in fleet.servers]
        again = GOALS["drain"].plan(fleet, carried_out(observed, plan), options)
        assert not again.steps, "a second drain finds something to do"


@SETTINGS
@given(situations(), st.data())
def test_undrain(situation: Situation, data: Any) -> None:
    plan = planned("undrain", situation, UndrainOptions(data.draw(some_of(situation[0].nodes, 2))))
    assert all(step.action == "maintenance" for step in plan.steps)


@SETTINGS
@given(situations(), st.data())
def test_dedicate(situation: Situation, data: Any) -> None:
    fleet, _observed = situation
    node = data.draw(st.sampled_from(sorted(fleet.nodes)))
    options = DedicateOptions(node, data.draw(some_of(fleet.servers)))
    plan = planned("dedicate", situation, options)
    if not plan.refusals:
        ours = {name for name, where in plan.placement.items() if where == node and name in fleet.servers}
        assert ours == set(options.servers) & set(plan.placement)


@SETTINGS
@given(situations(), st.data())
def test_failover(situation: Situation, data: Any) -> None:
    fleet, _observed = situation
    dead = data.draw(some_of((name for name, node in fleet.nodes.items() if not node.witness), 2))
    plan = planned("failover", situation, FailoverOptions(dead), dead=dead)
    for step in plan.steps:
        assert step.action == "gate" or (step.action == "start" and step.node not in dead)


@SETTINGS
@given(situations(most_nodes=5, most_servers=10), st.sampled_from(["nothing", "node", "failure_domain"]))
def test_capacity(situation: Situation, survive: Any) -> None:
    plan = planned("capacity", situation, CapacityOptions("small", survive))
    assert not plan.steps


def test_conflicts_are_smallest() -> None:
    """Of the conflicts that can be read and tried out, every one is a conflict, and has no fact too many."""
    told: list[bool] = []

    @settings(parent=SETTINGS, max_examples=150)
    @given(situations(most_nodes=3, most_servers=6), st.data())
    def ask(situation: Situation, data: Any) -> None:
        fleet, observed = situation
        if data.draw(st.booleans()):
            plan = GOALS["drain"].plan(fleet, observed, DrainOptions(data.draw(some_of(fleet.nodes, 2))))
        else:
            options = MigrateOptions(data.draw(some_of(fleet.servers)), data.draw(st.sampled_from(sorted(fleet.nodes))))
            plan = GOALS["migrate"].plan(fleet, observed, options)
        home = {guest.name: guest.node for guest in observed.servers if guest.role == "primary"}
        for refusal in plan.refusals:
            verdict = smallest(fleet, home, refusal.conflict) if refusal.conflict else None
            assert verdict is not False, "\n".join([refusal.reason, *refusal.conflict])
            if verdict:
                told.append(verdict)

    ask()
    assert len(told) >= 20
