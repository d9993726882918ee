# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard.fleet.cluster_settings``: what the nodes' cluster is to be; see the module of that name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..plugin_utils.fleet_action import FleetAction


class ActionModule(FleetAction):
    """Reads the inventory. No node is contacted."""

    _supports_check_mode = True

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        self.validate_argument_spec({})
        fleet = self.fleet(task_vars)
        nodes, device = fleet.nodes.values(), fleet.quorum_device
        return {
            "changed": False,
            "fleet": fleet.name,
            "protected": any(each.failover.mode == "auto" for each in fleet.servers.values()),
            "links": {node.name: list(node.links) for node in nodes},
            "carriers": [node.name for node in nodes if not node.witness],
            "fences": [
                {"node": node.name, "agent": node.fence.agent, "parameters": dict(node.fence.parameters)}
                for node in nodes
                if node.fence is not None
            ],
            "device": asdict(device) if device is not None else {},
        }
