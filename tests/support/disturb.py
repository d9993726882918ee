# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to labs and runs: power that fails, runs that are seen half way, and killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def power_cut(world: Any, node: str) -> Iterator[None]:
    """A node without power for as long as the block runs."""
    world.lab.playbook("lab", extra={"lab_power": "cut", "lab_node": node, "lab_nodes": len(world.nodes)})
    try:
        yield
    finally:
        world.lab.playbook("lab", extra={"lab_power": "restore", "lab_node": node, "lab_nodes": len(world.nodes)})
        world.lab.ssh(node, "incus admin waitready --timeout 60")


def begun(world: Any, playbook: str | Path, until: str, **extra: Any) -> tuple[subprocess.Popen[str], list[str]]:
    """A run that is on its way, as far as the line that matches ``until``; what it has said so far."""
    process = world.lab.begin(playbook, inventory=world.inventory, extra=extra)
    return process, said(process, until)


def said(process: subprocess.Popen[str], until: str) -> list[str]:
    """What a run says as far as the line that matches ``until``."""
    assert process.stdout
    seen = []
    for line in process.stdout:
        seen.append(line)
        if re.search(until, line):
            return seen
    raise AssertionError("".join(seen))


def kill(process: subprocess.Popen[str], inventory: Path) -> None:
    """SIGKILL for a run and its workers, which lead process groups of their own."""
    os.killpg(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    # Until none is left: a process in the middle of a system call goes a little later.
    while _signal_all(_processes(inventory), signal.SIGKILL) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.wait()


@contextmanager
def standing_still(inventory: Path) -> Iterator[None]:
    """The runs on this inventory that are on their way do nothing for as long as the block runs, and then go on."""
    halted = _processes(inventory)
    _signal_all(halted, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal_all(halted, signal.SIGCONT)


def _processes(inventory: Path) -> list[int]:
    """Everybody whose command line names the inventory; a dead process has none."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if str(inventory).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def _signal_all(processes: list[int], number: signal.Signals) -> bool:
    """Whether any of them was still there."""
    found = False
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)
            found = True
    return found
