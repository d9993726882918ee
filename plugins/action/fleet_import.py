# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard.fleet.fleet_import``: a site that exists, as an inventory; see the module of that name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from ..module_utils.adoption import Adoption, adopt
from ..module_utils.fleet.importing.inventory import Inventory, Wanted, take_in
from ..module_utils.fleet.importing.text import files
from ..module_utils.fleet.model import Fleet
from ..module_utils.lock import held
from ..plugin_utils.fleet_action import FleetAction

_OPTIONS = {
    "directory": {"type": "path"},
    "servers": {"type": "list", "elements": "str"},
    "pin": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "adopt": {"type": "bool", "default": False},
    "break_lock": {"type": "str", "default": ""},
}


class ActionModule(FleetAction):
    """Write what is there down, or make it ours."""

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        _result, options = self.validate_argument_spec(_OPTIONS)
        fleet = self.fleet(task_vars)
        if options["adopt"]:
            return self._adopt(fleet, options, task_vars)
        if not options["directory"]:
            raise AnsibleActionFail("directory: where is the inventory to be written? (-e import_directory=DIRECTORY)")
        with self.engine(fleet, task_vars) as engine:
            existing, calls = engine.describe(), engine.calls
        wanted = Wanted(tuple(options["servers"] or ()), options["pin"], str(Path(self.pki_dir(task_vars)).absolute()))
        inventory = take_in(existing, fleet, wanted)
        result = self._write(Path(options["directory"]), files(inventory), force=options["force"])
        self.say(_told(inventory))
        told = {out.guest.name: f"{out.why}; {out.advice}" for out in inventory.left_out}
        return {**result, "servers": list(inventory.servers), "left_out": told, "api_calls": calls}

    # ---- files

    def _write(self, directory: Path, texts: Mapping[str, str], *, force: bool) -> dict[str, Any]:
        """Write what differs. Raises AnsibleActionFail, before anything is written, for files that are somebody's."""
        try:
            before = {path: _read(directory / path) for path in texts}
            changed = {path: text for path, text in texts.items() if before[path] != text}
            taken = [str(directory / path) for path in changed if before[path] is not None]
            if taken and not force:
                said = f"{', '.join(taken)}: there already, and otherwise than they would be written now"
                if not self._task.check_mode:
                    raise AnsibleActionFail(
                        f"{said}. Nothing was written. See how with --check --diff, name another directory, or have "
                        "them overwritten with -e import_force=true"
                    )
                self.say(f"{said}; only -e import_force=true overwrites them")
            if not self._task.check_mode:
                for path, text in changed.items():
                    (directory / path).parent.mkdir(parents=True, exist_ok=True)
                    (directory / path).write_text(text, encoding="utf-8")
        except OSError as error:
            raise AnsibleActionFail(f"directory: {error.filename}: {error.strerror}") from None
        result: dict[str, Any] = {"changed": bool(changed), "files": sorted(str(directory / path) for path in texts)}
        if self._task.diff:
            result["diff"] = [
                {
                    "before": before[path] or "",
                    "after": text,
                    "before_header": str(directory / path),
                    "after_header": str(directory / path),
                }
                for path, text in changed.items()
            ]
        return result

    # ---- marks

    def _adopt(self, fleet: Fleet, options: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        names = list(fleet.servers)
        if options["servers"]:
            named = self.inventory(task_vars).servers(options["servers"], "servers")
            names = [name for name in named if name in fleet.servers]
            if len(names) < len(named):
                unknown = ", ".join(name for name in named if name not in fleet.servers)
                raise AnsibleActionFail(f"servers: {unknown}: in no group virtual_servers of this inventory")
        with self.engine(fleet, task_vars) as engine:
            if self._task.check_mode:
                done = adopt(fleet, engine, names, check=True)
            else:
                with held(engine, "adopt", self._lost, self.say, options["break_lock"]):
                    done = adopt(fleet, engine, names, check=False)
            calls = engine.calls
        would = "would be" if self._task.check_mode else "are now"
        self.say(f"{len(done.changed)} guests {would} servers of fleet {fleet.name}; {len(done.ours)} were already")
        result: dict[str, Any] = {
            "changed": bool(done.changed),
            "adopted": sorted(done.changed),
            "refused": done.refused,
            "api_calls": calls,
        }
        if self._task.diff:
            result["diff"] = [_diff(name, done) for name in sorted(done.changed)]
        if done.refused:
            lines = [f"{name}: {why}" for name, why in sorted(done.refused.items())]
            raise AnsibleActionFail("\n".join([f"{len(lines)} could not be adopted:", *lines]), result=result)
        return result

    def _lost(self, why: str) -> None:
        self.say(f"the fleet's lock was lost ({why}); each mark is one change by itself, and none is left half written")


def _read(path: Path) -> str | None:
    """A file's text; None: there is no such file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _diff(name: str, done: Adoption) -> dict[str, str]:
    changes = sorted(done.changed[name].items())
    return {
        "before": "".join(f"{key}: {before}\n" for key, (before, _after) in changes),
        "after": "".join(f"{key}: {after}\n" for key, (_before, after) in changes),
        "before_header": name,
        "after_header": name,
    }


def _told(inventory: Inventory) -> str:
    """What was found, and what is to be done, for a person."""
    fleet = inventory.fleet
    lines = [
        f"{len(inventory.servers)} servers on {len(inventory.nodes)} nodes, {len(fleet['fleet_classes'])} classes, "
        f"{len(fleet['fleet_networks'])} networks, {len(inventory.groups)} groups"
    ]
    lines += [
        f"{name} does not answer, and what it carries is not known: {why}" for name, why in inventory.silent.items()
    ]
    if inventory.left_out:
        lines += [f"{len(inventory.left_out)} guests are left out:", *(f"  {out}" for out in inventory.left_out)]
    return "\n".join([*lines, *inventory.notes])
