# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair of nodes started and stopped on its home: the servers that are here, and are to be."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress

from ..engine.base import EngineError, Refused
from ..engine.incus import handover
from ..engine.incus.guest import MARK
from ..engine.incus.guests import Found
from . import mirror, pairs, power
from .judgement import Scene, stay
from .launch import in_turn
from .work import Work, turn

_SPARE = 15.0
"""Seconds of a stop that are left for servers which do not listen, and lose their power."""
_STOPS = 3
"""Attempts at a stop, at most."""
_PAUSE = 1.0
_SETTLE = "switchyard-settle.service"


def start(work: Work) -> None:
    """Start what is to run here and does not; what cannot be is named."""
    copies = work.insist(work.local)
    mine = {name: found for name, found in copies.items() if work.label(found) and power.wanted(found)}
    asleep = {name: found for name, found in mine.items() if not found.running}
    if asleep:
        wake(work, asleep, work.insist(lambda: work.scene(asleep.values())))


def wake(work: Work, asleep: Mapping[str, Found], scene: Scene) -> frozenset[str]:
    """Start servers of this node, but for those that were promoted elsewhere while it was away: these are returned."""
    may: dict[str, int] = {}
    for name, found in sorted(asleep.items()):
        verdict = stay(name, found, scene)
        if verdict.why_not:
            work.tell(name, f"not started here: {verdict.why_not}")
        else:
            may[name] = verdict.generation
    if len(may) < len(asleep):
        _settle()
    work.recorded({name: generation for name, generation in may.items() if generation})

    def one(name: str) -> None:
        if may[name]:
            _lift(work, name, may[name])
        if mirror.is_in_step(asleep[name]):
            mirror.Mirror(work.settings, name, asleep[name].config).take(mirror.place_of(asleep[name].raw))
        power.start(work.guests, name)

    turns = [turn(name, asleep[name]) for name in may]
    for name, why in in_turn(turns, one, work.deadline).items():
        work.tell(name, f"not started: {why}")
    return frozenset(asleep.keys() - may.keys())


def _lift(work: Work, name: str, generation: int) -> None:
    """The copy here outdoes a promotion that was recorded, and never came to be."""
    attempt = f"keep {name} on {work.here}"

    def keys(found: Found) -> dict[str, str]:
        if found.replica or handover.other_node(found.config):
            raise Refused(work.here, attempt, "it became another's meanwhile", "look at its copies")
        return {f"{MARK}generation": str(max(generation, found.generation))}

    work.guests.mark(name, attempt, keys)


def _settle() -> None:
    """Have what was outdone put aside, and made a replica of the winner, without waiting for it."""
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(["systemctl", "start", "--no-block", _SETTLE], capture_output=True, timeout=10, check=False)


def stop(work: Work) -> None:
    """Stop the pair's servers, those that start last first. Raises EngineError unless all are seen stopped: nobody may
    start them elsewhere then."""
    failed: dict[str, str] = {}
    mine = _of_pair(work)
    left = _running(mine)
    if left and pairs.dropped(work.pair):
        # One of its nodes left the cluster. Nobody starts them elsewhere, so nobody has to be served by nobody.
        sys.stderr.write(f"the cluster looks after this pair no more: {', '.join(sorted(left))} run on\n")
        return
    for again in range(_STOPS):
        if not left:
            _let_go(work, mine)
            return
        if again:
            # Incus takes a moment to call a server stopped that has just been, and refuses to stop it then. A pair
            # that does not stop costs the whole node: nobody calls it failed for that.
            time.sleep(_PAUSE)
        seconds = max(min(work.settings.fleet.limits.stop, work.deadline.left - _SPARE), 1.0)
        failed = _shut_down(work, left, seconds)
        mine = _of_pair(work)
        left = _running(mine)
    for name in sorted(left):
        work.tell(name, f"not stopped: {failed.get(name, 'somebody started it again')}")
    if left:
        raise EngineError(work.here, "stop the pair", f"{', '.join(sorted(left))} did not stop")
    _let_go(work, mine)


def _let_go(work: Work, mine: Mapping[str, Found]) -> None:
    """Disks in step are not written to here any more. Raises EngineError unless that is certain."""
    stuck = {}
    for name, found in sorted(mine.items()):
        if found.replica or not mirror.is_in_step(found):
            continue
        try:
            mirror.Mirror(work.settings, name, found.config).let_go()
        except EngineError as error:
            stuck[name] = error.answer
            work.tell(name, f"its disk is still in use here: {error.answer}")
    if stuck:
        raise EngineError(work.here, "stop the pair", f"the disks of {', '.join(stuck)} are still in use")


def _shut_down(work: Work, running: Mapping[str, Found], seconds: float) -> dict[str, str]:
    """Stop these; what went wrong, by their names."""
    turns = [turn(name, found) for name, found in running.items()]
    return in_turn(turns, lambda name: power.stop(work.guests, name, seconds), work.deadline, backwards=True)


def _of_pair(work: Work) -> dict[str, Found]:
    """One that moves is among them: whoever moves it may be long gone, and this node's Incus soon is."""
    return {name: found for name, found in work.insist(work.local).items() if work.label(found)}


def _running(mine: Mapping[str, Found]) -> dict[str, Found]:
    return {name: found for name, found in mine.items() if not found.stopped}
