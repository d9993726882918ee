# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recordings of a real cluster, asked of the double again: status, reason phrase, parameter errors and shape.

A guest, storage or user that a recording takes for granted is put there first (``scenes.py``). Time is the recording's.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from commands import carry_out
from double import Answer, Credentials, Double
from scenes import ALWAYS, BEFORE
from shape import Shapes, differences, same_text

SHARED = Path(__file__).resolve().parents[4] / "shared" / "proxmox"
FILES = sorted(path.stem for path in (SHARED / "recordings").glob("*.jsonl"))
PASSWORD = "double-password"
UPID = r"UPID:[^/\"\s]+:"


@dataclass
class Verdict:
    """What came of one exchange."""

    file: str
    number: int
    row: dict[str, Any]
    answer: Answer | None
    why: str = ""  # empty: equal


@cache
def rows_of(file: str) -> list[dict[str, Any]]:
    """One recording."""
    return [json.loads(line) for line in (SHARED / "recordings" / f"{file}.jsonl").read_text().splitlines()]


@cache
def shapes() -> Shapes:
    """What rows of lists look like, over all recordings."""
    return Shapes(row for file in FILES for row in rows_of(file))


def begin_of(rows: list[dict[str, Any]]) -> float:
    """When a recording was begun, by the first task it started."""
    for row in rows:
        data = row["body"].get("data") if isinstance(row["body"], dict) else None
        if isinstance(data, str) and data.startswith("UPID") and row.get("t") is not None:
            return float(int(data.split(":")[4], 16) - row["t"])
    return 1795171000.0


