# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An impossible wish names a smallest set of facts: together they cannot hold, without any one of them they can."""

from __future__ import annotations

import itertools
import random

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.conflict import find_conflict, minimal
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.facts import Wish, ask
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.feasible import Question, feasible
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.converge import converge
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.layout import Layout
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Rule, Size
from fleets import apart, fleet, guest, node, observed, seen, server, silent, together

NODES = ("n1", "n2", "n3")
EMPTY_N1 = Wish("n1 is to be empty", frozenset({"n1"}))


def holds(question: Question, facts: frozenset[int]) -> bool:
    """Whether facts can hold together, by trying every placement there is."""
    items = [item for item in question.items if item.fact in facts]
    at = {item.name: number for number, item in enumerate(question.items)}
    for places in itertools.product(*(item.takes for item in items)):
        where = {at[item.name]: j for item, j in zip(items, places, strict=True)}
        if all(_kept(question, facts, where, item.name, at[item.name]) for item in items) and all(
            number not in facts
            or sum(question.items[i].takes[j][column] for i, place in where.items() if place == j) <= room + 1e-6
            for j, columns in enumerate(question.room)
            for column, (number, room) in enumerate(columns)
        ):
            return True
    return False


def _kept(question: Question, facts: frozenset[int], where: dict[int, int], _name: str, i: int) -> bool:
    """Whether one server keeps to its bars and rules."""
    j = where[i]
    if any(number in facts and j in nodes for number, nodes in question.items[i].bars):
        return False
    neighbours = [other for other, place in where.items() if place == j and other != i]
    if question.alone.get(i) in facts and (neighbours or question.crowd[j]):
        return False
    for bound in question.bounds:
        if bound.fact in facts and i in bound.subjects:
            for other in bound.others & where.keys() - {i}:
                if (bound.domains[where[other]] == bound.domains[j]) == bound.apart:
                    return False
    return True


def some_question(seed: int) -> Question:
    """Three nodes, up to six servers, some of them new, too little of everything, and a node to be emptied."""
    chance = random.Random(seed)
    nodes = [node(name, failure_domain=chance.choice(("", "r1"))) for name in NODES]
    if chance.random() < 0.3:
        nodes[0] = node("n1", devices=frozenset({"dongle"}))
    names = [f"s{number}" for number in range(chance.randint(2, 6))]
    servers = [
        server(
            name,
            size=Size(chance.choice((1, 2)), chance.choice((1, 2, 3)) * 1024, 256),
            node=chance.choice(("", "", "", *NODES)),
            devices=frozenset({"dongle"} if chance.random() < 0.1 else ()),
            dedicated=chance.random() < 0.1,
        )
        for name in names
    ]
    rules: list[Rule] = []
    for _rule in range(chance.randint(0, 2)):
        kind = chance.choice((apart, apart, together))
        rules.append(
            kind(
                *chance.sample(names, min(len(names), chance.randint(2, 3))),
                over=chance.choice(("node", "failure_domain")),
            )
        )
    guests = [guest(item, chance.choice(NODES)) for item in servers if chance.random() < 0.7]
    there = [
        silent(name)
        if chance.random() < 0.1
        else seen(name, cores=chance.choice((2, 4)), memory=chance.choice((2, 4, 5)) * 1024)
        for name in NODES
    ]
    what = observed(there, guests)
    wishes = [EMPTY_N1] if chance.random() < 0.7 else []
    return ask(Layout(fleet(nodes, servers, rules), what), what, names, wishes, frozenset(names[:1]))


@pytest.mark.parametrize("seed", range(400))
def test_a_conflict_cannot_hold_and_without_any_fact_of_it_the_rest_can(seed: int) -> None:
    question = some_question(seed)
    everything = frozenset(range(len(question.facts)))
    assert feasible(question, everything, 10**6)[0] == holds(question, everything)
    found = minimal(question, sorted(everything, key=lambda at: (question.facts[at].rank, at)))
    if holds(question, everything):
        assert not found
        return
    assert not holds(question, frozenset(found))
    for fact in found:
        assert holds(question, frozenset(found) - {fact})


def conflict(nodes, servers, guests, wishes, *, asked, rules=()):
    what = observed([seen(item.name) for item in nodes], guests)
    layout = Layout(fleet(nodes, servers, rules), what)
    names = frozenset(item.name for item in servers)
    return find_conflict(layout, what, frozenset(asked), names, wishes)


def test_two_pinned_servers_kept_apart():
    servers = [server("pbx01", node="n1"), server("pbx02", node="n1"), *(server(f"web{i}") for i in range(4))]
    found = conflict(
        [node("n1"), node("n2")], servers, [], [], asked=["pbx01"], rules=[apart("pbx01", "pbx02", label="sip")]
    )
    assert found.smallest
    assert found.facts == (
        "pbx01 is pinned to n1",
        "pbx02 is pinned to n1",
        "pbx01, pbx02 are kept apart (sip)",
    )


def test_a_pinned_server_on_a_node_to_be_emptied():
    servers = [server("pbx01", node="n1"), server("web1")]
    found = conflict([node("n1"), node("n2")], servers, [guest(s, "n1") for s in servers], [EMPTY_N1], asked=["pbx01"])
    assert found.facts == ("n1 is to be empty", "pbx01 is pinned to n1")


def test_two_servers_too_big_for_what_is_left():
    servers = [server("a", size=Size(1, 5000, 10)), server("b", size=Size(1, 5000, 10)), server("small")]
    guests = [guest(servers[0], "n1"), guest(servers[1], "n2"), guest(servers[2], "n2")]
    found = conflict([node("n1"), node("n2")], servers, guests, [EMPTY_N1], asked=["a"])
    assert found.facts == (
        "n1 is to be empty",
        "a takes 5000 MiB of memory",
        "b takes 5000 MiB of memory",
        "n2 has 8192 MiB of memory",
    )


def test_more_servers_apart_than_nodes():
    servers = [server(f"sip{i}") for i in range(4)]
    rules = [apart(*(s.name for s in servers), label="sip")]
    found = conflict([node(name) for name in NODES], servers, [], [], asked=["sip0"], rules=rules)
    assert found.facts == ("sip0, sip1, sip2, sip3 are kept apart (sip)",)


def test_many_facts_of_a_kind_are_told_together():
    servers = [server(f"pbx{i:02}") for i in range(17)]
    found = conflict([node("n1"), node("n2")], servers, [], [], asked=["pbx00"])
    assert found.smallest
    assert found.facts[0] == "pbx00, pbx01, pbx02 and 14 more take 17 cores together"
    assert found.facts[1:] == ("n1 has 8 cores", "n2 has 8 cores")


def test_a_new_server_without_a_place_names_the_conflict():
    servers = [server("pbx01", node="n1", size=Size(1, 5000, 10)), server("pbx02", node="n1", size=Size(1, 5000, 10))]
    plan = converge(fleet([node("n1"), node("n2")], servers), observed([seen("n1"), seen("n2")]))
    (refusal,) = plan.refusals
    assert refusal.conflict == (
        "pbx01 is pinned to n1",
        "pbx02 is pinned to n1",
        "pbx01 takes 5000 MiB of memory",
        "pbx02 takes 5000 MiB of memory",
        "n1 has 8192 MiB of memory",
    )


def test_nodes_that_stay_empty_are_named_with_what_fills_them():
    servers = [server(f"pbx{i}") for i in range(6)]
    what = observed([seen(name) for name in NODES], [guest(s, "n1") for s in servers])
    plan = converge(fleet([node(name) for name in NODES], servers), what)
    assert plan.notes == ("n2, n3 carry no servers; converge moves none there, balance does",)
