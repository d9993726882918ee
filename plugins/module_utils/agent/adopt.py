# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's disk brought onto its device: copied while the server runs, then once more while it stands still.

May be cut off anywhere and done again: until the server's own directory is moved away, which happens in one step and
only when the device has everything, the server is what it was. The directory is deleted once both nodes have the disk.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from ..drbd.program import run
from ..engine.base import EngineError
from . import alone
from .mirror import Mirror

BESIDE = "switchyard-before-sync"
"""Directory of a pool where the servers' own directories wait for the device's first complete copy."""
WORK = Path("/run/switchyard/disks")
"""Where a device is mounted while something is copied."""
_COPY = 6 * 3600.0


def adopt(node: str, mirror: Mirror, place: str, stop: Callable[[], bool], start: Callable[[], None]) -> None:
    """Only for a server that bears the mark of one whose disk is new (``safekeeping.SYNC_NEW``): what is on the device
    is made what is in ``place``. ``stop``: stop the server, and say whether it ran; ``start``: what follows then."""
    attempt = f"bring {mirror.name} onto its device"
    home, beside = Path(place), Path(place).parents[1] / BESIDE / mirror.name
    mirror.up(make=True)
    device = mirror.device
    if device.place() == place:
        return
    work = WORK / mirror.name
    if not beside.exists():
        # From here on it is this node that has what counts; nobody else has ever had anything.
        with alone.hands_on(mirror.name):
            alone.claim(mirror.name, node)
        if device.status().role != "Primary":
            device.begin()
        device.format()
        device.mount(str(work))
        copy(node, attempt, home, work)
        ran = stop()
        try:
            copy(node, attempt, home, work)
            device.unmount()
            _move_away(node, attempt, home, beside)
            _place(home, beside)
            device.mount(place)
        except BaseException:
            _undo(home, beside, device.place() == place)
            if ran:
                start()
            raise
        if ran:
            start()
        sys.stdout.write(f"{mirror.name}: its disk is on {device.resource.here.device} now\n")
        return
    # It was cut off between the two.
    device.unmount()
    if beside.exists():
        _place(home, beside)
    device.mount(place)


def tidy(mirror: Mirror, place: str) -> None:
    """Both nodes have the disk: what it was made from goes."""
    beside = Path(place).parents[1] / BESIDE / mirror.name
    if beside.exists() and mirror.device.place() == place and mirror.device.status().in_step:
        shutil.rmtree(beside)


def copy(node: str, attempt: str, source: Path, target: Path) -> None:
    """Files that vanish on the way (24) are the last copy's business."""
    options = ("-aHAXS", "--numeric-ids", "--delete", "--one-file-system", "--exclude=/lost+found")
    run(node, attempt, "rsync", *options, f"{source}/", f"{target}/", seconds=_COPY, fine=(0, 24))


def _move_away(node: str, attempt: str, home: Path, beside: Path) -> None:
    try:
        beside.parent.mkdir(mode=0o700, exist_ok=True)
        home.rename(beside)
    except OSError as error:
        raise EngineError(node, attempt, f"{home}: {error.strerror}") from None


def _place(home: Path, like: Path) -> None:
    """An empty directory to mount on; what a start without the device finds is nothing it could start."""
    home.mkdir(exist_ok=True)
    known = like.stat()
    home.chmod(known.st_mode & 0o7777)
    shutil.chown(home, known.st_uid, known.st_gid)


def _undo(home: Path, beside: Path, mounted: bool) -> None:
    if beside.exists() and not mounted:
        if home.exists():
            home.rmdir()
        beside.rename(home)
