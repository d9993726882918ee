# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server here started, stopped, or started anew. Looked at right before: a person or a move may have come first."""

from __future__ import annotations

from collections.abc import Callable

from ..engine.base import Refused
from ..engine.incus import handover, operation, safekeeping
from ..engine.incus.guests import Found, Guests, path_of
from ..engine.incus.transfer import withdraw

_STOP = 5.0
"""Seconds a server that does not serve any more may take to shut down."""
_TRIES = 2


class Busy(Refused):
    """To be left alone for now."""


def wanted(found: Found) -> bool:
    """Whether this copy is a server that is to run, and nobody is about to take it elsewhere."""
    return (
        not found.replica and found.config.get(safekeeping.KEEPS) == "running" and not handover.other_node(found.config)
    )


def state(found: Found) -> str:
    """running, frozen or stopped."""
    return "running" if found.running else "frozen" if found.status == "Frozen" else "stopped"


def start(guests: Guests, name: str) -> None:
    """Start a server that is to run; one that runs, or is not to run any more, is left as it is."""
    attempt = f"start {name}"
    found = guests.need(name, attempt)
    if not wanted(found) or found.running:
        return
    if state(found) != "frozen":
        _through(guests, name, attempt, lambda: guests.start(name, attempt))
        return
    _see_idle(guests, name, attempt)
    guests.start(name, attempt, "unfreeze")


def start_anew(guests: Guests, name: str) -> None:
    """Start a server that does not serve. Only thawed where it is frozen: that loses nothing. Raises Busy."""
    attempt = f"restart {name}"
    found = guests.need(name, attempt)
    if not wanted(found):
        return
    if found.running:
        _see_idle(guests, name, attempt, but=operation.MIGRATION)
        _stop(guests, name, found, attempt, _STOP)
    start(guests, name)


def stop(guests: Guests, name: str, seconds: float) -> None:
    """Shut it down; cut its power after ``seconds``."""
    attempt = f"stop {name}"
    found = guests.find(name, attempt)
    if found is not None:
        _stop(guests, name, found, attempt, seconds)


def _stop(guests: Guests, name: str, found: Found, attempt: str, seconds: float) -> None:
    limited = guests.patient(seconds)
    _through(guests, name, attempt, lambda: limited.stop(name, found, attempt))


def _through(guests: Guests, name: str, attempt: str, change: Callable[[], None]) -> None:
    """Change what a server is doing, although another node may be fetching its replica: that may wait, this may not."""
    for _again in range(_TRIES):
        try:
            change()
        except Refused:
            if not operation.running(guests.client, path_of(name), attempt, 0.0, operation.MIGRATION):
                raise
            withdraw(guests, name, attempt)
        else:
            return
    change()


def _see_idle(guests: Guests, name: str, attempt: str, but: str = "") -> None:
    """Raise Busy where Incus is at work on a guest: a snapshot of it, or a copy, freezes it for a while."""
    ways = operation.running(guests.client, path_of(name), attempt, 0.0)
    if but and ways:
        ways = sorted(set(ways) - set(operation.running(guests.client, path_of(name), attempt, 0.0, but)))
    if ways:
        raise Busy(guests.client.node, attempt, "Incus is at work on it")
