# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wishes that cannot both come true are found before anything is contacted."""

from __future__ import annotations

import pytest
from inventory import Inventory


def told(inventory: Inventory) -> list[tuple[str, str, str]]:
    return [(m.host, m.variable, m.problem) for m in inventory.mistakes()]


# ---------------------------------------------------------------- where a server may run


def two_sites() -> Inventory:
    inventory = Inventory().fleet(fleet_sites={"berlin": {}, "hamburg": {}, "bremen": {}})
    inventory.node("n1", node_site="berlin").node("n2", node_site="hamburg").node("n3", node_site="hamburg")
    return inventory


def test_pinned_to_a_node_of_another_site():
    inventory = two_sites().server("a", vs_site="berlin", vs_node="n2")
    assert inventory.complaints() == ['a: vs_node: "n2": in site hamburg, and vs_site is berlin; accepted: n1']


def test_in_a_site_without_nodes():
    inventory = two_sites().server("a", vs_site="bremen")
    assert told(inventory) == [("a", "vs_site", "no node is in this site")]


def test_pinned_to_a_witness():
    inventory = Inventory().node("n1", node_witness=True).server("a", vs_node="n1")
    assert told(inventory) == [("a", "vs_node", "a witness, which carries no servers")]


def test_pinned_to_a_node_without_the_device():
    inventory = Inventory().node("n2", node_devices="dongle").server("a", vs_devices=["dongle"], vs_node="n1")
    assert inventory.complaints() == ['a: vs_node: "n1": without the device dongle of vs_devices; accepted: n2']


def test_a_device_no_node_has():
    inventory = Inventory().node("n2", node_devices="dongle-1").server("a", vs_devices=["dongel-1"])
    assert inventory.complaints() == [
        'a: vs_devices: "dongel-1": no node has this; accepted: dongle-1 (the nearest name)'
    ]


def test_a_device_no_node_of_its_site_has():
    inventory = two_sites().node("n1", node_devices="dongle").server("a", vs_devices=["dongle"], vs_site="hamburg")
    assert told(inventory) == [("a", "vs_devices", "no node in site hamburg has this")]


def test_pinned_to_a_node_that_is_kept_for_others():
    inventory = Inventory().node("n1", node_dedicated="a").server("a", vs_node="n1").server("b", vs_node="n1")
    assert inventory.complaints() == ['b: vs_node: "n1": kept for others (its node_dedicated); accepted: n2, n3']


def test_every_node_kept_for_others():
    inventory = Inventory(nodes=1).node("n1", node_dedicated="a").server("a").server("b")
    assert told(inventory) == [("b", "", "every node is kept for others (node_dedicated)")]


def test_pinned_to_a_node_without_the_storage_pool():
    inventory = Inventory(nodes=2).node("n1", node_pools={"default": "1TiB"}).server("a", vs_pool="fast", vs_node="n1")
    inventory.node("n2", node_pools={"default": "1TiB", "fast": "1TiB"})
    assert told(inventory) == [("a", "vs_node", "without the storage pool fast")]


def test_no_pool_named_where_none_is_named_default():
    inventory = Inventory(nodes=1).node("n1", node_pools={"tank": "1TiB"}).server("a")
    assert inventory.complaints() == ["a: vs_pool: missing, and no node has a storage pool default; accepted: tank"]


def test_pinned_to_a_node_in_maintenance_is_the_planners_business():
    assert told(Inventory().node("n1", node_state="maintenance").server("a", vs_node="n1")) == []


# ---------------------------------------------------------------- how large


def sized() -> Inventory:
    inventory = Inventory(nodes=0)
    for number, memory in enumerate(("4GiB", "8GiB"), 1):
        inventory.node(f"n{number}", node_cores=4, node_memory=memory, node_io=100, node_pools={"default": "20GiB"})
    return inventory


def test_larger_than_every_node():
    inventory = sized().server("a", vs_memory="8193MiB")
    assert inventory.complaints() == [
        'a: vs_memory: "8193 MiB": larger than the largest node it may run on: n2 may promise 8192 MiB; '
        "accepted: a smaller size, or a larger node"
    ]
    assert told(sized().server("a", vs_memory="8GiB")) == []


def test_larger_than_the_node_it_is_pinned_to():
    inventory = sized().server("a", vs_memory="5GiB", vs_node="n1")
    assert told(inventory) == [("a", "vs_memory", "larger than the node it is pinned to: n1 may promise 4096 MiB")]


@pytest.mark.parametrize(
    ("variable", "most", "too_much"),
    [("vs_cores", 16, 16.5), ("vs_disk", "20GiB", "21GiB"), ("vs_io", 100, 101)],
)
def test_each_resource_may_be_the_one_that_is_short(variable, most, too_much):
    assert told(sized().server("a", **{variable: most})) == []
    assert [(host, name) for host, name, _problem in told(sized().server("a", **{variable: too_much}))] == [
        ("a", variable)
    ]


