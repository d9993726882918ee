# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the networks nodes share, which no node can see alone."""

from __future__ import annotations

DOCUMENTATION = r"""
name: unfit_networks
short_description: What is wrong with the networks nodes share
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Compares what M(switchyard.fleet.node_interfaces) said of each node, and adds to C(unfit) what does not go together.
    That is a network of one name with different ranges or lengths of packets, and an address that two nodes have.
options:
  _input:
    description: Results of the module, by the name of the node.
    type: dict
    required: true
"""

EXAMPLES = r"""
table: "{{ probes | switchyard.fleet.unfit_networks | switchyard.fleet.unfit_table }}"
"""

RETURN = r"""
_value:
  description: The same, with more in C(unfit).
  type: dict
"""

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import Any


def unfit_networks(probes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each probe, with what is wrong with its networks in the light of the others'."""
    first: dict[tuple[str, int], tuple[str, Mapping[str, Any]]] = {}
    owners: dict[str, str] = {}
    found: dict[str, dict[str, Any]] = {}
    for node, probe in probes.items():
        rows = list(probe.get("unfit", ()))
        for leg in probe.get("networks", ()):
            address = ipaddress.ip_interface(leg["address"])
            other, known = first.setdefault((leg["network"], address.version), (node, leg))
            rows += _rows(leg, other, known)
            owner = owners.setdefault(str(address.ip), node)
            if owner != node:
                rows.append(_row(leg, f"{address.ip} is {owner}'s too", "an address for each node"))
        found[node] = {**probe, "unfit": rows}
    return found


def _rows(leg: Mapping[str, Any], other: str, known: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    mine, theirs = (str(ipaddress.ip_interface(each["address"]).network) for each in (leg, known))
    if mine != theirs:
        yield _row(leg, f"{mine} here, {theirs} on {other}", "one range for all nodes, or another name")
    if leg["mtu"] != known["mtu"]:
        yield _row(leg, f"mtu {leg['mtu']} here, {known['mtu']} on {other}", "one mtu for all nodes")


def _row(leg: Mapping[str, Any], found: str, needed: str) -> dict[str, str]:
    return {"check": f"network {leg['network']}", "found": found, "needed": needed}


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The one filter of this file."""
        return {"unfit_networks": unfit_networks}
