# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How nodes become a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: proxmox_cluster_plan
short_description: How nodes become a Proxmox VE cluster
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - From what M(switchyard.fleet.proxmox_member) found on each node, in the order of the inventory, what to do; or why
    nothing can be done.
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
    description: Addresses of each node by its name, link by link.
    type: dict
    required: true
  repair:
    description: Whether nodes that were left half joined may be brought back.
    type: bool
    default: false
"""

EXAMPLES = r"""
plan: "{{ found | switchyard.fleet.proxmox_cluster_plan('berlin', links) }}"
"""

RETURN = r"""
_value:
  description: >-
    C(refused) is a table, empty if it can be done; the steps are C(remains), C(delist), C(create), C(join) through
    C(peer), and for people C(words).
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..module_utils.proxmox.membership import as_table, as_words, plan, state


def proxmox_cluster_plan(
    found: Sequence[Mapping[str, Any]], name: str, links: Mapping[str, Sequence[str]], repair: bool = False
) -> dict[str, Any]:
    """The plan, as plain values."""
    made = plan([state(each) for each in found], name, links, repair=repair)
    return {
        "refused": as_table(made.problems) if made.problems else "",
        "remains": list(made.clear),
        "delist": list(made.delist),
        "create": made.create,
        "join": list(made.join),
        "peer": made.peer,
        "words": as_words(made, name),
    }


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The one filter of this file."""
        return {"proxmox_cluster_plan": proxmox_cluster_plan}
