# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of the node that are run for DRBD's devices, each for a limited time."""

from __future__ import annotations

import subprocess

from ..engine.base import EngineError

SECONDS = 60.0


def run(node: str, attempt: str, *command: str, seconds: float = SECONDS, fine: tuple[int, ...] = (0,)) -> str:
    """What it prints. Raises EngineError with what it complains of, where it ends with another status than ``fine``."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(node, attempt, f"{command[0]}: {error}") from None
    if done.returncode not in fine:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        words = "; ".join(lines[-3:]) or f"exit status {done.returncode}"
        raise EngineError(node, attempt, f"{command[0]}: {words}")
    return done.stdout
