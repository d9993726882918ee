# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The replicas of a fleet as they are on its nodes' disks, in its nodes' units, and in the words of its agents."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from .copies import Copy
from .guarded import GuardedFleet
from .outside import Outside

_UNITS = "systemctl list-units --plain --no-legend --full --state=activating 'switchyard-refresh@*.service'"


def path(server: str, file: str) -> str:
    """Where a file of a copy is on its node, whether that runs or not."""
    return f"/var/lib/incus/storage-pools/default/containers/{server}/rootfs/{file}"


def on_disk(outside: Outside, node: str, server: str) -> set[int]:
    """The numbers that a copy has."""
    return {int(line) for line in outside.console(node, "cat", path(server, "srv/numbers")).split()}


def marks(outside: Outside, node: str, server: str) -> dict[str, str]:
    """What is written on a copy, without what all our keys begin with."""
    (guest,) = [each for each in outside.guests()[node] if each["name"] == server]
    return {key.removeprefix("user.switchyard."): value for key, value in guest["config"].items()}


def check(outside: Outside, node: str, *options: str) -> tuple[int, str]:
    """Exit status and words of what monitoring asks on a node."""
    said = outside.console(node, "sh", "-c", f"switchyard-agent check {' '.join(options)}; echo $?")
    words, _newline, status = said.rstrip().rpartition("\n")
    return int(status), words


class Units:
    """Looks again and again which refreshes go on on a node, for as long as the block runs."""

    def __init__(self, outside: Outside, node: str) -> None:
        self.looks: list[list[str]] = []
        self._outside, self._node = outside, node
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Units:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join(10)

    @property
    def most(self) -> int:
        """How many went on at once, at most."""
        return max((len(look) for look in self.looks), default=0)

    def _look(self) -> None:
        while not self._over.wait(0.1):
            self.looks.append(
                [line.split()[0] for line in self._outside.console(self._node, "sh", "-c", _UNITS).splitlines()]
            )


class Ages:
    """Looks again and again how old the replicas are, for as long as the block runs."""

    def __init__(self, fleet: GuardedFleet) -> None:
        self.oldest: dict[str, float] = {}
        """Server -> the highest age its newest complete replica was seen to have, seconds."""
        self.without: set[str] = set()
        """Servers seen without any complete replica."""
        self.homes: dict[str, set[str]] = {}
        """Server -> nodes a complete replica was seen on."""
        self._fleet = fleet
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Ages:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join(30)

    def _look(self) -> None:
        while not self._over.wait(0.3):
            found = self._fleet.copies()
            now = time.time()
            complete = by_server(found)
            self.without |= set(self._fleet.servers) - set(complete)
            for name, replicas in complete.items():
                age = now - max(each.refreshed for each in replicas)
                self.oldest[name] = max(age, self.oldest.get(name, 0.0))
                self.homes.setdefault(name, set()).update(each.node for each in replicas)


def by_server(found: list[Copy]) -> Mapping[str, list[Copy]]:
    """Server -> its complete replicas."""
    complete: dict[str, list[Copy]] = {}
    for each in found:
        if each.role == "replica" and each.refreshed:
            complete.setdefault(each.server, []).append(each)
    return complete
