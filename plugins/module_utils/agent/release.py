# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's disk brought off its device, into Incus' own directory: copied while the server runs, then once more while
it stands still.

May be cut off anywhere and done again. The directory takes the device's place in one step, when it has everything, and
from then on the cluster has it recorded that this node goes on alone: what the other one still has is older.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from ..engine.base import EngineError, Refused
from . import alone
from .adopt import BESIDE, WORK, copy
from .mirror import Mirror

_OFF = ".switchyard-off-its-device"
"""File that tells what was copied off a device from what is below its mount."""


def release(node: str, mirror: Mirror, place: str, stop: Callable[[], bool], start: Callable[[], None]) -> bool:
    """Only for a server that bears the mark of one whose device is to go (``safekeeping.SYNC_END``). What is on the
    device is in ``place`` afterwards, and the device is gone here; whether the server ran, and is to be started once
    its marks say so.
    """
    attempt = f"bring {mirror.name} off its device"
    home, beside = Path(place), Path(place).parents[1] / BESIDE
    half, whole = beside / f"{mirror.name}.half", beside / f"{mirror.name}.whole"
    ran = False
    if not whole.exists() and not _is_off(mirror, home):
        mirror.take(place)
        _prepare(node, attempt, half)
        copy(node, attempt, home, half)
        ran = stop()
        try:
            _last_copy(node, attempt, mirror, half)
            half.rename(whole)
        except BaseException:
            # Nothing was changed yet: back to where it was.
            mirror.device.unmount()
            mirror.take(place)
            if ran:
                start()
            raise
    with alone.hands_on(mirror.name):
        alone.claim(mirror.name, node)
    if whole.exists():
        _change_places(node, attempt, home, whole, beside / f"{mirror.name}.below")
        sys.stdout.write(f"{mirror.name}: its disk is in {home} now\n")
    mirror.forget()
    return ran


def over(place: str) -> None:
    """The server's marks say so, too."""
    (Path(place) / _OFF).unlink(missing_ok=True)


def _is_off(mirror: Mirror, home: Path) -> bool:
    """It was done before: what was copied says so."""
    return mirror.device.place() != str(home) and (home / _OFF).exists()


def _last_copy(node: str, attempt: str, mirror: Mirror, half: Path) -> None:
    """From where nobody finds it who would start the server meanwhile. DRBD tells of one who did all the same."""
    work = WORK / mirror.name
    mirror.device.unmount()
    mirror.device.mount(str(work))
    copy(node, attempt, work, half)
    mirror.device.secondary()
    (half / _OFF).touch()


def _change_places(node: str, attempt: str, home: Path, whole: Path, below: Path) -> None:
    """What was below the device's mount is no more than what Incus notes on every server it has."""
    try:
        if home.exists():
            if (home / "rootfs").exists():
                raise Refused(
                    node, attempt, f"there are files below the device's mount, in {home}", "see what they are"
                )
            home.rename(below)
        whole.rename(home)
    except OSError as error:
        raise EngineError(node, attempt, f"{home}: {error.strerror}") from None
    shutil.rmtree(below, ignore_errors=True)


def _prepare(node: str, attempt: str, half: Path) -> None:
    try:
        half.parent.mkdir(mode=0o700, exist_ok=True)
        half.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise EngineError(node, attempt, f"{half}: {error.strerror}") from None
