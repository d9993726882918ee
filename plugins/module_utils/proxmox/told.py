# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that asks for a password, told it on its standard input: no list of processes shows it.

Proxmox VE's commands read a line where their input is no terminal. On one they want to be the foreground of a session
that has it, and an end of line as a keyboard sends it.
"""

from __future__ import annotations

import os
import signal
import subprocess


def run(command: list[str], password: str, seconds: float) -> tuple[int, str]:
    """Exit code (-1: too long) and output of a command that is given a line with the password."""
    # Not from within /etc/pve, which goes away meanwhile; and no terminal that anything it runs could ask on.
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd="/",
    )
    try:
        said, _nothing = process.communicate(f"{password}\n".encode(), timeout=seconds)
        code = process.returncode
    except subprocess.TimeoutExpired as late:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # Whatever it began may hold the pipe's other end: its end is not waited for.
        said, code = late.output or b"", -1
    return code, said.decode(errors="replace").replace("\r", "")
