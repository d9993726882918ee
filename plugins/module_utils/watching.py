# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers asked again and again whether they serve, and how long each did not: what a customer would have noticed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .fleet.model import Check
from .probe import answering
from .readiness import ask

_PATIENCE = 0.25
"""Seconds one asking may take: a server that is up answers in milliseconds."""
_THREADS = 256


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask, and how: by its checks, or where it declares none, whether its address answers at all."""

    address: str
    checks: tuple[Check, ...] = ()

    def serves(self) -> bool:
        """Whether it does, right now."""
        if not self.checks:
            return bool(answering([self.address], _PATIENCE))
        return not any(ask(check, self.address, _PATIENCE) for check in self.checks)


@dataclass(slots=True)
class Seen:
    """What was seen of one server."""

    tries: int = 0
    good: int = 0
    outage: float = 0.0
    """The longest time between two good answers, or since the last one, seconds; of one that never answered, all."""
    began: float = 0.0
    """When that outage began, seconds since the watch did."""
    serves: bool = False
    """At the last try."""
    _last: float = 0.0

    def note(self, moment: float, *, good: bool) -> None:
        """One try, so many seconds after the watch began."""
        self.tries += 1
        self.good += good
        self.serves = good
        # One that never comes back has an outage that grows, not none.
        if moment - self._last > self.outage:
            self.outage, self.began = moment - self._last, self._last
        if good:
            self._last = moment


def watch(
    targets: Mapping[str, Target], over: Callable[[], bool], *, interval: float, seconds: float
) -> dict[str, Seen]:
    """Ask every server every ``interval`` seconds until it is over, for at most as many ``seconds``."""
    found = {name: Seen() for name in targets}
    began = time.monotonic()
    ended = threading.Event()
    names = list(targets)
    count = max(1, min(_THREADS, len(names)))
    shares = [names[first::count] for first in range(count)]

    def use(mine: Sequence[str]) -> None:
        while not ended.is_set():
            round_began = time.monotonic()
            for name in mine:
                good = targets[name].serves()
                found[name].note(time.monotonic() - began, good=good)
            ended.wait(max(0.0, round_began + interval - time.monotonic()))

    threads = [threading.Thread(target=use, args=(mine,), daemon=True) for mine in shares]
    for thread in threads:
        thread.start()
    while not over() and time.monotonic() - began < seconds:
        time.sleep(min(interval, 0.2))
    ended.set()
    for thread in threads:
        thread.join(10 * _PATIENCE)
    return found
