# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard.fleet.template_info``: which versions of templates there are, and who runs which."""

from __future__ import annotations

from typing import Any

from ..module_utils.fleet.report.templates import table, templates
from ..plugin_utils.fleet_action import FleetAction
from ..plugin_utils.selection import passing

_OPTIONS = {"name": {"type": "list", "elements": "str", "aliases": ["names"]}}


class ActionModule(FleetAction):
    """Looks, and changes nothing."""

    BYPASS_HOST_LOOP = False

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        _result, options = self.validate_argument_spec(_OPTIONS)
        fleet = self.fleet(task_vars)
        if not self.installed(fleet, task_vars):
            # Before the first run there is nobody to ask, and nothing to tell.
            return {"changed": False, "templates": [], "table": "", "api_calls": 0}
        with self.engine(fleet, task_vars) as engine:
            rows = templates(fleet, engine.observe(), engine.templates())
            calls = engine.calls
        found = passing(rows, {"name": options["name"]})
        return {"changed": False, "templates": found, "table": table(found), "api_calls": calls}
