# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Automatic failover is refused where a node could not be fenced, or could not know who is cut off."""

from __future__ import annotations

import pytest
from inventory import Inventory

FENCE = {"agent": "fence_ipmilan", "parameters": {"ip": "10.9.0.1"}}
AUTO = {"vs_failover": "auto", "vs_replication": "1m"}


def told(inventory: Inventory) -> list[tuple[str, str]]:
    return [(m.host, m.variable) for m in inventory.mistakes()]


def fenced(nodes: int = 3) -> Inventory:
    inventory = Inventory(nodes=nodes)
    for number in range(1, nodes + 1):
        inventory.node(f"n{number}", node_fence=FENCE)
    return inventory


def test_every_node_that_may_carry_it_has_to_be_fenced():
    inventory = Inventory().node("n2", node_fence=FENCE).server("a", **AUTO)
    assert told(inventory) == [("n1", "node_fence"), ("n3", "node_fence")]


def test_all_fenced_is_accepted():
    assert told(fenced().server("a", **AUTO)) == []


def test_a_witness_has_to_be_fenced_or_its_death_would_hold_up_every_start():
    inventory = fenced(2).node("w", node_witness=True, ansible_host="10.20.0.99").server("a", **AUTO)
    assert told(inventory) == [("w", "node_fence")]
    assert "would wait for it" in inventory.mistakes()[0].problem
    assert told(inventory.node("w", node_fence=FENCE)) == []


def test_nodes_of_another_site_carry_nothing_of_it_but_are_members():
    inventory = fenced().fleet(fleet_sites={"berlin": {}, "hamburg": {}})
    for number in (1, 2, 3):
        inventory.node(f"n{number}", node_site="berlin")
    inventory.node("h1", node_site="hamburg", ansible_host="10.20.0.50")
    inventory.server("a", vs_site="berlin", **AUTO)
    assert told(inventory) == [("h1", "node_fence")]
    assert "would wait for it" in inventory.mistakes()[0].problem
    inventory.server("b", **AUTO)
    assert "needs a sure way" in inventory.mistakes()[0].problem


@pytest.mark.parametrize("mode", ["manual", "off"])
def test_by_hand_it_needs_none(mode):
    assert told(Inventory().server("a", vs_failover=mode, vs_replication="1m")) == []


def test_a_vip_that_moves_by_itself_needs_none():
    assert told(Inventory().server("a", vs_failover="auto", vs_failover_action="none")) == []


def test_two_nodes_need_a_third_that_votes():
    assert told(fenced(2).server("a", **AUTO)) == [("", "node_witness")]


def test_or_a_vote_outside():
    inventory = fenced(2).fleet(fleet_quorum_device="vote.example.net").server("a", **AUTO)
    assert told(inventory) == []
    device = inventory.parse().quorum_device
    assert (device.host, device.port, device.tls) == ("vote.example.net", 5403, True)


@pytest.mark.parametrize("host", ["n2", "10.20.0.12", "a"])
def test_a_vote_is_not_outside_that_dies_with_a_node(host):
    inventory = fenced(2).fleet(fleet_quorum_device={"host": host}).server("a", **AUTO)
    assert told(inventory) == [("", "fleet_quorum_device")]


def test_a_vote_that_was_not_accepted_is_told_once():
    inventory = fenced(2).fleet(fleet_quorum_device={"port": 5403}).server("a", **AUTO)
    assert [variable for _host, variable in told(inventory)] == ["fleet_quorum_device.host"]


def test_a_fence_that_was_not_accepted_is_told_once():
    inventory = fenced().node("n1", node_fence={"parameters": {}}).server("a", **AUTO)
    assert [variable for _host, variable in told(inventory)] == ["node_fence.agent"]


def test_proxmox_ve_has_fencing_of_its_own():
    assert told(Inventory(nodes=2).fleet(fleet_engine="proxmox").server("a", **AUTO)) == []


# ---------------------------------------------------------------- links


def test_every_node_has_as_many_links():
    inventory = Inventory().node("n1", node_cluster_addresses=["10.1.0.1", "10.2.0.1"])
    assert told(inventory) == [("n2", "node_cluster_addresses"), ("n3", "node_cluster_addresses")]


def test_an_address_is_one_nodes():
    inventory = Inventory(nodes=2)
    inventory.node("n1", node_cluster_addresses="10.1.0.1").node("n2", node_cluster_addresses="10.1.0.1")
    assert told(inventory) == [("n2", "node_cluster_addresses")]


def test_the_one_link_is_where_the_engine_is_reached():
    assert {name: node.links for name, node in Inventory(nodes=2).parse().nodes.items()} == {
        "n1": ("10.20.0.11",),
        "n2": ("10.20.0.12",),
    }
