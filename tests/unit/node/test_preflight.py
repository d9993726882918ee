# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a node unfit, one thing at a time."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.node.apt_sources import Source
from ansible_collections.switchyard.fleet.plugins.module_utils.node.facts import Bridge, NodeFacts, resolve
from ansible_collections.switchyard.fleet.plugins.module_utils.node.preflight import Needs, judge, nested_range

FIT = NodeFacts(
    root=True,
    architecture="x86_64",
    cores=8,
    memory=16384,
    distribution="debian",
    version="12",
    codename="bookworm",
    hostname="node1",
    hostname_addresses=("192.0.2.11",),
    disk_free=100000,
    storage_path="/var/lib/incus",
    listeners=(),
    bridge=Bridge("vmbr0", exists=True, up=True, addresses=("192.0.2.11",)),
    device="vmbr0",
    commands=frozenset({"ip", "ss", "apt-get", "systemctl"}),
)
NEEDS = Needs(
    address="192.0.2.11",
    port=8443,
    cores=4,
    memory=8192,
    disk=5120,
    bridge="vmbr0",
    pools=("default",),
    drivers=("dir",),
)


def certificate(content: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(content).decode()}\n-----END CERTIFICATE-----\n"


def checks(facts: NodeFacts, needs: Needs = NEEDS) -> list[str]:
    return [unfit.check for unfit in judge(facts, needs)]


def test_a_fit_node_is_fit():
    assert judge(FIT, NEEDS) == []


@pytest.mark.parametrize(
    ("different", "check"),
    [
        ({"architecture": "aarch64"}, "architecture"),
        ({"cores": 3}, "cores"),
        ({"memory": 8191}, "memory"),
        ({"disk_free": 5119}, "disk"),
        ({"ids": 65536}, "user ids"),
        ({"root": False}, "root"),
        ({"distribution": "debian", "version": "11"}, "distribution"),
        ({"distribution": "fedora", "version": "42"}, "distribution"),
        ({"distribution": "", "version": ""}, "distribution"),
        ({"commands": frozenset({"ip", "ss", "apt-get"})}, "command"),
        ({"backports_offered": False}, "apt sources"),
        ({"device": ""}, "address"),
        ({"hostname_addresses": ()}, "name"),
        ({"hostname_addresses": ("127.0.1.1",)}, "name"),
        ({"hostname_addresses": ("192.0.2.12",)}, "name"),
        ({"hostname_addresses": ("127.0.1.1", "192.0.2.11")}, "name"),
        ({"listeners": ("nginx (pid 1)",)}, "port"),
        ({"bridge": Bridge("vmbr0")}, "bridge"),
        ({"bridge": Bridge("vmbr0", exists=True, addresses=("192.0.2.11",))}, "bridge"),
        ({"bridge": Bridge("vmbr0", exists=True, up=True), "device": "eth0"}, "bridge"),
        ({"missing_sources": ("/dev/sdz",)}, "storage"),
    ],
)
def test_each_thing_that_is_wrong_is_found_alone(different, check):
    assert checks(replace(FIT, **different)) == [check]


def test_exactly_enough_is_enough():
    assert checks(replace(FIT, cores=4, memory=8192, disk_free=5120)) == []


def test_a_full_node_that_has_its_pools_is_fit():
    assert checks(replace(FIT, disk_free=10, pools=("default", "other"))) == []
    assert checks(replace(FIT, disk_free=10, pools=("other",))) == ["disk"]


def test_backports_are_offered_from_the_nodes_own_mirror():
    mirror = Source("http://mirror.example/debian", ("bookworm",), ("main",))
    assert checks(replace(FIT, backports_offered=False, mirror=mirror)) == []
    assert checks(replace(FIT, backports_offered=False, version="13")) == []


def test_zfs_is_the_operators_to_install():
    needs = replace(NEEDS, drivers=("zfs",))
    assert checks(FIT, needs) == ["storage"]
    assert checks(replace(FIT, commands=FIT.commands | {"zfs"}), needs) == []


def test_a_certificate_must_be_the_one_known_or_be_accepted():
    facts = replace(FIT, certificate=certificate(b"new"))
    assert checks(facts, NEEDS) == []
    assert checks(facts, replace(NEEDS, known_certificate=certificate(b"new"))) == []
    changed = replace(NEEDS, known_certificate=certificate(b"old"))
    assert checks(facts, changed) == ["certificate"]
    assert checks(FIT, changed) == ["certificate"]
    assert checks(facts, replace(changed, accept_certificate=True)) == []


@pytest.mark.parametrize(
    ("ids", "line"),
    [
        (4294967295, ""),
        (1000000000, "root:1000000:100000000"),
        (100000000, "root:1000000:10000000"),
        (10000000, "root:1000000:1000000"),
        (1065536, "root:1000000:65536"),
    ],
)
def test_nested_ids_fit_within_the_nodes_own(ids, line):
    assert nested_range(ids) == line
    if line:
        _root, start, count = line.split(":")
        assert int(start) + int(count) <= ids


@pytest.mark.parametrize(
    ("address", "resolved"),
    [
        ("192.0.2.11", "192.0.2.11"),
        ("2001:db8::11", "2001:db8::11"),
        ("localhost", "localhost"),
        ("nonsuch.invalid", "nonsuch.invalid"),
    ],
)
def test_a_nodes_address_may_be_a_name_but_never_loopback(address, resolved):
    assert resolve(address) == resolved
