# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HA manager's own file: which guests it looks after, and the rules about where.

Version 9 has rules, version 8 has groups, of which a resource is in one; here both are rules. Every change is one
request, which waits while somebody else changes the same files. What was read is kept for some seconds, with our own
changes: a plan that protects a thousand servers reads a list of a thousand a few times, not thousands of times.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ..base import EngineError
from . import rules
from .client import Client, Missing
from .patience import patiently
from .rules import Rule

RULES_SINCE = (9, 0)
_FRESH = 10.0
"""Seconds what was read is good enough; where somebody else was quicker, the cluster refuses."""
PURGES_SINCE = (9, 1)
"""Since then others' rules lose what is taken out of HA, unless that is ruled out."""
REBALANCES_SINCE = (9, 2)
"""Since then the manager may move what it looks after by itself, to even out load: plans do that."""


@dataclass(frozen=True, slots=True)
class Registered:
    """What is configured now."""

    resources: Mapping[str, Mapping[str, Any]]
    """``ct:101`` -> its row."""
    rules: tuple[Rule, ...]

    def rule(self, name: str) -> Rule | None:
        """The rule of that name."""
        return next((each for each in self.rules if each.name == name), None)


def comment(fleet: str, server: str) -> str:
    """What marks a resource as ours."""
    return f"switchyard {fleet}: {server}"


def is_ours(row: Mapping[str, Any], fleet: str) -> bool:
    """Whether we put a guest under HA."""
    return str(row.get("comment") or "").startswith(comment(fleet, ""))


def version_of(text: str) -> tuple[int, int]:
    """``9.1.9`` as (9, 1)."""
    parts = [*text.split("."), "0", "0"][:2]
    return (int(parts[0]), int(parts[1])) if all(part.isdigit() for part in parts) else RULES_SINCE


