# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What DRBD says of its devices: ``/proc/drbd`` of the module in kernels of Debian and Ubuntu (8.4). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

FILE = "/proc/drbd"
_VERSION = re.compile(r"version: (\d+)\.(\d+)\.\S+")
_DEVICE = re.compile(r"^\s*(\d+): cs:(\S+)(?: ro:(\w+)/(\w+) ds:(\w+)/(\w+)(?: \S+ (\S+))?)?")
_DONE = re.compile(r"sync'ed:\s*([\d.]+)%")
SUPPORTED = (8, 4)


@dataclass(frozen=True, slots=True)
class Status:
    """One device, as this node knows it."""

    connection: str
    """Connected, SyncSource, SyncTarget, WFConnection, StandAlone, …; Unconfigured: there is none."""
    role: str = "Unknown"
    """Primary, Secondary."""
    peer_role: str = "Unknown"
    disk: str = "Diskless"
    """UpToDate, Consistent, Outdated, Inconsistent, Diskless, …"""
    peer_disk: str = "DUnknown"
    suspended: bool = False
    """Whether writes wait until somebody has said that the other side's copy counts no more."""
    done: float = 0.0
    """Per cent of a synchronisation that goes on."""

    @property
    def exists(self) -> bool:
        """Whether the device is there."""
        return self.connection != "Unconfigured"

    @property
    def connected(self) -> bool:
        """Whether the other node is heard."""
        return self.connection in (
            "Connected",
            "SyncSource",
            "SyncTarget",
            "PausedSyncS",
            "PausedSyncT",
            "VerifyS",
            "VerifyT",
        )

    @property
    def in_step(self) -> bool:
        """Whether both have every write that was acknowledged."""
        return self.connected and self.disk == self.peer_disk == "UpToDate"

    @property
    def words(self) -> str:
        """For people."""
        syncing = f", {self.done:g} % in step" if self.connection in ("SyncSource", "SyncTarget") else ""
        waits = ", writes wait" if self.suspended else ""
        return f"{self.connection}, {self.role}/{self.peer_role}, {self.disk}/{self.peer_disk}{syncing}{waits}"


NONE = Status("Unconfigured")


def version(text: str) -> tuple[int, int] | None:
    """(8, 4), of the module that is loaded; None: what was read is not DRBD's."""
    found = _VERSION.match(text)
    return (int(found[1]), int(found[2])) if found else None


def parse(text: str) -> Mapping[int, Status]:
    """Number of a device -> what it is doing."""
    devices: dict[int, Status] = {}
    last = None
    for line in text.splitlines():
        found = _DEVICE.match(line)
        if found:
            last = int(found[1])
            flags = found[7] or ""
            devices[last] = Status(
                found[2],
                found[3] or "Unknown",
                found[4] or "Unknown",
                found[5] or "Diskless",
                found[6] or "DUnknown",
                # The first flag is whether input and output run (r) or wait (s); the last one says who has them wait.
                suspended=flags.startswith("s"),
            )
            continue
        share = _DONE.search(line)
        if share and last is not None:
            now = devices[last]
            devices[last] = Status(
                now.connection, now.role, now.peer_role, now.disk, now.peer_disk, now.suspended, float(share[1])
            )
    return devices
