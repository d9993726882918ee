# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard.fleet.validate``: is the inventory sound; see the module of that name for its options."""

from __future__ import annotations

from typing import Any

from ..plugin_utils.fleet_action import FleetAction


class ActionModule(FleetAction):
    """Reads the inventory. No node is contacted."""

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        self.validate_argument_spec({})
        fleet = self.fleet(task_vars)
        return {"changed": False, "nodes": len(fleet.nodes), "servers": len(fleet.servers)}
