# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the HA manager: read, named, and told apart from those that cannot be side by side.

What is found here the double refuses too, in Proxmox VE's own words: neither may be stricter than the other.
"""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox import jobs, rules
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.register import version_of
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.rules import Rule
from double import ha_rules

NAMES = {"ct:1": "pbx-a", "ct:2": "pbx-b", "ct:3": "pbx-c", "ct:4": "pbx-d"}


def on(name: str, *resources: str, nodes: str, strict: bool = True) -> Rule:
    return Rule(name, "node-affinity", frozenset(resources), rules.nodes_of(nodes), strict)


def between(name: str, affinity: str, *resources: str) -> Rule:
    return Rule(name, "resource-affinity", frozenset(resources), affinity=affinity)


@pytest.mark.parametrize(
    ("rule", "other", "words"),
    [
        (on("n", "ct:1", nodes="a:2,b:1"), on("o", "ct:1", nodes="a"), "rule o says already where pbx-a may be"),
        (on("n", "ct:1", nodes="a:2,b:1"), between("o", "positive", "ct:1", "ct:2"), "no nodes of different prior"),
        (on("n", "ct:1", "ct:2", nodes="a"), between("o", "negative", "ct:1", "ct:2"), "would have 1 nodes between"),
        (between("n", "negative", "ct:1", "ct:2"), on("o", "ct:1", nodes="a:2,b:1"), "pbx-a in rule o prefer some"),
        (between("n", "negative", "ct:1", "ct:2"), between("o", "positive", "ct:1", "ct:2"), "are kept together by"),
        (between("n", "positive", "ct:1", "ct:2"), between("o", "negative", "ct:1", "ct:2"), "pbx-a, pbx-b are kept"),
        (between("n", "negative", *NAMES), between("o", "negative", "ct:1", "ct:2"), "the cluster has 3 nodes"),
        (between("n", "positive", "ct:1"), between("o", "positive", "ct:2", "ct:3"), "alone in it"),
        (between("n", "negative", "ct:1", "ct:2"), on("o", "ct:1", "ct:2", nodes="a"), "may be on a only"),
    ],
)
def test_what_cannot_be_is_said_with_rules_and_servers(rule: Rule, other: Rule, words: str) -> None:
    assert words in rules.conflict(rule, [other], NAMES, 3)


def test_what_joins_two_that_are_apart_through_a_third_cannot_be() -> None:
    beside = [between("apart", "negative", "ct:1", "ct:2"), between("first", "positive", "ct:1", "ct:3")]
    assert "kept apart by rule apart" in rules.conflict(between("n", "positive", "ct:2", "ct:3"), beside, NAMES, 3)


@pytest.mark.parametrize("rule", [on("n", "ct:1", nodes="a,b"), between("n", "negative", "ct:1", "ct:2")])
def test_a_rule_stands_beside_itself_and_beside_one_that_is_switched_off(rule: Rule) -> None:
    off = Rule("o", "node-affinity", frozenset({"ct:1"}), {"a": 2, "b": 1}, True, enabled=False)
    assert rules.conflict(rule, [rule, off], NAMES, 3) == ""


def shapes() -> list[Rule]:
    """Rules of every sort about three servers, on one node or on two."""
    found = [
        on(f"on{i}", *some, nodes=nodes, strict=strict)
        for i, (some, nodes, strict) in enumerate(
            itertools.product([("ct:1",), ("ct:1", "ct:2"), ("ct:3",)], ["a", "a,b", "a:2,b:1"], [True, False])
        )
    ]
    sets = [("ct:1", "ct:2"), ("ct:2", "ct:3"), ("ct:1", "ct:2", "ct:3"), ("ct:1",)]
    pairs = itertools.product(["positive", "negative"], sets)
    return [*found, *(between(f"set{i}", affinity, *some) for i, (affinity, some) in enumerate(pairs))]


def told(rule: Rule) -> ha_rules.Rule:
    options = {"nodes": rules.written(rule.nodes), "strict": int(rule.strict), "affinity": rule.affinity}
    return ha_rules.Rule(rule.name, rule.kind, sorted(rule.resources), options)


def test_nothing_is_sent_that_would_be_refused() -> None:
    for rule, other in itertools.permutations(shapes(), 2):
        if ha_rules.problem(told(rule), [told(other)], 3):
            assert rules.conflict(rule, [other], NAMES, 3), (rule, other)


def test_names_of_rules_are_one_for_each_and_their_fleets() -> None:
    names = {
        rules.name_of("a-b", "c"),
        rules.name_of("a", "b-c"),
        rules.name_of("a_", "_c"),
        rules.name_of("a", "b.c"),
        rules.name_of_set("a", "apart", ["x", "y"]),
        rules.name_of_set("a", "apart", ["x", "z"]),
        rules.name_of_set("a", "together", ["x", "y"]),
    }
    assert len(names) == 7
    assert rules.name_of_set("a", "apart", ["y", "x"]) in names
    assert rules.kind_of_set(rules.name_of_set("a", "apart", ["y", "x"]), "a") == "apart"
    assert rules.kind_of_set(rules.name_of_set("a", "apart", ["y", "x"]), "b") == ""
    assert rules.kind_of_set("keep-apart", "a") == ""


def test_nodes_are_read_in_the_order_they_are_preferred() -> None:
    assert rules.order(rules.nodes_of("b:1,a:2"), "b") == ("a", "b")
    assert rules.order(rules.nodes_of("a,b"), "b") == ("b", "a"), "among equals its own first"
    assert rules.written(rules.ranked(["a", "b"], flat=False)) == "a:2,b:1"
    assert rules.written(rules.ranked(["a", "b"], flat=True)) == "a,b"


@pytest.mark.parametrize(
    ("seconds", "event"),
    [(10, "*/1"), (60, "*/1"), (90, "*/1"), (300, "*/5"), (3540, "*/59"), (3600, "0/1:00"), (9000, "0/2:00")],
)
def test_runs_are_never_further_apart_than_declared_but_for_less_than_a_minute(seconds: int, event: str) -> None:
    assert jobs.calendar(seconds) == event


def test_a_day_or_more_is_a_run_every_day() -> None:
    assert jobs.calendar(86400) == jobs.calendar(7 * 86400) == "00:00"


def test_a_job_that_was_changed_by_hand_is_not_as_declared() -> None:
    row = {"id": "7-0", "guest": 7, "target": "b", "comment": "switchyard f: every 300 s", "schedule": "*/5"}
    assert (jobs.job(row).fleet, jobs.job(row).interval) == ("f", 300)
    assert jobs.job({**row, "schedule": "*/6"}).interval == 0
    assert jobs.job({**row, "disable": 1}).interval == 0
    assert jobs.job({**row, "comment": "mine"}).fleet == ""


def test_a_job_that_is_being_removed_keeps_its_number() -> None:
    assert jobs.free(7, []) == "7-0"
    assert jobs.free(7, ["7-0", "7-2"]) == "7-1"


@pytest.mark.parametrize(("text", "version"), [("9.1.9", (9, 1)), ("8.4.14", (8, 4)), ("9", (9, 0)), ("", (9, 0))])
def test_versions(text: str, version: tuple[int, int]) -> None:
    assert version_of(text) == version
