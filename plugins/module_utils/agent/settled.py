# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has been settled on this node since it booted, and what has not: a file in memory."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE = Path("/run/switchyard/settled.json")


@dataclass(frozen=True, slots=True)
class Settled:
    """As of the last look."""

    booted: bool = False
    """Whether this is not the first look since the node's start."""
    waiting: tuple[str, ...] = ()
    """Servers that ran here before the node's start, and are still to be started."""
    troubles: dict[str, str] = field(default_factory=dict)
    """Server -> what is wrong with its copy here, for people."""
    since: float = 0.0
    """When the first look was, seconds since the epoch: about when the node came up."""


def load(path: Path = FILE) -> Settled:
    """What the last look left; a spoiled file is none."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        since = float(raw.get("since", 0.0))
        return Settled(bool(raw["booted"]), tuple(raw["waiting"]), dict(raw["troubles"]), since)
    except (OSError, ValueError, KeyError, TypeError):
        return Settled()


def store(settled: Settled, path: Path = FILE) -> None:
    """Keep it for the next look, whole or not at all."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(settled)), encoding="utf-8")
    fresh.replace(path)
