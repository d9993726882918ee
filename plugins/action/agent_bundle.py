# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard.fleet.agent_bundle``: the agent built here and copied there; see the module of that name."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils.bundle import bundle

_MODULE_UTILS = Path(__file__).parents[1] / "module_utils"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Build, then copy as ``ansible.builtin.copy`` does, check mode and all."""

    TRANSFERS_FILES = True
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """As every action."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _valid, options = self.validate_argument_spec({"dest": {"type": "path", "required": True}})
        with tempfile.TemporaryDirectory(prefix="switchyard-") as folder:
            built = Path(folder) / "switchyard-agent.pyz"
            built.write_bytes(bundle(_MODULE_UTILS))
            task = self._task.copy()
            task.args = {"src": str(built), "dest": options["dest"], "owner": "root", "group": "root", "mode": "0644"}
            copy = self._shared_loader_obj.action_loader.get(
                "ansible.builtin.copy",
                task=task,
                connection=self._connection,
                play_context=self._play_context,
                loader=self._loader,
                templar=self._templar,
                shared_loader_obj=self._shared_loader_obj,
            )
            result.update(copy.run(task_vars=task_vars))
        return result
