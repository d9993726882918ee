# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's network as a file, and every mistake that would cut it off."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.node.interfaces import Mistaken, read, write

MINE = "192.0.2.11"
VMBR0 = {"name": "vmbr0", "ports": ["bond0"], "addresses": [f"{MINE}/24"], "gateway": "192.0.2.1", "vlan_aware": True}
BOND0 = {"name": "bond0", "slaves": "eno1 eno2", "mode": "802.3ad", "mtu": 9000}


def mistakes(*devices: dict[str, Any], management: str = MINE) -> str:
    with pytest.raises(Mistaken) as refused:
        read(devices, management)
    return "\n".join(refused.value.mistakes)


def test_a_bridge_on_a_bond_with_vlans_as_proxmox_writes_it() -> None:
    storage = {"name": "vmbr0.20", "addresses": ["198.51.100.11/24", "2001:db8::11/64"], "gateway6": "fe80::1"}
    text = write(read([VMBR0, BOND0, storage], MINE), "note")
    assert (
        text
        == """\
# note

auto lo
iface lo inet loopback

auto eno1
iface eno1 inet manual

auto eno2
iface eno2 inet manual

auto bond0
iface bond0 inet manual
\tbond-slaves eno1 eno2
\tbond-mode 802.3ad
\tbond-miimon 100
\tbond-xmit-hash-policy layer2+3
\tmtu 9000

auto vmbr0
iface vmbr0 inet static
\taddress 192.0.2.11/24
\tgateway 192.0.2.1
\tbridge-ports bond0
\tbridge-stp off
\tbridge-fd 0
\tbridge-vlan-aware yes
\tbridge-vids 2-4094

auto vmbr0.20
iface vmbr0.20 inet static
\taddress 198.51.100.11/24

iface vmbr0.20 inet6 static
\taddress 2001:db8::11/64
\tgateway fe80::1

source /etc/network/interfaces.d/*
"""
    )


def test_a_bridge_of_its_own_and_a_vlan_by_another_name() -> None:
    devices = [
        VMBR0,
        BOND0,
        {"name": "vmbr1", "comment": "inside\nonly"},
        {"name": "sip", "kind": "vlan", "device": "vmbr0", "tag": 7},
    ]
    text = write(read(devices, MINE), "note")
    assert "iface vmbr1 inet manual\n\tbridge-ports none\n\tbridge-stp off\n\tbridge-fd 0\n#inside only\n" in text
    assert "iface sip inet manual\n\tvlan-raw-device vmbr0\n\tvlan-id 7\n" in text


def test_without_the_address_it_is_reached_by_nothing_is_written() -> None:
    assert "no device has 192.0.2.12, by which the node is reached" in mistakes(VMBR0, management="192.0.2.12")
    assert "no device has" in mistakes()


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ({"name": "a name"}, "a name has 1 to 15"),
        ({"name": "a" * 16}, "a name has 1 to 15"),
        ({"name": "x0", "kind": "tunnel"}, "kind 'tunnel' is none of"),
        ({"name": "vmbr1", "port": "eno3"}, "a bridge has no port"),
        ({"name": "vmbr1", "addresses": ["192.0.2.13"]}, "no address with its prefix"),
        ({"name": "vmbr1", "addresses": ["192.0.2.999/24"]}, "no address with its prefix"),
        ({"name": "vmbr1", "addresses": [f"{MINE}/24"]}, "192.0.2.11/24: declared twice"),
        ({"name": "vmbr1", "addresses": ["203.0.113.1/24"], "gateway": "203.0.113.254"}, "a node has one"),
        ({"name": "vmbr1", "addresses": ["203.0.113.1/24"], "gateway": "10.0.0.1"}, "is in none of its networks"),
        ({"name": "vmbr1", "gateway6": "192.0.2.1"}, "is no IPv6 address"),
        ({"name": "vmbr1", "ports": ["bond0"]}, "bond0 belongs to vmbr0 already"),
        ({"name": "vmbr1", "ports": ["eno9"], "mtu": 70000}, "is not from 576 to 65520"),
        ({"name": "bond1"}, "a bond needs slaves"),
        ({"name": "bond1", "slaves": ["eno3"], "mode": "fast"}, "mode fast is none of"),
        ({"name": "bond1", "slaves": ["eno3"], "primary": "eno4"}, "primary eno4 is none of its slaves"),
        ({"name": "eno1", "addresses": ["203.0.113.9/24"]}, "has an address, and is a part of bond0"),
        ({"name": "vlan7", "kind": "vlan"}, "a VLAN needs device and tag"),
        ({"name": "vmbr0.5000"}, "is not from 1 to 4094"),
        ({"name": "vmbr0.30", "mtu": 9001, "device": "bond0"}, "mtu 9001 is more than that of bond0, 9000"),
        ({"name": "vmbr0", "ports": ["eno7"]}, "vmbr0: declared twice"),
        ({"name": "vmbr2", "ports": ["vmbr2"]}, "vmbr2: is made of itself"),
    ],
)
def test_each_mistake_is_told(device: dict[str, Any], words: str) -> None:
    assert words in mistakes(VMBR0, BOND0, device)


def test_all_of_them_at_once() -> None:
    told = mistakes({"name": "bond1"}, {"name": "vmbr1", "mtu": 1}, {"name": "x y"})
    assert len(told.splitlines()) == 4
