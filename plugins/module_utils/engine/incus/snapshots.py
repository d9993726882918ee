# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last complete state of a replica, on pools where a snapshot costs nothing (btrfs, ZFS).

The server takes one before each refresh, which brings it along. So the two always have one in common, and only what
changed since is sent; without one, Incus sends the whole disk there. And a refresh that is cut off leaves the replica
with the state before, to which a promotion goes back. ``switchyard-NODE-TIME``: for the replica on that node.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from ..base import EngineError
from . import handover
from .client import Client
from .guest import root_of
from .guests import Guests, path_of

_DRIVERS = ("btrfs", "zfs")
_PREFIX = "switchyard-"


def are_cheap(raw: dict[str, Any], clients: Collection[Client], attempt: str) -> bool:
    """Whether the pool of a guest's disk has them at no cost on all these nodes. A request to each."""
    pool = quote(root_of(raw)[1].get("pool", "default"), safe="")
    paths = f"/1.0/storage-pools/{pool}"
    return all((client.get(paths, attempt).metadata or {}).get("driver") in _DRIVERS for client in clients)


def take(server: Guests, name: str, replica: str, moment: float, attempt: str) -> str:
    """Keep a server's state for its replica on that node; the snapshot's name. Two requests."""
    snapshot = f"{_PREFIX}{replica}-{moment:.0f}"
    server.run("POST", f"{path_of(name)}/snapshots", attempt, {"name": snapshot, "stateful": False})
    return snapshot


def tidy(guests: Guests, name: str, outdated: Collection[str], attempt: str, but: str = "") -> None:
    """Drop what was kept for the replicas on these nodes, ``but`` one; what cannot be is dropped another time."""
    with suppress(EngineError):
        for snapshot in _kept(guests, name, attempt):
            if snapshot != but and snapshot.removeprefix(_PREFIX).rpartition("-")[0] in outdated:
                guests.run("DELETE", f"{path_of(name)}/snapshots/{quote(snapshot, safe='')}", attempt)


def nodes(guests: Guests, name: str, attempt: str) -> set[str]:
    """The nodes for whose replicas something is kept. One request."""
    return {snapshot.removeprefix(_PREFIX).rpartition("-")[0] for snapshot in _kept(guests, name, attempt)}


def go_back(replica: Guests, name: str, snapshot: str, keys: dict[str, str], attempt: str) -> bool:
    """Bring a replica back to a state, and write these keys on it; False: it is not kept any more. Five requests.

    What Incus brings back is the server's configuration as well, as of then; the replica's is written over it.
    """
    if snapshot not in _kept(replica, name, attempt):
        return False
    before = replica.need(name, attempt)
    own = {key: value for key, value in before.config.items() if not key.startswith("volatile.")} | keys
    unchanged = {key: before.raw[key] for key in ("architecture", "description", "ephemeral", "profiles")}
    wanted = {
        **unchanged,
        "config": {key: value for key, value in own.items() if value},
        "devices": before.raw["devices"],
    }
    replica.run("PUT", path_of(name), attempt, {"restore": snapshot})
    replica.replace(name, attempt, lambda raw: handover.renewed(raw, wanted))
    return True


def _kept(guests: Guests, name: str, attempt: str) -> list[str]:
    listed = guests.client.get(f"{path_of(name)}/snapshots", attempt).metadata or []
    names = [str(each).rpartition("/")[2] for each in listed]
    return sorted(each for each in names if each.startswith(_PREFIX))
