# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard.fleet.drill``: what every failure would come to; see the module of that name for its options."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from ..module_utils.fleet.census import take_census
from ..module_utils.fleet.drill import drill_text, rehearse
from ..module_utils.fleet.goals.asked import unknown_nodes
from ..module_utils.fleet.model import Fleet, Observed
from ..module_utils.survey import Surveyor
from ..plugin_utils.fleet_action import FleetAction

_OPTIONS = {"nodes": {"type": "list", "elements": "str", "default": []}, "save": {"type": "path"}}
_FEW = 40
"""Servers, of all losses together, that are listed one by one without being asked for."""


class ActionModule(FleetAction):
    """Look and reckon; nothing is changed on any node."""

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        _result, options = self.validate_argument_spec(_OPTIONS)
        nodes = self.inventory(task_vars).nodes(options["nodes"], "nodes")
        fleet = self.fleet(task_vars)
        refusals = unknown_nodes(fleet, nodes)
        if refusals:
            raise AnsibleActionFail("\n".join(f"nodes: {each.subject}: {each.reason}" for each in refusals))
        with self.engine(fleet, task_vars) as engine:
            resolved, observed = Surveyor(fleet, engine)()
            calls = engine.calls
        found = rehearse(resolved, observed, nodes)
        few = sum(len(each.revivals) for each in found) <= _FEW
        self.say(drill_text(found, each=bool(nodes) or few))
        result: dict[str, Any] = {
            "changed": False,
            "drills": [each.document() for each in found],
            "answering": sorted(name for name, node in observed.nodes.items() if node.reach == "online"),
            "api_calls": calls,
            **_running(resolved, observed),
        }
        if options["save"]:
            result["changed"] = self._save(Path(options["save"]), result["drills"])
        return result

    def _save(self, path: Path, document: list[dict[str, Any]]) -> bool:
        """Write the drills where asked; whether that changed the file."""
        text = json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        try:
            if path.exists() and path.read_text(encoding="utf-8") == text:
                return False
            if not self._task.check_mode:
                path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise AnsibleActionFail(f"save: {path}: {error.strerror}") from None
        return True


def _running(fleet: Fleet, observed: Observed) -> dict[str, Any]:
    """Where every declared server runs, and how it is asked whether it serves."""
    primaries = take_census(fleet, observed).primaries
    running = {name: guest for name, guest in primaries.items() if name in fleet.servers and guest.state == "running"}
    return {
        "placement": {name: guest.node for name, guest in sorted(running.items())},
        "targets": {
            name: {
                "address": guest.interfaces[0].address,
                "checks": [asdict(check) for check in fleet.servers[name].checks],
            }
            for name, guest in sorted(running.items())
            if guest.interfaces and guest.interfaces[0].address
        },
    }
