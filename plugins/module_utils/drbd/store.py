# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is below a server's device on a node: a logical volume of a volume group, or a file on a loop device.

A volume group is what it is for; files are for nodes that have none, and for tests.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from ..engine.base import EngineError
from .program import run

_COPY = 4 * 3600.0
"""Seconds a copy of a whole disk may take."""


def needed(disk: int) -> int:
    """MiB below a device on which a server of ``disk`` MiB has them to itself: its file system's own needs, DRBD's own
    records (36 KiB, and 32 KiB for each GiB), and the roundings of both."""
    return disk + max(32, disk // 25)


@dataclass(frozen=True, slots=True)
class Store:
    """Where a node has them. ``place``: the name of a volume group, or the path of a directory."""

    node: str
    place: str

    @property
    def in_files(self) -> bool:
        """Whether it is a directory."""
        return self.place.startswith("/")

    def path(self, name: str) -> Path:
        """Of a disk: a device, or a file."""
        return Path(self.place) / f"{name}.img" if self.in_files else Path("/dev") / self.place / name

    def exists(self, name: str) -> bool:
        """Whether there is a disk of that name."""
        return self.path(name).exists()

    def make(self, name: str, mib: int) -> None:
        """A disk of that size, if there is none. Raises EngineError, where there is no room for it above all."""
        if self.exists(name):
            return
        attempt = f"make the disk {name}"
        if not self.in_files:
            run(
                self.node,
                attempt,
                "lvcreate",
                "--yes",
                "--wipesignatures",
                "y",
                "-n",
                name,
                "-L",
                f"{mib}m",
                self.place,
            )
            return
        path = self.path(name)
        fresh = path.with_suffix(".new")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with fresh.open("wb") as file:
                file.truncate(mib << 20)
            fresh.chmod(0o600)
            fresh.rename(path)
        except OSError as error:
            raise EngineError(self.node, attempt, f"{path}: {error.strerror}") from None

    def attach(self, name: str) -> str:
        """The block device of a disk, now."""
        path = str(self.path(name))
        if not self.in_files:
            return path
        attempt = f"attach the disk {name}"
        known = run(self.node, attempt, "losetup", "--associated", path, "--noheadings", "--output", "NAME").split()
        return known[0] if known else run(self.node, attempt, "losetup", "--find", "--show", path).strip()

    def detach(self, name: str) -> None:
        """Nothing of it is in use any more."""
        if not self.in_files:
            return
        attempt = f"detach the disk {name}"
        path = str(self.path(name))
        for device in run(
            self.node, attempt, "losetup", "--associated", path, "--noheadings", "--output", "NAME"
        ).split():
            run(self.node, attempt, "losetup", "--detach", device)

    def remove(self, name: str) -> None:
        """Delete it, with all that is on it."""
        if not self.exists(name):
            return
        self.detach(name)
        attempt = f"remove the disk {name}"
        if not self.in_files:
            run(self.node, attempt, "lvremove", "--yes", f"{self.place}/{name}")
            return
        try:
            self.path(name).unlink()
        except OSError as error:
            raise EngineError(self.node, attempt, f"{self.path(name)}: {error.strerror}") from None

    def keep(self, name: str, now: float) -> str:
        """A copy of a disk as it is, under ``NAME-aside-DATE-TIME``, which nothing of ours deletes; where it is.

        A whole one: what is written over afterwards may be all of it.
        """
        fresh = f"{name}{time.strftime('-aside-%Y%m%d-%H%M', time.localtime(now))}"
        attempt = f"keep the disk {name} as {fresh}"
        if self.exists(fresh):
            return str(self.path(fresh))
        if self.in_files:
            half = f"{self.path(fresh)}.new"
            run(
                self.node, attempt, "cp", "--sparse=always", "--reflink=auto", str(self.path(name)), half, seconds=_COPY
            )
            Path(half).rename(self.path(fresh))
            return str(self.path(fresh))
        size = run(self.node, attempt, "blockdev", "--getsize64", str(self.path(name))).strip()
        half = f"{fresh}.new"
        if self.exists(half):
            run(self.node, attempt, "lvremove", "--yes", f"{self.place}/{half}")
        run(self.node, attempt, "lvcreate", "--yes", "--wipesignatures", "y", "-n", half, "-L", f"{size}b", self.place)
        source, target = f"if={self.path(name)}", f"of={self.path(half)}"
        run(self.node, attempt, "dd", source, target, "bs=4M", "conv=fsync,sparse", "status=none", seconds=_COPY)
        run(self.node, attempt, "lvrename", self.place, half, fresh)
        return str(self.path(fresh))
