# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks run as a user runs them: by ansible-playbook, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def begin(
    playbook: str | Path,
    *arguments: str,
    inventories: Iterable[Path],
    extra: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start ansible-playbook, as a group of processes of its own.

    The playbook is one of the collection's by its short name, or a file.
    """
    target = str(playbook) if isinstance(playbook, Path) else f"switchyard.fleet.{playbook}"
    command = [str(Path(sys.executable).with_name("ansible-playbook"))]
    for inventory in inventories:
        command += ["-i", str(inventory)]
    command += [target, *arguments]
    if extra:
        command += ["-e", json.dumps(dict(extra))]
    env = {
        **os.environ,
        **(environment or {}),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        # Seen line by line by whoever waits for one, and nothing left to colour.
        "PYTHONUNBUFFERED": "1",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
    }
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
