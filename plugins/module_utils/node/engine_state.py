# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Incus of a node as the fleet wants it: what differs from what is there. Values in, values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .facts import fingerprint
from .pools import Pool


class Conflict(Exception):
    """What is there cannot be made what is wanted without destroying it."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """A client that may speak to the node's Incus."""

    name: str
    certificate: str
    """PEM."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the fleet needs of a node's Incus."""

    config: Mapping[str, str]
    pools: Sequence[Pool]
    trust: Sequence[Trusted]


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be done, and nothing else."""

    config: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Key -> (before, after); empty text is "not set"."""
    pools: tuple[Pool, ...] = ()
    trust: tuple[Trusted, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.config or self.pools or self.trust)

    def diff(self) -> dict[str, dict[str, Any]]:
        """Before and after, as Ansible shows them."""
        before: dict[str, Any] = {f"config {key}": old for key, (old, _new) in self.config.items()}
        after: dict[str, Any] = {f"config {key}": new for key, (_old, new) in self.config.items()}
        after |= {f"storage pool {pool.name}": {"driver": pool.driver, **pool.config} for pool in self.pools}
        after |= {f"trusted {client.name}": f"sha256 {fingerprint(client.certificate)}" for client in self.trust}
        return {"before": before, "after": after}


def listen_address(address: str, port: int) -> str:
    """``core.https_address`` for an address and a port."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def differences(
    wanted: Wanted,
    server: Mapping[str, Any],
    pools: Sequence[Mapping[str, Any]],
    certificates: Sequence[Mapping[str, Any]],
) -> Changes:
    """Compare with the answers of ``/1.0``, ``/1.0/storage-pools`` and ``/1.0/certificates``.

    Raises Conflict for a pool that exists otherwise than wanted.
    """
    config = server.get("config") or {}
    existing = {pool["name"]: pool for pool in pools}
    for pool in wanted.pools:
        if pool.name not in existing:
            continue
        found = existing[pool.name]
        if found["driver"] != pool.driver:
            raise Conflict(
                f"storage pool {pool.name} exists with driver {found['driver']}, wanted is {pool.driver}: a pool is"
                " never made anew over what it holds; change node_storage_pools, or name another pool"
            )
        if found.get("status", "Created") != "Created":
            raise Conflict(
                f"storage pool {pool.name} is {found['status']}: it was not made to the end;"
                f" look at it with `incus storage show {pool.name}` and remove it"
            )
    known = {entry["fingerprint"] for entry in certificates}
    return Changes(
        config={
            key: (str(config.get(key, "")), value)
            for key, value in wanted.config.items()
            if str(config.get(key, "")) != value
        },
        pools=tuple(pool for pool in wanted.pools if pool.name not in existing),
        trust=tuple(client for client in wanted.trust if fingerprint(client.certificate) not in known),
    )
