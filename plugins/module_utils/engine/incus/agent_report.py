# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent of a node publishes of itself: a key of its node's own server configuration. Pure.

It is read where the controller asks the node anyway, so that it knows what nodes do by themselves, at no cost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Report:
    """What a node does by itself, and how that goes."""

    replicates: bool = False
    """It refreshes the replicas on it."""
    protects: bool = False
    """It is in a cluster that starts servers elsewhere when their node dies."""
    pairs: frozenset[tuple[str, str]] = frozenset()
    """(home, backup) of those the cluster looks after."""
    trouble: str = ""
    """What is wrong with the node's part in it, for a person."""
    servers: Mapping[str, str] = field(default_factory=dict)
    """Server -> what is wrong with it; only those of which something is."""
    in_step: bool = False
    """It keeps disks in step with other nodes'."""
    since: float = 0.0
    """When the node came up, seconds since the epoch; 0: nobody tells."""


def key(fleet: str) -> str:
    """The configuration key a fleet's agents publish under."""
    return f"user.switchyard.agent.{fleet}"


def read(config: Mapping[str, str], fleet: str) -> Report:
    """What a server configuration says; nothing where no agent wrote it, or somebody spoiled it."""
    try:
        raw = json.loads(config.get(key(fleet), "") or "{}")
        pairs = frozenset((home, backup) for home, backup in (str(each).split() for each in raw.get("pairs", ())))
        return Report(
            bool(raw.get("replicates", False)),
            bool(raw.get("protects", False)),
            pairs,
            str(raw.get("trouble", "")),
            {str(name): str(words) for name, words in raw.get("servers", {}).items()},
            bool(raw.get("in_step", False)),
            float(raw.get("since", 0.0)),
        )
    except (ValueError, TypeError, AttributeError):
        return Report()


def text(report: Report) -> str:
    """The report as it is published; equal reports are equal texts."""
    raw = {
        "replicates": report.replicates,
        "protects": report.protects,
        "pairs": sorted(f"{home} {backup}" for home, backup in report.pairs),
        "trouble": report.trouble,
        "servers": dict(report.servers),
        "in_step": report.in_step,
        "since": report.since,
    }
    return json.dumps({name: value for name, value in raw.items() if value}, sort_keys=True, separators=(",", ":"))
