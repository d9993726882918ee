# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From look to look: what a node remembers of a server it is to keep serving, and what it does about it. Pure.

A service counts as silent only where it was heard before: a node that never heard it may have no way to it, and to
restart a server for that would take a telephone from somebody for nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from .settings import Guarding


@dataclass(frozen=True, slots=True)
class Look:
    """What a server was found to be."""

    state: str = "running"
    """running, frozen or stopped."""
    silent: str = ""
    """What came instead of the good answer to one of its checks; empty: all were answered, or it declares none."""


@dataclass(frozen=True, slots=True)
class Health:
    """What is remembered of one server. Times are seconds since the epoch."""

    came: float
    """When the pair of nodes first saw it here."""
    heard: bool = False
    """It has served here."""
    misses: int = 0
    """Looks in a row at which it did not."""
    restarts: tuple[float, ...] = ()
    """When it was restarted in place."""
    patience: float = 0.0
    """Until when a server that was just started need not answer."""
    why: str = ""
    """What is wrong with it; empty: nothing."""


def looked(health: Health, look: Look, now: float, guarding: Guarding) -> tuple[Health, bool]:
    """What is remembered after one more look, and whether the server is to be restarted in place."""
    recent = tuple(each for each in health.restarts if now - each < guarding.window)
    health = replace(health, restarts=recent)
    if look.state == "running" and not look.silent:
        return replace(health, heard=True, misses=0, why=""), False
    if look.state == "running" and (now < health.patience or not health.heard):
        return replace(health, misses=0, why=f"has not answered yet: {look.silent}"), False
    why = look.silent if look.state == "running" else f"is {look.state}"
    health = replace(health, misses=health.misses + 1, why=why)
    enough = look.state == "stopped" or health.misses >= guarding.misses
    return health, enough and len(recent) < guarding.restarts


def restarted(health: Health, now: float, patience: float) -> Health:
    """What is remembered once it was restarted; ``patience``: seconds until it has to answer."""
    return replace(health, misses=0, restarts=(*health.restarts, now), patience=now + patience)


def worn_out(health: Health, now: float, guarding: Guarding) -> bool:
    """Whether it was restarted here as often as it may be, and something is wrong again."""
    recent = [each for each in health.restarts if now - each < guarding.window]
    return bool(health.why) and len(recent) >= guarding.restarts and now >= health.patience


def failed(healths: Mapping[str, Health], now: float, guarding: Guarding) -> tuple[str, ...]:
    """Servers that this node cannot keep serving, for all it tried."""
    return tuple(sorted(name for name, health in healths.items() if worn_out(health, now, guarding)))


def given_up(healths: Mapping[str, Health], now: float, guarding: Guarding) -> bool:
    """Whether so many have failed that the node is the likelier cause: then all of the pair's go to its backup.

    A lone sick server is never the node's fault, unless there is no other. Nor are servers that have only just come:
    what followed them here would follow them on.
    """
    held = [name for name in failed(healths, now, guarding) if now - healths[name].came >= guarding.hold_down]
    return len(held) >= max(guarding.share * len(healths), min(2, len(healths)), 1)


def calm(healths: Collection[Health]) -> bool:
    """Whether nothing has to be remembered: a look at which all is well needs to write nothing down."""
    return all(health.heard and not health.misses and not health.why for health in healths)
