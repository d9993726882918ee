# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node cannot have of the network that is declared, and what nodes' networks do not have in common."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.filter.network_targets import network_targets
from ansible_collections.switchyard.fleet.plugins.filter.unfit_networks import unfit_networks
from ansible_collections.switchyard.fleet.plugins.module_utils.node.interfaces import Mistaken, read, write
from ansible_collections.switchyard.fleet.plugins.module_utils.node.network_preflight import NetworkFacts, judge
from ansible_collections.switchyard.fleet.plugins.module_utils.node.reach import Target, command

ADDRESS = "192.0.2.11"
MANAGEMENT = {"name": "vmbr0", "ports": ["eno1"], "addresses": [f"{ADDRESS}/24"], "network": "management"}
LINKS = {"lo": "00", "eno1": "aa", "eno2": "bb", "vmbr0": "aa", "veth12ab": "cc"}
ALL = frozenset({"vlan", "bond", "filtering"})


def told(*devices: dict[str, Any], **facts: Any) -> list[tuple[str, str]]:
    known = {"links": LINKS, "made": frozenset({"vmbr0"}), "kernel": ALL, **facts}
    return [(each.check, each.found) for each in judge(NetworkFacts(**known), read([MANAGEMENT, *devices], ADDRESS))]


def test_a_network_that_can_be_had_is_not_talked_about():
    storage = {"name": "vmbr1", "ports": ["bond0"], "addresses": ["10.66.0.11/24"], "vlan_aware": True}
    assert told(storage, {"name": "bond0", "slaves": ["eno2"]}, {"name": "vmbr0.20"}) == []


def test_cards_that_are_missing_or_lead_nowhere():
    second = {"name": "vmbr1", "ports": ["eno9"]}
    assert told(second) == [("link", "no eno9 (part of vmbr1)")]
    facts = NetworkFacts(links=LINKS, made=frozenset({"vmbr0"}), kernel=ALL)
    [missing] = judge(facts, read([MANAGEMENT, second], ADDRESS))
    assert missing.needed.endswith("cards there are: eno1, eno2")
    assert told(dead=frozenset({"eno1"})) == [("link", "eno1 (part of vmbr0) has no carrier")]
    own = {"name": "eno9", "addresses": ["10.66.0.11/24"]}
    assert told(own) == [("link", "no eno9 (with an address of its own)")]


@pytest.mark.parametrize(
    ("device", "lacks", "said"),
    [
        ({"name": "vmbr0.20"}, "vlan", ("vlan", "the kernel has no 8021q, for vmbr0.20")),
        ({"name": "bond0", "slaves": ["eno2"]}, "bond", ("bond", "the kernel has no bonding, for bond0")),
        (
            {"name": "vmbr1", "ports": ["eno2"], "vlan_aware": True},
            "filtering",
            ("vlan", "the kernel's bridges know no VLANs, for vmbr1"),
        ),
    ],
)
def test_what_the_kernel_has_not_got(device, lacks, said):
    assert told(device) == []
    assert told(device, kernel=ALL - {lacks}) == [said]


def test_whoever_else_configures_the_network_is_named():
    assert told(managers=("netplan",)) == [("network", "netplan configures it")]
    assert told(file=False) == [("network", "no /etc/network/interfaces")]


def test_a_network_needs_an_address_and_ports_of_servers_stay_plugged_in():
    with pytest.raises(Mistaken) as error:
        read([MANAGEMENT, {"name": "vmbr1", "network": "storage"}], ADDRESS)
    assert error.value.mistakes == ("vmbr1: network storage needs an address of the node in it",)
    assert "bridge-ports-condone-regex ^veth" in write(read([MANAGEMENT], ADDRESS), "note", "^veth")
    assert "condone" not in write(read([MANAGEMENT], ADDRESS), "note")


def leg(address: str, mtu: int = 1500, network: str = "storage") -> dict[str, Any]:
    return {"networks": [{"network": network, "device": "vmbr1", "address": address, "mtu": mtu}], "unfit": []}


def test_networks_of_one_name_go_together():
    probes = {"n1": leg("10.66.0.11/24"), "n2": leg("10.66.0.12/24"), "n3": leg("fd00::3/64")}
    assert unfit_networks(probes) == probes
    wrong = unfit_networks(
        {"n1": leg("10.66.0.11/24"), "n2": leg("10.66.0.11/24", mtu=9000), "n3": leg("10.67.0.13/24")}
    )
    found = {node: [row["found"] for row in probe["unfit"]] for node, probe in wrong.items()}
    assert found == {
        "n1": [],
        "n2": ["mtu 9000 here, 1500 on n1", "10.66.0.11 is n1's too"],
        "n3": ["10.67.0.0/24 here, 10.66.0.0/24 on n1"],
    }


def test_every_other_node_of_a_network_is_asked_at_the_length_both_take():
    probes = {
        "n1": leg("10.66.0.11/24", mtu=9000),
        "n2": leg("10.66.0.12/24"),
        "n3": leg("10.67.0.13/24", network="cluster"),
    }
    [target] = network_targets(probes, "n1")
    assert target == {"network": "storage", "node": "n2", "address": "10.66.0.12", "source": "10.66.0.11", "mtu": 1500}
    assert network_targets(probes, "n3") == [] and network_targets(probes, "nobody") == []
    words = command(Target(**target), 1500)
    assert words[words.index("-s") + 1] == "1472" and words[-3:] == ["-I", "10.66.0.11", "10.66.0.12"]
    six = Target("storage", "n2", "fd00::2", "fd00::1", 1500)
    assert "1452" in command(six, 1500)
