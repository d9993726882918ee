# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines with a kernel of their own, User Mode Linux (build.sh): it has modules that this machine's may lack."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BOOT, COMMAND = 1500.0, 1200.0
"""Seconds, on a machine that has other things to do."""
_QUESTIONS = itertools.count()


@dataclass(slots=True)
class Machine:
    """One of them."""

    name: str
    number: int
    folder: Path
    """Its disk's, which outlives it, and its console's."""
    base: Path
    """What build.sh made."""
    tools: Path
    record: Path
    """Directories it has under /run: to read, and to write to together with the others."""
    lan: int
    """Port of the multicast group that is the machines' common network."""
    disk: int = 1024
    """MiB of /dev/ubda."""
    memory: int = 384
    _process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Power on; returns at once."""
        image = self.folder / f"{self.name}.raw"
        if not image.exists():
            with image.open("wb") as file:
                file.truncate(self.disk << 20)
        (self.record / self.name / "up").unlink(missing_ok=True)
        # Most of what else this machine does comes first; at the very end of the queue they would not hear each other.
        command = ["nice", "-n", "5", self.base / "linux", f"mem={self.memory}M", f"initrd={self.base}/initrd"]
        command += [f"umid=sy{os.getpid()}{self.name}", "con=null", "con0=null,fd:1", "panic=-1"]
        command += [f"ubd0={image}", f"eth0=mcast,52:54:00:53:59:{self.number:02x},230.0.0.7,{self.lan},0"]
        command += [f"sy.name={self.name}", f"sy.number={self.number}", f"sy.base={self.base}"]
        command += [f"sy.tools={self.tools}", f"sy.record={self.record}"]
        with (self.folder / f"{self.name}.console").open("ab") as console:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )

    def wait(self) -> None:
        """It takes commands."""
        end = time.monotonic() + BOOT
        while not (self.record / self.name / "up").exists():
            assert self._process and self._process.poll() is None, (self.folder / f"{self.name}.console").read_text()
            assert time.monotonic() < end, f"{self.name} does not come up"
            time.sleep(0.2)

    def run(self, *command: str, given: str = "", seconds: float = COMMAND) -> str:
        """What a command prints there. Fails unless it ends well."""
        answer = self._ask({"run": command, "given": given, "seconds": seconds}, seconds)
        assert answer["status"] == 0, f"{self.name}: {' '.join(command)}: {answer}"
        return str(answer["out"])

    def act(self, action: str, server: str, mark: str, size: int = 64) -> str:
        """What the agent does there (act.py), and what it says of it."""
        answer = self._ask({"act": [action, server, mark, str(size)]}, COMMAND)
        assert answer["status"] in (0, 2), answer["error"]
        return str(answer["out"])

    def _ask(self, asked: dict[str, Any], seconds: float) -> dict[str, Any]:
        path = self.record / self.name / f"{os.getpid()}-{next(_QUESTIONS)}"
        path.with_suffix(".written").write_text(json.dumps(asked))
        path.with_suffix(".written").rename(path.with_suffix(".question"))
        end = time.monotonic() + seconds + 30
        while not path.with_suffix(".answer").exists():
            assert time.monotonic() < end, f"{self.name} does not answer: {asked}"
            time.sleep(0.05)
        answer: dict[str, Any] = json.loads(path.with_suffix(".answer").read_text())
        return answer

    def kill(self) -> None:
        """A power cut."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
