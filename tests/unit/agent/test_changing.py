# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is written from refresh to refresh: whose turn it is, and what counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.changing import Unseen, in_turn, written
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import safekeeping
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guests import Found

NOW = 1_000_000.0


def copy(role: str = "replica", **marks: str) -> Found:
    told = {"role": role, "fleet": "test", "replica.interval": "10", "replica.refreshed": str(NOW), **marks}
    config = {f"user.switchyard.{key}": text for key, text in told.items()}
    return Found({"status": "Stopped", "config": {key: text for key, text in config.items() if text}}, "")


def names(**found: Found) -> list[str]:
    return [name for name, copied in in_turn(found) if copied is found[name]]


def seen(moment: float) -> Found:
    return copy(**{"replica.changing": f"1.5 {moment}"})


def test_the_one_longest_not_looked_at_comes_first_and_nobody_twice_for_one_refresh() -> None:
    found = {"late": seen(NOW - 5), "early": seen(NOW - 50), "never": copy(), "just": seen(NOW)}
    assert names(**found) == ["never", "early", "late"]


@pytest.mark.parametrize(
    "other",
    [
        copy("primary"),
        copy(move="from node2"),
        copy(**{"replica.refreshed": ""}),
        copy(**{"replica.interval": ""}),
        copy(**{"replica.refreshing": str(NOW)}),
    ],
)
def test_servers_and_copies_that_are_not_whole_or_just_being_made_tell_nothing(other: Found) -> None:
    assert names(other=other) == []


def file(path: Path, size: int, moment: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (moment, moment))
    return path


def test_files_written_since_count_whole_and_once(tmp_path: Path) -> None:
    file(tmp_path / "etc" / "old", 4096, NOW - 11)
    fresh = file(tmp_path / "var" / "log" / "fresh", 8192, NOW - 9)
    (tmp_path / "again").hardlink_to(fresh)
    (tmp_path / "elsewhere").symlink_to("/proc/kcore")
    (tmp_path / "away").symlink_to("/usr")
    assert written(tmp_path, NOW - 10) == 8192
    assert written(tmp_path, NOW) == 0


def test_what_a_file_only_pretends_to_have_takes_no_room(tmp_path: Path) -> None:
    hollow = file(tmp_path / "disk", 4096, NOW)
    os.truncate(hollow, 1 << 30)
    assert 4096 <= written(tmp_path, NOW - 10) < 1 << 20


def test_where_no_file_is_seen_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "rootfs").mkdir()
    for path in (tmp_path / "rootfs", tmp_path / "nowhere"):
        with pytest.raises(Unseen):
            written(path, NOW)


def test_the_mark_says_what_was_read_and_a_spoiled_one_nothing() -> None:
    assert safekeeping.changing(safekeeping.changing_mark(2.25, NOW)) == (2.2, NOW)
    for text in ("", "3", "3 4 5"):
        assert safekeeping.changing({safekeeping.CHANGING: text}) == (None, 0.0)
    assert safekeeping.copying(seen(NOW).config).changing == 1.5
