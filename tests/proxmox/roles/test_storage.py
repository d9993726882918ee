# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools on empty disks, and the cluster's storages: whole runs of the role."""

from __future__ import annotations

import pytest

from .conftest import Site, changed

DISKS = [{"devpath": f"/dev/{name}", "size": 10**12, "gpt": 0, "osdid": -1, "mounted": 0} for name in ("sdb", "sdc")]
POOLS = [{"name": "tank", "raid": "mirror", "devices": ["/dev/sdb", "/dev/sdc"]}]
STORAGES = [
    {"name": "tank", "type": "zfspool", "pool": "tank", "sparse": True, "nodes": ["pve1"]},
    {"name": "archive", "type": "nfs", "server": "192.0.2.5", "export": "/srv/pve", "content": ["vztmpl", "backup"]},
]


@pytest.fixture(params=["pvesh", "login"])
def way(request: pytest.FixtureRequest, site: Site) -> dict[str, object]:
    return {"proxmox_storage_login": site.login} if request.param == "login" else {}


def test_pools_and_storages_are_made_once(site: Site, way: dict[str, object]) -> None:
    cluster = site.double.world.cluster
    cluster.nodes["pve1"].disks = [dict(each) for each in DISKS]
    wanted = {"proxmox_storage_pools": POOLS, "proxmox_storage_definitions": STORAGES, **way}
    said = site.role("proxmox_storage", "--check", "--diff", **wanted)
    assert changed(said) == 2 and "archive" not in cluster.storages and not cluster.nodes["pve1"].disk_pools
    site.role("proxmox_storage", **wanted)
    assert cluster.nodes["pve1"].disk_pools == {"tank": "zfs"}
    assert cluster.storages["tank"].nodes == ["pve1"] and cluster.storages["archive"].shared
    assert changed(site.role("proxmox_storage", **wanted)) == 0


def test_a_change_is_made_and_one_that_cannot_be_is_refused_as_a_whole(site: Site) -> None:
    cluster = site.double.world.cluster
    site.role("proxmox_storage", proxmox_storage_definitions=STORAGES)
    other = [{**STORAGES[0], "nodes": ["pve1", "pve2"]}, STORAGES[1]]
    assert changed(site.role("proxmox_storage", proxmox_storage_definitions=other)) == 1
    assert cluster.storages["tank"].nodes == ["pve1", "pve2"]
    wrong = [STORAGES[0], {**STORAGES[1], "export": "/srv/other"}]
    said = site.role("proxmox_storage", check=False, proxmox_storage_definitions=wrong)
    assert "storage archive has export /srv/pve, declared is /srv/other" in said
    assert cluster.storages["tank"].nodes == ["pve1", "pve2"]


def test_a_disk_in_use_is_left_alone(site: Site) -> None:
    node = site.double.world.cluster.nodes["pve1"]
    node.disks = [dict(DISKS[0]), {**DISKS[1], "used": "ext4"}]
    said = site.role("proxmox_storage", check=False, proxmox_storage_pools=POOLS)
    assert "pve1: nothing was changed: pool tank: /dev/sdc is in use: ext4" in said
    assert not node.disk_pools
