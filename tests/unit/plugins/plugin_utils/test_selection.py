# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom info modules tell of."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Node, Observed, ObservedNode
from ansible_collections.switchyard.fleet.plugins.plugin_utils.selection import (
    nodes_named,
    passing,
    servers_named,
    subset,
)

GROUPS = {
    "all": ["node1", "pbx01", "pbx02", "sip1"],
    "nodes": ["node1"],
    "virtual_servers": ["pbx01", "pbx02", "sip1"],
    "pbxs": ["pbx01", "pbx02"],
}
ROWS = [
    {"name": "pbx01", "node": "node1", "state": "running"},
    {"name": "pbx02", "node": "node2", "state": "stopped"},
]


def named(*patterns: str) -> set[str]:
    return set(servers_named(patterns, GROUPS, ["pbx02", "pbx99", "theirs"], DataLoader()))


def test_groups_patterns_and_exclusions_mean_what_they_mean_to_ansible():
    assert named("pbxs") == {"pbx01", "pbx02"}
    assert named("virtual_servers:!pbxs:!pbx99:!theirs") == {"sip1"}


def test_servers_outside_the_inventory_are_matched_too():
    assert named("pbx9*") == {"pbx99"}
    assert named("pbx99") == {"pbx99"}


@pytest.mark.parametrize("pattern", ["nobody", "x*"])
def test_a_name_or_pattern_that_means_nobody_is_an_error(pattern: str):
    with pytest.raises(AnsibleActionFail, match="name: "):
        named(pattern)


def test_the_nearest_name_is_told():
    with pytest.raises(AnsibleActionFail, match="pbx01"):
        named("pbx001")


def test_a_node_only_the_platform_knows_can_be_named():
    fleet = Fleet("test", "incus", {"node1": Node("node1", "192.0.2.1")}, {})
    observed = Observed({"node7": ObservedNode("node7", "online")}, ())
    assert nodes_named(["node7"], GROUPS, fleet, observed, DataLoader()) == {"node7"}
    assert nodes_named(["nodes"], GROUPS, fleet, observed, DataLoader()) == {"node1", "node7"}
    with pytest.raises(AnsibleActionFail, match="no such node"):
        nodes_named(["pbx01"], GROUPS, fleet, observed, DataLoader())


def test_every_filter_given_has_to_be_passed():
    assert passing(ROWS, {"node": None, "state": None}) == ROWS
    assert passing(ROWS, {"node": ["node1", "node2"], "state": ["stopped"]}) == ROWS[1:]
    assert passing(ROWS, {"node": ["node1"], "state": ["stopped"]}) == []
    assert passing(ROWS, {"name": frozenset()}) == []


def test_all_and_min_stand_for_every_part_and_none():
    assert subset(["all"], ("usage", "replicas")) == {"usage", "replicas"}
    assert subset(["min"], ("usage",)) == set()
    assert subset(["min", "usage"], ("usage", "replicas")) == {"usage"}
