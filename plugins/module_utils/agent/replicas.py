# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands ``due`` and ``refresh``: replicas here are kept up to date, whether a controller is up or not."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

from ..engine.base import EngineError, TimedOut
from ..engine.incus import in_step, operation, safekeeping
from ..engine.incus.client import Client
from ..engine.incus.guest import root_of
from ..engine.incus.guests import Found, Guests, path_of
from ..engine.incus.refresh import refresh as bring_up_to_date
from ..engine.incus.refresh import tell_failure
from ..engine.incus.units import mib
from . import mirror, publish, schedule, units, whereabouts
from .schedule import Replica
from .settings import Settings

_SLOWEST = 10.0
"""MiB/s a refresh is borne with: how much longer than any other operation it may take."""
_SLOT_PAUSE = 0.5
"""Seconds between two looks while more is due than there are slots for, so that none stays empty."""
_LOOK = "look for replicas that are due"
_USUAL = 60
"""Seconds between refreshes of a replica of which nobody knows how often it is to be refreshed."""


def arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    if name == "due":
        # Most of what a look costs is to get there: one that stays looks again for next to nothing.
        parser.add_argument("--stay", type=float, default=0.0, metavar="SECONDS", help="look again for so long")
        parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS", help="time between two looks")
    else:
        parser.add_argument("-q", "--quiet", action="store_true", help="say nothing of what went well")
        parser.add_argument("server", help="whose replica on this node is to be brought up to date, or made")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Carry out one of them."""
    clients = settings.clients([settings.here])
    with closing(clients[settings.here]) as client:
        if options.command == "refresh":
            return _refresh(settings, settings.guests(client), options.server, quiet=options.quiet)
        return _due(settings, client, options.stay, options.every)


def _due(settings: Settings, client: Client, stay: float, every: float) -> int:
    """Three requests for each look where nothing is due and nothing new to be told."""
    guests = settings.guests(client)
    until = time.monotonic() + stay
    while True:
        found = guests.all(_LOOK)
        publish.publish(settings, client, publish.report(settings, found))
        more = _start(settings, client, schedule.replicas(found))
        pause = _SLOT_PAUSE if more else every
        if time.monotonic() + pause > until:
            return 0
        time.sleep(pause)


def _start(settings: Settings, client: Client, listed: list[Replica]) -> bool:
    """Start what is due, as far as there are slots; whether some are left."""
    now = time.time()
    if not any(now >= each.due(settings.replicating.jitter, now) for each in listed):
        return False
    running = units.refreshing()
    marked = [each.name for each in listed if each.refreshing and each.name not in running]
    busy = {name for name in marked if operation.running(client, path_of(name), _LOOK, 0.0)}
    chosen = schedule.choose(listed, running, busy, now, settings.replicating)
    units.refresh(chosen)
    unbound = replace(settings.replicating, slots=2 * len(listed) + len(running))
    return len(schedule.choose(listed, running, busy, now, unbound)) > len(chosen)


def _refresh(settings: Settings, here: Guests, name: str, *, quiet: bool) -> int:
    """One replica; what goes wrong is written on it, and told."""
    began = time.time()
    signal.signal(signal.SIGTERM, _told_to_end(settings.here, name))
    replica = here.find(name, f"refresh the replica of {name} on {settings.here}")
    try:
        server = whereabouts.find(settings, name, replica)
        with closing(settings.clients([server.node])[server.node]) as source:
            interval = 0 if replica else _interval(server.found)
            if mirror.is_in_step(server.found):
                took = in_step.follow(
                    settings.guests(source), here, name, lambda: mirror.lacking(settings, name, server.found.config)
                )
                return _done(name, server.node, began, took, quiet=quiet)
            took = bring_up_to_date(
                settings.guests(source), here, name, interval=interval, seconds=_patience(settings, server.found)
            )
    except EngineError as error:
        _tell(here, name, error, began)
        raise
    return _done(name, server.node, began, took, quiet=quiet)


def _done(name: str, node: str, began: float, took: float, *, quiet: bool) -> int:
    if not quiet:
        sys.stdout.write(f"replica of {name} as of {time.ctime(began)}, from {node}, in {took:.1f} s\n")
    return 0


def _told_to_end(node: str, name: str) -> Callable[[int, Any], None]:
    """What to do when systemd ends us: the refresh has failed as any other may, is called off, and is counted."""

    def end(_signal: int, _frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        words = "it was ended before it was through: by systemd after replication_timeout, or as its node went off"
        raise TimedOut(node, f"refresh the replica of {name} on {node}", words, "see what is slow, or allow it more")

    return end


def _tell(here: Guests, name: str, error: EngineError, began: float) -> None:
    """Have the failure counted once, wherever it happened."""
    found = here.find(name, error.attempt)
    tried = safekeeping.number(found.config.get(safekeeping.TRIED, "")) if found else 0.0
    if found is not None and not began <= tried <= time.time() + schedule.ASTRAY:
        tell_failure(here, name, error, began)


def _interval(server: Found) -> int:
    """How often a replica that is not there yet is to be refreshed."""
    return int(safekeeping.number(server.config.get(safekeeping.EVERY, ""))) or _USUAL


def _patience(settings: Settings, server: Found) -> float:
    return settings.fleet.limits.operation + mib(root_of(server.raw)[1].get("size", "")) / _SLOWEST
