# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard.fleet.apply``: a goal reached; see the module of that name for its options."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from ..module_utils.fleet.document import from_document, to_document
from ..module_utils.fleet.explain import diff_of, headline, plan_text, quiet_text, refusal_text
from ..module_utils.fleet.goals.registry import GOALS
from ..module_utils.fleet.model import Fleet, Plan
from ..module_utils.fleet.paper import on_paper
from ..module_utils.lock import held
from ..module_utils.survey import Surveyor
from ..plugin_utils.carrying_out import carry_out, conclude
from ..plugin_utils.fleet_action import FleetAction, stop_on_signals
from ..plugin_utils.goal_options import PAPER, Wish, goal_options, wish
from ..plugin_utils.progress import moved

_OPTIONS = {
    **goal_options([name for name in GOALS if name not in PAPER]),
    "plan": {"type": "path"},
    "break_lock": {"type": "str", "default": ""},
}


@dataclass(frozen=True)
class _Asked:
    """What the task asks for."""

    wish: Wish
    saved: Plan | None
    break_lock: str


class ActionModule(FleetAction):
    """Plan, take the fleet's lock, plan again from what is there now, and carry it out."""

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        _result, options = self.validate_argument_spec(_OPTIONS)
        saved = _read_plan(Path(options["plan"])) if options["plan"] else None
        asked = _Asked(wish(options, self.inventory(task_vars)), saved, options["break_lock"])
        fleet = self.fleet(task_vars)
        if self._task.check_mode and not self.installed(fleet, task_vars):
            return self._on_paper(fleet, asked)
        with self.engine(fleet, task_vars) as engine:
            survey = Surveyor(fleet, engine)
            resolved, plan = self._plan(survey, asked)
            if not plan.steps or self._task.check_mode:
                self.say(self._text(resolved, plan) if plan.steps else quiet_text(plan))
                return self._result(plan, engine.calls, changed=bool(plan.steps))
            stop = threading.Event()
            with (
                stop_on_signals(stop),
                held(engine, f"apply {asked.wish.goal.name}", self._lost(stop), self.say, asked.break_lock),
            ):
                # What was seen before the lock was ours may have changed; this is what counts.
                resolved, plan = self._plan(survey, asked)
                self.say(self._text(resolved, plan))
                outcome = carry_out(resolved, plan, engine, stop, self.say)
            if any(done.step.action == "move" for done in outcome.done):
                self.say(moved(outcome.done))
            result = self._result(plan, engine.calls, changed=bool(outcome.done))
        return conclude(result, outcome)

    def _plan(self, survey: Surveyor, asked: _Asked) -> tuple[Fleet, Plan]:
        """The plan for what is there now. Raises AnsibleActionFail where there is none that may be applied."""
        resolved, observed = survey(asked.wish.measure)
        plan = asked.wish.plan(resolved, observed)
        if asked.saved and asked.saved.goal != plan.goal:
            raise AnsibleActionFail(f"the saved plan is one to {asked.saved.goal}, and asked for is to {plan.goal}")
        if asked.saved and asked.saved.base != plan.base:
            raise AnsibleActionFail(
                "the saved plan does not fit any more: the inventory or the fleet has changed since it was made. "
                "Make a new one and read it: ansible-playbook switchyard.fleet.plan"
            )
        if plan.refusals or (plan.conditions and not self._task.check_mode):
            told = to_document(plan)
            result = {"refusals": told["refusals"], "conditions": told["conditions"]}
            raise AnsibleActionFail(refusal_text(plan), result=result)
        if asked.saved and asked.saved.steps != plan.steps:
            return resolved, asked.saved
        return resolved, plan

    def _on_paper(self, fleet: Fleet, asked: _Asked) -> dict[str, Any]:
        """What check mode tells of nodes that are still to be installed."""
        self.say("No node is installed yet: planned on paper, from what the inventory declares.")
        resolved, observed = on_paper(fleet)
        plan = asked.wish.plan(resolved, observed)
        self.say(self._text(resolved, plan))
        if plan.refusals:
            raise AnsibleActionFail(refusal_text(plan), result={"refusals": to_document(plan)["refusals"]})
        return self._result(plan, 0, changed=bool(plan.steps))

    def _text(self, fleet: Fleet, plan: Plan) -> str:
        return plan_text(fleet, plan, short=not self.display.verbosity)

    def _lost(self, stop: threading.Event) -> Any:
        def lost(why: str) -> None:
            self.say(f"stopping: {why}")
            stop.set()

        return lost

    def _result(self, plan: Plan, calls: int, *, changed: bool) -> dict[str, Any]:
        result: dict[str, Any] = {
            "changed": changed,
            "summary": headline(plan),
            "plan": to_document(plan),
            "api_calls": calls,
        }
        if self._task.diff:
            result["diff"] = diff_of(plan.steps)
        return result


def _read_plan(path: Path) -> Plan:
    try:
        return from_document(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise AnsibleActionFail(f"plan: {path}: {error.strerror}") from None
    except ValueError as error:
        raise AnsibleActionFail(f"plan: {path}: {error}") from None
