# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an Incus server tells of a guest, as an inventory is written from it."""

from __future__ import annotations

from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.detail import guest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guest import configured
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.importing.existing import Card
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Fleet,
    Interface,
    Network,
    Node,
    ObservedServer,
    Server,
    Size,
)

SEEN = ObservedServer("pbx", "n1", "running", Size(1, 512, 1024), pool="zfs")
NETWORKS = {"incusbr0": {"ipv4.address": "10.1.0.1/24", "ipv6.address": "none"}}


def card(device: dict[str, str], config: dict[str, str] | None = None, *, seen: str = "") -> Card:
    addresses = [{"address": seen, "netmask": "24", "scope": "global"}] if seen else []
    raw: dict[str, Any] = {
        "type": "container",
        "expanded_config": config or {},
        "expanded_devices": {"root": {"type": "disk", "path": "/"}, "eth0": {"type": "nic", **device}},
        "state": {"network": {"eth0": {"addresses": addresses}}},
    }
    return guest(raw, SEEN, NETWORKS).cards[0]


def test_an_address_fixed_on_a_managed_network_has_its_prefix_and_gateway() -> None:
    found = card({"network": "incusbr0", "ipv4.address": "10.1.0.5"}, seen="10.1.0.5")
    assert found == Card("eth0", "incusbr0", addresses=("10.1.0.5/24",), gateways=("10.1.0.1",))


def test_a_lease_is_no_address_of_its_own_but_is_told() -> None:
    assert card({"network": "incusbr0"}, seen="10.1.0.77") == Card(
        "eth0", "incusbr0", dynamic=True, seen=("10.1.0.77/24",)
    )


def test_cloud_init_tells_address_and_gateway() -> None:
    text = "version: 2\nethernets:\n  eth0:\n    addresses: [10.2.0.5/24]\n    gateway4: 10.2.0.1\n"
    found = card({"parent": "vmbr0", "vlan": "7"}, {"cloud-init.network-config": text})
    assert (found.addresses, found.gateways, found.bridge, found.vlan) == (("10.2.0.5/24",), ("10.2.0.1",), "vmbr0", 7)


def test_routes_are_not_its_addresses() -> None:
    text = "ethernets:\n  eth0:\n    dhcp4: true\n    routes:\n      - to: 10.9.0.0/16\n        via: 10.2.0.1\n"
    found = card({"parent": "vmbr0"}, {"user.network-config": text})
    assert not found.addresses and found.dynamic


def test_a_guest_of_ours_says_what_we_told_it() -> None:
    text = "auto eth0\niface eth0 inet static\n    address 10.3.0.5\n    netmask 24\n    gateway 10.3.0.1\n"
    found = card({"parent": "vmbr0"}, {"user.switchyard.network": text})
    assert (found.addresses, found.gateways) == (("10.3.0.5/24",), ("10.3.0.1",))


def test_an_adopted_guest_keeps_its_hardware_address() -> None:
    server = Server("pbx", Size(1, 512, 1024), "tiny", interfaces=(Interface("lan", "10.3.0.5"),))
    fleet = Fleet("f", "incus", {"n1": Node("n1", "n1")}, {}, networks={"lan": Network("lan", "10.3.0.0/24")})
    volatile = {"volatile.eth0.hwaddr": "00:16:3e:00:00:01"}
    for marks, kept in (({}, False), ({"user.switchyard.adopted": "true"}, True)):
        current = {"config": {**volatile, **marks}, "devices": {"eth0": {"type": "nic", "parent": "vmbr0"}}}
        body = configured(current, server, fleet.nodes["n1"], fleet)
        assert body and (body["devices"]["eth0"]["hwaddr"] == "00:16:3e:00:00:01") == kept
