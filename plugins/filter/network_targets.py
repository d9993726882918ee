# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a node has to reach by the networks it is in."""

from __future__ import annotations

DOCUMENTATION = r"""
name: network_targets
short_description: Whom a node has to reach by the networks it is in
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - From what M(switchyard.fleet.node_interfaces) said of each node, the targets M(switchyard.fleet.node_reach) takes on
    one of them.
options:
  _input:
    description: Results of the module, by the name of the node.
    type: dict
    required: true
  node:
    description: The node that asks.
    type: str
    required: true
"""

EXAMPLES = r"""
targets: "{{ probes | switchyard.fleet.network_targets(inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: The targets.
  type: list
  elements: dict
"""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any


def network_targets(probes: Mapping[str, Mapping[str, Any]], node: str) -> list[dict[str, Any]]:
    """Every address of another node in a network that this one is in too."""
    found = []
    for mine in probes.get(node, {}).get("networks", ()):
        source = ipaddress.ip_interface(mine["address"])
        for other, probe in probes.items():
            for leg in probe.get("networks", ()) if other != node else ():
                address = ipaddress.ip_interface(leg["address"])
                if leg["network"] == mine["network"] and address.version == source.version:
                    found.append(
                        {
                            "network": mine["network"],
                            "node": other,
                            "address": str(address.ip),
                            "source": str(source.ip),
                            "mtu": min(int(mine["mtu"]), int(leg["mtu"])),
                        }
                    )
    return found


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The one filter of this file."""
        return {"network_targets": network_targets}
