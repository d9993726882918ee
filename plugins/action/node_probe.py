# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a node whether it is fit: the part that only the controller can do.

What the node itself can tell comes from the module of the same name. Only from here can be seen whether the
module can run at all, and how far the node's clock is from ours.
"""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

ROUNDS = 2
"""Questions for the time; the quickest answer counts. The first one may have to open the connection."""


class ActionModule(ActionBase):  # type: ignore[misc]
    """The time, then the module."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """As every action. An unfit node is a result, not a failure."""
        super().run(tmp, task_vars)
        ahead, error, python = self._ask_time()
        clock = {"ahead": round(ahead, 3), "error": round(error, 3)}
        if not python:
            return self._unfit(clock, "python", "no python3", "python3 installed")
        try:
            answer: dict[str, Any] = self._execute_module(task_vars=task_vars)
        except AnsibleConnectionFailure:
            raise
        except AnsibleError as refusal:  # sudo wants a password, or another one
            answer = {"failed": True, "msg": str(refusal)}
        if answer.get("failed"):
            # In the table like everything else: a node that cannot be looked at must hold up the others too.
            words = str(answer.get("module_stderr") or answer.get("msg") or "no answer").strip().splitlines()
            if any("sudo" in line for line in words):
                return self._unfit(clock, "root", words[-1], "root, or become: true with sudo")
            return self._unfit(clock, "probe", words[-1], "an answer from its Python")
        clock = {**answer["clock"], **clock}
        limit = clock["limit"]
        if abs(ahead) - error > limit:
            direction = "ahead of" if ahead > 0 else "behind"
            answer["unfit"].append(
                {
                    "check": "clock",
                    "found": f"{abs(ahead):.2f} s {direction} the controller's (± {error:.2f})",
                    "needed": f"{limit:g} s at most (chrony or systemd-timesyncd)",
                }
            )
        answer["clock"] = clock
        return answer

    def _ask_time(self) -> tuple[float, float, bool]:
        """How far the node's clock is ahead of ours, how wrong that may be (seconds), and whether it has Python."""
        best = (0.0, 1e9, False)
        for _round in range(ROUNDS):
            asked = time.time()
            answer = self._low_level_execute_command("date +%s.%N; command -v python3 || true", sudoable=False)
            answered = time.time()
            error = (answered - asked) / 2
            words = str(answer["stdout"]).split()
            if words and error < best[1]:
                best = (float(words[0]) - (asked + error), error, len(words) > 1)
        return best

    @staticmethod
    def _unfit(clock: dict[str, float], check: str, found: str, needed: str) -> dict[str, Any]:
        """The result for a node that cannot even be looked at."""
        return {
            "changed": False,
            "clock": clock,
            "facts": {},
            "unfit": [{"check": check, "found": found, "needed": needed}],
        }
