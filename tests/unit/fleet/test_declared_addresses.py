# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses the inventory declares: in their network, outside what is reserved, and nobody else's."""

from __future__ import annotations

import pytest
from inventory import LAN, Inventory

FREE = "a free address of 10.20.0.0/24; or none, and one is allocated"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("10.21.0.100", "outside network lan (10.20.0.0/24)"),
        ("2001:db8::1", "outside network lan (10.20.0.0/24)"),
        ("10.20.0.0", "the network address of lan"),
        ("10.20.0.255", "the broadcast address of lan"),
        ("10.20.0.1", "the gateway of network lan"),
        ("10.20.0.99", "reserved in network lan (10.20.0.2-10.20.0.99)"),
    ],
)
def test_an_address_a_server_cannot_have(address, problem):
    told = Inventory().server("a", vs_address=address).mistakes()
    assert [(m.host, m.variable, m.value, m.problem, m.accepted) for m in told] == [
        ("a", "vs_address", f'"{address}"', problem, FREE)
    ]


def test_an_address_of_two_servers():
    inventory = (
        Inventory()
        .server("a", vs_address="10.20.0.100")
        .server("b", vs_interfaces=[{"network": "lan", "address": "10.20.0.100"}])
    )
    assert inventory.complaints() == [f'b: vs_interfaces: "10.20.0.100": already the address of a; accepted: {FREE}']


def test_an_address_of_one_server_twice():
    leg = {"network": "lan", "address": "10.20.0.100"}
    told = Inventory().server("a", vs_interfaces=[leg, leg]).mistakes()
    assert [m.problem for m in told] == ["already the address of a"]


def test_an_address_of_a_node():
    told = Inventory().node("n1", node_address="10.20.0.150").server("a", vs_address="10.20.0.150").mistakes()
    assert [(m.host, m.problem) for m in told] == [("a", "already the address of node n1")]


def test_networks_that_overlap():
    networks = {"lan": LAN, "wide": {"cidr": "10.0.0.0/8"}, "far": {"cidr": "192.0.2.0/24"}}
    told = Inventory().fleet(fleet_networks=networks).complaints()
    assert told == [
        'fleet: fleet_networks.lan.cidr: "10.20.0.0/24": overlaps network wide (10.0.0.0/8); '
        "accepted: a range of its own"
    ]


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("gateway", "10.21.0.1", "outside network lan (10.20.0.0/24)"),
        ("gateway", "10.20.0.255", "the broadcast address of lan"),
        ("reserved", ["10.21.0.2"], "outside network lan (10.20.0.0/24)"),
        ("reserved", ["10.20.0.200-10.21.0.2"], "outside network lan (10.20.0.0/24)"),
        ("reserved", ["10.20.0.20-10.20.0.10"], "not a range: its first address comes after its last"),
        ("reserved", ["10.20.0.20-2001:db8::1"], "not a range: its first address comes after its last"),
        ("cidr", "10.20.0.0", "not a network with a prefix length"),
        ("cidr", "10.20.0.0/33", "not a network with a prefix length"),
        ("cidr", "10.20.0.5/24", "has bits set behind its prefix"),
        ("dns", ["resolver"], "not an IP address"),
    ],
)
def test_a_network_that_does_not_hold_together(key, value, problem):
    inventory = Inventory().fleet(fleet_networks={"lan": {"cidr": "10.20.0.0/24", key: value}}).server("a")
    told = inventory.mistakes()
    assert [(m.host, m.variable.partition("[")[0], m.problem) for m in told] == [
        ("", f"fleet_networks.lan.{key}", problem)
    ]


def test_both_ends_of_a_point_to_point_network_are_addresses():
    inventory = Inventory().fleet(fleet_networks={"p2p": {"cidr": "192.0.2.0/31"}})
    assert inventory.server("a", vs_address="192.0.2.0").server("b", vs_address="192.0.2.1").mistakes() == ()


def test_an_address_with_a_prefix_length_is_told_where_that_belongs():
    told = Inventory().server("a", vs_address="10.20.0.100/24").mistakes()
    assert [m.problem for m in told] == ["not an address (the prefix length is the network's)"]


@pytest.mark.parametrize(
    "address", ["10.20.0", "10.20.0.0256", "0x0a140064", "10.20.0.100 ", 169083904, "::ffff:1:2:3:4:5:6:7"]
)
def test_what_only_some_programs_take_for_an_address_is_a_mistake(address):
    assert [m.variable for m in Inventory().server("a", vs_address=address).mistakes()] == ["vs_address"]


def test_two_nodes_at_one_address_are_told_unless_their_ports_differ():
    inventory = Inventory().node("n2", ansible_host="10.20.0.11")
    assert inventory.complaints() == [
        'n2: ansible_host: "10.20.0.11": already the address of node n1; accepted: an address of its own'
    ]
    assert inventory.node("n2", node_port=8444).mistakes() == ()
