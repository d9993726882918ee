# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Affinity and anti-affinity that contradict each other, or pins, or the number of nodes."""

from __future__ import annotations

import pytest
from inventory import Inventory

BOTH = "apart over nodes, and together at the same time (vs_affinity, directly or through others)"


def told(inventory: Inventory) -> list[tuple[str, str, str]]:
    return [(m.host, m.variable, m.problem) for m in inventory.mistakes()]


def racks() -> Inventory:
    inventory = Inventory(nodes=4)
    for number in range(1, 5):
        inventory.node(f"n{number}", node_failure_domain=f"rack{number % 2}")
    return inventory


def test_apart_and_together_with_the_same_server():
    inventory = Inventory().server("b").server("a", vs_affinity="b", vs_anti_affinity="b")
    assert told(inventory) == [("a", "vs_anti_affinity", f"a and b: {BOTH}")]


def test_apart_by_the_word_of_one_and_together_by_that_of_the_other():
    inventory = Inventory().server("b", vs_anti_affinity="a").server("a", vs_affinity="b")
    assert told(inventory) == [("b", "vs_anti_affinity", f"b and a: {BOTH}")]


def test_together_through_a_third():
    inventory = Inventory().server("a", vs_affinity="b").server("b", vs_affinity="c").server("c", vs_anti_affinity="a")
    assert told(inventory) == [("c", "vs_anti_affinity", f"c and a: {BOTH}")]


def test_apart_and_together_by_groups():
    inventory = Inventory(nodes=5)
    for name in "abc":
        inventory.server(name, "g", vs_affinity="g", vs_anti_affinity="g")
    assert told(inventory) == [
        ("b", "vs_anti_affinity", f"b and a: {BOTH}"),
        ("c", "vs_anti_affinity", f"c and a: {BOTH}"),
    ]


@pytest.mark.parametrize(
    ("together", "apart", "possible"),
    [
        ("node", "node", False),
        ("node", "failure_domain", False),
        ("node", "site", False),
        ("failure_domain", "failure_domain", False),
        ("failure_domain", "site", False),
        ("site", "site", False),
        ("failure_domain", "node", True),
        ("site", "node", True),
        ("site", "failure_domain", True),
    ],
)
def test_sharing_something_narrow_means_sharing_everything_wider(together, apart, possible):
    inventory = racks().server("b")
    inventory.server("a", vs_affinity={"with": "b", "over": together}, vs_anti_affinity={"with": "b", "over": apart})
    assert (told(inventory) == []) is possible


def test_a_preference_contradicts_nothing():
    soft = {"with": "b", "hard": False}
    assert told(Inventory().server("b").server("a", vs_affinity="b", vs_anti_affinity=soft)) == []
    assert told(Inventory().server("b").server("a", vs_affinity=soft, vs_anti_affinity="b")) == []


def test_apart_and_both_pinned_to_one_node():
    inventory = Inventory().server("a", vs_node="n1").server("b", vs_node="n1", vs_anti_affinity="a")
    assert told(inventory) == [("b", "vs_node", "b and a: apart over nodes, and both are held in node n1")]


def test_apart_over_racks_and_pinned_to_two_nodes_of_one():
    inventory = racks().server("a", vs_node="n1")
    inventory.server("b", vs_node="n3", vs_anti_affinity={"with": "a", "over": "failure_domain"})
    assert told(inventory) == [
        ("b", "vs_node", "b and a: apart over failure domains, and both are held in failure domain rack1")
    ]


def test_apart_from_one_that_is_tied_to_a_pinned_one():
    inventory = Inventory().server("a", vs_node="n1").server("b", vs_affinity="a")
    inventory.server("c", vs_node="n1", vs_anti_affinity="b")
    assert told(inventory) == [("c", "vs_node", "c and b: apart over nodes, and both are held in node n1")]


def test_together_and_pinned_to_different_nodes():
    inventory = Inventory().server("a", vs_node="n1").server("b", vs_node="n2", vs_affinity="a")
    assert told(inventory) == [("b", "vs_node", "together with a, which is held in node n1")]


def test_together_over_racks_and_pinned_within_one_is_fine():
    inventory = racks().server("a", vs_node="n1")
    inventory.server("b", vs_node="n3", vs_affinity={"with": "a", "over": "failure_domain"})
    assert told(inventory) == []


def test_together_and_wanted_in_different_sites():
    inventory = Inventory().fleet(fleet_sites={"x": {}, "y": {}}).node("n1", node_site="x").node("n2", node_site="y")
    inventory.node("n3", node_site="y").server("a", vs_site="x").server("b", vs_site="y", vs_affinity="a")
    assert told(inventory) == [("b", "vs_site", "together with a, which is held in site x")]


def test_more_servers_apart_than_nodes():
    inventory = Inventory(nodes=2)
    for name in "abc":
        inventory.server(name, "g", vs_anti_affinity="g")
    assert inventory.complaints() == [
        'a: vs_anti_affinity: "g": 3 servers apart from each other over nodes, and 2 nodes for them; '
        "accepted: hard: false, fewer servers, a narrower `over`, or more nodes"
    ]


def test_as_many_servers_apart_as_nodes_is_just_possible():
    inventory = Inventory(nodes=3)
    for name in "abc":
        inventory.server(name, "g", vs_anti_affinity="g")
    assert told(inventory) == []


def test_more_servers_apart_than_racks_and_witnesses_do_not_count():
    inventory = racks().node("n5", node_failure_domain="rack5", node_witness=True)
    for name in "abc":
        inventory.server(name, "g", vs_anti_affinity={"with": "g", "over": "failure_domain"})
    assert [problem for _host, _variable, problem in told(inventory)] == [
        "3 servers apart from each other over failure domains, and 2 failure domains for them"
    ]


def test_more_servers_apart_than_nodes_of_their_site():
    inventory = (
        Inventory(nodes=3).fleet(fleet_sites={"x": {}, "y": {}}).node("n1", node_site="x").node("n2", node_site="y")
    )
    inventory.node("n3", node_site="y")
    for name in "ab":
        inventory.server(name, "g", vs_anti_affinity="g", vs_site="x")
    assert [problem for _host, _variable, problem in told(inventory)] == [
        "2 servers apart from each other over nodes in site x, and 1 node for them"
    ]


def test_nodes_kept_for_others_are_no_place_to_be_apart_on():
    inventory = Inventory(nodes=3).node("n3", node_dedicated="z").server("z")
    for name in "abc":
        inventory.server(name, "g", vs_anti_affinity="g")
    assert [(host, variable) for host, variable, _problem in told(inventory)] == [("a", "vs_anti_affinity")]


def test_apart_from_a_group_without_being_in_it_is_not_mutual():
    inventory = Inventory(nodes=3).server("sip", "sips")
    for number in range(20):
        inventory.server(f"pbx-{number}", vs_anti_affinity="sips")
    assert told(inventory) == []
