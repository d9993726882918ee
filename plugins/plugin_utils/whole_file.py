# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that is there whole, or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PART = ".part"
"""What the name of a file ends in as long as it is not whole."""


class WholeFile:
    """What is written meanwhile, and its checksum."""

    def __init__(self, number: int) -> None:
        self._file = os.fdopen(number, "wb", closefd=False)
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def checksum(self) -> str:
        """SHA-256 of what was written so far, hexadecimal."""
        return self._digest.hexdigest()

    def write(self, piece: bytes) -> None:
        """Add to its end."""
        self._file.write(piece)
        self._digest.update(piece)
        self.size += len(piece)

    def flush(self) -> None:
        """See it on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def whole_file(path: Path) -> Iterator[WholeFile]:
    """Write a file only its owner may read; it gets its name once the block is over, and goes if the block fails.

    Raises BlockingIOError where somebody is just writing it, OSError where it cannot be written.
    """
    part = path.with_name(path.name + PART)
    number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # What a killed run left in it.
        os.ftruncate(number, 0)
        try:
            file = WholeFile(number)
            yield file
            file.flush()
            part.rename(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    finally:
        os.close(number)


def beside(path: Path) -> Path:
    """The file with the checksum of another, as C(sha256sum -c) takes it."""
    return path.with_name(path.name + ".sha256")


def known_checksum(path: Path) -> str:
    """What stands there; empty: no such file, or nothing in it."""
    try:
        words = beside(path).read_text(encoding="ascii").split()
    except (FileNotFoundError, UnicodeDecodeError):
        return ""
    return words[0].lower() if words else ""
