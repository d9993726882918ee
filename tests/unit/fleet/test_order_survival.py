# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves in order with replicas: what could be survived still can, all the way; and the manner and cost of each move."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Abilities,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.order import order
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.problem import formulate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.state import State
from fleets import guest, node, observed, server
from order_cases import EVERY_HOUR, SURVIVES, Case, nodes_of, of


def test_a_death_survivable_before_is_survivable_all_the_way():
    """Without b gone from n2, a's backup has no room for both: the target alone would be fine."""
    case = Case(
        nodes_of(4),
        [
            (server("a", size=of(50), failover=SURVIVES), "n1"),
            (server("b", size=of(40)), "n2"),
            (server("c", size=of(40)), "n3"),
        ],
        backups={"a": "n2"},
    )
    case.to(b="n4", c="n2")
    assert case.needs("move/c") == {"move/b"}
    assert case.wrong() == []


@pytest.mark.parametrize(
    ("facts", "abilities", "manner", "copied", "downtime"),
    [
        ({}, Abilities(), "copy", 300, 5.0),
        ({"template": "machine"}, Abilities(live=frozenset({"vm"})), "live", 350, 0.0),
        ({"template": "tiny"}, Abilities(live=frozenset({"vm"})), "copy", 300, 5.0),
        ({}, Abilities(shared_pools=frozenset({"default"})), "shared", 0, 4.0),
        (
            {"template": "machine"},
            Abilities(live=frozenset({"vm"}), shared_pools=frozenset({"default"})),
            "live",
            50,
            0.0,
        ),
    ],
)
def test_manner_and_cost_follow_what_the_engine_can_do(facts, abilities, manner, copied, downtime):
    case = Case(nodes_of(2), [(server("a", size=of(50, disk=300), **facts), "n1")], abilities=abilities)
    step = case.to(a="n2").steps[0]
    assert (step.manner, step.cost.copied, step.cost.downtime) == (manner, copied, downtime)
    assert case.ordering.expense.seconds == pytest.approx(copied / 100 + downtime)


def test_a_stopped_server_misses_no_service():
    declared = server("a", size=of(50, disk=300), template="machine")
    case = Case(nodes_of(2), [(declared, "n1")], abilities=Abilities(live=frozenset({"vm"})))
    asleep = observed(case.observed.nodes.values(), [guest(declared, "n1", state="stopped")])
    state = State(formulate(case.fleet, replace(asleep, abilities=case.observed.abilities)))
    step = order(state, {0: 1}).steps[0]
    assert (step.manner, step.cost.downtime) == ("copy", 0.0)


def test_a_move_within_a_rack_relieves_nobody_of_what_the_rack_may_bring():
    """Should r1 die, a comes to n3 from either of its nodes, and e does: only b's leaving makes room for c there."""
    racks = {"n1": "r1", "n2": "r1", "n3": "r2", "n4": "r3", "n5": "r4"}
    case = Case(
        [node(name, failure_domain=rack) for name, rack in racks.items()],
        [
            (server("a", size=of(40), failover=SURVIVES), "n1"),
            (server("e", size=of(30), failover=SURVIVES), "n1"),
            (server("b", size=of(30)), "n3"),
            (server("c", size=of(20)), "n4"),
        ],
        backups={"a": "n3", "e": "n3"},
    )
    case.to(a="n2", b="n5", c="n3")
    assert case.needs("move/c") == {"move/b"}
    assert case.wrong() == []


def test_a_new_backup_waits_until_there_is_room_for_the_replica():
    case = Case(
        nodes_of(5),
        [
            (server("a", size=of(10, disk=600), replication=EVERY_HOUR), "n1"),
            (server("b", size=of(10, disk=600)), "n3"),
        ],
        disk=1000,
        backups={"a": "n2"},
    )
    case.to(backups={"a": "n3"}, a="n4", b="n5")
    assert case.needs("move/a") == {"move/b"}
    assert case.wrong() == []


def test_who_moves_to_its_replica_gives_nothing_back_there():
    case = Case(
        nodes_of(4),
        [
            (server("a", size=of(10, disk=600), replication=EVERY_HOUR), "n1"),
            (server("c", size=of(10, disk=600)), "n3"),
            (server("d", size=of(10, disk=600)), "n2"),
        ],
        disk=1300,
        backups={"a": "n2"},
    )
    case.to(a="n2", c="n2", d="n4")
    assert case.needs("move/c") == {"move/d"}
    assert case.wrong() == []
