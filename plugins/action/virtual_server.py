# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard.fleet.virtual_server``: one server, by hand or from a pipeline; see the module for its options."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail

from ..module_utils.engine.base import Engine
from ..module_utils.fleet.byhand import OPTIONS, declared, fitting, variables, with_options
from ..module_utils.fleet.census import take_census
from ..module_utils.fleet.document import to_document
from ..module_utils.fleet.explain import diff_of, headline, plan_text, quiet_text, refusal_text
from ..module_utils.fleet.foresight import foresee
from ..module_utils.fleet.inventory.mistakes import InventoryError
from ..module_utils.fleet.model import Fleet, Observed, Plan, Server, Size
from ..module_utils.fleet.report.servers import server_row
from ..module_utils.fleet.single import STATES, Request, single
from ..module_utils.fleet.spec import parse
from ..module_utils.survey import Surveyor
from ..plugin_utils.carrying_out import carry_out, conclude
from ..plugin_utils.fleet_action import FleetAction, declarations, our_variables, plain, stop_on_signals
from ..plugin_utils.patience import held_in_turn
from ..plugin_utils.whole_file import beside, known_checksum

_LISTS = ("devices", "interfaces", "affinity", "anti_affinity", "checks")
_RAW: dict[str, Any] = {"type": "raw"}
_RAW_LIST: dict[str, Any] = {"type": "list", "elements": "raw"}
_OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": list(STATES), "default": "present"},
    **{option: _RAW_LIST if option in _LISTS else _RAW for option in OPTIONS},
    "class_name": {"type": "str", "aliases": ["class"]},
    "node": {"type": "str"},
    "copy_from": {"type": "str"},
    "import_from": {"type": "path"},
    "force": {"type": "bool", "default": False},
    "restart": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "float", "default": 600},
    "lock_timeout": {"type": "float", "default": 300},
    "break_lock": {"type": "str", "default": ""},
}


@dataclass(frozen=True)
class _Task:
    """What the task asks for, and what the inventory says."""

    request: Request
    given: dict[str, Any]
    hosts: dict[str, dict[str, Any]]
    groups: dict[str, list[str]]
    wait: bool
    path: str = ""
    """File it is made from; empty: none."""

    @property
    def declared(self) -> bool:
        """Whether the server is in the inventory."""
        return declared(self.groups, self.request.name)


