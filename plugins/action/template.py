# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard.fleet.template``: a template taken from a server, or a version removed; see the module for options."""

from __future__ import annotations

import threading
from typing import Any

from ansible.errors import AnsibleActionFail

from ..module_utils.engine.base import Engine
from ..module_utils.fleet.model import Fleet, Observed, ObservedServer, Template
from ..module_utils.fleet.report.templates import templates, why_kept
from ..plugin_utils.fleet_action import FleetAction, plain, stop_on_signals
from ..plugin_utils.patience import held_in_turn

_OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "version": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "from_server": {"type": "str"},
    "lock_timeout": {"type": "float", "default": 300},
    "break_lock": {"type": "str", "default": ""},
}


class ActionModule(FleetAction):
    """Look, and where something changes: take the fleet's lock, look again, and change it."""

    BYPASS_HOST_LOOP = False

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        _result, told = self.validate_argument_spec(_OPTIONS)
        options = plain(told)
        fleet = self.fleet(task_vars)
        template = self._template(fleet, options)
        with self.engine(fleet, task_vars) as engine:
            row, server = self._look(fleet, engine, template, options)
            nodes = self._to_do(row, server, options)
            if nodes and not self._task.check_mode:
                stop = threading.Event()
                token, seconds = options["break_lock"], options["lock_timeout"]
                purpose = f"template {template.name} {template.version}"
                with (
                    stop_on_signals(stop),
                    held_in_turn(engine, purpose, stop, self.say, break_token=token, seconds=seconds),
                ):
                    row, server = self._look(fleet, engine, template, options)
                    nodes = self._to_do(row, server, options)
                    self._do(engine, template, server, nodes, stop)
            calls = engine.calls
        result: dict[str, Any] = {"changed": bool(nodes), "nodes": nodes, "api_calls": calls}
        if self._task.diff and nodes:
            result["diff"] = _diff(template, row, nodes, options["state"])
        return result

    def _template(self, fleet: Fleet, options: dict[str, Any]) -> Template:
        """Which version is meant. Raises AnsibleActionFail for options that do not go together."""
        name, version, state = options["name"], options["version"], options["state"]
        if state == "present" and not options["from_server"]:
            raise AnsibleActionFail("state present needs from_server; what is built is built by the role template")
        if state == "absent" and options["from_server"]:
            raise AnsibleActionFail("state absent does not take from_server")
        if state == "absent" and not version:
            raise AnsibleActionFail("state absent needs version")
        declared = fleet.templates.get(name)
        if declared and state == "present" and version not in (None, declared.version):
            raise AnsibleActionFail(
                f"version: {version}: the inventory declares version {declared.version} of template {name}; "
                "accepted: that one, or another in fleet_templates"
            )
        if state == "present" and not declared:
            raise AnsibleActionFail(f"name: {name}: no such template; accepted: one of fleet_templates")
        return declared if state == "present" and declared else Template(name, version=version)

    def _look(
        self, fleet: Fleet, engine: Engine, template: Template, options: dict[str, Any]
    ) -> tuple[dict[str, Any], ObservedServer | None]:
        observed = engine.observe()
        if not observed.quorate:
            raise AnsibleActionFail("too few nodes answer to be sure of anything; nothing was changed")
        rows = templates(fleet, observed, engine.templates())
        key = (template.name, template.version)
        row = next((each for each in rows if (each["name"], each["version"]) == key), None)
        server = _primary(fleet, observed, options["from_server"]) if options["from_server"] else None
        return row or {"nodes": [], "servers": [], "declared": False, "unused": False, "taken_from": ""}, server

    def _to_do(self, row: dict[str, Any], server: ObservedServer | None, options: dict[str, Any]) -> list[str]:
        """The nodes something is to happen on."""
        if options["state"] == "absent":
            kept = why_kept(row) if row["nodes"] else ""
            if kept:
                raise AnsibleActionFail(f"template {options['name']} {options['version']} is not removed: {kept}")
            return list(row["nodes"])
        if row["nodes"]:
            return []
        if server is None:
            raise AnsibleActionFail(f"from_server: {options['from_server']}: no such server of this fleet is there")
        return [server.node]

    def _do(
        self,
        engine: Engine,
        template: Template,
        server: ObservedServer | None,
        nodes: list[str],
        stop: threading.Event,
    ) -> None:
        for node in nodes:
            if stop.is_set():
                raise AnsibleActionFail("the run was stopped; run again to go on from here")
            if server is None:
                engine.discard(template.name, template.version, node)
            else:
                self.say(f"template {template.name} {template.version}: taken from {server.name} on {node}")
                engine.publish(server.name, node, template, lambda _words: None)


def _primary(fleet: Fleet, observed: Observed, name: str) -> ObservedServer | None:
    """The server itself, where it is one of ours and its node answers."""
    found = [
        each
        for each in observed.servers
        if each.name == name and each.fleet == fleet.name and each.role == "primary" and each.state != "unknown"
    ]
    return max(found, key=lambda each: each.generation, default=None)


def _diff(template: Template, row: dict[str, Any], nodes: list[str], state: str) -> dict[str, str]:
    what = f"template {template.name} {template.version}"
    before = "".join(f"{what} on {node}\n" for node in (row["nodes"] if state == "absent" else ()))
    after = "".join(f"{what} on {node}\n" for node in (nodes if state == "present" else ()))
    return {"before": before, "after": after}
