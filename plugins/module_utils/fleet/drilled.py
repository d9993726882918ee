# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill for real, afterwards: how long each server was away, where it is now, and whether it runs exactly once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .census import take_census
from .explain import table
from .layout import ours
from .model import Fleet, Observed

NOTICED = 0.5
"""Seconds a server may not answer for without that being told: a busy moment is no outage."""


@dataclass(frozen=True, slots=True)
class Drilled:
    """What became of one server."""

    server: str
    before: str
    after: str
    """Node it is on now; empty: none."""
    outage: float
    expected: float | None
    """Seconds the paper said; ``None``: it said nothing of it."""
    wrong: str
    """Why that is not as it should be; empty: it is."""


def copies_running(fleet: Fleet, observed: Observed) -> dict[str, tuple[str, ...]]:
    """Server of ours -> the nodes it runs on, as the nodes that answer have it."""
    found: dict[str, list[str]] = {}
    for guest in observed.servers:
        if ours(fleet, guest) and guest.state == "running":
            found.setdefault(guest.name, []).append(guest.node)
    return {name: tuple(sorted(nodes)) for name, nodes in found.items()}


def drilled(
    fleet: Fleet,
    observed: Observed,
    before: Mapping[str, str],
    watched: Mapping[str, Mapping[str, Any]],
    rehearsal: Mapping[str, Any],
) -> list[Drilled]:
    """What became of all that were watched; who was away longest comes first.

    ``before``: server -> its node; ``watched``: what the module ``watch`` tells; ``rehearsal``: what the paper said.
    """
    running = copies_running(fleet, observed)
    primaries = take_census(fleet, observed).primaries
    expected = {each["server"]: float(each["seconds"]) for each in rehearsal["revivals"]}
    down = {**rehearsal["down"], **rehearsal["resting"]}
    found = []
    for name, seen in watched.items():
        nodes = running.get(name, ())
        if name in down:
            wrong = f"runs on {', '.join(nodes)}, though nothing was to start it" if nodes else ""
        elif len(nodes) != 1:
            wrong = f"runs on {', '.join(nodes)}" if nodes else "runs nowhere"
        else:
            wrong = "" if seen["serves"] else "does not serve"
        after = primaries[name].node if name in primaries and name in running else ""
        found.append(Drilled(name, before.get(name, ""), after, float(seen["outage"]), expected.get(name), wrong))
    return sorted(found, key=lambda each: (not each.wrong, -each.outage, each.server))


def drilled_text(found: Iterable[Drilled]) -> str:
    """A table of all that noticed anything, and a line of the others."""
    everybody = list(found)
    told = [each for each in everybody if each.wrong or each.outage > NOTICED or each.before != each.after]
    rows = [
        (
            each.server,
            each.before if each.before == each.after else f"{each.before} → {each.after or 'down'}",
            f"{each.outage:.1f}",
            "" if each.expected is None else f"{each.expected:.1f}",
            each.wrong,
        )
        for each in told
    ]
    lines = table(("server", "node", "outage, s", "on paper, s", "wrong"), rows) if rows else []
    if len(everybody) > len(told):
        lines.append(f"{len(everybody) - len(told)} others noticed nothing")
    return "\n".join(lines)
