# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command ``check``: how old the replicas on this node are, and what else is wrong with its part in keeping servers
alive; said as monitoring systems want it of their plugins, with exit status 0, 1 (warning) or 2 (critical).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass

from ..engine.base import EngineError
from ..engine.incus import agent_report, handover, safekeeping
from ..engine.incus.agent_report import Report
from ..engine.incus.guests import Found
from ..fleet.inventory.quantity import Unacceptable, seconds
from . import aside, schedule, units
from .schedule import Replica
from .settings import Settings

_ATTEMPT = "check the replicas"
_WORDS = ("OK", "WARNING", "CRITICAL")
_SITE = "run the site playbook"
_LONG_MOVE = 900.0
"""Seconds after which a move is worth a warning, however old replicas may be."""


@dataclass(frozen=True, slots=True)
class Limit:
    """An age that is too high: seconds, or a multiple of a replica's own interval."""

    amount: float
    intervals: bool

    def of(self, replica: Replica) -> float:
        """In seconds."""
        return self.amount * replica.interval if self.intervals else self.amount


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: 1 is worth a warning, 2 is critical; 0 is only worth telling."""

    status: int
    words: str


def arguments(_name: str, parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    words = "age of a replica: 3x is three of its intervals, 90s, 15m, 2h, 1d are times (default %(default)s)"
    parser.add_argument("-w", "--warning", type=limit, default=limit("3x"), metavar="AGE", help=f"warn at this {words}")
    parser.add_argument("-c", "--critical", type=limit, default=limit("10x"), metavar="AGE", help=f"critical {words}")


def limit(text: str) -> Limit:
    """``3x``, ``90s``, ``15m``; a mere number is seconds."""
    try:
        if text.endswith("x"):
            return Limit(float(text[:-1]), True)
        return Limit(seconds(text), False)
    except (ValueError, Unacceptable):
        raise argparse.ArgumentTypeError(f"{text!r}: accepted: 3x (intervals), 90s, 15m, 2h, 1d") from None


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Look, judge, tell."""
    try:
        with closing(settings.clients([settings.here])[settings.here]) as client:
            guests = settings.guests(client)
            found = guests.all(_ATTEMPT)
            listed = schedule.all_replicas(found)
            put, _misnamed = aside.unnamed(guests, _ATTEMPT)
            report = agent_report.read(client.get("/1.0", _ATTEMPT).metadata.get("config") or {}, settings.fleet.name)
        runs = units.timer_runs()
    except EngineError as error:
        sys.stdout.write(f"CRITICAL - {error}\n")
        return 2
    now = time.time()
    findings = [
        *of_node(report, put, timer=runs),
        *of_servers(found),
        *(each for replica in listed for each in of_replica(replica, now, options.warning, options.critical)),
    ]
    status, text = verdict(findings, listed, now, options.warning, options.critical)
    sys.stdout.write(f"{text}\n")
    return status


# ---- pure


def of_node(report: Report, put_aside: Iterable[str], *, timer: bool) -> list[Finding]:
    """What is wrong with the node's own part."""
    found = []
    if not timer:
        found.append(Finding(2, f"nothing refreshes replicas here: {units.TIMER} is not active"))
    if not report.replicates:
        found.append(Finding(2, "the agent has published nothing here: it never worked to its end"))
    if report.trouble:
        found.append(Finding(2, report.trouble))
    found += [Finding(2, f"{name}: {words}") for name, words in sorted(report.servers.items())]
    names = sorted(put_aside)
    if names:
        words = f"an older copy of {', '.join(names)} was put aside here; delete it once nobody needs what it has"
        found.append(Finding(1, words))
    return found


def of_servers(found: Mapping[str, Found]) -> list[Finding]:
    """What is wrong with the marks of the copies here: what nodes cannot read, they cannot act upon. A server that is
    on its way is only told of: one whose move was cut off looks the same."""
    told = [
        Finding(2, f"{name}: its mark {safekeeping.FAILOVER} cannot be read, so nobody fails it over: {_SITE}")
        for name, guest in sorted(found.items())
        if not safekeeping.is_readable(guest.config)
    ]
    return told + [
        Finding(0, f"{name}: it moves, and is looked after by nobody meanwhile; if no run moves it, {_SITE}")
        for name, guest in sorted(found.items())
        if handover.other_node(guest.config) and not guest.replica and safekeeping.is_kept(guest.config)
    ]


