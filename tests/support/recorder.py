# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written on a lab's nodes while something goes on: for those who promise to write nothing."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHANGED_FILES = (
    "find /etc /root /usr /opt /srv /boot /var/cache/switchyard /var/lib/incus -xdev -newer /run/switchyard-stamp"
    # Incus writes its log and its database's journal by itself; what it is asked to change shows as an event.
    " -not -path '/var/lib/incus/database*' -type f 2>/dev/null || true"
)


@contextmanager
def recorded(world: Any) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Everything that is written on the nodes in the meantime: events of Incus, requests of ours, files.

    The writes are there once the block is over; the second value is what a playbook's environment needs.
    """
    writes: list[str] = []
    for node in world.nodes:
        world.lab.ssh(node, "touch", "/run/switchyard-stamp")
    command = ["incus", "monitor", "--type=lifecycle", "--format=json"]
    monitors = {
        node: subprocess.Popen([*world.lab.ssh_to(node), *command], stdout=subprocess.PIPE, text=True)
        for node in world.nodes
    }
    time.sleep(2)
    trace = world.inventory.parent / "trace"
    yield writes, {"SWITCHYARD_TRACE": str(trace)}
    time.sleep(1)
    for node, monitor in monitors.items():
        monitor.terminate()
        events = [json.loads(line) for line in monitor.communicate()[0].splitlines() if line.strip()]
        writes += [f"{node}: {event['metadata']['action']} {event['metadata']['source']}" for event in events]
        writes += [f"{node}: {path}" for path in world.lab.ssh(node, CHANGED_FILES).splitlines()]
    if trace.exists():
        writes += [line for line in trace.read_text().splitlines() if not line.startswith("GET ")]


def tree(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder, and what is in it."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
