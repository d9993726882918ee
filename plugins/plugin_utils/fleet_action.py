# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between Ansible and the road: the inventory read, the engine opened, what happens told."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.engine.base import Engine, EngineError, NotInstalled
from ..module_utils.engine.connect import connect
from ..module_utils.fleet.inventory.mistakes import InventoryError, Unreadable
from ..module_utils.fleet.model import Fleet
from ..module_utils.fleet.spec import parse
from ..module_utils.lock import FleetHeld
from .host_patterns import Inventory

_OURS = ("fleet_", "node_", "vs_")
_PLAIN = (str, int, float)


class FleetAction(ActionBase):
    """An action of this collection: works in the controller, on the whole fleet, once per play."""

    _requires_connection = False
    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False

    display = Display()

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ansible's entry: do the work, and turn every error it knows into one message for a person."""
        super().run(tmp, task_vars)
        if task_vars is None:
            task_vars = {}
        try:
            return self.work(task_vars)
        except InventoryError as error:
            count = "1 mistake" if len(error.mistakes) == 1 else f"{len(error.mistakes)} mistakes"
            head = f"{count} in the inventory; nothing has been changed:"
            result = {"mistakes": [str(mistake) for mistake in error.mistakes]}
            # What is wrong is said once: Ansible would append the cause's own text.
            raise AnsibleActionFail("\n".join([head, *error.lines()]), result=result) from None
        except (EngineError, FleetHeld) as error:
            raise AnsibleActionFail(str(error)) from None

    def work(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """What this action does; its result."""
        raise NotImplementedError

    # ---- the two ends of the road

    def fleet(self, task_vars: Mapping[str, Any]) -> Fleet:
        """The inventory, checked. Raises InventoryError with every mistake in it."""
        return parse(*declarations(task_vars["hostvars"], task_vars["groups"]))

    def inventory(self, task_vars: Mapping[str, Any]) -> Inventory:
        """Whom names and patterns of a task mean."""
        return Inventory(self._loader, task_vars["groups"])

    @contextmanager
    def engine(self, fleet: Fleet, task_vars: Mapping[str, Any]) -> Iterator[Engine]:
        """The fleet's platform, for as long as the block runs."""
        with closing(connect(fleet, self.pki_dir(task_vars), self._secret)) as engine:
            yield engine

    def installed(self, fleet: Fleet, task_vars: Mapping[str, Any]) -> bool:
        """Whether any node of the fleet was ever made one. Contacts nobody."""
        try:
            connect(fleet, self.pki_dir(task_vars), self._secret).close()
        except NotInstalled:
            return False
        return True

    def pki_dir(self, task_vars: Mapping[str, Any]) -> str:
        """Directory of the controller's certificate and the nodes' pinned ones."""
        return pki_dir(task_vars["hostvars"], task_vars["groups"], str(task_vars.get("inventory_dir", ".")))

    def _secret(self, path: Path) -> str:
        """The text of a file, whether ansible-vault has encrypted it or not."""
        if not path.is_file():
            raise FileNotFoundError(str(path))
        real = self._loader.get_real_file(str(path))
        try:
            return Path(real).read_text(encoding="utf-8")
        finally:
            self._loader.cleanup_tmp_file(real)

    # ---- telling

    def say(self, text: str) -> None:
        """Show a line at once."""
        self.display.display(text)


def declarations(
    hostvars: Mapping[str, Any], groups: Mapping[str, Sequence[str]]
) -> tuple[dict[str, dict[str, Any]], dict[str, list[str]]]:
    """What an inventory says of a fleet, as ``parse`` takes it: variables of its nodes and servers, and all groups."""
    named = {name: list(hosts) for name, hosts in groups.items()}
    wanted = dict.fromkeys([*named.get("nodes", []), *named.get("virtual_servers", [])])
    return {host: our_variables(hostvars[host]) for host in wanted}, named


def pki_dir(hostvars: Mapping[str, Any], groups: Mapping[str, Sequence[str]], inventory_dir: str) -> str:
    """Directory an inventory says the certificates of its fleet are in."""
    node = next(iter(groups.get("nodes", [])), None)
    declared = hostvars[node].get("fleet_pki_dir") if node else None
    return str(Path(str(declared or Path(inventory_dir) / "pki")).expanduser())


def our_variables(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables the fleet's vocabulary is about, templated, as plain Python values."""
    found: dict[str, Any] = {}
    for name in variables:
        if name.startswith(_OURS) or name == "ansible_host":
            try:
                found[str(name)] = plain(variables[name])
            except AnsibleError as error:
                found[str(name)] = Unreadable(str(error))
    return found


def plain(value: Any) -> Any:
    """A value without what Ansible attaches to it; nested templates are resolved on the way."""
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    for kind in _PLAIN:
        if isinstance(value, kind):
            return kind(value)
    return value


@contextmanager
def stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """Let ctrl-C and SIGTERM set ``stop`` for as long as the block runs, so that work ends in good order."""
    previous = {number: signal.signal(number, lambda *_args: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
