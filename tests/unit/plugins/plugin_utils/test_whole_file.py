# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that is there whole, or not at all."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest
from ansible_collections.switchyard.fleet.plugins.plugin_utils.whole_file import beside, known_checksum, whole_file


def test_it_gets_its_name_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with whole_file(path) as file:
        file.write(b"some")
        assert not path.exists()
        file.write(b"thing")
    assert path.read_bytes() == b"something"
    assert (file.size, file.checksum) == (9, hashlib.sha256(b"something").hexdigest())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_half_of_it_goes_and_what_was_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_what_a_killed_run_left_is_written_over_and_two_do_not_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    (tmp_path / "file.part").write_bytes(b"left over, and longer than what comes")
    with whole_file(path) as file:
        file.write(b"new")
        with pytest.raises(BlockingIOError), whole_file(path):
            pass
    assert path.read_bytes() == b"new"


def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"), whole_file(tmp_path / "file") as file:
        file._file.close()
        file._file = Path("/dev/full").open("wb")  # noqa: SIM115
        file.write(b"x" * 100)
    assert list(tmp_path.iterdir()) == []


def test_the_checksum_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert known_checksum(path) == ""
    beside(path).write_text("ABCDEF  file\n")
    assert known_checksum(path) == "abcdef"