class Register:
    """The HA configuration of one cluster."""

    def __init__(self, client: Client, seconds: float, version: tuple[int, int] | None = None) -> None:
        self._client = client
        self._seconds = seconds
        self._version = version
        self._lock = threading.Lock()
        self._known: Registered | None = None
        self._until = 0.0
        self._nodes = 0

    def version(self, attempt: str) -> tuple[int, int]:
        """(major, minor); one request, once."""
        if self._version is None:
            self._version = version_of(str(self._client.get("/version", attempt).get("version", "")))
        return self._version

    def has_rules(self, attempt: str) -> bool:
        """Whether there are rules instead of groups."""
        return self.version(attempt) >= RULES_SINCE

    def read(self, attempt: str) -> Registered:
        """Two requests, every few seconds."""
        with self._lock:
            if self._known is None or time.monotonic() > self._until:
                asked = time.monotonic()
                self._known = self._read(attempt)
                self._until = asked + _FRESH
            return self._known

    def forget(self) -> None:
        """What was read is old."""
        with self._lock:
            self._known = None

    def _read(self, attempt: str) -> Registered:
        rows = {str(row["sid"]): row for row in self._client.get("/cluster/ha/resources", attempt)}
        if self.has_rules(attempt):
            known = [rules.read(row) for row in self._client.get("/cluster/ha/rules", attempt)]
        else:
            groups = self._client.get("/cluster/ha/groups", attempt)
            known = [
                rules.read_group(row, [sid for sid, each in rows.items() if each.get("group") == row["group"]])
                for row in groups
            ]
        return Registered(rows, tuple(known))

    def nodes(self, attempt: str) -> int:
        """How many the cluster has, whether they are up or not; one request, once."""
        if not self._nodes:
            rows = self._client.get("/cluster/status", attempt)
            self._nodes = sum(1 for row in rows if row.get("type") == "node")
        return self._nodes

    # ---- changes

    def put_resource(self, sid: str, options: Mapping[str, Any], known: Mapping[str, Any] | None, attempt: str) -> None:
        """A resource with these options; others that it has stay. Nothing is sent where nothing differs."""
        if known is None:
            self._send("POST", "/cluster/ha/resources", attempt, {"sid": sid, **options})
            self._note(lambda now: _with_resource(now, sid, {"sid": sid, **options}))
            return
        changed = {
            key: value for key, value in options.items() if str(known.get(key, _DEFAULTS.get(key))) != str(value)
        }
        if changed:
            self._send("PUT", f"/cluster/ha/resources/{sid}", attempt, changed)
            self._note(lambda now: _with_resource(now, sid, {**known, **changed}))

    def drop_resource(self, sid: str, attempt: str) -> None:
        """The guest is looked after no more; others' rules that name it stay as they are."""
        body = {"purge": 0} if self.version(attempt) >= PURGES_SINCE else {}
        self._send("DELETE", f"/cluster/ha/resources/{sid}", attempt, body)
        self._note(lambda now: _with_resource(now, sid, None))

    def put_rule(self, rule: Rule, known: Rule | None, attempt: str, words: str) -> None:
        """A rule, as it is given. Nothing is sent where nothing differs."""
        if known == rule:
            return
        if not self.has_rules(attempt):
            self._put_group(rule, known, attempt, words)
            return
        body: dict[str, Any] = {"type": rule.kind, "resources": ",".join(sorted(rule.resources)), "comment": words}
        if rule.kind == "node-affinity":
            body |= {"nodes": rules.written(rule.nodes), "strict": int(rule.strict)}
        else:
            body |= {"affinity": rule.affinity}
        if known is None:
            self._send("POST", "/cluster/ha/rules", attempt, {"rule": rule.name, **body})
        else:
            enable = {} if known.enabled else {"delete": "disable"}
            self._send("PUT", f"/cluster/ha/rules/{rule.name}", attempt, body | enable)
        self._note(lambda now: _with_rule(now, rule.name, rule))

    def drop_rule(self, name: str, attempt: str) -> None:
        """No such rule any more."""
        what = "rules" if self.has_rules(attempt) else "groups"
        with suppress(Missing):
            self._send("DELETE", f"/cluster/ha/{what}/{name}", attempt)
        self._note(lambda now: _with_rule(now, name, None))

    def _put_group(self, rule: Rule, known: Rule | None, attempt: str, words: str) -> None:
        body = {"nodes": rules.written(rule.nodes), "restricted": int(rule.strict), "nofailback": 1, "comment": words}
        if known is None:
            self._send("POST", "/cluster/ha/groups", attempt, {"group": rule.name, **body})
        elif (known.nodes, known.strict) != (rule.nodes, rule.strict):
            self._send("PUT", f"/cluster/ha/groups/{rule.name}", attempt, body)

    def _send(self, method: str, path: str, attempt: str, body: Mapping[str, Any] | None = None) -> None:
        try:
            patiently(
                self._client, path, attempt, self._seconds, lambda: self._client.send(method, path, attempt, body)
            )
        except EngineError:
            # Whatever it was that we had read, it is not so.
            self.forget()
            raise

    def _note(self, change: Callable[[Registered], Registered]) -> None:
        """A change of ours, in what was read; of groups and who is in them, by reading anew."""
        with self._lock:
            if self._known is not None:
                self._known = change(self._known) if self._version and self._version >= RULES_SINCE else None


def _with_resource(now: Registered, sid: str, row: Mapping[str, Any] | None) -> Registered:
    rest = {each: known for each, known in now.resources.items() if each != sid}
    return replace(now, resources={**rest, sid: row} if row is not None else rest)


def _with_rule(now: Registered, name: str, rule: Rule | None) -> Registered:
    rest = tuple(each for each in now.rules if each.name != name)
    return replace(now, rules=(*rest, rule) if rule is not None else rest)


_DEFAULTS = {"max_restart": 1, "max_relocate": 1, "failback": 1, "auto-rebalance": 1, "state": "started"}
"""What is so where a row does not say."""
