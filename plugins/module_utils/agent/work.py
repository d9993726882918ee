# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one action on a pair of nodes works with, and what it has to say afterwards."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from ..cluster.pairs import Pair
from ..engine.base import EngineError, Unreachable
from ..engine.incus import safekeeping
from ..engine.incus.guests import Found, Guests
from ..probe import answering
from . import record, survivors
from .judgement import Scene
from .launch import Deadline, Turn
from .settings import Settings

T = TypeVar("T")
_AGAIN = 1.0


@dataclass(slots=True)
class Work:
    """One action on one pair, on this node."""

    settings: Settings
    pair: Pair
    guests: Guests
    """This node's."""
    deadline: Deadline
    named: dict[str, str] = field(default_factory=dict)
    """Server -> what a person has to know of it."""

    @property
    def here(self) -> str:
        """This node."""
        return self.settings.here

    def local(self) -> dict[str, Found]:
        """All copies this node has of the fleet's servers."""
        return self.guests.all(f"see what {self.here} has")

    def label(self, found: Found) -> bool:
        """Whether a copy is of a server that is this pair's."""
        return safekeeping.pair(found.config) == (self.pair.home, self.pair.backup)

    def scene(self, copies: Iterable[Found]) -> Scene:
        """What is known elsewhere, the cluster's record among it."""
        members = survivors.members() if self.settings.protects else None
        other = self.pair.backup if self.here == self.pair.home else self.pair.home
        with ThreadPoolExecutor(max_workers=1) as pool:
            recorded = pool.submit(record.read) if self.settings.protects else None
            elsewhere = survivors.ask(self.settings, members, also=(other,))
            claims = recorded.result() if recorded else {}
        addresses = [each for found in copies for each in safekeeping.guarded(found.config).addresses]
        heard = answering(addresses) if elsewhere.silent and addresses else {}
        return Scene(self.here, elsewhere, claims, heard)

    def recorded(self, generations: dict[str, int]) -> None:
        """The cluster knows that this node has these generations."""
        if self.settings.protects:
            claims = {name: record.Claim(self.here, generation) for name, generation in generations.items()}
            self.insist(lambda: record.write(claims))

    def insist(self, ask: Callable[[], T]) -> T:
        """The answer of something that may be just restarting; raises what it did when there is no time left."""
        while True:
            try:
                return ask()
            except EngineError as error:
                passing = isinstance(error, Unreachable) or error.node == "cluster"
                if not passing or self.deadline.left <= _AGAIN:
                    raise
            time.sleep(_AGAIN)

    def tell(self, name: str, why: str) -> None:
        """A person has to know this of a server."""
        self.named[name] = why
        sys.stderr.write(f"{name}: {why}\n")


def turn(name: str, found: Found) -> Turn:
    """When a server starts, compared to others."""
    guarded = safekeeping.guarded(found.config)
    return Turn(name, guarded.order, guarded.delay)
