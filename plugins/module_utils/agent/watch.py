# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair of nodes looked at: servers that do not serve are started anew in place, and those that keep failing counted.

This is the thorough look. Most looks find all as it was, and end in ``glance``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .. import readiness
from ..engine.base import EngineError
from ..engine.incus import safekeeping
from ..engine.incus.guests import Found
from . import activate, behind, health, home, memory, power
from .health import Health, Look
from .launch import in_turn
from .work import Work, turn

_AT_ONCE = 32
_PATIENCE = 30.0
"""Seconds a server that was started may take to its first good answer, where its checks do not say."""
_ENOUGH = 15.0
"""Seconds there have to be left for a server that runs to be started anew."""
OK, FAILED, NOT_RUNNING = 0, 1, 7


def look(work: Work, path: Path) -> int:
    """One look; its OCF exit status."""
    remembered = memory.load(path)
    if remembered is None:
        return NOT_RUNNING
    with memory.hands_on(work.pair.home, work.pair.backup, 0.0) as free:
        if not free:
            # The other pair of the same two nodes brings servers here, and starts them in their order.
            return OK
        try:
            copies = {name: found for name, found in work.local().items() if work.label(found)}
        except EngineError as error:
            # Its servers run on without it. To fail here would be to stop them, which only it could do.
            sys.stderr.write(f"{error}; what runs, runs on\n")
            return OK
        kept = {name: found for name, found in copies.items() if _is_kept(work, found)}
        now = time.time()
        healths = {name: remembered.healths.get(name, Health(now)) for name in kept}
        for name in kept.keys() - remembered.healths.keys():
            # What has just come is given the time to start.
            healths[name] = Health(now, patience=now + _patience(kept[name]))
        healths, due = _judge(work, kept, healths, now)
        _restart(work, kept, healths, due)
        activate.hand_back(work)
        if work.here == work.pair.backup and now - remembered.tried >= behind.PAUSE:
            if behind.again(work, copies, remembered.named):
                copies = {name: found for name, found in work.local().items() if work.label(found)}
            remembered.tried = now
        # What was wrong with a copy that is here no more, or became another's, is nobody's trouble.
        still = {name for name, found in copies.items() if found.replica == (work.here == work.pair.backup)}
        named = {name: why for name, why in remembered.named.items() if name in still - kept.keys()} | work.named
        remember = memory.Memory(remembered.since, healths, named, remembered.tried)
        memory.keep(path, remember, work.settings.fleet.name)
    return _verdict(work, healths)


def _is_kept(work: Work, found: Found) -> bool:
    return work.here == work.pair.home and power.wanted(found)


def _judge(
    work: Work, kept: Mapping[str, Found], healths: Mapping[str, Health], now: float
) -> tuple[dict[str, Health], list[str]]:
    """What is remembered of each after this look, and who is to be started anew."""
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        looks = dict(zip(kept, pool.map(_ask, kept.values()), strict=True))
    judged, due = {}, []
    for name, seen in looks.items():
        judged[name], act = health.looked(healths[name], seen, now, work.settings.guarding)
        if act:
            due.append(name)
    return judged, due


def _ask(found: Found) -> Look:
    state = power.state(found)
    if state != "running":
        return Look(state)
    guarded = safekeeping.guarded(found.config)
    for check in guarded.checks:
        address = guarded.addresses[0] if guarded.addresses else ""
        silent = readiness.ask(check, address)
        if silent:
            return Look(state, f"{readiness.describe(check, address)}: {silent}")
    return Look(state)


def _restart(work: Work, kept: Mapping[str, Found], healths: dict[str, Health], due: list[str]) -> None:
    """Start them anew; an attempt that fails counts as well."""
    asleep = {name: kept[name] for name in due if power.state(kept[name]) == "stopped"}
    dull = [turn(name, kept[name]) for name in due if name not in asleep]
    left: set[str] = set()

    def start_anew(name: str) -> None:
        try:
            power.start_anew(work.guests, name)
        except power.Busy:
            left.add(name)

    if asleep:
        try:
            left |= home.wake(work, asleep, work.scene(asleep.values()))
        except EngineError as error:
            # Nobody can tell whether they run elsewhere: the next look asks again.
            sys.stderr.write(f"{error}; not started here: {', '.join(sorted(asleep))}\n")
            left |= asleep.keys()
    if work.deadline.left < _ENOUGH:
        # The next look begins with more.
        left |= {each.name for each in dull}
        dull = []
    for name, why in in_turn(dull, start_anew, work.deadline).items():
        work.tell(name, f"not started anew: {why}")
    for name in [name for name in due if name not in left]:
        words = work.named.get(name) or "was started anew"
        sys.stderr.write(f"{name} {healths[name].why}: {words}\n")
        healths[name] = health.restarted(healths[name], time.time(), _patience(kept[name]))


def _patience(found: Found) -> float:
    return max((check.timeout for check in safekeeping.guarded(found.config).checks), default=_PATIENCE)


def _verdict(work: Work, healths: Mapping[str, Health]) -> int:
    now, guarding = time.time(), work.settings.guarding
    failed = health.failed(healths, now, guarding)
    if not failed:
        return OK
    words = ", ".join(f"{name} ({healths[name].why})" for name in failed)
    if not health.given_up(healths, now, guarding):
        sys.stderr.write(f"restarted {guarding.restarts} times and left as they are, the others run on: {words}\n")
        return OK
    sys.stderr.write(f"ocf-exit-reason:{len(failed)} of {len(healths)} servers keep failing here: {words}\n")
    return FAILED
