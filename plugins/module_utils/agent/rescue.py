# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair of nodes started on its backup: the servers of a node that is dead, or was told to let go of them.

In this order, so that it may be cut off between any two steps, and done again:

1. every copy there is is asked for, and each server judged by itself: one that cannot be keeps none of the others
2. where the home still answers, as it does when it was told to let go, each replica is brought up to date once more
3. disks in step are written to here; the new generations are recorded in the cluster, all at once
4. the replicas are promoted: from here on the *other* pair of the two nodes keeps them serving
5. they are started, in their order
6. what the home still has of them becomes their replica
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from ..engine.base import EngineError
from ..engine.incus import handover, in_step, safekeeping
from ..engine.incus.guests import Found, Guests
from ..engine.incus.promote import promote
from ..engine.incus.refresh import refresh
from . import mirror, power
from .judgement import NEVER_COMPLETE, Scene, Verdict, complete, rescue
from .launch import Turn, in_turn
from .work import Work, turn

_SETTLE = 20.0
"""Seconds that a refresh the home's death cut off is waited for."""
_SPARE = 8.0
"""Seconds of an action that no refresh takes: by then it has to have said how it went."""
_TRIES = 2
"""Refreshes from a home that answers, at most, before what there is has to do."""


class Rescue:
    """One start on the backup."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._guests = work.guests
        self._home = work.pair.home

    def __call__(self) -> None:
        """Start all that can be; the rest is named. Raises EngineError where nothing can be done at all."""
        work = self._work
        copies = work.insist(work.local)
        mine = {name: found for name, found in copies.items() if found.replica and self._is_ours(found)}
        if mine:
            self._rescue(mine, work.insist(lambda: work.scene(mine.values())))

    def again(self, mine: Mapping[str, Found], *, dead: bool) -> None:
        """The same once more for these, whom a start left behind, or who came to the home since. Does nothing where the
        home is neither ``dead`` for certain nor answers: it may have started them itself meanwhile."""
        work = self._work
        scene = work.scene(mine.values())
        if not dead and self._home not in scene.elsewhere.answered:
            return
        self._rescue(mine, scene)

    def _rescue(self, mine: Mapping[str, Found], scene: Scene) -> None:
        work = self._work
        chosen: dict[str, Verdict] = {}
        for name, found in sorted(mine.items()):
            verdict = rescue(name, found, self._home, scene)
            if verdict.why_not:
                work.tell(name, f"not started here: {verdict.why_not}")
            else:
                chosen[name] = verdict
        if self._home not in scene.elsewhere.answered:
            self._cut_off(mine)
        refreshed = self._refresh({name: mine[name] for name, verdict in chosen.items() if verdict.refreshed_from})
        for name in [name for name in chosen if not self._usable(name, mine[name], chosen[name], name in refreshed)]:
            del chosen[name]
        for name in self._not_taken({name: mine[name] for name in chosen}):
            del chosen[name]
        work.recorded({name: verdict.generation for name, verdict in chosen.items()})
        promoted = self._promote({name: mine[name] for name in chosen}, chosen)
        right = {name: scene.elsewhere.of(name)[self._home] if name in refreshed else mine[name] for name in promoted}
        turns = [turn(name, mine[name]) for name in promoted if self._is_to_run(right[name])]
        for name, why in in_turn(turns, lambda name: power.start(self._guests, name), work.deadline).items():
            work.tell(name, f"promoted, but not started: {why}")
        self._let_go(scene, mine, {name: began for name, began in refreshed.items() if name in promoted})

    def _is_ours(self, found: Found) -> bool:
        """Whether it would be started here, if nothing speaks against it; others have peers that are called."""
        return self._work.label(found) and safekeeping.guarded(found.config).action == "relocate"

    def _is_to_run(self, found: Found) -> bool:
        """By the server's own marks, where they can be seen: a replica's are as old as its last refresh."""
        return found.config.get(safekeeping.KEEPS) == "running"

    def _usable(self, name: str, found: Found, verdict: Verdict, fresh: bool) -> bool:
        """Not where the home has all of it, and only a part of that came here: that would lose what need not be lost.
        Looks at the pair try again; once the home is dead, there is nothing better than what is here."""
        if fresh:
            return True
        if verdict.refreshed_from and self._is_torn(name):
            words = f"{self._home} has all of it, of which only a part came here; tried again twice a minute"
            self._work.tell(name, f"not started here: {words}")
            return False
        if complete(found):
            return True
        self._work.tell(name, f"not started here: {NEVER_COMPLETE}")
        return False

    def _is_torn(self, name: str) -> bool:
        now = self._work.insist(lambda: self._guests.need(name, f"see how far the refresh of {name} came"))
        return bool(now.config.get(safekeeping.REFRESHING))

    # ---- 2

    def _cut_off(self, mine: Mapping[str, Found]) -> None:
        """Have Incus notice now, and not in minutes, that it fetches from a node that is dead."""
        if not any(found.config.get(safekeeping.REFRESHING) for found in mine.values()):
            return
        address = self._work.settings.fleet.nodes[self._home].address
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(["ss", "-K", "dst", address], capture_output=True, timeout=5, check=False)

    def _refresh(self, mine: Mapping[str, Found]) -> dict[str, float]:
        """Server -> when the refresh began that gave the replica here everything its server had."""
        done: dict[str, float] = {}
        if not mine:
            return done
        settings = self._work.settings
        clients = settings.clients([self._home], replace(settings.fleet.limits, connect=2.0, request=15.0))
        source = settings.guests(clients[self._home])

        def one(name: str) -> None:
            for again in range(_TRIES):
                began = time.time()
                try:
                    if mirror.is_in_step(mine[name]):
                        # Its data is here already, or its device will not be taken.
                        in_step.follow(source, self._guests, name, lambda: "")
                    else:
                        refresh(source, self._guests, name, seconds=max(self._work.deadline.left - _SPARE, 1.0))
                except EngineError:
                    if again == _TRIES - 1:
                        raise
                else:
                    done[name] = began
                    return

        try:
            # What starts first is brought up to date first; nothing waits for what follows a start here.
            turns = [Turn(each.name, each.order) for each in (turn(name, found) for name, found in mine.items())]
            for name, why in in_turn(turns, one, self._work.deadline).items():
                self._work.tell(name, f"not brought up to date from {self._home} before it was started: {why}")
        finally:
            clients[self._home].close()
        return done

    def _not_taken(self, mine: Mapping[str, Found]) -> set[str]:
        """Disks in step are written to here from now on; servers of which that cannot be, which are named."""
        held = {name: found for name, found in mine.items() if mirror.is_in_step(found)}

        def take(name: str) -> None:
            mirror.Mirror(self._work.settings, name, held[name].config).take(mirror.place_of(held[name].raw))

        failed = in_turn([Turn(name) for name in held], take, self._work.deadline)
        for name, why in failed.items():
            self._work.tell(name, f"not started here: {why}")
        return set(failed)

    # ---- 4

    def _promote(self, mine: Mapping[str, Found], chosen: Mapping[str, Verdict]) -> set[str]:
        torn: dict[str, str] = {}

        def one(name: str) -> None:
            seconds = min(_SETTLE, max(self._work.deadline.left, 1.0))
            done = promote(self._guests, name, self._home, chosen[name].generation, seconds=seconds)
            if done.words:
                torn[name] = done.words

        # All at once: none of these is started yet.
        failed = in_turn([Turn(name) for name in mine], one, self._work.deadline)
        for name, why in {**torn, **failed}.items():
            self._work.tell(name, f"not promoted: {why}" if name in failed else why)
        return set(mine) - set(failed)

    # ---- 6

    def _let_go(self, scene: Scene, mine: Mapping[str, Found], refreshed: Mapping[str, float]) -> None:
        """Nothing was lost on the way, so the copies left behind are as good as any replica."""
        if not refreshed:
            return
        settings = self._work.settings
        clients = settings.clients([self._home], replace(settings.fleet.limits, connect=2.0, request=15.0))
        left = settings.guests(clients[self._home])
        intervals = {name: safekeeping.copying(found.config).interval for name, found in mine.items()}
        try:
            for name, began in sorted(refreshed.items()):
                try:
                    self._demote(left, name, scene.elsewhere.of(name)[self._home], intervals[name], began)
                except EngineError as error:
                    self._work.tell(name, f"its old copy on {self._home} did not become its replica: {error.answer}")
        finally:
            clients[self._home].close()

    def _demote(self, left: Guests, name: str, seen: Found, interval: int, began: float) -> None:
        attempt = f"make the old copy of {name} on {self._home} its replica"
        now = self._guests.need(name, attempt)
        kept = safekeeping.replicated(self._work.here, interval, began)
        common = {key: now.config.get(key, "") for key in (safekeeping.PAIR, safekeeping.REPLICAS, safekeeping.HOME)}

        def keys(found: Found) -> Mapping[str, str]:
            if found.replica or not found.stopped or found.generation != seen.generation:
                return {}
            return handover.demoted(now.generation) | kept | common

        left.mark(name, attempt, keys)
