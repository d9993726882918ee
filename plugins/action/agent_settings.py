# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard.fleet.agent_settings``: what the nodes' agents have to know; see the module of that name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from ..module_utils.agent.settings import written
from ..plugin_utils.fleet_action import FleetAction


class ActionModule(FleetAction):
    """Reads the inventory and the nodes' certificates. No node is contacted."""

    _supports_check_mode = True

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        self.validate_argument_spec({})
        fleet = self.fleet(task_vars)
        folder = Path(self.pki_dir(task_vars)) / "nodes"
        certificates = {}
        for node in fleet.nodes:
            path = folder / f"{node}.crt"
            try:
                certificates[node] = path.read_text(encoding="ascii").strip() + "\n"
            except FileNotFoundError:
                # Never installed: nothing of the fleet is there.
                continue
            except (OSError, ValueError) as error:
                raise AnsibleActionFail(f"{path}: {error}") from None
        servers = fleet.servers.values()
        return {
            "changed": False,
            "fleet": fleet.name,
            "nodes": list(fleet.nodes),
            "replicated": any(each.replication.mode != "none" or each.failover.mode != "off" for each in servers),
            "protected": any(each.failover.mode == "auto" for each in servers),
            "in_step": [each.name for each in servers if each.replication.mode == "sync"],
            # Only where a server needs it: what is declared for a day to come is no reason to install anything.
            "disks": {
                node.name: node.disks
                for node in fleet.nodes.values()
                if node.disks
                and not node.witness
                and any(each.replication.mode == "sync" and each.site in ("", node.site) for each in servers)
            },
            "settings": written(fleet, certificates),
        }
