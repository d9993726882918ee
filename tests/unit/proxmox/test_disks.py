# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool is made on empty disks, and on no others."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.proxmox.disks import (
    Pool,
    creation,
    missing,
    mistakes,
    not_empty,
)

MIRROR = Pool("tank", "zfs", ("/dev/disk/by-id/one", "/dev/disk/by-id/two"), "mirror")
REAL = {"/dev/disk/by-id/one": "/dev/sdb", "/dev/disk/by-id/two": "/dev/sdc"}


def disk(path: str, **more: Any) -> dict[str, Any]:
    return {"devpath": path, "size": 10**12, "gpt": 0, "osdid": -1, "mounted": 0, **more}


EMPTY = [disk("/dev/sda", used="LVM"), disk("/dev/sdb"), disk("/dev/sdc")]


def test_empty_disks_are_taken_by_what_they_really_are() -> None:
    assert not_empty(MIRROR, REAL, EMPTY) == []
    request = creation(MIRROR, "pve1", REAL)
    assert request.path == "/nodes/pve1/disks/zfs"
    assert (request.body["devices"], request.body["raidlevel"], request.body["ashift"]) == (
        "/dev/sdb,/dev/sdc",
        "mirror",
        12,
    )


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([disk("/dev/sdb"), disk("/dev/sdc", used="ZFS")], "two is in use: ZFS"),
        ([disk("/dev/sdb"), disk("/dev/sdc", mounted=1)], "two is mounted"),
        ([disk("/dev/sdb"), disk("/dev/sdc", osdid=3)], "two is a disk of Ceph's"),
        ([disk("/dev/sdb"), disk("/dev/sdc"), disk("/dev/sdc1", parent="/dev/sdc")], "has partitions: /dev/sdc1"),
        ([disk("/dev/sdb"), disk("/dev/sdc", parent="/dev/sd")], "two is a partition"),
        ([disk("/dev/sdb")], r"two is no disk of this node \(it has /dev/sdb\)"),
    ],
)
def test_a_disk_with_anything_on_it_is_not(rows: list[dict[str, Any]], words: str) -> None:
    found = not_empty(MIRROR, REAL, rows)
    assert len(found) == 1 and re.search(words, found[0]), found


def test_a_pool_that_is_there_is_not_made_again() -> None:
    thin = Pool("thin", "lvmthin", ("/dev/sdd",))
    assert missing([MIRROR, thin], [{"name": "tank"}], [{"vg": "thin", "lv": "thin"}]) == []
    assert missing([MIRROR, thin], [{"name": "thin"}], []) == [MIRROR, thin]


def test_what_cannot_be_whatever_the_disks() -> None:
    told = mistakes(
        [
            Pool("a", "zfs", ("/dev/sdb",), "mirror"),
            Pool("b", "zfs", ("1", "2", "3", "4", "5"), "raid10"),
            Pool("c", "lvmthin", ("/dev/sdb", "/dev/sdc")),
        ]
    )
    assert [each.split(":")[0] for each in told] == ["pool a", "pool b", "pool c", "pool c"]
    assert "declared for a already" in told[-1]
