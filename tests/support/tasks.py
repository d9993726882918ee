# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks of one play, as somebody writes them, and what came of each."""

from __future__ import annotations

import json
from typing import Any


def came(world: Any, *tasks: dict[str, Any]) -> list[dict[str, Any]]:
    """What came of tasks, whether they failed or not."""
    report = world.inventory.parent / "report.json"
    named = [{**task, "register": f"came{at}", "ignore_errors": True} for at, task in enumerate(tasks)]
    content = "{{ [" + ", ".join(f"came{at}" for at in range(len(tasks))) + "] | to_json }}"
    named.append({"ansible.builtin.copy": {"content": content, "dest": str(report)}, "check_mode": False})
    play = world.inventory.parent / "looking.yml"
    play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": named}]))
    world.play(play)
    found: list[dict[str, Any]] = json.loads(report.read_text())
    return found
