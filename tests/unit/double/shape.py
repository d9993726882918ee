# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When an answer has the same shape as a recorded one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

# What differs from one cluster to the next, or was a peculiarity of the recorded one (no cgroup v2: pressure is null).
VARIABLE = (
    (r"UPID:[^\s\"']+:", "UPID"),
    (r"\.tmp\.\d+", ".tmp.N"),
    (r"qemu-img\.real", "qemu-img"),
    (r"/etc/pve/nodes/\w+/ssh_known_hosts", "KNOWN"),
    (r"\b[0-9a-f]{40}\b", "DIGEST"),
    (r"[0-9A-F]{2}(:[0-9A-F]{2}){5}", "MAC"),
    (r"last_sync \d+", "last_sync N"),
)
# Rows of other workflows on the recorded cluster, at the same time.
OTHERS = (
    r"/cluster/(resources|tasks|log|ha/|replication$)|/pools|rrddata|/access/"
    r"|/nodes/\w+/(lxc|qemu|tasks|replication|storage/[^/]+/content)$"
)
EXACT = ("exitstatus", "running", "allowed-nodes", "hasFeature", "remove_job", "requested-node", "blocking-resources",
         "comigrated-resources", "quorate", "poolid", "release", "full-tokenid", "privsep")  # fmt: skip
VOLATILE = {"digest", "smbios1", "vmgenid", "meta", "cipassword", "sshkeys", "snaptime", "parent"}
MAYBE = {
    "pid",
    "lock",
    "hastate",
    "tags",
    "pool",
    "agent",
    "vmstate",
    "meta",
    "target",
    "node_request",
    "disarm",
    "errors",
}


def same_text(recorded: str, ours: str) -> bool:
    """Equal but for numbers nobody can know."""
    return normal(recorded) == normal(ours)


def normal(text: str) -> str:
    """A text without what differs from one cluster to the next."""
    for pattern, instead in VARIABLE:
        text = re.sub(pattern, instead, text)
    return text.strip()


def endpoint(path: str) -> str:
    """A path without names."""
    path = re.sub(r"^/api2/\w+", "", path).rstrip("/")
    path = re.sub(r"/nodes/\w+", "/nodes/N", path)
    path = re.sub(r"/(lxc|qemu)/\d+", r"/\1/V", path)
    path = re.sub(r"/tasks/UPID[^/]*", "/tasks/U", path)
    path = re.sub(r"/storage/[^/]+/", "/storage/S/", path)
    return re.sub(r"/(pools|rules|resources|replication|snapshot)/[^/]+", r"/\1/X", path)


class Shapes:
    """The keys rows of lists have: always, and sometimes."""

    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        self.always: dict[tuple[str, str], set[str]] = {}
        self.ever: dict[tuple[str, str], set[str]] = {}
        for row in rows:
            data = row["body"].get("data") if isinstance(row["body"], dict) else None
            for each in data if isinstance(data, list) else [data]:
                if isinstance(each, dict):
                    key = self.key(row["path"], each)
                    self.ever.setdefault(key, set()).update(each)
                    self.always[key] = self.always.get(key, set(each)) & set(each)

    @staticmethod
    def key(path: str, row: dict[str, Any]) -> tuple[str, str]:
        """Rows of one kind: guests that run, guests that are stopped, nodes, ..."""
        where = endpoint(path)
        kind = str(row.get("type", "")) if not where.endswith("tasks") else ""
        if where.endswith(("/lxc", "/qemu", "/resources", "/current")):
            kind += f" {row.get('status') if row.get('status') in ('running', 'stopped', 'unknown', 'offline') else ''}"
        return where, kind

    def problem(self, path: str, row: dict[str, Any]) -> str:
        """What is wrong with a row; nothing where rows like it were recorded, or none of its kind were."""
        key = self.key(path, row)
        if key not in self.ever:
            return ""
        missing = self.always[key] - set(row) - MAYBE
        strange = set(row) - self.ever[key] - MAYBE
        return f"row {key[1]}: missing {sorted(missing)}, strange {sorted(strange)}" if missing or strange else ""