def test_a_class_that_is_larger_than_every_node():
    inventory = sized().fleet(fleet_classes={"small": {"cores": 1, "memory": "1TiB", "disk": 1}}).server("a")
    assert [(m.variable, m.value) for m in inventory.mistakes()] == [("vs_class", '"memory 1048576 MiB"')]


def test_reserve_and_overcommit_count():
    inventory = sized().fleet(fleet_reserve={"memory": "2GiB"}, fleet_overcommit={"memory": 2})
    assert told(inventory.server("a", vs_memory="12GiB")) == []
    assert [variable for _host, variable, _problem in told(inventory.server("a", vs_memory="13GiB"))] == ["vs_memory"]


def test_two_resources_that_no_one_node_has_together():
    inventory = (
        Inventory(nodes=0).node("n1", node_cores=1, node_memory="64GiB").node("n2", node_cores=32, node_memory="1GiB")
    )
    inventory.server("a", vs_cores=64, vs_memory="32GiB")
    assert [problem.partition(":")[0] for _host, _variable, problem in told(inventory)] == [
        "no node has room for all of it"
    ]


def test_a_node_that_leaves_it_to_be_measured_may_be_large_enough():
    assert told(sized().node("n3").server("a", vs_memory="1TiB")) == []


# ---------------------------------------------------------------- nodes


def test_a_node_that_is_its_own_backup():
    assert told(Inventory().node("n1", node_backup="n1")) == [("n1", "node_backup", "the node itself")]


def test_a_witness_as_backup():
    inventory = Inventory().node("n1", node_backup="n2").node("n2", node_witness=True)
    assert told(inventory) == [("n1", "node_backup", "a witness, which carries no servers")]


def test_backups_in_a_circle_are_fine():
    inventory = Inventory().node("n1", node_backup="n2").node("n2", node_backup="n3").node("n3", node_backup="n1")
    assert told(inventory) == []


def test_nothing_but_witnesses():
    inventory = Inventory(nodes=1).node("n1", node_witness="yes").server("a")
    assert told(inventory) == [("", "", "no node carries servers: every one is a witness")]


def test_one_name_for_racks_in_two_sites():
    inventory = two_sites().node("n1", node_failure_domain="rack1").node("n2", node_failure_domain="rack1")
    assert told(inventory) == [
        ("n2", "node_failure_domain", "a failure domain of site berlin (n1), and this node is in site hamburg")
    ]


# ---------------------------------------------------------------- alone on a node


def test_two_dedicated_servers_pinned_to_one_node():
    inventory = Inventory().server("a", vs_dedicated=True, vs_node="n1").server("b", vs_dedicated=True, vs_node="n1")
    assert told(inventory) == [("b", "vs_dedicated", "nothing else is to run on n1, and a is pinned there")]


def test_a_dedicated_server_pinned_beside_another():
    inventory = Inventory().server("a", vs_dedicated=True, vs_node="n1").server("b", vs_node="n1")
    assert told(inventory) == [("a", "vs_dedicated", "nothing else is to run on n1, and b is pinned there")]


def test_more_dedicated_servers_than_nodes():
    inventory = Inventory(nodes=2)
    for name in "abc":
        inventory.server(name, vs_dedicated=True)
    assert told(inventory) == [("", "vs_dedicated", "3 servers with a node to itself, on 2 nodes")]
    beside = Inventory(nodes=2).server("a", vs_dedicated=True).server("b", vs_dedicated=True).server("c")
    assert told(beside) == [("", "vs_dedicated", "2 servers with a node to itself beside 1 other, on 2 nodes")]


def test_a_dedicated_server_that_is_to_be_together_with_another():
    inventory = Inventory().server("b").server("a", vs_dedicated=True, vs_affinity="b")
    assert told(inventory) == [
        ("a", "vs_dedicated", "nothing else is to run on its node, and it is to be together with b")
    ]
    assert told(Inventory().server("b").server("a", vs_dedicated=True, vs_affinity={"with": "b", "over": "site"})) == []


# ---------------------------------------------------------------- protection


def test_replication_and_failover_need_a_second_node():
    inventory = Inventory(nodes=1).server("a", vs_replication="5m", vs_failover="auto")
    problem = "needs a second node, and n1 is the only one"
    assert told(inventory) == [("a", "vs_failover", problem), ("a", "vs_replication", problem)]


def test_a_witness_is_no_second_node():
    inventory = Inventory(nodes=2).node("n2", node_witness=True).server("a", vs_replication="sync")
    assert [variable for _host, variable, _problem in told(inventory)] == ["vs_replication"]


def test_activating_a_peer_or_a_vip_needs_none():
    inventory = Inventory(nodes=1).server("a", vs_failover="auto", vs_failover_action="none")
    assert told(inventory) == []


def test_activate_without_a_url():
    inventory = Inventory().server("a", vs_failover_action="activate")
    assert told(inventory) == [("a", "vs_failover_action", "activate without activate_url: nobody would be told")]


def test_urls_for_an_action_that_asks_none():
    inventory = Inventory().server("a", vs_failover_action={"action": "relocate", "activate_url": "http://peer"})
    assert told(inventory) == [("a", "vs_failover_action", "URLs, which the action relocate does not ask")]
