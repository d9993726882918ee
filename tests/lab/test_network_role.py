# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of real nodes: what cannot be had is told before anything changes, servers run on while a network is
exchanged, and a wrong inventory cuts no node off."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.long]


class Network:
    """The lab's nodes, their declared networks, and a cable of their own between them."""

    def __init__(self, lab) -> None:
        self.lab = lab
        self.nodes = list(lab.facts["nodes"])
        self.gateway = lab.facts["gateway"]
        self.management = {
            "name": "vmbr0",
            "ports": ["eth0"],
            "addresses": ["{{ ansible_host }}/24"],
            "gateway": self.gateway,
            "network": "management",
        }
        self.storage = {
            "name": "vmbr1",
            "ports": ["cable0"],
            "addresses": ["10.66.0.{{ inventory_hostname[4:] }}/24"],
            "mtu": 1400,
            "network": "storage",
        }

    def play(self, *interfaces: dict[str, Any], arguments: tuple[str, ...] = (), fails: bool = False, **extra: Any):
        """What the playbook says."""
        wanted = {"node_interfaces": interfaces, "network_trial": 20, **extra}
        done = self.lab.playbook("network", *arguments, extra=wanted, check=False)
        assert (done.returncode != 0) is fails, done.stdout
        return done.stdout

    def lay_cables(self) -> None:
        """One wire all nodes are on, beside the one they are reached by."""
        addresses = {node: self.lab.facts["nodes"][node]["address"] for node in self.nodes}
        for node, own in addresses.items():
            others = [f"bridge fdb append 0:0:0:0:0:0 dev cable0 dst {a}" for a in addresses.values() if a != own]
            self.lab.ssh(
                node,
                f"ip link add cable0 type vxlan id 66 dstport 4789 local {own}; "
                + "; ".join(others)
                + "; ip link set cable0 up",
            )

    def file(self, node: str) -> str:
        return str(self.lab.ssh(node, "cat /etc/network/interfaces"))

    def unplugged(self, node: str) -> str:
        """Ports of servers that are in no bridge."""
        look = "for each in /sys/class/net/veth*; do [ ! -e $each ] || [ -e $each/brport ] || echo $each; done"
        return str(self.lab.ssh(node, look)).strip()


def changed(output: str) -> int:
    return sum(int(count) for count in re.findall(r"changed=(\d+)", output))


def page(address: str) -> str:
    end = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}/", timeout=1) as answer:
                return str(answer.read().decode().strip())
        except (urllib.error.URLError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


@pytest.fixture(scope="module")
def network(installed):
    found = Network(installed)
    found.lay_cables()
    yield found
    found.play(found.management)
    for node in found.nodes:
        installed.ssh(node, "ip link delete cable0; ip link delete vmbr1 2>/dev/null || true")


@pytest.fixture
def server(network, world):
    """A server on the last node, running: its address."""
    address = f"{world.prefix}.246"
    world.declare({"network-t": {"vs_node": network.nodes[-1], "vs_address": address}})
    world.apply()
    assert page(address) == "network-t"
    return address


def test_what_cannot_be_had_is_told_for_every_node_and_nothing_changes(network):
    before = [network.file(node) for node in network.nodes]
    second = {"name": "vmbr1", "ports": ["nosuch0"], "addresses": ["10.66.0.11/24"], "network": "storage"}
    odd = {"name": "vmbr2", "ports": ["eth0"], "mtu": "{{ 1400 if inventory_hostname == 'node1' else 1300 }}"}
    said = network.play(network.management, second, odd, fails=True)
    for node in network.nodes:
        assert re.search(rf"{node} +node_interfaces +vmbr2: eth0 belongs to vmbr0 already", said), said
    said = network.play(network.management, second, fails=True)
    assert re.search(r"node1 +link +no nosuch0 \(part of vmbr1\) +node_interfaces with cards there are: .*eth0", said)
    assert re.search(r"node2 +network storage +10.66.0.11 is node1's too +an address for each node", said)
    tagged = {"name": "vmbr0.20", "addresses": ["10.66.20.{{ inventory_hostname[4:] }}/24"]}
    # Kernels differ: of one that has what it takes, the check tells what it would do.
    vlans = network.lab.ssh("node1", "ls -d /proc/net/vlan /sys/module/8021q 2>/dev/null || true").strip()
    said = network.play(network.management, tagged, arguments=("--check",), fails=not vlans)
    assert vlans or "the kernel has no 8021q, for vmbr0.20" in said
    assert [network.file(node) for node in network.nodes] == before


def test_a_second_network_comes_while_servers_run_on(network, server):
    last = network.nodes[-1]
    said = network.play(network.management, network.storage, arguments=("--check", "--diff"))
    assert changed(said) and "bridge-ports cable0" in said
    assert "vmbr1" not in network.file(last)
    network.play(network.management, network.storage)
    assert page(server) == "network-t" and network.unplugged(last) == ""
    assert "10.66.0.3/24" in network.lab.ssh("node3", "ip -4 address show dev vmbr1")
    assert changed(network.play(network.management, network.storage)) == 0
    # What the switch between them does not carry.
    network.lab.ssh("node2", "ip link set cable0 mtu 1000")
    said = network.play(network.management, network.storage, fails=True)
    network.lab.ssh("node2", "ip link set cable0 mtu 1450")
    assert re.search(r"node1 +network storage +10.66.0.2 \(node2\) answers short packets, and none of 1400 bytes", said)
    network.lab.ssh("node2", "ip link set cable0 down")
    said = network.play(network.management, network.storage, fails=True)
    network.lab.ssh("node2", "ip link set cable0 up")
    assert re.search(r"node3 +network storage +10.66.0.2 \(node2\) does not answer 10.66.0.3", said)


def test_a_wrong_inventory_cuts_no_node_off(network, server):
    last = network.nodes[-1]
    network.play(network.management)
    before = [network.file(node) for node in network.nodes]
    # A bridge without a cable on one node: nothing that could be seen in it alone.
    wrong = {**network.management, "ports": "{{ [] if inventory_hostname == '" + last + "' else ['eth0'] }}"}
    said = " ".join(network.play(wrong, fails=True).split())
    assert f"{last}: node_interfaces: taken back: nobody came in by it. The network is as it was." in said
    assert '"ports": []' in said
    assert [network.file(node) for node in network.nodes] == before
    assert network.lab.ssh(last, "hostname").strip() == last
    assert page(server) == "network-t" and network.unplugged(last) == ""
    assert changed(network.play(network.management)) == 0
