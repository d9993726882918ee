# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that refer to nothing are mistakes, with the nearest name that exists."""

from __future__ import annotations

import pytest
from inventory import LAN, Inventory


def base() -> Inventory:
    inventory = Inventory().server("sip1", "sip_routers").server("sip2", "sip_routers").server("a")
    inventory.groups["empty"] = []
    return inventory


@pytest.mark.parametrize(
    ("variable", "value", "problem", "accepted"),
    [
        ("vs_class", "smal", "no such class", "small (the nearest name)"),
        ("vs_template", "tinny", "no such template", "tiny (the nearest name)"),
        ("vs_network", "lam", "no such network", "lan (the nearest name)"),
        ("vs_node", "n11", "no such node", "n1 (the nearest name)"),
        ("vs_site", "defualt", "no such site", "default (the nearest name)"),
        ("vs_affinity", "sip_router", "no such host or group", "sip_routers (the nearest name)"),
        ("vs_anti_affinity", [{"with": ["sip1", "sip3"]}], "no such host or group", "sip2 (the nearest name)"),
        ("vs_anti_affinity", "n1", "a node, not a virtual server", "virtual servers and groups of them"),
        ("vs_anti_affinity", "nodes", "a group without a virtual server", "virtual servers and groups of them"),
        ("vs_anti_affinity", "a", "the server itself", "other servers, or groups it is a member of"),
    ],
)
def test_a_server_that_refers_to_nothing(variable, value, problem, accepted):
    told = base().server("a", **{variable: value}).mistakes()
    assert [(m.host, m.variable, m.problem, m.accepted) for m in told] == [("a", variable, problem, accepted)]


def test_a_group_that_is_empty_for_now_is_no_mistake():
    assert base().server("a", vs_anti_affinity="empty").mistakes() == ()


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [("node_backup", "n9", "no such node"), ("node_dedicated", ["sip9"], "no such host or group")],
)
def test_a_node_that_refers_to_nothing(variable, value, problem):
    told = base().node("n1", **{variable: value}).mistakes()
    assert [(m.host, m.variable, m.problem) for m in told] == [("n1", variable, problem)]


def test_a_node_in_a_site_nobody_declared():
    told = base().fleet(fleet_sites={"default": {}, "hamburg": {}}).node("n1", node_site="hambrug").complaints()
    assert told == ['n1: node_site: "hambrug": no such site; accepted: hamburg (the nearest name)']


def test_an_interface_on_a_network_nobody_declared():
    told = base().server("a", vs_interfaces=["lan", "wan"]).complaints()
    assert told == ['a: vs_interfaces: "wan": no such network; accepted: lan (the nearest name)']


def test_a_reference_where_nothing_is_declared_at_all():
    told = Inventory().fleet(fleet_classes={}).server("a").complaints()
    assert told == ['a: vs_class: "small": no such class; accepted: none: no class is declared']


def test_a_storage_pool_no_node_declares():
    inventory = base()
    for name in ("n1", "n2", "n3"):
        inventory.node(
            name, node_pools={"default": "100GiB"}, node_storage_pools=["default", {"name": "fast", "driver": "zfs"}]
        )
    assert inventory.server("a", vs_pool="fast").mistakes() == ()
    told = inventory.server("a", vs_pool="fats").complaints()
    assert told == ['a: vs_pool: "fats": no such storage pool; accepted: fast (the nearest name)']


def test_a_storage_pool_may_be_there_where_one_node_leaves_it_to_be_measured():
    inventory = base().node("n1", node_pools={"default": "100GiB"}).server("a", vs_pool="fast")
    assert inventory.mistakes() == ()


def test_a_class_with_a_pool_no_node_declares_is_one_mistake_for_all_its_servers():
    inventory = base().fleet(fleet_classes={"small": {"cores": 1, "memory": 64, "disk": 64, "pool": "gone"}})
    for name in ("n1", "n2", "n3"):
        inventory.node(name, node_pools={"default": "100GiB"})
    assert inventory.complaints() == [
        'fleet: fleet_classes.small.pool: "gone": no such storage pool; accepted: default'
    ]


def test_what_refers_to_something_declared_wrongly_is_not_a_second_mistake():
    inventory = base().fleet(
        fleet_classes={"small": {"cores": 1, "memory": "lots", "disk": 64}},
        fleet_networks={"lan": {**LAN, "mtu": 7}},
    )
    assert [m.variable for m in inventory.mistakes()] == ["fleet_classes.small.memory", "fleet_networks.lan.mtu"]


def test_an_unknown_variable_has_a_nearest_name():
    inventory = base().fleet(fleet_clases={}).node("n1", node_memroy=1).server("a", vs_templates="tiny")
    assert inventory.complaints() == [
        "fleet: fleet_clases: unknown variable; accepted: fleet_classes (the nearest name)",
        "a: vs_templates: unknown variable; accepted: vs_template (the nearest name)",
        "n1: node_memroy: unknown variable; accepted: node_memory (the nearest name)",
    ]


def test_an_unknown_key_of_a_variable_has_a_nearest_name():
    told = base().server("a", vs_checks=[{"type": "http", "prot": 80}]).complaints()
    assert told == ["a: vs_checks[0]: unknown key prot; accepted: port (the nearest name)"]


def test_a_misspelt_key_is_not_missing_as_well():
    told = base().server("a", vs_checks=[{"typ": "http"}]).complaints()
    assert told == ["a: vs_checks[0]: unknown key typ; accepted: type (the nearest name)"]


@pytest.mark.parametrize("name", ["pbx_1", "1pbx", "-pbx", "pbx-", "p" * 64, "pbx.example.net", "pbx é"])
def test_a_servers_name_has_to_be_a_name_the_platform_takes(name):
    assert [(m.host, m.problem) for m in Inventory().server(name).mistakes()] == [
        (name, "not a name for a virtual server")
    ]


def test_two_servers_whose_names_differ_in_case_are_one_to_dns():
    told = Inventory().server("pbx").server("PBX").complaints()
    assert told == ["PBX: differs from pbx only in case, and DNS knows no case; accepted: another name"]


@pytest.mark.parametrize("name", ["n_1", "../n1", "-n1", "n1.", "n" * 64])
def test_a_nodes_name_has_to_be_a_dns_name(name):
    assert [(m.host, m.problem) for m in Inventory().node(name).mistakes()] == [(name, "not a name for a node")]
    assert Inventory().node("node1.example.net").mistakes() == ()


def test_a_host_cannot_carry_and_be_carried():
    told = Inventory().node("both").server("both").complaints()
    assert told == [
        "both: in group nodes and in group virtual_servers; accepted: one of them: a node carries, a server is carried"
    ]
