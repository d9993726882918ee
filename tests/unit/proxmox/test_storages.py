# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storages are read with every mistake at once, and only what differs is changed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.proxmox.storages import (
    Fixed,
    Unreadable,
    differences,
    read,
)

NFS = {"name": "nfs1", "type": "nfs", "server": "192.0.2.5", "export": "/srv/pve", "content": ["images"]}
ROW = {"storage": "nfs1", "type": "nfs", "server": "192.0.2.5", "export": "/srv/pve", "content": "images",
       "path": "/mnt/pve/nfs1", "digest": "x"}  # fmt: skip


def changes(entry: dict[str, Any], *rows: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(each.request.method, dict(each.request.body)) for each in differences(read([entry]), rows)]


def test_what_is_as_declared_is_left_alone_whatever_its_order() -> None:
    assert changes(NFS, ROW) == []
    entry = NFS | {"content": "rootdir, images".replace(" ", ""), "nodes": ["b", "a"]}
    assert changes(entry, ROW | {"content": "images,rootdir", "nodes": "a,b"}) == []
    thin = {"name": "tank", "type": "zfspool", "pool": "tank/vm", "sparse": True}
    row = {"storage": "tank", "type": "zfspool", "pool": "tank/vm", "sparse": 1, "content": "rootdir,images"}
    assert changes(thin, row) == []


def test_a_missing_one_is_made_and_others_are_nobodys_business() -> None:
    assert changes(NFS, {"storage": "local", "type": "dir", "path": "/var/lib/vz"}) == [
        ("POST", {"storage": "nfs1", "type": "nfs", "server": "192.0.2.5", "export": "/srv/pve", "content": "images"})
    ]


def test_only_what_differs_is_sent_and_what_went_is_deleted() -> None:
    assert changes(NFS | {"content": ["images", "iso"]}, ROW | {"nodes": "a"}) == [
        ("PUT", {"content": "images,iso", "delete": "nodes"})
    ]
    assert changes(NFS | {"enabled": False}, ROW) == [("PUT", {"disable": 1})]
    assert changes(NFS, ROW | {"disable": 1}) == [("PUT", {"delete": "disable"})]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"export": "/srv/other"}, "has export /srv/other, declared is /srv/pve"),
        ({"type": "cifs"}, "is of type cifs, declared is nfs"),
    ],
)
def test_what_it_is_made_of_cannot_be_changed(row: dict[str, Any], words: str) -> None:
    with pytest.raises(Fixed, match=words):
        changes(NFS, ROW | row)


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(Unreadable) as refused:
        read(
            [
                {"name": "1x", "type": "dir", "path": "/srv"},
                {"name": "a1", "type": "ceph"},
                {"name": "b1", "type": "lvmthin", "vgname": "pve"},
                {"name": "c1", "type": "zfspool", "pool": "x", "content": ["iso"], "colour": "red"},
                {"name": "c1", "type": "zfspool", "pool": "x"},
            ]
        )
    told = "\n".join(refused.value.mistakes)
    for words in (
        "1x: its name",
        "'ceph' is none of",
        "b1: needs thinpool",
        "no option colour",
        "content iso",
        "twice",
    ):
        assert words in told


def test_a_password_is_sent_when_it_is_made_and_never_shown() -> None:
    entry = {"name": "win", "type": "cifs", "server": "s", "share": "x", "username": "u", "password": "hidden"}
    made = differences(read([entry]), [])[0]
    assert made.request.body["password"] == "hidden" and "hidden" not in str(made.after)
    row = {"storage": "win", "type": "cifs", "server": "s", "share": "x", "username": "u", "content": "images,rootdir"}
    assert changes(entry, row) == []
