# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where new servers go, and why there."""

from __future__ import annotations

import fleets as b
import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.converge import converge
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Capacity,
    CapacityOverride,
    Factors,
    Size,
)

TWO = [b.node("n1"), b.node("n2")]
TWO_SEEN = [b.seen("n1"), b.seen("n2")]


def reasons(plan):
    return {step.server: step.reason for step in plan.steps if step.action == "create"}


def refused(plan):
    return {refusal.subject: refusal.reason for refusal in plan.refusals}


def test_servers_spread_over_the_least_used_nodes():
    servers = [b.server(f"pbx{i}") for i in range(6)]
    nodes = [b.node(f"n{i}") for i in range(3)]
    plan = converge(b.fleet(nodes, servers), b.observed([b.seen(f"n{i}") for i in range(3)]))
    assert [len(found) for found in b.per_node(plan.placement).values()] == [2, 2, 2]
    assert "least used of 3 nodes that fit" in reasons(plan)["pbx0"]


def test_a_bigger_node_takes_more():
    servers = [b.server(f"pbx{i}") for i in range(9)]
    plan = converge(b.fleet(TWO, servers), b.observed([b.seen("n1"), b.seen("n2", cores=16, memory=16384, disk=16384)]))
    assert {node: len(found) for node, found in b.per_node(plan.placement).items()} == {"n1": 3, "n2": 6}


def test_strangers_count_as_load():
    strangers = [b.stranger(f"alien{i}", "n1") for i in range(4)]
    servers = [b.server(f"pbx{i}") for i in range(4)]
    plan = converge(b.fleet(TWO, servers), b.observed(TWO_SEEN, strangers))
    assert set(plan.placement.values()) == {"n2"}


def test_memory_in_use_by_nobody_known_counts():
    plan = converge(b.fleet(TWO, [b.server("pbx1")]), b.observed([b.seen("n1", memory_used=6000), b.seen("n2")]))
    assert plan.placement["pbx1"] == "n2"


@pytest.mark.parametrize(
    ("size", "word"),
    [
        (Size(9, 1024, 1024), "cores: 9 wanted, 8 free"),
        (Size(1, 9000, 1024), "memory: 9000 MiB wanted, 8192 free"),
        (Size(1, 1024, 9000), "disk: 9000 MiB wanted on pool default, 8192 free"),
    ],
)
def test_a_server_too_big_for_every_node_is_refused_with_the_resource_that_is_short(size, word):
    plan = converge(b.fleet(TWO, [b.server("big", size=size), b.server("small")]), b.observed(TWO_SEEN))
    assert word in refused(plan)["big"]
    assert plan.steps == ()


def test_the_io_budget_is_a_limit_where_it_is_declared():
    nodes = [b.node("n1", capacity=CapacityOverride(io=100)), b.node("n2")]
    server = b.server("pbx1", size=Size(1, 1024, 1024, io=101))
    assert converge(b.fleet(nodes, [server]), b.observed(TWO_SEEN)).placement["pbx1"] == "n2"


def test_overcommit_and_reserve_change_what_fits():
    node = b.node("n1", overcommit=Factors(cores=2.0), reserve=Capacity(cores=2, memory=4096))
    servers = [b.server(f"pbx{i}") for i in range(5)]
    plan = converge(b.fleet([node], servers), b.observed([b.seen("n1")]))
    assert "memory: 1024 MiB wanted, 0 free" in refused(plan)["pbx4"]
    twelve = [b.server(f"pbx{i}", size=Size(1, 1, 1)) for i in range(13)]
    plan = converge(b.fleet([node], twelve), b.observed([b.seen("n1")]))
    assert "cores: 1 wanted, 0 free" in next(iter(refused(plan).values()))


def test_a_pinned_server_goes_where_it_is_pinned():
    servers = [b.server("a", node="n2"), b.server("b", node="n2")]
    plan = converge(b.fleet(TWO, servers), b.observed(TWO_SEEN))
    assert set(plan.placement.values()) == {"n2"}
    assert reasons(plan)["a"].startswith("pinned here")


def test_a_server_needs_the_device_it_names():
    nodes = [b.node("n1"), b.node("n2", devices=frozenset({"dongle"}))]
    plan = converge(b.fleet(nodes, [b.server("a", devices=frozenset({"dongle"}))]), b.observed(TWO_SEEN))
    assert plan.placement["a"] == "n2"
    assert "n1 refused: has no device dongle" in reasons(plan)["a"]


