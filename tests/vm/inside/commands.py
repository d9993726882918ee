# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one service of a test's machine: runs commands that come as files, in JSON, and answers in kind.

Nothing else is needed there: no system manager, no shell server.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any


def prepare() -> None:
    """The network, as the kernel's command line says: ``sy.number=1 sy.name=node1``."""
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    # Pacemaker's own program, on a file the machines share: what it says is the same to all of them, as in a cluster.
    os.environ["CIB_file"] = "/run/record/cib.xml"  # noqa: SIM112 - its name
    sys.path.insert(0, "/run/tools")
    os.environ["LC_ALL"] = "C.UTF-8"
    words = dict(
        word.split("=", 1) for word in Path("/proc/cmdline").read_text(encoding="ascii").split() if "=" in word
    )
    for command in (
        ["hostname", words["sy.name"]],
        ["modprobe", "--all", "loop", "hmac"],
        ["ip", "link", "set", "lo", "up"],
        ["ip", "address", "add", f"10.99.7.{words['sy.number']}/24", "dev", "eth0"],
        ["ip", "link", "set", "eth0", "up"],
    ):
        subprocess.run(command, check=False)


def acted(words: list[str]) -> dict[str, Any]:
    """What the agent does, in this process: one less to start."""
    import act

    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            status = act.act(*words)
    except Exception:  # noqa: BLE001 - whatever it is, the test is told
        return {"status": -1, "out": said.getvalue(), "error": traceback.format_exc()}
    return {"status": status, "out": said.getvalue(), "error": ""}


def answered(asked: dict[str, Any]) -> dict[str, Any]:
    """One command: its status, and what it printed."""
    if "act" in asked:
        return acted(asked["act"])
    try:
        # Its status is the answer.
        done = subprocess.run(
            asked["run"],
            input=asked.get("given", ""),
            capture_output=True,
            text=True,
            timeout=asked["seconds"],
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"status": -1, "out": "", "error": str(error)}
    return {"status": done.returncode, "out": done.stdout, "error": done.stderr}


def answer(path: Path) -> None:
    """Answer a question, whole or not at all."""
    asked = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(answered(asked)), encoding="utf-8")
    fresh.rename(path.with_suffix(".answer"))


def main() -> None:
    """Questions are files: to be reached over a network, a machine would have to have a way out of its own."""
    prepare()
    place = Path("/run/record") / socket.gethostname()
    place.mkdir(exist_ok=True)
    for left in place.iterdir():
        left.unlink()
    (place / "up").touch()
    while True:
        for path in place.glob("*.question"):
            fresh = path.with_suffix(".taken")
            path.rename(fresh)
            # Many at a time: a write may wait while something else is asked.
            threading.Thread(target=answer, args=(fresh,), daemon=True).start()
        time.sleep(0.05)


if __name__ == "__main__":
    main()
