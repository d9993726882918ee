# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which number a server has, and which numbers are free.

Names are ours, numbers are the cluster's. ``nextid`` reserves nothing, ten who ask at once get the same; what is
atomic is to create a guest. So numbers are taken from a list of our own, one each, and where somebody else was quicker
the next one is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from .client import Client
from .recognise import rows_of

_FRESH = 10.0
"""Seconds a list of all guests is good enough to look a number up in; what it says is asked of the guest itself."""
_LOWEST, _BEYOND = 100, 1_000_000
"""Where numbers begin, and the first that is not used, unless the cluster's options say otherwise."""


class Numbers:
    """The guests of one cluster, by name and by number."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._rows: list[Mapping[str, Any]] = []
        self._read = 0.0
        self._range = (0, 0)
        self._taken: set[int] = set()
        self._given: set[int] = set()

    def rows(self, attempt: str, *, fresh: bool = False) -> list[Mapping[str, Any]]:
        """Rows of all guests. One request every few seconds, unless it has to be ``fresh``."""
        with self._lock:
            if fresh or not self._read or time.monotonic() - self._read > _FRESH:
                asked = time.monotonic()
                everything = self._client.get("/cluster/resources", attempt, type="vm")
                self._rows = rows_of(everything, "lxc", "qemu")
                self._taken.update(int(row["vmid"]) for row in self._rows)
                self._read = asked
            return self._rows

    def take(self, attempt: str) -> int:
        """A number nobody has, and that nobody else here gets."""
        self.rows(attempt)
        with self._lock:
            if not self._range[1]:
                said = (self._client.get("/cluster/options", attempt) or {}).get("next-id") or {}
                self._range = (int(said.get("lower") or _LOWEST), int(said.get("upper") or _BEYOND))
            vmid = next(number for number in range(*self._range) if number not in self._taken)
            self._taken.add(vmid)
            self._given.add(vmid)
            return vmid

    def is_ours(self, vmid: int) -> bool:
        """Whether the number was given out here."""
        return vmid in self._given

    def forget(self) -> None:
        """Something was created or removed: the list is old."""
        with self._lock:
            self._read = 0.0
