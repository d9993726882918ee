# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds the fleet: a pool without members, whose comment says it.

Of all who create a pool of one name exactly one succeeds, through whichever nodes they ask; but comments are written
over by whoever writes last, and what is removed may be a new one of the same name. So a lock's name is never used
again: the n-th holder has ``switchyard-lock-FLEET.n``, and it is given back, or broken, by creating
``switchyard-lock-FLEET.n.released``. Only then is there an (n+1)-th. Old ones are removed at a later taking.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ..base import EngineError, LockRecord, Refused
from .client import Client, Exists, Missing

_KEEP = 600.0
"""Seconds the names of a released lock stay taken: far more than a request of a competitor may be on its way."""
_TRIES = 20
"""Times a lock is reached for that others take and release within one attempt."""


@dataclass(frozen=True, slots=True)
class _Pools:
    """What there is of a fleet's locks: comments by number."""

    held: Mapping[int, str]
    released: Mapping[int, str]

    @property
    def last(self) -> int:
        """The last holder's number; 0: there never was any."""
        return max((*self.held, *self.released), default=0)

    @property
    def holder(self) -> LockRecord | None:
        """Who holds the fleet now."""
        return None if self.last in self.released or not self.last else _record(self.held[self.last])


class Lock:
    """The lock of one fleet."""

    def __init__(self, fleet: str, client: Client) -> None:
        self._client = client
        self._name = f"switchyard-lock-{fleet}"

    def take(self, record: LockRecord) -> LockRecord | None:
        """None: ours. Otherwise whose it is. Four requests."""
        attempt = "take the fleet's lock"
        failure: EngineError | None = None
        # What a minority remembers of the holder may be long over.
        self._client.require_quorum(attempt)
        for _try in range(_TRIES):
            before = self._pools(attempt)
            if before.holder:
                return None if before.holder.token == record.token else before.holder
            failure = self._reach_for(before.last + 1, record, attempt)
            # Who came so late that the number had been used and cleared away meanwhile is not the last one.
            now = self._pools(attempt)
            if now.holder and now.holder.token == record.token and now.last == before.last + 1:
                self._forget(before)
                return None
            if not failure:
                self._drop(f"{self._name}.{before.last + 1}", attempt)
            if now.holder:
                return now.holder
            # Whoever was faster has let go already.
        raise failure or Refused("cluster", attempt, "others keep taking and releasing it", "try again")

    def _reach_for(self, number: int, record: LockRecord, attempt: str) -> EngineError | None:
        """Ask for a number of the lock; the error where somebody has it already, or nobody can tell."""
        try:
            self._client.send("POST", "/pools", attempt, {"poolid": f"{self._name}.{number}", "comment": _text(record)})
        except EngineError as error:
            if not isinstance(error, Exists) and not error.unsure:
                raise
            return error
        return None

    def renew(self, record: LockRecord) -> bool:
        """A sign of life. False: it is not ours any more. Two requests: nobody else writes to this name."""
        attempt = "renew the fleet's lock"
        pools = self._pools(attempt)
        if not pools.holder or pools.holder.token != record.token:
            return False
        try:
            self._client.send("PUT", f"/pools/{self._name}.{pools.last}", attempt, {"comment": _text(record)})
        except Missing:
            return False
        return True

    def release(self, token: str) -> None:
        """No lock that bears this token stands. Two requests."""
        attempt = "release the fleet's lock"
        pools = self._pools(attempt)
        if not pools.holder or pools.holder.token != token:
            return
        body = {"poolid": f"{self._name}.{pools.last}.released", "comment": json.dumps({"released": time.time()})}
        try:
            self._client.send("POST", "/pools", attempt, body)
        except Exists:
            # Another breaker of the same lock was faster.
            return
        except EngineError as error:
            if not error.unsure or pools.last not in self._pools(attempt).released:
                raise

    def _pools(self, attempt: str) -> _Pools:
        pattern = re.compile(rf"{re.escape(self._name)}\.([0-9]+)(\.released)?")
        held: dict[int, str] = {}
        released: dict[int, str] = {}
        for pool in self._client.get("/pools", attempt):
            found = pattern.fullmatch(str(pool.get("poolid", "")))
            if found:
                (released if found.group(2) else held)[int(found.group(1))] = str(pool.get("comment") or "")
        return _Pools(held, released)

    def _forget(self, pools: _Pools) -> None:
        for number, comment in pools.released.items():
            if _released(comment) + _KEEP < time.time():
                # In this order: a number whose release were gone first would seem to be held.
                for name in (f"{self._name}.{number}", f"{self._name}.{number}.released"):
                    self._drop(name, "remove a released lock")

    def _drop(self, name: str, attempt: str) -> None:
        try:
            self._client.send("DELETE", f"/pools/{name}", attempt)
        except EngineError:
            # Next time.
            return


def _text(record: LockRecord) -> str:
    return json.dumps(asdict(record), sort_keys=True)


def _record(comment: str) -> LockRecord:
    """The record in a comment; a spoiled one is a lock that somebody holds, we cannot tell who, since ever."""
    try:
        return LockRecord(**json.loads(comment))
    except (TypeError, ValueError):
        return LockRecord("", "unknown", comment, "", 0, 0.0, 0.0)


def _released(comment: str) -> float:
    try:
        return float(json.loads(comment)["released"])
    except (KeyError, TypeError, ValueError):
        return 0.0
