# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that more than one table of the vocabulary uses."""

from __future__ import annotations

from typing import Final

from ..kinds import Field, Record, Table
from ..scalars import amount, decimal, integer, text

CORES: Final = decimal(0.1, 1024, "vCPU")
NODE_CORES: Final = decimal(0.1, 4096, "cores")
MEMORY: Final = amount("memory", 1, 64 * 1024**2)
DISK: Final = amount("disk", 1, 16 * 1024**3)
BANDWIDTH: Final = amount("data per second", 1, 1024**2)
NODE_MEMORY: Final = amount("memory", 0, 1024 * 1024**2)
NODE_DISK: Final = amount("disk", 0, 1024 * 1024**3)
IO: Final = integer(0, 10**9, unit="the operator's own, for example call ports")
POOL: Final = text("the name of a storage pool", pattern=r"[A-Za-z0-9][A-Za-z0-9_.-]*", most=63, label="name")
POOLS: Final = Table("amounts per pool", NODE_DISK, strict=True)
FACTOR: Final = decimal(0.1, 100)

RESERVE: Final = Record(
    "resources",
    {
        "cores": Field(decimal(0, 4096, "cores"), "cores kept free"),
        "memory": Field(NODE_MEMORY, "memory kept free"),
        "io": Field(IO, "io kept free"),
        "pools": Field(POOLS, "disk kept free, per pool"),
    },
)
OVERCOMMIT: Final = Record(
    "factors",
    {key: Field(FACTOR, f"times the node's {key} may be promised") for key in ("cores", "memory", "disk", "io")},
)
