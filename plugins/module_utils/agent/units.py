# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd is asked to do: it knows of every refresh that goes on, and starts none twice."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from ..engine.base import EngineError

_REFRESH = "switchyard-refresh@"
_SERVICE = ".service"
TIMER = "switchyard-replicas.timer"
SECONDS = 30.0


def refreshing() -> set[str]:
    """Names of the servers whose replicas are being refreshed by units of this node."""
    states = "--state=activating,active,deactivating,reloading"
    listed = _systemctl("list-units", "--plain", "--no-legend", "--full", states, f"{_REFRESH}*{_SERVICE}")
    units = [line.split()[0] for line in listed.splitlines() if line.strip()]
    # One that was asked for a moment ago may not have begun yet.
    queued = _systemctl("list-jobs", "--plain", "--no-legend", "--full", f"{_REFRESH}*{_SERVICE}")
    units += [line.split()[1] for line in queued.splitlines() if _REFRESH in line]
    return {unit.removeprefix(_REFRESH).removesuffix(_SERVICE) for unit in units}


def refresh(names: Iterable[str]) -> None:
    """Have these replicas refreshed, side by side; does not wait for them."""
    wanted = [f"{_REFRESH}{name}{_SERVICE}" for name in names]
    if wanted:
        _systemctl("start", "--no-block", *wanted)


def timer_runs() -> bool:
    """Whether anybody looks for replicas that are due."""
    return _systemctl("show", "--property=ActiveState", "--value", TIMER).strip() == "active"


def _systemctl(*arguments: str) -> str:
    attempt = f"systemctl {' '.join(arguments[:1])}"
    try:
        done = subprocess.run(["systemctl", *arguments], check=False, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineError("agent", attempt, str(error)) from None
    if done.returncode:
        raise EngineError("agent", attempt, done.stderr.strip() or f"exit status {done.returncode}")
    return done.stdout
