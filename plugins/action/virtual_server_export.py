# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard.fleet.virtual_server_export``: a server as a file; see the module for its options."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from ..module_utils.engine.base import Engine
from ..module_utils.fleet.census import take_census
from ..module_utils.fleet.model import Exported, Fleet, ObservedServer
from ..module_utils.lock import run_is_over, run_name
from ..plugin_utils.fleet_action import FleetAction, plain, stop_on_signals
from ..plugin_utils.whole_file import beside, known_checksum, whole_file

_OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "dest": {"type": "path", "required": True},
    "compression": {"type": "str", "choices": ["gzip", "xz"], "default": "gzip"},
    "force": {"type": "bool", "default": False},
}


class _Stopped(Exception):
    """The run was told to stop while a piece was written."""


class ActionModule(FleetAction):
    """Look where the server is, fetch it, and leave it as it is. The fleet's lock is not needed for that."""

    BYPASS_HOST_LOOP = False

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        _result, told = self.validate_argument_spec(_OPTIONS)
        options = plain(told)
        name, path = options["name"], Path(options["dest"]).absolute()
        fleet = self.fleet(task_vars)
        with self.engine(fleet, task_vars) as engine:
            there = None if options["force"] else self._there(engine, name, path)
            if there:
                size = path.stat().st_size
                return self._result(there.server, path, there.checksum, size, engine.calls, changed=False)
            guest = self._find(fleet, engine, name)
            self._see_that_it_can_be_written(path)
            if self._task.check_mode:
                return self._result(guest, path, "", 0, engine.calls, changed=True)
            checksum, size = self._export(engine, guest, path, options["compression"])
            return self._result(guest, path, checksum, size, engine.calls, changed=True)

    def _there(self, engine: Engine, name: str, path: Path) -> Exported | None:
        """The export that is there already; None: there is no such file. Raises AnsibleActionFail for another file."""
        if path.is_dir():
            raise AnsibleActionFail(f"dest: {path} is a directory: name a file")
        if not path.exists():
            return None
        found = engine.read_export(str(path))
        if found.server.name != name:
            raise AnsibleActionFail(f"dest: {path} is there, with {found.server.name} in it; force: true overwrites it")
        said = known_checksum(path)
        if said and said != found.checksum:
            raise AnsibleActionFail(f"dest: {path} is not what {beside(path).name} says; force: true overwrites it")
        return found

    def _find(self, fleet: Fleet, engine: Engine, name: str) -> ObservedServer:
        census = take_census(fleet, engine.observe())
        if name in census.unclear:
            raise AnsibleActionFail(f"{name}: {census.unclear[name]}")
        guest = census.primaries.get(name)
        if guest is None:
            raise AnsibleActionFail(f"{name}: there is no server of ours of that name")
        if guest.state == "unknown":
            raise AnsibleActionFail(f"{name} is on {guest.node}, which does not answer")
        return guest

    def _see_that_it_can_be_written(self, path: Path) -> None:
        if not path.parent.is_dir():
            raise AnsibleActionFail(f"dest: {path.parent}: no such directory")

    def _export(self, engine: Engine, guest: ObservedServer, path: Path, compression: str) -> tuple[str, int]:
        stop = threading.Event()
        try:
            with stop_on_signals(stop), whole_file(path) as file:

                def take(piece: bytes) -> None:
                    if stop.is_set():
                        raise _Stopped
                    file.write(piece)

                def say(words: str) -> None:
                    self.say(f"export {guest.name} from {guest.node} … {words}")

                engine.export_server(
                    guest.name, guest.node, take, say, compression=compression, run=run_name(), over=run_is_over
                )
                if stop.is_set():
                    raise _Stopped
            beside(path).write_text(f"{file.checksum}  {path.name}\n", encoding="ascii")
        except _Stopped:
            raise AnsibleActionFail(
                "the run was stopped; no file was written, and nothing is left on the node"
            ) from None
        except BlockingIOError:
            raise AnsibleActionFail(f"dest: {path} is just being written by another run") from None
        except OSError as error:
            raise AnsibleActionFail(f"dest: {path}: {error.strerror}; nothing of it was kept") from None
        return file.checksum, file.size

    def _result(
        self, guest: ObservedServer, path: Path, checksum: str, size: int, calls: int, *, changed: bool
    ) -> dict[str, Any]:
        result: dict[str, Any] = {
            "changed": changed,
            "dest": str(path),
            "size_bytes": size,
            "checksum": f"sha256:{checksum}" if checksum else "",
            "running": changed and guest.state == "running",
            "api_calls": calls,
        }
        if self._task.diff:
            after = f"{guest.name}, as it is on {guest.node}\n"
            headers = {"before_header": str(path), "after_header": str(path)}
            result["diff"] = [{**headers, "before": "" if changed else after, "after": after}]
        return result
