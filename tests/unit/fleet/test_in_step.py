# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers in step are refused where a node has no place for their disks, or nobody would know which copy is right."""

from __future__ import annotations

from inventory import Inventory

FENCE = {"agent": "fence_ipmilan", "parameters": {"ip": "10.9.0.1"}}
SYNC = {"vs_failover": "auto", "vs_replication": "sync"}


def told(inventory: Inventory) -> list[tuple[str, str]]:
    return [(m.host, m.variable) for m in inventory.mistakes()]


def ready(nodes: int = 3, place: str = "vg0") -> Inventory:
    inventory = Inventory(nodes=nodes)
    for number in range(1, nodes + 1):
        inventory.node(f"n{number}", node_fence=FENCE, node_sync_disks=place, node_sync_address=f"10.9.1.{number}")
    return inventory


def test_a_place_on_every_node_is_accepted_be_it_a_volume_group_or_a_directory():
    assert told(ready().server("a", **SYNC)) == []
    assert told(ready(place="/srv/disks").server("a", **SYNC)) == []


def test_every_node_that_may_have_it_needs_a_place():
    inventory = ready().node("n2", node_sync_disks="").server("a", **SYNC)
    assert told(inventory) == [("n2", "node_sync_disks")]


def test_a_witness_needs_none():
    inventory = ready(2).node("w", node_witness=True, node_fence=FENCE, ansible_host="10.20.0.99").server("a", **SYNC)
    assert told(inventory) == []


def test_nodes_of_another_site_need_none():
    inventory = ready().fleet(fleet_sites={"berlin": {}, "hamburg": {}})
    for number in (1, 2, 3):
        inventory.node(f"n{number}", node_site="berlin")
    inventory.node("h1", node_site="hamburg", node_fence=FENCE, ansible_host="10.20.0.50")
    assert told(inventory.server("a", vs_site="berlin", **SYNC)) == []


def test_without_a_cluster_nobody_knows_which_copy_is_right():
    assert told(ready().server("a", vs_replication="sync", vs_failover="manual")) == [("a", "vs_replication")]
    assert told(ready().server("a", vs_replication="sync")) == [("a", "vs_replication")]


def test_drbd_takes_addresses_only():
    inventory = ready().node("n1", node_sync_address="", node_address="node1.example").server("a", **SYNC)
    assert told(inventory) == [("n1", "node_sync_address")]


def test_a_place_is_a_volume_group_or_an_absolute_path():
    for place in ("srv/disks", "vg 0", "-vg", "/srv/a b"):
        assert ("n1", "node_sync_disks") in told(ready().node("n1", node_sync_disks=place).server("a", **SYNC))


def test_an_interval_needs_none_of_it():
    inventory = ready().node("n1", node_sync_disks="").server("a", vs_failover="auto", vs_replication="1m")
    assert told(inventory) == []


def test_proxmox_ve_is_asked_for_none_of_it():
    assert told(Inventory().fleet(fleet_engine="proxmox").server("a", **SYNC)) == []
