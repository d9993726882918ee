# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pools as the inventory has them (``node_storage_pools``), made what Incus takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..fleet.inventory.quantity import Unacceptable, mebibytes

DRIVERS = ("dir", "btrfs", "lvm", "zfs")


@dataclass(frozen=True, slots=True)
class Pool:
    """A storage pool. ``config`` is what Incus is told when it makes the pool, and counts only then."""

    name: str
    driver: str = "dir"
    config: Mapping[str, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Block device, volume group, dataset or directory; empty: Incus' own choice."""
        return self.config.get("source", "")


def read_pools(declared: Sequence[Any]) -> list[Pool]:
    """Pools from mappings of name, driver, source and size, or from mere names.

    Raises Unacceptable.
    """
    pools = []
    for entry in declared:
        fields = {"name": entry} if isinstance(entry, str) else dict(entry) if isinstance(entry, Mapping) else {}
        unknown = sorted(set(fields) - {"name", "driver", "source", "size"})
        name, driver = fields.get("name"), fields.get("driver") or "dir"
        if not name or unknown:
            raise Unacceptable(f"not storage pools ({entry!r} must have a name, and may have driver, source and size)")
        if driver not in DRIVERS:
            raise Unacceptable(f"not storage pools (the driver of {name} must be one of {', '.join(DRIVERS)})")
        config = {"source": str(fields["source"])} if fields.get("source") else {}
        if fields.get("size"):
            config["size"] = f"{mebibytes(fields['size'])}MiB"
        pools.append(Pool(str(name), str(driver), config))
    return pools
