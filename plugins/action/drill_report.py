# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard.fleet.drill_report``: what a real drill came to; see the module of that name for its options."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleActionFail

from ..module_utils.fleet.drilled import drilled, drilled_text
from ..plugin_utils.fleet_action import FleetAction

_OPTIONS = {
    "before": {"type": "dict", "required": True},
    "watched": {"type": "dict", "required": True},
    "rehearsal": {"type": "dict", "required": True},
}


class ActionModule(FleetAction):
    """Look and compare; nothing is changed on any node."""

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        _result, options = self.validate_argument_spec(_OPTIONS)
        fleet = self.fleet(task_vars)
        with self.engine(fleet, task_vars) as engine:
            observed = engine.observe()
            calls = engine.calls
        found = drilled(fleet, observed, options["before"], options["watched"], options["rehearsal"])
        self.say(drilled_text(found))
        result: dict[str, Any] = {"changed": False, "servers": [asdict(each) for each in found], "api_calls": calls}
        wrong = [each for each in found if each.wrong]
        if wrong:
            lines = [f"{each.server}: {each.wrong}" for each in wrong]
            head = f"{len(wrong)} of {len(found)} servers are not as they should be:"
            raise AnsibleActionFail("\n".join([head, *lines]), result=result)
        return result
