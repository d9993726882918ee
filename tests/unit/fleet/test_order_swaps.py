# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves that wait for each other in a circle: over a third node, or refused with what is in the way."""

from __future__ import annotations

from fleets import apart, guest, node, server
from order_cases import EVERY_HOUR, SURVIVES, Case, nodes_of, of


def test_a_swap_of_full_nodes_goes_through_a_third_with_the_smaller_disk():
    case = Case(
        nodes_of(3),
        [(server("a", size=of(90, disk=500)), "n1"), (server("b", size=of(90, disk=400)), "n2")],
    )
    ordering = case.to(a="n2", b="n1")
    assert case.ids() == ["move/b@n3", "move/a", "move/b"]
    assert not ordering.impossible
    assert "so that a can come to n2" in ordering.steps[0].reason
    assert ordering.expense.copied == 500 + 2 * 400
    assert case.wrong() == []


def test_a_swap_without_a_third_node_is_impossible_and_says_which_pair():
    case = Case(nodes_of(2), [(server("a", size=of(90)), "n1"), (server("b", size=of(90)), "n2")])
    ordering = case.to(a="n2", b="n1")
    assert ordering.steps == ()
    assert [refusal.subject for refusal in ordering.impossible] == ["a", "b"]
    reason = ordering.impossible[0].reason
    assert "a (n1 → n2) and b (n2 → n1) wait for each other" in reason
    assert "there is no third node" in reason
    assert "memory: 90 MiB wanted, 10 free" in " ".join(ordering.impossible[0].conflict)
    assert case.state.at == list(case.problem.start)


def test_a_third_node_that_takes_neither_is_named_with_why():
    case = Case(
        nodes_of(3),
        [
            (server("a", size=of(90)), "n1"),
            (server("b", size=of(90)), "n2"),
            (server("c", size=of(50)), "n3"),
        ],
    )
    ordering = case.to(a="n2", b="n1")
    assert "n3 refuses a: memory: 90 MiB wanted, 50 free" in ordering.impossible[0].reason


def test_what_is_possible_beside_an_impossible_swap_is_done():
    case = Case(
        nodes_of(3),
        [
            (server("a", size=of(90)), "n1"),
            (server("b", size=of(90)), "n2"),
            (server("c", size=of(10)), "n3"),
            (server("d", size=of(30)), "n3"),
        ],
    )
    ordering = case.to(a="n2", b="n1", c="n2")
    assert case.ids() == ["move/c"]
    assert {refusal.subject for refusal in ordering.impossible} == {"a", "b"}


def test_a_rotation_of_three_takes_one_detour():
    case = Case(nodes_of(4), [(server(f"s{i}", size=of(90)), f"n{i}") for i in (1, 2, 3)])
    ordering = case.to(s1="n2", s2="n3", s3="n1")
    assert len(ordering.steps) == 4
    assert len({step.server for step in ordering.steps}) == 3
    assert case.wrong() == []


def test_a_rotation_of_three_without_a_fourth_node_names_all_three():
    case = Case(nodes_of(3), [(server(f"s{i}", size=of(90)), f"n{i}") for i in (1, 2, 3)])
    ordering = case.to(s1="n2", s2="n3", s3="n1")
    assert "in a circle" in ordering.impossible[0].reason
    assert len(ordering.impossible) == 3
    assert len(ordering.impossible[0].conflict) == 4


def test_a_big_one_steps_aside_for_two_small_ones_if_they_cannot_for_it():
    case = Case(
        [*nodes_of(2), node("n3")],
        [
            (server("big", size=of(80)), "n1"),
            (server("one", size=of(45)), "n2"),
            (server("two", size=of(45)), "n2"),
            (server("there", size=of(15)), "n3"),
        ],
    )
    ordering = case.to(big="n2", one="n1", two="n1")
    assert not ordering.impossible
    assert case.wrong() == []


def test_two_step_aside_where_one_is_not_enough():
    case = Case(
        nodes_of(4),
        [
            (server("big", size=of(80)), "n1"),
            (server("one", size=of(45)), "n2"),
            (server("two", size=of(45)), "n2"),
            (server("here", size=of(50)), "n3"),
            (server("there", size=of(50)), "n4"),
        ],
    )
    ordering = case.to(big="n2", one="n1", two="n1")
    assert not ordering.impossible
    assert len(ordering.steps) == 5
    assert case.wrong() == []


def test_the_room_a_swap_needs_is_not_given_away_first():
    case = Case(
        nodes_of(4),
        [
            (server("a", size=of(90)), "n1"),
            (server("b", size=of(90)), "n2"),
            (server("late", size=of(60)), "n4"),
        ],
    )
    ordering = case.to(a="n2", b="n1", late="n3")
    assert not ordering.impossible
    assert case.wrong() == []


def test_servers_apart_that_swap_go_through_a_third_node():
    case = Case(
        nodes_of(3),
        [(server("a", size=of(10)), "n1"), (server("b", size=of(10)), "n2")],
        [apart("a", "b")],
    )
    ordering = case.to(a="n2", b="n1")
    assert len(ordering.steps) == 3
    assert case.wrong() == []


def test_a_switch_swaps_server_and_replica_without_needing_room_for_the_disk():
    a = server("a", size=of(40, disk=5000), failover=SURVIVES, replication=EVERY_HOUR)
    case = Case(nodes_of(2), [(a, "n1")], disk=6000, replicas=[guest(a, "n2", role="replica", state="stopped")])
    ordering = case.to(a="n2")
    step = ordering.steps[0]
    assert (step.manner, step.cost.copied, step.cost.downtime) == ("switch", 0, 5.0)
    assert case.problem.nodes[case.state.backup[0]] == "n1"
    assert case.wrong() == []
