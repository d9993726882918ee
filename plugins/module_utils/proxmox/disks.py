# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools a node is to have on disks of its own, and which of those disks are really empty. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .access import Request

LEAST = {"single": 1, "mirror": 2, "raid10": 4, "raidz": 3, "raidz2": 4, "raidz3": 5}
"""Disks each arrangement of ZFS takes at least."""


@dataclass(frozen=True, slots=True)
class Pool:
    """``type``: zfs, or lvmthin (one disk: a volume group of this name, with a thin pool of the same)."""

    name: str
    type: str
    devices: tuple[str, ...]
    raid: str = "single"
    ashift: int = 12
    compression: str = "on"


def mistakes(pools: Sequence[Pool]) -> list[str]:
    """What cannot be, whatever the disks."""
    found = []
    seen: dict[str, str] = {}
    for pool in pools:
        least, most = (LEAST[pool.raid], 10**6) if pool.type == "zfs" else (1, 1)
        if not least <= len(pool.devices) <= most:
            words = f"{pool.raid} takes {least} disks or more" if pool.type == "zfs" else "lvmthin takes one disk"
            found.append(f"pool {pool.name}: {words}, declared are {len(pool.devices)}")
        if pool.raid == "raid10" and len(pool.devices) % 2:
            found.append(f"pool {pool.name}: raid10 takes pairs of disks")
        for device in pool.devices:
            if device in seen:
                found.append(f"pool {pool.name}: disk {device} is declared for {seen[device]} already")
            seen[device] = pool.name
    return found


def missing(pools: Iterable[Pool], zfs: Iterable[Mapping[str, Any]], thin: Iterable[Mapping[str, Any]]) -> list[Pool]:
    """Pools that are not there, from what the node lists."""
    there = {("zfs", str(each["name"])) for each in zfs} | {("lvmthin", str(each["vg"])) for each in thin}
    return [pool for pool in pools if (pool.type, pool.name) not in there]


def not_empty(pool: Pool, real: Mapping[str, str], disks: Iterable[Mapping[str, Any]]) -> list[str]:
    """Why its disks cannot be taken; empty: all of them are there, and nothing is on any.

    ``real``: declared path -> path of the device itself. ``disks``: as the node lists them, with partitions.
    """
    rows = {str(row["devpath"]): row for row in disks}
    found = []
    for device in pool.devices:
        path = real.get(device, device)
        row = rows.get(path)
        if row is None:
            found.append(f"{device} is no disk of this node (it has {', '.join(sorted(_whole(rows))) or 'none'})")
            continue
        partitions = sorted(name for name, each in rows.items() if each.get("parent") == path)
        if row.get("parent"):
            found.append(f"{device} is a partition")
        elif partitions:
            found.append(f"{device} has partitions: {', '.join(partitions)}")
        elif row.get("mounted"):
            found.append(f"{device} is mounted")
        elif row.get("used"):
            found.append(f"{device} is in use: {row['used']}")
        elif int(row.get("osdid", -1)) >= 0:
            found.append(f"{device} is a disk of Ceph's")
    return [f"pool {pool.name}: {each}" for each in found]


def _whole(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [name for name, row in rows.items() if not row.get("parent")]


def creation(pool: Pool, node: str, real: Mapping[str, str]) -> Request:
    """The request that makes it. A storage for it is declared apart."""
    devices = [real.get(device, device) for device in pool.devices]
    body: dict[str, Any] = {"name": pool.name, "add_storage": 0}
    if pool.type == "lvmthin":
        return Request("POST", f"/nodes/{node}/disks/lvmthin", {**body, "device": devices[0]})
    body |= {"devices": ",".join(devices), "raidlevel": pool.raid, "ashift": pool.ashift}
    return Request("POST", f"/nodes/{node}/disks/zfs", {**body, "compression": pool.compression})