def test_a_server_stays_in_its_site():
    nodes = [b.node("n1", site="east"), b.node("n2", site="west")]
    plan = converge(b.fleet(nodes, [b.server("a", site="west")]), b.observed(TWO_SEEN))
    assert plan.placement["a"] == "n2"


def test_a_dedicated_server_has_its_node_to_itself():
    servers = [b.server("alone", dedicated=True), *(b.server(f"pbx{i}") for i in range(3))]
    plan = converge(b.fleet(TWO, servers), b.observed(TWO_SEEN))
    found = b.per_node(plan.placement)
    assert found[plan.placement["alone"]] == ["alone"]


def test_a_dedicated_server_does_not_join_a_stranger():
    plan = converge(
        b.fleet(TWO, [b.server("alone", dedicated=True)]), b.observed(TWO_SEEN, [b.stranger("x", "n1", Size(0, 0, 0))])
    )
    assert plan.placement["alone"] == "n2"


def test_a_dedicated_node_takes_only_those_it_is_for():
    nodes = [b.node("n1", dedicated=frozenset({"db"})), b.node("n2")]
    plan = converge(b.fleet(nodes, [b.server("a"), b.server("b"), b.server("db", node="n1")]), b.observed(TWO_SEEN))
    assert b.per_node(plan.placement) == {"n1": ["db"], "n2": ["a", "b"]}


def test_anti_affinity_keeps_servers_on_different_nodes():
    plan = converge(b.fleet(TWO, [b.server("a"), b.server("b")], [b.apart("a", "b")]), b.observed(TWO_SEEN))
    assert plan.placement["a"] != plan.placement["b"]
    assert "anti-affinity with a" in reasons(plan)["b"]


def test_anti_affinity_over_failure_domains():
    nodes = [b.node("n1", failure_domain="r1"), b.node("n2", failure_domain="r1"), b.node("n3", failure_domain="r2")]
    rule = b.apart("a", "b", over="failure_domain")
    plan = converge(b.fleet(nodes, [b.server("a"), b.server("b")], [rule]), b.observed([b.seen(n.name) for n in nodes]))
    assert "n3" in plan.placement.values()
    assert len(set(plan.placement.values())) == 2


def test_more_apart_than_there_are_nodes_is_refused_with_the_reason():
    servers = [b.server(name) for name in "abc"]
    plan = converge(b.fleet(TWO, servers, [b.apart("a", "b", "c")]), b.observed(TWO_SEEN))
    assert list(refused(plan)) == ["c"]
    assert "anti-affinity with a" in refused(plan)["c"]
    assert "anti-affinity with b" in refused(plan)["c"]


def test_affinity_keeps_servers_together():
    servers = [b.server(name) for name in "abcd"]
    plan = converge(b.fleet(TWO, servers, [b.together("a", "d")]), b.observed(TWO_SEEN))
    assert plan.placement["a"] == plan.placement["d"]


def test_a_soft_rule_gives_way_where_it_must_and_not_before():
    servers = [b.server(name) for name in "abc"]
    plan = converge(b.fleet(TWO, servers, [b.apart("a", "b", "c", hard=False)]), b.observed(TWO_SEEN))
    assert not plan.refusals
    assert plan.placement["a"] != plan.placement["b"]


def test_a_server_that_finds_no_room_is_tried_before_the_others():
    # Three of 4 GiB and two that must be apart: placed by size alone, the pair would find one node full.
    servers = [b.server(f"big{i}", size=Size(1, 4096, 1)) for i in range(3)]
    servers += [b.server("x", size=Size(1, 2048, 1)), b.server("y", size=Size(1, 2048, 1))]
    plan = converge(b.fleet(TWO, servers, [b.together("x", "y")]), b.observed(TWO_SEEN))
    assert not plan.refusals


def test_nobody_goes_to_a_node_that_is_silent_in_maintenance_or_a_witness():
    nodes = [b.node("n1"), b.node("n2", state="maintenance"), b.node("n3", witness=True), b.node("n4")]
    there = b.observed([b.silent("n1"), b.seen("n2"), b.seen("n3"), b.seen("n4")])
    plan = converge(b.fleet(nodes, [b.server("a"), b.server("b")]), there)
    assert set(plan.placement.values()) == {"n4"}
    assert "n1 refused: does not answer (timed out)" in reasons(plan)["a"]


def test_same_input_same_plan():
    servers = [b.server(f"pbx{i}", size=Size(1, 512 + i, 1024)) for i in range(12)]
    there = b.observed(TWO_SEEN)
    assert converge(b.fleet(TWO, servers), there) == converge(b.fleet(TWO, servers), there)
