# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What something takes right now as plain values: units in the names, ``None`` where nobody can tell."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..model import Figures, FileSystem, Traffic


def taken(figures: Figures | None, parts: Collection[str]) -> dict[str, Any]:
    """The parts ``usage`` and ``throughput`` of a node or a guest."""
    known = figures or Figures()
    found: dict[str, Any] = {}
    if "usage" in parts:
        found |= {
            "cpu_used_cores": known.cores,
            "memory_used_mib": known.memory,
            "uptime_seconds": known.uptime,
            "processes": known.processes,
            "file_systems": [_file_system(each) for each in known.file_systems],
        }
    if "throughput" in parts:
        found |= _rates(known.traffic)
    return found


def _file_system(space: FileSystem) -> dict[str, Any]:
    return {"name": space.name, "size_mib": space.size or None, "used_mib": space.used}


def _rates(traffic: Traffic) -> dict[str, Any]:
    return {
        "network_receive_bytes_per_second": traffic.network_receive,
        "network_send_bytes_per_second": traffic.network_send,
        "disk_read_bytes_per_second": traffic.disk_read,
        "disk_write_bytes_per_second": traffic.disk_write,
    }
