# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever an inventory holds, it becomes a Fleet or a list of mistakes, and nothing else happens."""

from __future__ import annotations

import copy
import datetime
import math
from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.inventory.kinds import WRONG
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.inventory.mistakes import (
    InventoryError,
    Notes,
    Unreadable,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.inventory.vocabulary import VARIABLES
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.spec import parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inventory import LAN, Inventory

SECRET = "hunter2"
HOLDER = {"fleet": "", "node": "n1", "server": "a"}


def everything() -> Inventory:
    """An inventory in which every variable is declared, and right."""
    inventory = Inventory().fleet(
        fleet_name="berlin",
        fleet_engine="incus",
        fleet_classes={"small": {"cores": 1, "memory": "1GiB", "disk": "2GiB", "io": 5, "pool": "default"}},
        fleet_templates={"tiny": {"kind": "container", "version": 1, "build": "debian", "packages": ["jq"]}},
        fleet_networks={"lan": {**LAN, "bridge": "vmbr0", "vlan": 0, "mtu": 1500, "dns": ["10.20.0.1"]}},
        fleet_sites={"x": {}, "y": None},
        fleet_overcommit={"cores": 4},
        fleet_reserve={"memory": "1GiB", "pools": {"default": "1GiB"}},
        fleet_concurrency=8,
        fleet_timeouts={"connect": "5s"},
        fleet_lock_ttl="60s",
        fleet_pool="default",
        fleet_install=True,
        fleet_pki_dir="/etc/pki",
        fleet_ssh_keys=["ssh-ed25519 AAAA ops"],
        fleet_hosts="nodes",
        fleet_controller="localhost",
        fleet_quorum_device="vote.example.net",
    )
    for name in ("n1", "n2", "n3"):
        inventory.node(
            name,
            node_address=f"{name}.example.net",
            node_port=8443,
            node_site="x",
            node_failure_domain=f"rack-{name}",
            node_cores=8,
            node_memory="32GiB",
            node_io=100,
            node_pools={"default": "1TiB"},
            node_reserve={"cores": 1},
            node_overcommit={"memory": 1},
            node_devices=["dongle"],
            node_backup="n2" if name == "n1" else "n1",
            node_dedicated=["a", "others"],
            node_state="active",
            node_witness=False,
            node_concurrency=4,
            node_fence={"agent": "fence_ipmilan", "parameters": {"password": SECRET}},
            node_fingerprint="ab" * 32,
            node_accept_certificate=False,
            node_bridge="vmbr0",
            node_sync_disks="vg0",
            node_sync_address=f"10.40.0.{name[1:]}",
            node_cluster_addresses=[f"10.30.0.{name[1:]}"],
            node_tuning={"vm.swappiness": 1},
            node_tune=True,
            node_replication_bandwidth="50MiB",
            node_interfaces=[{"name": "vmbr0", "ports": ["eth0"], "addresses": ["10.20.0.11/24"], "network": "lan"}],
            node_storage_pools=[{"name": "default"}],
            node_min_cores=1,
            node_min_memory="1GiB",
            node_min_disk="1GiB",
            node_max_clock_skew="2s",
        )
    inventory.server(
        "a",
        vs_cores=1,
        vs_memory="1GiB",
        vs_disk="2GiB",
        vs_io=5,
        vs_pool="default",
        vs_template="tiny",
        vs_address="10.20.0.100",
        vs_network="lan",
        vs_tenant="acme",
        vs_state="running",
        vs_node="n1",
        vs_dedicated=False,
        vs_devices=["dongle"],
        vs_affinity=[{"with": "b", "over": "site"}],
        vs_anti_affinity=["b"],
        vs_site="x",
        vs_start_order=10,
        vs_start_delay="5s",
        vs_checks=[{"type": "http", "port": 80}],
        vs_replication="5m",
        vs_failover="auto",
        vs_failover_action={"action": "relocate"},
        vs_replica_rtt=5,
        vs_resource_pool="customers",
    )
    return inventory.server("b", "others", vs_interfaces=[{"network": "lan", "address": "10.20.0.101"}])


def test_the_inventory_these_tests_start_from_is_right_and_declares_everything():
    inventory = everything()
    assert inventory.complaints() == []
    said = {name for variables in inventory.hosts.values() for name in variables}
    assert set(VARIABLES) - said == set()


WRONG_TYPES: list[Any] = [
    None,
    True,
    False,
    -1,
    0,
    12,
    10**400,
    1.5,
    math.nan,
    -math.inf,
    "",
    "12 potatoes",
    "a\nb",
    "\ud800",
    "x" * 5000,
    b"bytes",
    datetime.date(2026, 1, 2),
    object(),
    Unreadable("'x' is undefined"),
    [],
    [None],
    [[]],
    [{}],
    {},
    {"x y": 1},
    {1: 2},
    {1 << 70000: 2, None: 3},
    {"a": {"b": {"c": None}}},
    {"default": "12 potatoes"},
]


@pytest.mark.parametrize("variable", VARIABLES)
def test_one_wrong_value_is_told_at_its_host_and_variable_and_nowhere_else(variable):
    kind = VARIABLES[variable].kind
    refused = 0
    for value in WRONG_TYPES:
        host = "b" if variable == "vs_interfaces" else HOLDER[VARIABLES[variable].scope]
        alone: list[Any] = []
        read = kind.read(value, variable, Notes(host, alone))
        names_lost = isinstance(read, dict)  # a table without the names that others refer to: more than one mistake
        if names_lost or (read is not WRONG and not alone):
            continue
        refused += 1
        inventory = everything()
        inventory.hosts[host][variable] = value
        told = inventory.mistakes()
        assert {(m.host, m.variable.partition(".")[0].partition("[")[0]) for m in told} == {(host, variable)}, value
        if not isinstance(value, (dict, list)):
            assert len(told) == 1, value
        assert all(len(str(m)) < 1000 and str(m).isprintable() for m in told), value
    assert refused >= 10, "this variable seems to accept anything"


def test_a_wrong_ansible_host_is_told_where_it_is_used():
    for value in WRONG_TYPES:
        inventory = everything()
        del inventory.hosts["n1"]["node_address"]
        inventory.hosts["n1"]["ansible_host"] = value
        assert [(m.host, m.variable) for m in inventory.mistakes()] == [("n1", "ansible_host")]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.dates(),
    st.sampled_from(
        ["n1", "a", "b", "lan", "tiny", "small", "default", "x", "5m", "1GiB", "10.20.0.100", "none", "sync"]
    ),
    st.sampled_from(["10.20.0.0/24", "::/0", "0.0.0.0/0", "10.20.0.2-10.20.0.9", "255.255.255.255", "all", "nodes"]),
)
KEYS = st.one_of(
    st.text(max_size=8),
    st.integers(),
    st.none(),
    st.sampled_from(
        ["cidr", "gateway", "reserved", "dns", "with", "over", "hard", "type", "port", "network", "address"]
    ),
    st.sampled_from(
        ["cores", "memory", "disk", "io", "pool", "pools", "default", "agent", "parameters", "action", "name"]
    ),
    st.sampled_from(["lan", "tiny", "small", "version", "packages", "kind", "x", "path", "timeout"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


def outcome(inventory: Inventory) -> Fleet | InventoryError:
    """The one or the other; anything else is an exception here, and fails the test."""
    try:
        return parse(inventory.hosts, inventory.groups)
    except InventoryError as error:
        assert error.mistakes
        assert list(error.mistakes) == sorted(set(error.mistakes))
        assert SECRET not in str(error)
        assert SECRET not in repr(error.mistakes)
        assert all("\n" not in str(mistake) for mistake in error.mistakes)
        return error


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(VARIABLES)), VALUES, min_size=1, max_size=6))
def test_any_values_in_any_variables_make_a_fleet_or_mistakes(values):
    inventory = everything()
    for variable, value in values.items():
        for host in ("", "n1", "n2") if VARIABLES[variable].scope != "server" else ("a", "b"):
            if VARIABLES[variable].scope == "fleet" and host:
                continue
            inventory.hosts[host][variable] = copy.deepcopy(value)
    result = outcome(inventory)
    assert isinstance(result, (Fleet, InventoryError))


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(
        st.one_of(st.text(max_size=5), st.sampled_from(["", "n1", "a"])), st.dictionaries(st.text(), VALUES), max_size=4
    ),
    st.dictionaries(
        st.sampled_from(["nodes", "virtual_servers", "all", "g"]),
        st.lists(st.one_of(st.text(max_size=5), st.sampled_from(["n1", "a", "b"])), max_size=4),
    ),
)
def test_any_hosts_and_groups_make_a_fleet_or_mistakes(hosts, groups):
    inventory = Inventory(nodes=0)
    inventory.hosts, inventory.groups = hosts, groups
    assert isinstance(outcome(inventory), (Fleet, InventoryError))


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES, st.sampled_from(["bare", "parameter", "agent", "key", "nested"]))
def test_a_secret_never_gets_out(value, where):
    spoilt: dict[str, Any] = {
        "bare": [SECRET, value],
        "parameter": {"agent": value, "parameters": {"password": SECRET}},
        "agent": {"agent": f"{SECRET} {SECRET}", "parameters": value},
        "key": {"agent": "fence_ipmilan", "parameters": {"password": [SECRET], "x": value}},
        "nested": {"agent": "fence_ipmilan", "parameters": {"x": {"y": [SECRET, value]}}},
    }
    outcome(everything().node("n1", node_fence=spoilt[where]))


def test_the_order_of_hosts_and_variables_does_not_matter():
    inventory = everything()
    turned = Inventory()
    turned.hosts = {host: dict(reversed(v.items())) for host, v in reversed(inventory.hosts.items())}
    turned.groups = dict(reversed(inventory.groups.items()))
    assert turned.parse() == inventory.parse()
