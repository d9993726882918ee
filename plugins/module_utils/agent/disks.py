# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command ``disks``: the devices of servers in step are as the marks on their copies say, and stay so.

A unit of its own keeps it running, as root with all that devices and mounts take; the agent's other units may do next
to nothing on their node.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import closing

from ..engine.base import EngineError
from ..engine.incus import handover, safekeeping
from ..engine.incus.guests import Found, Guests
from . import adopt, alone, memory, mirror, power, release
from .mirror import Mirror
from .settings import Settings

_LOOK = "look for servers in step"
_STOP = 30.0


def arguments(_name: str, parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--stay", type=float, default=0.0, metavar="SECONDS", help="look again for so long")
    parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="time between two looks")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """One request for each look where all is well."""
    told: dict[str, str] = {}
    until = time.monotonic() + options.stay
    with closing(settings.clients([settings.here])[settings.here]) as client:
        guests = settings.guests(client)
        while True:
            said = look(settings, guests, guests.all(_LOOK))
            for name, words in said.items():
                if told.get(name) != words:
                    sys.stdout.write(f"{name}: {words}\n")
                    sys.stdout.flush()
            told = said
            if time.monotonic() + options.every > until:
                return 0
            time.sleep(options.every)


def look(settings: Settings, guests: Guests, found: dict[str, Found]) -> dict[str, str]:
    """Bring each device to what its copy here is; what there is to tell, by server. One that fails keeps up none."""
    disks, said = mirror.mirrors(settings, found)
    for name, disk in disks.items():
        try:
            words = _see_to(settings, guests, disk, found[name])
        except EngineError as error:
            words = f"{error.answer}" + (f" ({error.hint})" if error.hint else "")
        if words:
            said[name] = words
    return said


def _see_to(settings: Settings, guests: Guests, disk: Mirror, copy: Found) -> str:
    if handover.other_node(copy.config):
        return ""
    if copy.config.get(safekeeping.SYNC_END) == settings.here:
        _end(settings, guests, disk, copy)
        return ""
    if copy.replica:
        return _follow(settings, guests, disk, copy)
    place = mirror.place_of(copy.raw)
    if copy.config.get(safekeeping.SYNC_NEW) == settings.here:
        _adopt(settings, guests, disk, place)
        guests.mark(disk.name, _LOOK, lambda _now: {safekeeping.SYNC_NEW: ""})
        power.start(guests, disk.name)
    elif not disk.device.status().exists:
        # After a start of the node. Who writes to it is said by the cluster, which starts the server here or elsewhere.
        disk.up(make=False)
    if not safekeeping.pair(copy.config) and disk.device.place() != place:
        # No cluster looks after it (yet): nobody else could have it, or brings it where the server is started.
        disk.take(place)
    words = disk.tend_primary()
    adopt.tidy(disk, place)
    return words


def _follow(settings: Settings, guests: Guests, disk: Mirror, copy: Found) -> str:
    """A device that is written to while its copy is a replica is just being taken, or was left behind."""
    if not disk.there or disk.device.status().role != "Primary":
        disk.follow()
        return ""
    home, backup = safekeeping.pair(copy.config) or (settings.here, disk.other)
    with memory.hands_on(home, backup, 0.0) as free:
        if free and guests.need(disk.name, _LOOK).replica:
            disk.follow()
    return ""


def _end(settings: Settings, guests: Guests, disk: Mirror, copy: Found) -> None:
    """The controller has it end: the server's disk is brought off its device; then the other side goes."""
    if copy.replica:
        disk.forget()
        guests.mark(disk.name, _LOOK, lambda now: safekeeping.NO_DEVICE if now.replica else {})
        with alone.hands_on(disk.name):
            alone.write({disk.name: ""})
        return
    start, place = _starts(guests, disk), mirror.place_of(copy.raw)
    ran = release.release(settings.here, disk, place, _stops(settings, guests, disk), start)
    guests.mark(disk.name, _LOOK, lambda now: {} if now.replica else safekeeping.NO_DEVICE)
    release.over(place)
    if ran:
        start()
    else:
        # It may have been stopped by a run that was cut off.
        power.start(guests, disk.name)


def _adopt(settings: Settings, guests: Guests, disk: Mirror, place: str) -> None:
    adopt.adopt(settings.here, disk, place, _stops(settings, guests, disk), _starts(guests, disk))


def _stops(settings: Settings, guests: Guests, disk: Mirror) -> Callable[[], bool]:
    """Stops a server; whether it ran."""

    def stop() -> bool:
        ran = not guests.need(disk.name, _LOOK).stopped
        if ran:
            power.stop(guests, disk.name, min(settings.fleet.limits.stop, _STOP))
        return ran

    return stop


def _starts(guests: Guests, disk: Mirror) -> Callable[[], None]:
    return lambda: guests.start(disk.name, f"start {disk.name} on its disk")
