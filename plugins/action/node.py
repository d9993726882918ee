# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard.fleet.node``: one node's place in the fleet, and its maintenance; see the module for its options."""

from __future__ import annotations

import threading
import time
from typing import Any

from ansible.errors import AnsibleActionFail

from ..module_utils.engine.base import Engine
from ..module_utils.fleet.document import to_document
from ..module_utils.fleet.explain import diff_of, headline, quiet_text, refusal_text
from ..module_utils.fleet.foresight import foresee
from ..module_utils.fleet.membership import NodeRequest, membership
from ..module_utils.fleet.model import Fleet, Observed, Plan, Statistics
from ..module_utils.fleet.report.nodes import nodes
from ..plugin_utils.carrying_out import carry_out, conclude
from ..plugin_utils.fleet_action import FleetAction, plain, stop_on_signals
from ..plugin_utils.patience import held_in_turn

_OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "maintenance": {"type": "bool"},
    "lock_timeout": {"type": "float", "default": 300},
    "break_lock": {"type": "str", "default": ""},
}


class ActionModule(FleetAction):
    """Look, and where something changes: take the fleet's lock, look again, and change it."""

    BYPASS_HOST_LOOP = False

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        _result, told = self.validate_argument_spec(_OPTIONS)
        options = plain(told)
        request = NodeRequest(options["name"], options["state"], options["maintenance"])
        if request.state == "absent" and request.maintenance is not None:
            raise AnsibleActionFail("state absent does not take maintenance: a node that leaves is closed by it")
        if options["lock_timeout"] < 0:
            raise AnsibleActionFail(f"lock_timeout: {options['lock_timeout']:g}: accepted: seconds, 0 or more")
        fleet = self.fleet(task_vars)
        with self.engine(fleet, task_vars) as engine:
            observed, plan = self._plan(fleet, engine, request)
            if not plan.steps or self._task.check_mode:
                self.say(quiet_text(plan))
                return self._result(fleet, observed, plan, request, engine.calls)
            stop = threading.Event()
            token, seconds = options["break_lock"], options["lock_timeout"]
            with (
                stop_on_signals(stop),
                held_in_turn(engine, f"node {request.name}", stop, self.say, break_token=token, seconds=seconds),
            ):
                observed, plan = self._plan(fleet, engine, request)
                self.say(quiet_text(plan))
                outcome = carry_out(fleet, plan, engine, stop, self.say)
            result = self._result(fleet, observed, plan, request, engine.calls)
        result["changed"] = bool(outcome.done)
        return conclude(result, outcome)

    def _plan(self, fleet: Fleet, engine: Engine, request: NodeRequest) -> tuple[Observed, Plan]:
        """The plan for what is there now. Raises AnsibleActionFail where there is none that may be carried out."""
        observed = engine.observe()
        plan = membership(fleet, observed, request)
        if plan.refusals:
            raise AnsibleActionFail(refusal_text(plan), result={"refusals": to_document(plan)["refusals"]})
        return observed, plan

    def _result(self, fleet: Fleet, observed: Observed, plan: Plan, request: NodeRequest, calls: int) -> dict[str, Any]:
        after = foresee(fleet, observed, plan.steps)
        rows = nodes(fleet, after, Statistics(), ("servers",), now=time.time())
        result: dict[str, Any] = {
            "changed": bool(plan.steps),
            "node": next((row for row in rows if row["name"] == request.name), None),
            "summary": headline(plan),
            "notes": list(plan.notes),
            "api_calls": calls,
        }
        if self._task.diff:
            result["diff"] = diff_of(plan.steps)
        return result