class ActionModule(FleetAction):
    """Plan for one server, take the fleet's lock, plan again from what is there now, and carry it out."""

    BYPASS_HOST_LOOP = False

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        _result, told = self.validate_argument_spec(_OPTIONS)
        options = plain(told)
        task = self._task_of(options, task_vars)
        base = parse(task.hosts, task.groups)
        with self.engine(base, task_vars) as engine:
            task = _reading(task, engine)
            survey = Surveyor(base, engine)
            fleet, observed, plan = self._plan(task, base, survey, engine)
            if not plan.steps or self._task.check_mode:
                self.say(plan_text(fleet, plan) if plan.steps else quiet_text(plan))
                return self._result(task, fleet, observed, plan, engine.calls)
            stop = threading.Event()
            with (
                stop_on_signals(stop),
                self._held(engine, task, stop, options),
            ):
                fleet, observed, plan = self._plan(task, base, survey, engine)
                self.say(plan_text(fleet, plan) if plan.steps else quiet_text(plan))
                with _until(stop, options["wait_timeout"]) as late:
                    outcome = carry_out(fleet, plan, engine, stop, self.say)
            result = self._result(task, fleet, observed, plan, engine.calls)
        result["changed"] = bool(outcome.done)
        why = f"not done within wait_timeout, {options['wait_timeout']:g} s" if late.is_set() else "the run was stopped"
        return conclude(result, outcome, why)

    def _held(
        self, engine: Engine, task: _Task, stop: threading.Event, options: dict[str, Any]
    ) -> AbstractContextManager[None]:
        purpose = f"virtual_server {task.request.name} {task.request.state}"
        token, seconds = options["break_lock"], options["lock_timeout"]
        return held_in_turn(engine, purpose, stop, self.say, break_token=token, seconds=seconds)

    # ---- from options to a plan

    def _task_of(self, options: dict[str, Any], task_vars: dict[str, Any]) -> _Task:
        name, state = options["name"], options["state"]
        given = {OPTIONS[option]: options[option] for option in OPTIONS if options[option] is not None}
        stray = sorted(option for option in OPTIONS if options[option] is not None) if state == "absent" else []
        stray += [option for option in ("node", "copy_from", "import_from") if state == "absent" and options[option]]
        if stray:
            raise AnsibleActionFail(f"state absent does not take {', '.join(stray)}")
        if options["force"] and state != "absent":
            raise AnsibleActionFail("force is for state absent: a running server is deleted with it")
        if options["copy_from"] and options["import_from"]:
            raise AnsibleActionFail("copy_from and import_from: a new server is made of one of both")
        for option in ("wait_timeout", "lock_timeout"):
            if options[option] < 0:
                raise AnsibleActionFail(f"{option}: {options[option]:g}: accepted: seconds, 0 or more")
        hosts, groups = declarations(task_vars["hostvars"], task_vars["groups"])
        if name in groups.get("nodes", []):
            raise AnsibleActionFail(f"name: {name} is a node, not a virtual server")
        if not declared(groups, name) and name in task_vars["hostvars"]:
            # A host of the play that is no server of the fleet yet may say what it is to be all the same.
            said = our_variables(task_vars["hostvars"][name])
            given = {variable: said[variable] for variable in OPTIONS.values() if variable in said} | given
        request = Request(
            name,
            state,
            node=options["node"] or "",
            source=options["copy_from"] or "",
            restart=options["restart"],
            force=options["force"],
        )
        path = str(Path(options["import_from"]).absolute()) if options["import_from"] else ""
        return _Task(request, given, hosts, groups, options["wait"], path)

    def _plan(self, task: _Task, base: Fleet, survey: Surveyor, engine: Engine) -> tuple[Fleet, Observed, Plan]:
        """The plan for what is there now. Raises AnsibleActionFail where there is none that may be carried out."""
        observed = engine.observe()
        fleet = self._declaring(task, base, observed)
        fleet, observed = survey.settle(fleet, observed, only={task.request.name})
        if not task.wait:
            server = fleet.servers.get(task.request.name)
            fleet = _with(fleet, replace(server, checks=())) if server else fleet
        plan = single(fleet, observed, task.request)
        if plan.refusals:
            raise AnsibleActionFail(refusal_text(plan), result={"refusals": to_document(plan)["refusals"]})
        return fleet, observed, plan

    def _declaring(self, task: _Task, base: Fleet, observed: Observed) -> Fleet:
        """The fleet with the server in it, as it is to be."""
        request = task.request
        if request.state == "absent":
            return base
        known = take_census(base, observed).primaries
        like = known.get(request.name) or known.get(request.source)
        if like is None and request.exported:
            like = fitting(base, request.exported.server)
        if like is None and not task.declared and request.state in ("stopped", "restarted"):
            # Whatever was said of it: it is not there. The planner says so, and what else may be in the way.
            return _with(base, Server(request.name, Size(0, 0, 0), ""))
        try:
            return with_options(task.hosts, task.groups, request.name, task.given, like)
        except InventoryError as error:
            lines = "\n".join(error.lines())
            raise AnsibleActionFail(f"{lines}\nNothing has been changed.", result={"mistakes": error.lines()}) from None

    # ---- telling

    def _result(self, task: _Task, fleet: Fleet, observed: Observed, plan: Plan, calls: int) -> dict[str, Any]:
        name = task.request.name
        guest = take_census(fleet, foresee(fleet, observed, plan.steps)).primaries.get(name)
        server = fleet.servers.get(name)
        result: dict[str, Any] = {
            "changed": bool(plan.steps),
            "summary": headline(plan),
            "steps": [step.id for step in plan.steps],
            "notes": list(plan.notes),
            "api_calls": calls,
        }
        if guest is None:
            gone = Server(name, Size(0, 0, 0), "")
            row = server_row(gone, None, fleet, declared=task.declared)
            result["server"] = {key: row[key] for key in ("name", "node", "state", "fleet", "declared")}
        else:
            result["server"] = server_row(server or Server(name, guest.size, ""), guest, fleet, declared=task.declared)
        self._tell_about_the_inventory(task, server if guest else None, result, plan)
        if self._task.diff:
            result["diff"] = diff_of(plan.steps)
        return result

    def _tell_about_the_inventory(self, task: _Task, server: Server | None, result: dict[str, Any], plan: Plan) -> None:
        """What the inventory and this task say differently, and what to do about it."""
        name, state = task.request.name, task.request.state
        if task.declared:
            wanted = parse(task.hosts, task.groups).servers[name].state
            if state == "absent" and plan.steps:
                self.display.warning(f"{name} is in the inventory: site makes it again unless it is taken out of it")
            elif state == "stopped" and wanted == "running":
                self.display.warning(
                    f"{name} is to run by the inventory: site starts it, unless it says vs_state: stopped"
                )
            elif state in ("started", "restarted") and wanted == "stopped":
                self.display.warning(f"{name} is to rest by the inventory (vs_state: stopped): site stops it")
            return
        if server is None:
            return
        told = variables(server, task.given)
        result["inventory"] = told
        if any(step.action in ("create", "copy", "import") for step in plan.steps):
            text = yaml.safe_dump({"virtual_servers": {"hosts": {name: told}}}, sort_keys=False).rstrip()
            self.display.warning(
                f"{name} is not in the inventory: site leaves it alone and names it, prune=all deletes it. "
                f"To keep it, add to the inventory:\n{text}"
            )


def _reading(task: _Task, engine: Engine) -> _Task:
    """The task with what is in its file, read once. Raises AnsibleActionFail where it is not the file it was."""
    if not task.path:
        return task
    exported = engine.read_export(task.path)
    said = known_checksum(Path(task.path))
    if said and said != exported.checksum:
        raise AnsibleActionFail(f"import_from: {task.path} is not what {beside(Path(task.path)).name} says")
    return replace(task, request=replace(task.request, exported=exported))


def _with(fleet: Fleet, server: Server) -> Fleet:
    return replace(fleet, servers={**fleet.servers, server.name: server})


@contextmanager
def _until(stop: threading.Event, seconds: float) -> Iterator[threading.Event]:
    """Set ``stop`` when the block takes longer; the event given back tells that it did."""
    late = threading.Event()

    def end() -> None:
        late.set()
        stop.set()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
