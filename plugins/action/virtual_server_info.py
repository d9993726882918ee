# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard.fleet.virtual_server_info``: what servers are, where, what they take; see the module for its options."""

from __future__ import annotations

import time
from typing import Any

from ..module_utils.fleet.model import Statistics
from ..module_utils.fleet.report.servers import PARTS, servers
from ..plugin_utils.fleet_action import FleetAction
from ..plugin_utils.selection import filters, passing, servers_named, subset, subset_option

_FILTERS = ("node", "site", "class_name", "template", "tenant", "state")
_OPTIONS = {
    "name": {"type": "list", "elements": "str", "aliases": ["names"]},
    **filters(_FILTERS, {"state": ("running", "stopped", "unknown", "absent")}),
    "strangers": {"type": "bool", "default": False},
    "gather_subset": subset_option(PARTS, ("usage", "replicas")),
}


class ActionModule(FleetAction):
    """Looks, and changes nothing."""

    BYPASS_HOST_LOOP = False

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        _result, options = self.validate_argument_spec(_OPTIONS)
        parts = subset(options["gather_subset"], PARTS)
        fleet = self.fleet(task_vars)
        with self.engine(fleet, task_vars) as engine:
            observed = engine.observe()

            def rows(statistics: Statistics) -> list[dict[str, Any]]:
                return servers(fleet, observed, statistics, parts, now=time.time(), strangers=options["strangers"])

            found = self._meant(rows(Statistics()), options, task_vars)
            if found and parts & {"usage", "throughput"}:
                names = {row["name"] for row in found}
                statistics = engine.statistics(names if "throughput" in parts else ())
                found = self._meant(rows(statistics), options, task_vars)
            calls = engine.calls
        return {"changed": False, "servers": found, "api_calls": calls}

    def _meant(
        self, rows: list[dict[str, Any]], options: dict[str, Any], task_vars: dict[str, Any]
    ) -> list[dict[str, Any]]:
        wanted: dict[str, Any] = {name: options[name] for name in _FILTERS}
        if options["name"] is not None:
            there = [row["name"] for row in rows]
            wanted["name"] = servers_named(options["name"], task_vars["groups"], there, self._loader)
        return passing(rows, wanted)
