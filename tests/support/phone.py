# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A telephone, played by sipp."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

REGISTER = Path(__file__).parents[1] / "lab" / "sip" / "register.xml"
NUMBER = "100"


class Phone:
    """One that registers at a PBX with its password."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def registers(self, address: str, password: str, seconds: float = 30.0) -> bool:
        """Whether the PBX lets it in, within so many seconds: one that was started a moment ago may not listen yet."""
        end = time.monotonic() + seconds
        words = ["-m", "1", "-nostdin", "-timeout", "10", "-timeout_error", "-sf", str(REGISTER)]
        words += ["-s", NUMBER, "-au", NUMBER, "-ap", password]
        while True:
            done = subprocess.run(["sipp", address, *words], cwd=self._folder, capture_output=True, check=False)
            if done.returncode == 0:
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.5)
