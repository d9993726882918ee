# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who writes numbers to servers, and remembers which of them were acknowledged, and when."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterable, Mapping

from .outside import Outside

_PATIENCE = 2.0
_KEPT = "/srv/numbers"
_PROGRAM = f"""#!/bin/sh
# A number is acknowledged once it is on the disk.
echo "$QUERY_STRING" >> {_KEPT} && sync -d {_KEPT} && printf '\\nwritten\\n'
"""
_PLACE = "/srv/www/cgi-bin/number"


def equip(outside: Outside, node: str, servers: Iterable[str]) -> None:
    """Teach tiny servers on this node to take numbers."""
    pushes = (f"incus file push --quiet --create-dirs --mode 0755 /run/number {name}{_PLACE}" for name in servers)
    outside.console(node, "sh", "-ec", f"cat > /run/number <<'END'\n{_PROGRAM}END\n" + "\n".join(pushes))


def kept(outside: Outside, node: str, server: str) -> set[int]:
    """The numbers a server has."""
    return {int(line) for line in outside.console(node, "incus", "exec", server, "--", "cat", _KEPT).split()}


def lost(acknowledged: Mapping[int, float], has: set[int], until: float) -> list[int]:
    """Numbers acknowledged before ``until`` that are not there."""
    return sorted(number for number, when in acknowledged.items() if when < until and number not in has)


class Writer:
    """Writes to each server twice a second, for as long as the block runs."""

    def __init__(self, addresses: Mapping[str, str], every: float = 0.5, port: int = 80) -> None:
        self._addresses = dict(addresses)
        self._every, self._port = every, port
        self._over = threading.Event()
        self.acknowledged: dict[str, dict[int, float]] = {name: {} for name in self._addresses}
        """Server -> number -> seconds since the epoch."""
        self._threads = [threading.Thread(target=self._write, args=(name,), daemon=True) for name in self._addresses]

    def __enter__(self) -> Writer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(_PATIENCE + 1)

    def _write(self, name: str) -> None:
        # Never a number somebody else has written.
        number = time.time_ns() // 1000
        while not self._over.is_set():
            number += 1
            if self._put(self._addresses[name], number):
                self.acknowledged[name][number] = time.time()
            self._over.wait(self._every)

    def _put(self, address: str, number: int) -> bool:
        connection = http.client.HTTPConnection(address, self._port, timeout=_PATIENCE)
        try:
            connection.request("GET", f"/cgi-bin/number?{number}")
            return connection.getresponse().read().strip() == b"written"
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
