# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent does with a server's disk, one thing at a time, on a machine without Incus.

Its own functions, its own settings file; only who calls them is not the cluster.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, "/run/tools/switchyard-agent.pyz")

from switchyard.agent import adopt, cib, mirror, release, settings
from switchyard.agent.mirror import Mirror
from switchyard.engine.base import EngineError
from switchyard.engine.incus import safekeeping

# On a machine that has other things to do, patience is all there is to be had.
cib._PATIENCE = 300.0
mirror._GREETING = 20.0
mirror._IN_STEP = 20.0
PLACE = Path("/var/lib/incus/storage-pools/default/containers")


def act(action: str, name: str, mark: str, size: str) -> int:
    """0: done; 2: refused, in words."""
    known = settings.load()
    disk = Mirror(known, name, {safekeeping.SYNC: mark, safekeeping.SYNC_SIZE: size})
    place = str(PLACE / name)
    began = time.monotonic()
    try:
        if action == "adopt":
            adopt.adopt(known.here, disk, place, lambda: False, lambda: None)
        elif action == "tidy":
            adopt.tidy(disk, place)
        elif action == "take":
            disk.take(place)
        elif action == "let_go":
            disk.let_go()
        elif action == "follow":
            print(disk.follow())
        elif action == "tend":
            print(disk.tend_primary())
        elif action == "release":
            release.release(known.here, disk, place, lambda: False, lambda: None)
        elif action == "forget":
            disk.forget()
        print(f"{action}: {disk.device.status().words}, {time.monotonic() - began:.1f} s")
    except EngineError as error:
        print(f"refused: {error}")
        return 2
    return 0