def differences(row: dict[str, Any], ours: Any, shapes: Shapes) -> str:
    """How a body differs from the recorded one, in short; nothing where it does not."""
    recorded = row["body"]
    if not isinstance(recorded, dict):
        return "" if not recorded and ours is None else "a body where there was none" if ours else "no body"
    if not isinstance(ours, dict):
        return "no body"
    if "errors" in recorded or "errors" in ours:
        return _errors(recorded.get("errors") or {}, ours.get("errors") or {})
    if ("message" in recorded) != ("message" in ours) and row["status"] != 200:
        return "message"
    if row["status"] != 200:
        return (
            "" if same_text(recorded.get("message", ""), ours.get("message", "")) else f"message {ours.get('message')}"
        )
    if set(recorded) != set(ours):
        return f"beside data: {sorted(set(recorded) ^ set(ours))}"
    return _data(row, recorded.get("data"), ours.get("data"), shapes)


def _errors(recorded: dict[str, str], ours: dict[str, str]) -> str:
    if set(recorded) != set(ours):
        return f"errors of {sorted(ours)}"
    wrong = {key for key, text in recorded.items() if text != "<redacted>" and not same_text(text, ours[key])}
    return f"errors { ({key: ours[key] for key in wrong}) }" if wrong else ""


def _data(row: dict[str, Any], recorded: Any, ours: Any, shapes: Shapes) -> str:
    path, step = row["path"], row["step"]
    if isinstance(recorded, list) and isinstance(ours, list):
        return _list(row, recorded, ours, shapes)
    if _kind(recorded) != _kind(ours):
        return f"data is {_kind(ours)}, was {_kind(recorded)}"
    if not isinstance(recorded, dict):
        good = not isinstance(recorded, str) or recorded.startswith(("UPID", "#cloud", "version")) or recorded == ours
        return "" if good else f"data {ours}"
    if path.endswith("/status") and "/tasks/" in path:
        return _task(recorded, ours, "(final)" in step)
    problem = "" if "config" in path else shapes.problem(path, ours)
    if problem:
        return problem
    return _values(path, recorded, ours)


def _task(recorded: dict[str, Any], ours: dict[str, Any], final: bool) -> str:
    if final and not same_text(str(recorded.get("exitstatus")), str(ours.get("exitstatus"))):
        return f"exitstatus {ours.get('exitstatus')}, was {recorded.get('exitstatus')}"
    if recorded["status"] != ours["status"]:
        return f"task {ours['status']}, was {recorded['status']}"
    return (
        ""
        if set(recorded) == set(ours) and recorded["type"] == ours["type"]
        else f"keys {sorted(set(ours) ^ set(recorded))}"
    )


def _values(path: str, recorded: dict[str, Any], ours: dict[str, Any]) -> str:
    exact = path.endswith("/config")
    if exact and set(recorded) - VOLATILE != set(ours) - VOLATILE:
        return f"keys {sorted(set(recorded) ^ set(ours))}"
    for key in set(recorded) & set(ours):
        was, now = recorded[key], ours[key]
        if was == "<redacted>" or key in VOLATILE:
            continue
        if was is not None and _kind(was) != _kind(now):
            return f"{key} is {_kind(now)}, was {_kind(was)}"
        if (exact or key in EXACT) and normal(_sorted(was)) != normal(_sorted(now)):
            return f"{key} {now}, was {was}"
    return ""


def _sorted(value: Any) -> str:
    if isinstance(value, list):
        value = sorted(value, key=str)
    return json.dumps(value, sort_keys=True)


def _list(row: dict[str, Any], recorded: list[Any], ours: list[Any], shapes: Shapes) -> str:
    alone = not re.search(OTHERS, row["path"]) and "kept" not in str(row.get("note"))
    if alone and bool(recorded) != bool(ours):
        return f"{len(ours)} rows, were {len(recorded)}"
    if row["path"].endswith("/log") and "cluster" not in row["path"]:
        last = [lines[-1]["t"] if lines else "" for lines in (recorded, ours)]
        return "" if "rep" in row["path"] or same_text(*last) else f"last line {last[1]}, was {last[0]}"
    for each in ours:
        if isinstance(each, dict):
            problem = shapes.problem(row["path"], each)
            if problem:
                return problem
    if row["path"].endswith("/pending"):
        return _pending(recorded, ours)
    return ""


def _pending(recorded: list[dict[str, Any]], ours: list[dict[str, Any]]) -> str:
    was, now = (
        sorted(
            (row["key"], str(row.get("pending")), row.get("delete")) for row in rows if {"pending", "delete"} & set(row)
        )
        for rows in (recorded, ours)
    )
    return "" if was == now else f"pending {now}, were {was}"


def _kind(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return "number"
    return type(value).__name__
