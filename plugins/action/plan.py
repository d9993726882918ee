# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard.fleet.plan``: what a goal would take, shown and saved; see the module of that name for its options."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from ..module_utils.fleet.document import to_document
from ..module_utils.fleet.explain import diff_of, headline, plan_text, refusal_text
from ..module_utils.fleet.explain_server import explain_server
from ..module_utils.fleet.goals.registry import GOALS
from ..module_utils.fleet.model import Fleet, Observed
from ..module_utils.survey import Surveyor
from ..plugin_utils.fleet_action import FleetAction
from ..plugin_utils.goal_options import goal_options, wish

_OWN = {"explain": {"type": "list", "elements": "str"}, "save": {"type": "path"}}


class ActionModule(FleetAction):
    """Plan only: nothing is changed on any node."""

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        _result, options = self.validate_argument_spec({**goal_options(list(GOALS)), **_OWN})
        asked = wish(options, self.inventory(task_vars))
        fleet = self.fleet(task_vars)
        with self.engine(fleet, task_vars) as engine:
            resolved, observed = Surveyor(fleet, engine)(asked.measure)
            calls = engine.calls
        if options["explain"]:
            return self._explain(resolved, observed, self.inventory(task_vars).servers(options["explain"], "explain"))
        plan = asked.plan(resolved, observed)
        self.say(plan_text(resolved, plan, short=not self.display.verbosity))
        document = to_document(plan)
        result: dict[str, Any] = {
            "plan": document,
            "summary": headline(plan),
            "answering": sorted(name for name, node in observed.nodes.items() if node.reach == "online"),
            "awaited": sorted(plan.left),
            "api_calls": calls,
            "changed": False,
        }
        if self._task.diff:
            result["diff"] = diff_of(plan.steps)
        if plan.refusals:
            raise AnsibleActionFail(refusal_text(plan), result={"refusals": document["refusals"]})
        if options["save"]:
            result["changed"] = self._save(Path(options["save"]), document)
        return result

    def _explain(self, fleet: Fleet, observed: Observed, servers: Iterable[str]) -> dict[str, Any]:
        """All there is to say of where these servers are."""
        try:
            told = {name: explain_server(fleet, observed, name) for name in servers}
        except ValueError as error:
            raise AnsibleActionFail(f"explain: {error}") from None
        self.say("\n\n".join(told.values()))
        return {"changed": False, "explained": told}

    def _save(self, path: Path, document: dict[str, Any]) -> bool:
        """Write the plan where asked; whether that changed the file."""
        text = json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        try:
            if path.exists() and path.read_text(encoding="utf-8") == text:
                return False
            if not self._task.check_mode:
                path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise AnsibleActionFail(f"save: {path}: {error.strerror}") from None
        return True
