# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting requests, and writing them down when asked to.

With ``SWITCHYARD_TRACE=<file>`` in the environment every request appends one line ``METHOD node path`` to
the file, before it is sent. Bodies and headers, where secrets travel, are never written.
"""

from __future__ import annotations

import os
import threading


class Trace:
    """Counter of one engine's requests; safe to use from several threads."""

    def __init__(self, path: str = "") -> None:
        self._lock = threading.Lock()
        self._count = 0
        # O_APPEND: lines of several processes do not overwrite each other.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._file = os.open(path, flags, 0o600) if path else None

    @property
    def count(self) -> int:
        """Requests so far."""
        return self._count

    def record(self, method: str, node: str, path: str) -> None:
        """One request is about to be sent."""
        with self._lock:
            self._count += 1
            if self._file is not None:
                os.write(self._file, f"{method} {node} {path}\n".encode())

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None
