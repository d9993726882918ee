# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How full each node is: what it can carry, what is promised, what others have taken."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .model import Capacity, Node, ObservedNode, Share, Size


def usable(node: Node, observed: ObservedNode) -> Capacity:
    """What may be promised on a node: (capacity - reserve) x overcommit, never below zero.

    Declared capacity wins over measured. ``io`` nobody declares is unlimited, shown as -1.
    """
    declared, reserve, factor = node.capacity, node.reserve, node.overcommit
    cores = declared.cores if declared.cores is not None else observed.capacity.cores
    memory = declared.memory if declared.memory is not None else observed.capacity.memory
    io = declared.io if declared.io is not None else observed.capacity.io
    pools = {**observed.capacity.pools, **declared.pools} if observed.capacity.pools else dict(declared.pools)
    return Capacity(
        cores=max(0.0, cores - reserve.cores) * factor.cores,
        memory=int(max(0, memory - reserve.memory) * factor.memory),
        io=int(max(0, io - reserve.io) * factor.io) if io or declared.io is not None else -1,
        pools={
            name: int(max(0, total - reserve.pools.get(name, 0)) * factor.disk)
            for name, total in sorted(pools.items())
            # A declared pool the node does not have cannot carry anything.
            if not observed.capacity.pools or name in observed.capacity.pools
        },
    )


@dataclass(slots=True)
class Load:
    """What is promised on one node. Mutable: planners add and take away while they think."""

    limit: Capacity
    cores: float = 0.0
    memory: int = 0
    io: int = 0
    pools: dict[str, int] = field(default_factory=dict)
    servers: int = 0

    def add(self, size: Size, pool: str, sign: int = 1) -> None:
        """Count a server in (``sign`` 1) or out (-1)."""
        self.cores += sign * size.cores
        self.memory += sign * size.memory
        self.io += sign * size.io
        self.pools[pool] = self.pools.get(pool, 0) + sign * size.disk
        self.servers += sign

    def hold(self, size: Size, pool: str) -> None:
        """Count a copy that sleeps: it takes room on disk, and is no server here until it is promoted."""
        self.pools[pool] = self.pools.get(pool, 0) + size.disk

    def shortage(self, size: Size, pool: str) -> str:
        """Why a server of this size does not fit, naming what is short; empty if it does."""
        limit = self.limit
        if pool not in limit.pools:
            return f"no storage pool {pool}" + (f", only {', '.join(sorted(limit.pools))}" if limit.pools else "")
        if size.memory > limit.memory - self.memory:
            return f"memory: {size.memory} MiB wanted, {max(0, limit.memory - self.memory)} free"
        if size.cores > limit.cores - self.cores + 1e-9:
            return f"cores: {size.cores:g} wanted, {max(0.0, limit.cores - self.cores):g} free"
        disk_free = limit.pools[pool] - self.pools.get(pool, 0)
        if size.disk > disk_free:
            return f"disk: {size.disk} MiB wanted on pool {pool}, {max(0, disk_free)} free"
        if limit.io >= 0 and size.io > limit.io - self.io:
            return f"io: {size.io} wanted, {max(0, limit.io - self.io)} free"
        return ""

    def overfull(self) -> str:
        """What is promised beyond the limit, in words; empty if nothing is."""
        limit = self.limit
        over = []
        if self.memory > limit.memory:
            over.append(f"memory {self.memory} of {limit.memory} MiB")
        if self.cores > limit.cores + 1e-9:
            over.append(f"cores {self.cores:g} of {limit.cores:g}")
        over += [
            f"disk {used} of {limit.pools.get(pool, 0)} MiB on pool {pool}"
            for pool, used in sorted(self.pools.items())
            if used > limit.pools.get(pool, 0)
        ]
        if 0 <= limit.io < self.io:
            over.append(f"io {self.io} of {limit.io}")
        return ", ".join(over)

    def share(self) -> Share:
        """Promised over usable per resource; for disk the fullest pool. Nothing usable but something promised: 1e9."""
        return Share(
            cores=_ratio(self.cores, self.limit.cores),
            memory=_ratio(self.memory, self.limit.memory),
            disk=max((_ratio(self.pools.get(pool, 0), limit) for pool, limit in self.limit.pools.items()), default=0.0),
            io=_ratio(self.io, self.limit.io) if self.limit.io >= 0 else 0.0,
            servers=self.servers,
        )

    def worst_with(self, size: Size, pool: str) -> float:
        """The fullest resource's share once a server of this size were here."""
        limit = self.limit
        worst = max(
            _ratio(self.cores + size.cores, limit.cores),
            _ratio(self.memory + size.memory, limit.memory),
            _ratio(self.pools.get(pool, 0) + size.disk, limit.pools.get(pool, 0)),
        )
        return max(worst, _ratio(self.io + size.io, limit.io)) if limit.io >= 0 else worst


def _ratio(used: float, limit: float) -> float:
    if used <= 0:
        return 0.0
    return used / limit if limit > 0 and math.isfinite(limit) else 1e9
