# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that says that a pair of nodes is in this node's care, and what it remembers from look to look.

It is there from the pair's start to its stop, in memory: a node that boots has nothing in its care. Whether it is there
is all the resource agent has to know to say that a pair does not run here.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .health import Health, calm

FOLDER = Path("/run/switchyard/pairs")
WELL = Path("/run/switchyard/well")
"""When all pairs here were last seen to be well (see ``glance``)."""
ACTIVATED = Path("/run/switchyard/activated")
"""There while a peer that was told to take over from a server is yet to be told that the server is back."""


@dataclass(slots=True)
class Memory:
    """One pair's."""

    since: float = 0.0
    healths: dict[str, Health] = field(default_factory=dict)
    """Servers it keeps serving here."""
    named: dict[str, str] = field(default_factory=dict)
    """Servers it does nothing about, and why; for people."""
    tried: float = 0.0
    """When the backup last tried again to start what it had not."""


def path_of(home: str, backup: str, folder: Path = FOLDER) -> Path:
    """Where a pair's file is. Neither a node's name nor a file's takes more than that."""
    return folder / f"{home}:{backup}"


def load(path: Path) -> Memory | None:
    """What is remembered; None: the pair is not in this node's care. A spoiled file is one that remembers nothing."""
    try:
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        healths = {
            name: Health(**{**each, "restarts": tuple(each["restarts"])}) for name, each in raw["healths"].items()
        }
        return Memory(float(raw["since"]), healths, dict(raw["named"]), float(raw.get("tried", 0.0)))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        return Memory(time.time())


def store(path: Path, memory: Memory, fleet: str) -> None:
    """Write it whole or not at all. ``calm``, for ``glance``: who is to be well, with nothing to be remembered."""
    quiet = calm(memory.healths.values()) and not memory.named
    text = json.dumps({**asdict(memory), "fleet": fleet, "calm": sorted(memory.healths) if quiet else None})
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
    if not quiet:
        WELL.unlink(missing_ok=True)


def keep(path: Path, memory: Memory, fleet: str) -> None:
    """Write it where that can be done; what was remembered before has to do otherwise. A full disk is said, and is no
    reason to call a pair failed: its servers run."""
    try:
        store(path, memory, fleet)
    except OSError as error:
        sys.stderr.write(f"not remembered, see that {path.parent} can be written: {error}\n")


def forget(path: Path) -> None:
    """The pair is not in this node's care any more."""
    path.unlink(missing_ok=True)


@contextmanager
def hands_on(home: str, backup: str, patience: float, folder: Path = FOLDER) -> Iterator[bool]:
    """Nobody else here changes servers of these two nodes meanwhile; False: somebody still does, after ``patience``
    seconds. Both pairs of the two: what one brings here, the other one keeps serving.

    Where the file cannot be made, as on a full disk, there is nobody who has it: we go on without. To stop servers must
    not fail for that.
    """
    first, second = sorted((home, backup))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / f".{first}:{second}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        sys.stderr.write(f"without a lock, see that {folder} can be written: {error}\n")
        yield True
        return
    try:
        yield _locked(handle, time.monotonic() + patience)
    finally:
        os.close(handle)


def _locked(handle: int, until: float) -> bool:
    while True:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.1)


def named(folder: Path = FOLDER) -> Mapping[tuple[str, str], dict[str, str]]:
    """(home, backup) of each pair here -> its servers that something is wrong with, and what."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for path in sorted(folder.glob("[!.]*")):
        memory = load(path)
        if memory is not None:
            home, _colon, backup = path.name.partition(":")
            found[home, backup] = memory.named | {name: each.why for name, each in memory.healths.items() if each.why}
    return found
