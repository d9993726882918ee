# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command ``changing``: how much is written in servers from refresh to refresh, by the files of their replicas here.

A failover's plan tells with it what may be lost. Nobody else knows: what a dead node's servers wrote last, only that
node had, and Incus does not tell what a refresh brought. The times of a replica's files do, whose server's they are.
A file counts whole, however little of it changed.

Only the names and times of files are read, one replica after the other, the one longest not looked at first, for a
few seconds each time.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from ..engine.base import EngineError
from ..engine.incus import handover, safekeeping
from ..engine.incus.guest import root_of
from ..engine.incus.guests import Found, Guests
from .settings import Settings

POOLS = Path("/var/lib/incus/storage-pools")
_ATTEMPT = "see how much changes from refresh to refresh"
_MIB = 1024 * 1024


class Unseen(Exception):
    """There are no files: on some pools those of a replica are nowhere to be seen while it does not run."""


def arguments(_name: str, parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--seconds", type=float, default=5.0, help="begin with no other after so long (%(default)s)")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Look at as many replicas as there is time for. One request, and two for each that is looked at."""
    until = time.monotonic() + options.seconds
    with closing(settings.clients([settings.here])[settings.here]) as client:
        here = settings.guests(client)
        for name, replica in in_turn(here.all(_ATTEMPT)):
            if time.monotonic() > until:
                break
            _look(here, name, replica)
    return 0


def in_turn(found: Mapping[str, Found]) -> list[tuple[str, Found]]:
    """The replicas that have something to tell, the one longest not looked at first. Pure."""
    seen = {
        name: safekeeping.changing(copy.config)[1]
        for name, copy in found.items()
        if copy.replica and _since(copy) and not handover.other_node(copy.config)
    }
    fresh = [name for name in seen if seen[name] < safekeeping.copying(found[name].config).refreshed]
    return [(name, found[name]) for name in sorted(fresh, key=lambda name: (seen[name], name))]


def written(root: Path, since: float) -> int:
    """Bytes of the files below that were written since a moment; a file with several names counts once.

    Raises Unseen where there are no files at all.
    """
    files, total, linked = 0, 0, set()
    for each in _files(root):
        files += 1
        if each.st_mtime < since:
            continue
        if each.st_nlink > 1:
            if each.st_ino in linked:
                continue
            linked.add(each.st_ino)
        # What was never written of a file takes no room.
        total += min(each.st_size, each.st_blocks * 512)
    if not files:
        raise Unseen(root)
    return total


def _files(root: Path) -> Iterator[os.stat_result]:
    """The ordinary files of one file system. What vanishes meanwhile is not there."""
    below = [os.fspath(root)]
    while below:
        try:
            with os.scandir(below.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        below.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        yield entry.stat(follow_symlinks=False)
        except OSError:
            continue


def _since(copy: Found) -> float:
    """When the interval began that the newest refresh brought; 0: there was none, or one goes on."""
    kept = safekeeping.copying(copy.config)
    going_on = copy.config.get(safekeeping.REFRESHING)
    return kept.refreshed - kept.interval if kept.refreshed and kept.interval and not going_on else 0.0


def _look(here: Guests, name: str, replica: Found) -> None:
    """One replica. What was refreshed meanwhile is looked at next time."""
    root = POOLS / root_of(replica.raw)[1].get("pool", "") / "containers" / name / "rootfs"
    try:
        mib = written(root, _since(replica)) / _MIB
    except Unseen:
        return
    before = replica.config[safekeeping.REFRESHED]

    def keys(now: Found) -> dict[str, str]:
        same = now.replica and _since(now) and now.config.get(safekeeping.REFRESHED) == before
        return safekeeping.changing_mark(mib, float(before)) if same else {}

    try:
        here.mark(name, _ATTEMPT, keys)
    except EngineError as error:
        # A refresh has begun, or it was promoted.
        sys.stderr.write(f"{name}: {error.answer}\n")