class Replay:
    """One recording against a cluster of its own."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.begun = begin_of(rows_of(file))
        self.double = Double(nodes=3, manual=self.begun, latency=1.0, listen=False, name="pvelab", password=PASSWORD)
        self.upids: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        ALWAYS(self.double)

    def verdicts(self) -> Iterator[Verdict]:
        """Every exchange, in order; notes and commands are carried out, but not counted."""
        rows = rows_of(self.file)
        number = 0
        while number < len(rows):
            group = [number]
            prefix = re.sub(r"/ (parallel|creator|writer) \d+.*", "/ at once", rows[number]["step"])
            while prefix.endswith("/ at once") and group[-1] + 1 < len(rows) and rows[group[-1] + 1]["step"].startswith(
                prefix.removesuffix("/ at once")
            ) and re.search(r"/ (parallel|creator|writer) \d+$", rows[group[-1] + 1]["step"]):  # fmt: skip
                group.append(group[-1] + 1)
            for place in group:
                for prepare in BEFORE.get(self.file, {}).get(place, ()):
                    prepare(self.double)
            yield from self._together([(place, rows[place]) for place in group])
            number = group[-1] + 1

    def _together(self, group: list[tuple[int, dict[str, Any]]]) -> Iterator[Verdict]:
        self._move_to(group[0][1])
        asked = []
        for place, row in sorted(group, key=lambda each: (each[1]["status"] != 200, self._lost(each[1]), each[0])):
            if row["method"] in ("NOTE", "CLI"):
                carry_out(self.double, row)
                continue
            if not row["status"]:
                continue  # the client had no answer
            asked.append((place, row, self._ask(row)))
        for place, row, process in asked:
            self.double._until(lambda process=process: process.done)
            if process.error:
                raise process.error
            self._learn(row, process.result)
            yield Verdict(self.file, place, row, process.result, self._compare(row, process.result))

    def _lost(self, row: dict[str, Any]) -> bool:
        """Whether the task a call started was one that came too late; those that did not are begun first."""
        upid = row["body"].get("data") if isinstance(row["body"], dict) else None
        return any(
            isinstance(upid, str) and upid in other["path"] and other["body"]["data"].get("exitstatus", "OK") != "OK"
            for other in rows_of(self.file)
            if other["path"].endswith("/status") and "/tasks/" in other["path"] and other["status"] == 200
        )

    def _move_to(self, row: dict[str, Any]) -> None:
        world = self.double.world
        if row.get("t") is not None:
            if row["step"] == "second cut":
                self.begun = world.clock.now()
            world.clock.advance(max(0.0, self.begun + row["t"] - world.clock.now()))
        if "task poll (final)" in row["step"] or row["step"].endswith("task log"):
            found = re.search(UPID, self._path(row))
            task = world.tasks.all.get(found[0]) if found else None
            if task:
                self.double._until(lambda: bool(task.status))

    def _path(self, row: dict[str, Any]) -> str:
        return self._backup(re.sub(UPID, lambda match: self._upid(match[0]), row["path"]))

    def _backup(self, text: str) -> str:
        """The backup made last, instead of the recorded one: its name holds the time."""
        made = [each.volid for each in self.double.world.cluster.volumes.values() if each.content == "backup"]
        return re.sub(r"shared:backup/vzdump-lxc-[\w-]+\.tar\.zst", lambda _match: made[-1], text) if made else text

    def _upid(self, recorded: str) -> str:
        """Our name of a task: of one that a call returned, or of the next of this kind."""
        if recorded in self.upids:
            return self.upids[recorded]
        parts = recorded.split(":")
        for upid, task in reversed(self.double.world.tasks.all.items()):
            if [task.node, task.type, task.id] == [parts[1], *parts[5:7]] and upid not in self.upids.values():
                self.upids[recorded] = upid
                return upid
        return recorded

    def _ask(self, row: dict[str, Any]) -> Any:
        params = {key: self._value(row, key, value) for key, value in (row.get("params") or {}).items()}
        return self.double.world.request(
            row["method"], self._path(row), params, row.get("via") or "pve1", self._who(row)
        )

    def _value(self, row: dict[str, Any], key: str, value: Any) -> Any:
        step = row["step"]
        if (
            key == "digest"
            and len(str(value)) == 40
            and "stale" not in step
            and set(value) != {"0"}
            and row["status"] == 200
        ):
            return self._digest
        if value != "<redacted>":
            return self._backup(value) if isinstance(value, str) else value
        if key == "password":
            good = row["status"] == 200
            if "renew" in step:
                return self.double.world.access.ticket("root@pam")[0]
            return "abc" if "short" in step else PASSWORD if good else "wrong-password"
        if key in ("ssh-public-keys", "sshkeys"):
            good = "broken" not in step and "not url-encoded" not in step
            return ("ssh-ed25519%20AAAA%20rec" if key == "sshkeys" else "ssh-ed25519 AAAA rec") if good else "no key"
        return "something"

    @property
    def _digest(self) -> str:
        return next((g.digest for g in self.double.world.cluster.guests.values() if g.vmid == 1080), "0" * 40)

    def _who(self, row: dict[str, Any]) -> Credentials | str:
        name, step = row.get("as"), row["step"]
        name = "root@pam" if step == "JSON body accepted" else name
        access = self.double.world.access
        if not name:
            return Credentials(token="nonsense") if "malformed header" in step else Credentials()
        if name.startswith("token:"):
            secret = "wrong" if "bad secret" in step else self.secrets.get(name[6:], "unknown")
            return Credentials(token=f"{name[6:]}={secret}")
        ticket, csrf = access.ticket(name)
        if "garbage" in step:
            ticket = "garbage"
        if "CSRF" in step:
            csrf = "bad" if "bad" in step else ""
        return Credentials(ticket, csrf)

    def _learn(self, row: dict[str, Any], answer: Answer) -> None:
        recorded = row["body"].get("data") if isinstance(row["body"], dict) else None
        if isinstance(recorded, str) and recorded.startswith("UPID") and isinstance(answer.data, str):
            self.upids[recorded] = answer.data
        if isinstance(answer.data, dict) and "full-tokenid" in answer.data:
            self.secrets[answer.data["full-tokenid"]] = answer.data["value"]

    def _compare(self, row: dict[str, Any], answer: Answer) -> str:
        if answer.status != row["status"]:
            return f"status {answer.status} {answer.reason}"
        if not same_text(row["reason"], answer.reason):
            return f"reason {answer.reason}"
        return differences(row, answer.body, shapes())


def summary(verdicts: list[Verdict]) -> dict[str, tuple[int, int]]:
    """For each file: how many are equal, of how many."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for verdict in verdicts:
        counts[verdict.file][0] += not verdict.why
        counts[verdict.file][1] += 1
    return {file: (equal, total) for file, (equal, total) in counts.items()}


if __name__ == "__main__":
    import sys

    everything = []
    for each in FILES:
        if len(sys.argv) > 1 and not each.startswith(sys.argv[1]):
            continue
        found = list(Replay(each).verdicts())
        everything += found
        for verdict in found:
            if verdict.why and len(sys.argv) > 1:
                row = verdict.row
                asked = json.dumps(row.get("params") or "")[:120]
                print(f"{verdict.number} [{row['step'][:50]}] {row['method']} {row['path'][9:80]} {asked}")
                print(f"    recorded {row['status']} {row['reason']}\n    {verdict.why}")
    for file, (equal, total) in summary(everything).items():
        print(f"{file:32} {equal:5} of {total}")
    print(sum(not verdict.why for verdict in everything), "of", len(everything))
