# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard.fleet.node_info``: what nodes have, carry and take; see the module for its options."""

from __future__ import annotations

import time
from typing import Any

from ..module_utils.fleet.model import Statistics
from ..module_utils.fleet.report.nodes import PARTS, nodes
from ..plugin_utils.fleet_action import FleetAction
from ..plugin_utils.selection import filters, nodes_named, passing, subset, subset_option

_FILTERS = ("site", "failure_domain", "state")
_OPTIONS = {
    "name": {"type": "list", "elements": "str", "aliases": ["names"]},
    **filters(_FILTERS, {"state": ("active", "maintenance", "offline")}),
    "gather_subset": subset_option(PARTS, ("all",)),
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
            statistics = engine.statistics() if parts & {"usage", "throughput"} else Statistics()
            calls = engine.calls
        wanted: dict[str, Any] = {name: options[name] for name in _FILTERS}
        if options["name"] is not None:
            wanted["name"] = nodes_named(options["name"], task_vars["groups"], fleet, observed, self._loader)
        found = passing(nodes(fleet, observed, statistics, parts, now=time.time()), wanted)
        return {"changed": False, "nodes": found, "api_calls": calls}
