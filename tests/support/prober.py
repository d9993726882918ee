# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who uses servers all the time, and notices how long each was not there, and whether one was there twice."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from .wire import Answer, Double, Wire, doubles

_EVERY = 0.05
"""Seconds between two tries: how finely a gap is measured."""
_PATIENCE = 0.1
_NOTICED = 0.5
"""Seconds without a good answer from which on somebody who waits for it says that a server was away."""
STARVED = 2.0
"""The same where it is to be told from a machine so busy that answers come late. Who is started anew, here or
elsewhere, is away for longer: it takes that long to find out."""


@dataclass(frozen=True, slots=True)
class Silence:
    """From the last good answer to the next one; seconds since the epoch."""

    since: float
    until: float
    """Infinity: there was no next one."""


class Prober:
    """Asks the web page of each server 20 times a second, for as long as the block runs.

    With a ``wire`` it also notes which node's copy of a server is there.
    """

    def __init__(self, addresses: Mapping[str, str], port: int = 80, wire: Wire | None = None) -> None:
        self._addresses = dict(addresses)
        self._port = port
        self._wire = wire
        self._over = threading.Event()
        self._gaps = dict.fromkeys(self._addresses, 0.0)
        self._tries = dict.fromkeys(self._addresses, 0)
        self._good = dict.fromkeys(self._addresses, 0.0)
        self._failed = dict.fromkeys(self._addresses, False)
        """Whether a try failed since the last good one: who was too busy to try has not seen anybody away."""
        self._silences: dict[str, list[Silence]] = {name: [] for name in self._addresses}
        self._threads = [threading.Thread(target=self._use, args=(name,), daemon=True) for name in self._addresses]

    def __enter__(self) -> Prober:
        if self._wire:
            self._wire.__enter__()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(5)
        if self._wire:
            self._wire.__exit__()

    @property
    def gaps(self) -> dict[str, float]:
        """Server -> the longest time between two good tries, in seconds."""
        assert all(self._tries.values()), "somebody was never tried"
        return dict(self._gaps)

    def table(self) -> str:
        """The gaps, longest first."""
        rows = sorted(self.gaps.items(), key=lambda pair: -pair[1])
        return "\n".join(["longest gap in service, s", *(f"  {name}  {gap:.2f}" for name, gap in rows)])

    def back(self, moment: float, longer: float = _NOTICED) -> dict[str, float]:
        """Server -> seconds from ``moment`` until it answered again, of those that were away at or after it.

        Infinity: it did not yet. ``longer``: only who was away for more seconds than that.
        """
        found = {}
        for name, silences in self._silences.items():
            last = self._good[name]
            away = self._failed[name] and last and time.time() - last > longer
            now = [Silence(last, math.inf)] if away else []
            there = [each for each in [*silences, *now] if each.until - each.since > longer]
            ends = [each.until - moment for each in there if each.until > moment]
            if ends:
                found[name] = max(ends)
        return found

    def answering(self, since: float) -> set[str]:
        """Servers that answered since then."""
        return {name for name, good in self._good.items() if good > since}

    def heard(self, since: float) -> list[Answer]:
        """Which copies said since then that they are there."""
        assert self._wire, "nobody listens on the wire"
        return self._wire.answers(since)

    def double_answers(self, since: float = 0.0) -> list[Double]:
        """When two copies of one server were there at once."""
        answers = self.heard(since)
        assert {each.server for each in answers} == set(self._addresses), "somebody was never heard on the wire"
        return doubles(answers)

    def _use(self, name: str) -> None:
        last = time.monotonic()
        while not self._over.is_set():
            good = self._try(self._addresses[name])
            now = time.monotonic()
            self._tries[name] += 1
            # One that never comes back has a gap that grows, not none.
            self._gaps[name] = max(self._gaps[name], now - last)
            if good:
                moment = time.time()
                if self._failed[name] and self._good[name] and now - last > _NOTICED:
                    self._silences[name].append(Silence(self._good[name], moment))
                self._good[name] = moment
                self._failed[name] = False
                last = now
            else:
                self._failed[name] = True
            time.sleep(_EVERY)

    def _try(self, address: str) -> bool:
        """A page came. A connection alone is no answer: the kernel accepts one for a program that hangs."""
        try:
            with socket.create_connection((address, self._port), timeout=_PATIENCE) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return connection.recv(16)[9:12] == b"200"
        except OSError:
            return False
