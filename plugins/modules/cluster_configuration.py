#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Pacemaker is told."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_configuration
short_description: What Pacemaker is told
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Compares Pacemaker's live configuration with what the fleet needs (options, fence devices, the template of pairs of
    nodes), as a whole, and changes all of it at once; in maintenance mode, out of which the cluster comes by itself if
    the run is cut off.
  - Pairs are added by the nodes' agents; those that are there are brought to what is declared, those of nodes that left
    go.
  - Resources, constraints and options of others stay, and are named.
  - Runs on one member of the cluster, as root.
attributes:
  check_mode:
    description: Can run in check mode and return what it would return otherwise.
    support: full
  diff_mode:
    description: Returns details on what has changed.
    support: full
    details: Without the parameters of fence agents, which may be secret.
options:
  nodes:
    description: Members of the cluster, witnesses included.
    type: list
    elements: str
    required: true
  carriers:
    description: Those of them that carry servers.
    type: list
    elements: str
    required: true
  fences:
    description: How nodes are fenced.
    type: list
    elements: dict
    required: true
    suboptions:
      node:
        description: The node.
        type: str
        required: true
      agent:
        description: Its fence agent, or V(watchdog).
        type: str
        required: true
      parameters:
        description: What the agent needs.
        type: dict
        default: {}
  timing:
    description: Seconds; C(monitor), C(monitor_timeout), C(start_timeout), C(stop_timeout) and C(forget) of pairs.
    type: dict
    default: {}
  start_grace:
    description: Seconds that nodes which start wait for one another, before those not seen are fenced.
    type: int
    default: 120
  fence_timeout:
    description: Seconds that fencing one node may take.
    type: int
    default: 60
  watchdog_timeout:
    description: Seconds after which a node has reset itself by its watchdog, if it has one.
    type: int
    default: 10
  patience:
    description: Seconds that a cluster which has just started may take to have a coordinator and a majority.
    type: int
    default: 90
"""

EXAMPLES = r"""
- name: Tell Pacemaker
  switchyard.fleet.cluster_configuration:
    nodes: [node1, node2, node3]
    carriers: [node1, node2, node3]
    fences: "{{ fences }}"
  run_once: true
"""

RETURN = r"""
strangers:
  description: What others configured, which stays.
  returned: always
  type: list
  elements: str
forgotten:
  description: Nodes the cluster knew that are no members any more.
  returned: always
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cluster.comparison import Comparison, compare
from ..module_utils.cluster.fencing import Fence, secrets
from ..module_utils.cluster.live import ClusterError, Live, Outdated, lacks
from ..module_utils.cluster.pacemaker import MAINTENANCE, Wanted
from ..module_utils.cluster.pairs import Timing

RESTS_AT_MOST = 300
SETTLES_WITHIN = 60
ATTEMPTS = 10


def wanted(told: dict[str, Any]) -> Wanted:
    """What the inventory makes of the cluster."""
    return Wanted(
        tuple(told["nodes"]),
        tuple(told["carriers"]),
        tuple(
            Fence(each["node"], each["agent"], {key: str(value) for key, value in each["parameters"].items()})
            for each in told["fences"]
        ),
        Timing(**{key: int(value) for key, value in told["timing"].items()}),
        start_grace=told["start_grace"],
        fence_timeout=told["fence_timeout"],
        watchdog=told["watchdog_timeout"],
    )


def bring(live: Live, goal: Wanted, configured: bool) -> None:
    """Change what differs. Whoever changes something at the same moment is heard: it is compared anew."""
    if configured:
        live.rest(RESTS_AT_MOST)
    for attempt in range(ATTEMPTS):
        cib = live.read()
        comparison = compare(cib, goal)
        if configured:
            _keep_resting(cib, comparison)
        try:
            live.change(cib, comparison.merged)
            break
        except Outdated:
            if attempt == ATTEMPTS - 1:
                raise
    if configured:
        live.wake()
    live.settle(SETTLES_WITHIN)


def _keep_resting(cib: Any, comparison: Comparison) -> None:
    rest = cib.find(f"configuration/crm_config/cluster_property_set[@id='{MAINTENANCE}']")
    options = comparison.merged.find("crm_config")
    if rest is not None and options is not None:
        options.append(rest)


def main() -> None:
    """Compare, change, tell."""
    module = AnsibleModule(
        argument_spec={
            "nodes": {"type": "list", "elements": "str", "required": True},
            "carriers": {"type": "list", "elements": "str", "required": True},
            "fences": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "node": {"type": "str", "required": True},
                    "agent": {"type": "str", "required": True},
                    "parameters": {"type": "dict", "default": {}, "no_log": False},
                },
            },
            "timing": {"type": "dict", "default": {}},
            "start_grace": {"type": "int", "default": 120},
            "fence_timeout": {"type": "int", "default": 60},
            "watchdog_timeout": {"type": "int", "default": 10},
            "patience": {"type": "int", "default": 90},
        },
        supports_check_mode=True,
    )
    for each in module.params["fences"]:
        module.no_log_values.update(secrets({key: str(value) for key, value in each["parameters"].items()}))
    live = Live(module.run_command, module.tmpdir)
    goal = wanted(module.params)
    try:
        cib = live.read() if module.check_mode else live.await_quorum(module.params["patience"])
        if lacking := lacks(cib):
            module.fail_json(msg=f"the cluster cannot be configured: {lacking}")
        comparison = compare(cib, goal)
        changed = comparison.differs or bool(comparison.gone)
        if comparison.differs and not module.check_mode:
            bring(live, goal, configured=cib.find("configuration/resources/primitive") is not None)
        if not module.check_mode:
            for node in comparison.gone:
                live.forget(node)
    except ClusterError as error:
        module.fail_json(msg=str(error))
    before = [*comparison.before, *(f"member {node}" for node in comparison.gone)]
    module.exit_json(
        changed=changed,
        strangers=list(comparison.strangers),
        forgotten=list(comparison.gone),
        diff={"before": "\n".join(before) + "\n", "after": "\n".join(comparison.after) + "\n"},
    )


if __name__ == "__main__":
    main()