def of_replica(replica: Replica, now: float, warning: Limit, critical: Limit) -> list[Finding]:
    """What is wrong with one replica."""
    if not replica.interval:
        words = f"{replica.name}: nobody refreshes its replica, whose interval cannot be read: {_SITE}"
        return [Finding(2, words)]
    if max(replica.refreshed, replica.tried, replica.refreshing) > now + schedule.ASTRAY:
        words = f"{replica.name}: its replica is of a moment that is yet to come: a node's clock was wrong, or is"
        return [Finding(2, words)]
    if replica.moving:
        return [_moving(replica, now, warning, critical)]
    failing = f", the last {_refreshes(replica.failures)} failed: {replica.failure}" if replica.failures else ""
    if not replica.refreshed:
        status = 2 if replica.failures else 1
        return [Finding(status, f"{replica.name}: the replica was never complete{failing}")]
    age = now - replica.refreshed
    status = 2 if age >= critical.of(replica) else 1 if age >= warning.of(replica) else 0
    if not status and not failing:
        return []
    return [Finding(status, f"{replica.name}: {age:.0f} s old, interval {replica.interval:.0f} s{failing}")]


def _moving(replica: Replica, now: float, warning: Limit, critical: Limit) -> Finding:
    """Nobody refreshes it meanwhile, and nobody promotes it: told by its age, and where the move began long ago."""
    age = now - replica.refreshed
    status = 2 if age >= critical.of(replica) else 1 if age >= warning.of(replica) else 0
    if not status and replica.refreshing and now - replica.refreshing >= _LONG_MOVE:
        status = 1
    old = f"{age:.0f} s old" if replica.refreshed else "never complete"
    words = f"{replica.name}: its replica is part of a move from or to {replica.moving}, and {old}"
    return Finding(status, f"{words}; if no run moves it, one was cut off: {_SITE}")


def verdict(
    findings: Iterable[Finding], listed: Iterable[Replica], now: float, warning: Limit, critical: Limit
) -> tuple[int, str]:
    """Exit status and text: one line with figures, then a line for each thing, the worst first."""
    told = sorted(findings, key=lambda each: -each.status)
    known = list(listed)
    complete = [each for each in known if each.refreshed and each.interval]
    status = max((each.status for each in told), default=0)
    oldest = min(complete, key=lambda each: each.refreshed, default=None)
    worst = max(((now - each.refreshed) / each.interval for each in complete), default=0.0)
    head = f"{len(known)} replica{'' if len(known) == 1 else 's'}"
    if oldest:
        head += f", the oldest {now - oldest.refreshed:.0f} s old ({oldest.name})"
    problems = sum(1 for each in told if each.status)
    if problems:
        head = f"{told[0].words}" + (f" (and {problems - 1} more)" if problems > 1 else "") + f"; {head}"
    figures = _figures(
        {
            "replicas": (str(len(known)), None),
            "failing": (str(sum(1 for each in known if each.failures)), None),
            "incomplete": (str(len(known) - len(complete)), None),
            "oldest": (f"{now - oldest.refreshed if oldest else 0:.1f}s", _thresholds(warning, critical, False)),
            "intervals": (f"{worst:.2f}", _thresholds(warning, critical, True)),
        }
    )
    lines = [_plain(f"{_WORDS[status]} - {head}") + f" | {figures}", *(_plain(each.words) for each in told)]
    return status, "\n".join(lines)


def _plain(words: str) -> str:
    """Without what monitoring systems take for the beginning of figures."""
    return words.replace("|", "/").replace("\n", " ")


def _figures(figures: Mapping[str, tuple[str, str | None]]) -> str:
    return " ".join(f"{name}={value}" + (f";{limits};0" if limits else "") for name, (value, limits) in figures.items())


def _thresholds(warning: Limit, critical: Limit, intervals: bool) -> str | None:
    """``warning;critical``, where they are of that kind."""
    found = [f"{each.amount:g}" if each.intervals == intervals else "" for each in (warning, critical)]
    return ";".join(found) if any(found) else None


def _refreshes(number: int) -> str:
    return "refresh" if number == 1 else f"{number} refreshes"
