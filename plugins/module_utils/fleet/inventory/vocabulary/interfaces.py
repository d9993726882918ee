# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's own network devices. Whether they make a network is asked on the node, which has the cards."""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from ..kinds import Field, ListOf, Record, Scalar
from ..quantity import Unacceptable
from ..scalars import ADDRESS, BRIDGE, FLAG, choice, integer, plain_text, text

_DEVICE: Final = BRIDGE


def _with_prefix(value: Any) -> str:
    written = plain_text(value)
    try:
        found = ipaddress.ip_interface(written)
    except ValueError:
        found = None
    if found is None or "/" not in written:
        raise Unacceptable("not an address with its prefix")
    return str(found)


def _tags(value: Any) -> str:
    written = str(value) if isinstance(value, int) and not isinstance(value, bool) else plain_text(value)
    ends = [int(part) for part in written.split("-") if part.isdigit()]
    if len(ends) != written.count("-") + 1 or not 1 <= len(ends) <= 2 or not 1 <= ends[0] <= ends[-1] <= 4094:
        raise Unacceptable("not a VLAN tag, or a range of them")
    return written


INTERFACES: Final = ListOf(
    Record(
        "interface",
        {
            "name": Field(_DEVICE, "its name", required=True),
            "kind": Field(
                choice("nic", "bond", "bridge", "vlan"),
                "what it is; default by its name: `vmbr0` is a bridge, `bond0` a bond, `vmbr0.20` a VLAN",
            ),
            "network": Field(
                text("a name", pattern=r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", most=32, label="name"),
                "what it is for: management, public, cluster, storage, …; nodes have to reach each other by all "
                "devices of one network",
            ),
            "addresses": Field(
                ListOf(Scalar("address", "an address with its prefix: 192.0.2.11/24", _with_prefix)), "addresses"
            ),
            "gateway": Field(ADDRESS, "default gateway for IPv4"),
            "gateway6": Field(ADDRESS, "default gateway for IPv6"),
            "mtu": Field(integer(576, 65520), "longest packet; default: as it is"),
            "ports": Field(ListOf(_DEVICE), "bridge: its ports"),
            "vlan_aware": Field(FLAG, "bridge: it knows VLANs, so that `vlan` of `fleet_networks` works on it"),
            "vids": Field(ListOf(Scalar("tags", "a VLAN tag, or a range: 2-4094", _tags)), "bridge: VLANs it carries"),
            "stp": Field(FLAG, "bridge: spanning tree; default false"),
            "hwaddress": Field(
                text("a hardware address", pattern=r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}", most=17),
                "bridge: its hardware address; default: that of its first port",
            ),
            "slaves": Field(ListOf(_DEVICE), "bond: what it is made of"),
            "mode": Field(text("a mode", pattern=r"[a-z0-9.-]+", most=32), "bond: its mode; default active-backup"),
            "primary": Field(_DEVICE, "bond: the one that is preferred"),
            "hash": Field(text("a policy", pattern=r"[a-z0-9+]+", most=32), "bond: what packets are spread by"),
            "device": Field(_DEVICE, "vlan: what it is on, if its name does not say it"),
            "tag": Field(integer(1, 4094), "vlan: its tag, if its name does not say it"),
            "comment": Field(text(), "written beside it"),
        },
    ),
    most=64,
)
