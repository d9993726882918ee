# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds the fleet: one profile on a majority of the declared nodes.

Incus has no compare-and-swap that is atomic inside the server (an ETag is compared first, the write follows), but
its database allows one profile of a name. So the lock is taken by *creating* a profile, and given back by *renaming*
it to a name made from its token: of several who break the same stale lock, one can; the others' renames find the
name taken, even if a new lock stands in the old one's place by then. Renamed ones are removed at a later taking.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ...fleet.model import Fleet
from ..base import EngineError, LockRecord, Refused, Unreachable, Untrusted
from .client import Changed, Client, Missing
from .several import ask_all

_RECORD = "user.switchyard.lock"
_RELEASED = "user.switchyard.released"
_KEEP = 600.0
"""Seconds a released lock's name stays taken: far more than a request of a competitor may be on its way."""
_FORGET = 86400.0
"""The same where whoever released it died before saying when."""


@dataclass(frozen=True, slots=True)
class _Profiles:
    """What a node has of this fleet's lock."""

    held: LockRecord | None
    outdated: tuple[str, ...]


class Lock:
    """The lock of one fleet."""

    def __init__(self, fleet: Fleet, clients: Mapping[str, Client]) -> None:
        self._clients = clients
        self._declared = len(fleet.nodes)
        self._name = f"switchyard-lock-{fleet.name}"

    def take(self, record: LockRecord) -> LockRecord | None:
        """None: ours on a majority. Otherwise whose it is, and nothing of ours left behind."""
        attempt = "take the fleet's lock"
        answers = ask_all(self._clients.values(), lambda client: self._profiles(client, attempt))
        profiles = {name: each for name, each in answers.items() if isinstance(each, _Profiles)}
        self._require_majority(profiles, answers, attempt)
        for name in sorted(profiles):
            held = profiles[name].held
            if held and held.token != record.token:
                return held
        # Everybody begins with the same node, so that one of many gets it all.
        first, *others = sorted(profiles)
        taken = ask_all([self._clients[first]], lambda client: self._create(client, record, attempt))
        if not isinstance(taken[first], LockRecord):
            taken |= ask_all((self._clients[name] for name in others), lambda c: self._create(c, record, attempt))
        other = next((answer for _name, answer in sorted(taken.items()) if isinstance(answer, LockRecord)), None)
        if other:
            self.release(record.token)
            return other
        ours = [name for name, answer in taken.items() if answer is None]
        try:
            self._require_majority(ours, taken, attempt)
        except EngineError:
            self.release(record.token)
            raise
        for name in ours:
            self._forget(self._clients[name], profiles[name].outdated)
        return None

    def renew(self, record: LockRecord) -> bool:
        """A sign of life. False: a majority does not know us any more."""
        attempt = "renew the fleet's lock"
        answers = ask_all(self._clients.values(), lambda client: self._renew(client, record, attempt))
        ours = [name for name, answer in answers.items() if answer is True]
        if 2 * len(ours) > self._declared:
            return True
        unknown = [name for name, answer in answers.items() if isinstance(answer, EngineError)]
        if 2 * (len(ours) + len(unknown)) > self._declared:
            self._require_majority(ours, answers, attempt)
        return False

    def release(self, token: str) -> None:
        """No lock that bears this token stands on any node that answers."""
        attempt = "release the fleet's lock"
        # The first node last: once it is free for others, all are.
        first, *others = sorted(self._clients)
        answers = ask_all((self._clients[name] for name in others), lambda c: self._release(c, token, attempt))
        answers |= ask_all([self._clients[first]], lambda client: self._release(client, token, attempt))
        errors = [answer for answer in answers.values() if isinstance(answer, EngineError)]
        if len(errors) == len(answers):
            raise errors[0]

    def _require_majority(self, have: Iterable[str], answers: Mapping[str, Any], attempt: str) -> None:
        """Raise what keeps us from a majority of the declared nodes."""
        count = len(list(have))
        errors = [answers[name] for name in sorted(answers) if isinstance(answers[name], EngineError)]
        for error in errors:
            if isinstance(error, Untrusted):
                raise error
        if 2 * count > self._declared:
            return
        reasons = "; ".join(f"{error.node}: {error.answer}" for error in errors)
        raise Unreachable(
            "fleet",
            attempt,
            f"{count} of {self._declared} declared nodes can be written to, more than half are needed: {reasons}",
            "bring the nodes back, or take those that are gone for good out of the inventory",
        )

    def _profiles(self, client: Client, attempt: str) -> _Profiles:
        held = None
        outdated = []
        for profile in client.get("/1.0/profiles?recursion=1", attempt).metadata or []:
            if profile["name"] == self._name:
                held = _record(profile)
            elif profile["name"].startswith(f"{self._name}."):
                released = _number(profile["config"].get(_RELEASED, ""))
                last = released + _KEEP if released else _record(profile).renewed + _FORGET
                if last < time.time():
                    outdated.append(profile["name"])
        return _Profiles(held, tuple(outdated))

    def _create(self, client: Client, record: LockRecord, attempt: str) -> LockRecord | None:
        """None: the profile is ours. Otherwise whose it is."""
        body = {"name": self._name, **_body(record)}
        try:
            client.send("POST", "/1.0/profiles", attempt, body)
        except (Refused, Unreachable) as error:
            if not isinstance(error, Refused) and not error.unsure:
                raise
            try:
                held, _etag = self._read(client, attempt)
            except Missing:
                # Whoever had it has just let go; to try again is the caller's decision.
                raise error from None
            return None if held.token == record.token else held
        return None

    def _renew(self, client: Client, record: LockRecord, attempt: str) -> bool:
        for _once_more in range(2):
            try:
                held, etag = self._read(client, attempt)
                if held.token != record.token:
                    return False
                client.send("PUT", f"/1.0/profiles/{self._name}", attempt, _body(record), etag=etag)
            except Missing:
                return False
            except Changed:
                continue
            return True
        return False

    def _release(self, client: Client, token: str, attempt: str) -> None:
        released = f"{self._name}.{hashlib.sha256(token.encode()).hexdigest()[:16]}"
        try:
            held, _etag = self._read(client, attempt)
            if held.token != token:
                return
            client.send("POST", f"/1.0/profiles/{self._name}", attempt, {"name": released})
            stamp = {"config": {_RELEASED: str(time.time()), _RECORD: _text(held)}, "description": "released"}
            client.send("PUT", f"/1.0/profiles/{released}", attempt, stamp)
        except Refused:
            # Gone, or another breaker of the same lock was faster.
            return

    def _read(self, client: Client, attempt: str) -> tuple[LockRecord, str]:
        answer = client.get(f"/1.0/profiles/{self._name}", attempt)
        return _record(answer.metadata), answer.etag

    def _forget(self, client: Client, names: Iterable[str]) -> None:
        for name in names:
            try:
                client.send("DELETE", f"/1.0/profiles/{name}", "remove a released lock")
            except (Refused, Unreachable):
                # Next time.
                continue


def _body(record: LockRecord) -> dict[str, Any]:
    return {"description": f"held by {record.holder}: {record.purpose}", "config": {_RECORD: _text(record)}}


def _text(record: LockRecord) -> str:
    return json.dumps(asdict(record), sort_keys=True)


def _record(profile: Mapping[str, Any]) -> LockRecord:
    """The record in a profile; a spoiled one is a lock that somebody holds, we cannot tell who, since ever."""
    try:
        return LockRecord(**json.loads(profile["config"][_RECORD]))
    except (KeyError, TypeError, ValueError):
        return LockRecord("", "unknown", str(profile.get("description", "")), "", 0, 0.0, 0.0)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
