# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How nodes become a Corosync cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: corosync_plan
short_description: How nodes become a Corosync cluster
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - From what M(switchyard.fleet.cluster_member) found on each node, the corosync.conf all are to have, and who takes
    it up how; or why nothing can be done.
options:
  _input:
    description: Results of the module.
    type: list
    elements: dict
    required: true
  name:
    description: Name of the cluster.
    type: str
    required: true
  links:
    description: Addresses of each node of the inventory by its name, link by link.
    type: dict
    required: true
  ring:
    description: C(token), C(token_coefficient) and C(consensus) in milliseconds, and C(wait_for_all).
    type: dict
    required: true
  key:
    description: SHA-256 of the cluster's authkey.
    type: str
    required: true
  device:
    description: C(address), C(port) and C(tls) of a quorum device; empty if there is none.
    type: dict
    default: {}
  former:
    description: The name the fleet had before it was renamed; members of that cluster are taken along.
    type: str
    default: ""
"""

EXAMPLES = r"""
plan: "{{ found | switchyard.fleet.corosync_plan('berlin', links, {'token': 2000}, key) }}"
"""

RETURN = r"""
_value:
  description:
    - C(refused) are lines, none if it can be done; C(configuration), C(reload_on) and C(restart); C(asks_device) says
      whether the device has a vote, C(ask_anew) which members ask it already, and are to ask otherwise.
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..module_utils.cluster.corosync import Device, Ring
from ..module_utils.cluster.membership import State, plan


def corosync_plan(
    found: Sequence[Mapping[str, Any]],
    name: str,
    links: Mapping[str, Sequence[str]],
    ring: Mapping[str, Any],
    key: str,
    *,
    device: Mapping[str, Any] | None = None,
    former: str = "",
) -> dict[str, Any]:
    """The plan, as plain values."""
    states = [
        State(each["name"], each["configuration"], each["key"], bool(each["running"]), tuple(each["heard"]))
        for each in found
    ]
    times = {each: int(ring[each]) for each in ("token", "token_coefficient", "consensus") if each in ring}
    outside = Device(str(device["address"]), int(device["port"]), bool(device["tls"])) if device else None
    waiting = Ring(**times, wait_for_all=bool(ring.get("wait_for_all")))
    made = plan(states, name, links, waiting, key, device=outside, former=former)
    return asdict(made)


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        return {"corosync_plan": corosync_plan}
