# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there is compared with what is wanted, and only the difference is changed."""

from __future__ import annotations

import base64

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.inventory.quantity import Unacceptable
from ansible_collections.switchyard.fleet.plugins.module_utils.node.engine_state import (
    Conflict,
    Trusted,
    Wanted,
    differences,
    listen_address,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.node.facts import fingerprint
from ansible_collections.switchyard.fleet.plugins.module_utils.node.pools import Pool, read_pools

PEM = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(b'controller').decode()}\n-----END CERTIFICATE-----\n"
WANTED = Wanted(
    {"core.https_address": "192.0.2.11:8443", "images.auto_update_interval": "0"},
    [Pool("default")],
    [Trusted("switchyard-lab", PEM)],
)
POOL = {"name": "default", "driver": "dir", "status": "Created"}
SERVER = {"config": dict(WANTED.config)}
KNOWN = {"fingerprint": fingerprint(PEM)}


def test_in_order_is_nothing_to_do():
    changes = differences(WANTED, SERVER, [POOL], [KNOWN])
    assert not changes
    assert changes.diff() == {"before": {}, "after": {}}


def test_a_fresh_incus_lacks_everything():
    changes = differences(WANTED, {"config": None}, [], [])
    assert set(changes.config) == set(WANTED.config)
    assert changes.pools == (Pool("default"),)
    assert changes.trust == (Trusted("switchyard-lab", PEM),)
    assert changes.diff()["after"]["storage pool default"] == {"driver": "dir"}


def test_only_what_differs_is_changed_and_the_rest_left_alone():
    config = {"core.https_address": ":8443", "images.auto_update_interval": "0", "core.debug_address": "x"}
    changes = differences(WANTED, {"config": config}, [POOL], [KNOWN])
    assert changes.config == {"core.https_address": (":8443", "192.0.2.11:8443")}


def test_a_pool_with_another_driver_is_a_conflict():
    with pytest.raises(Conflict, match="exists with driver btrfs, wanted is dir"):
        differences(WANTED, SERVER, [POOL | {"driver": "btrfs"}], [KNOWN])


def test_a_pool_that_was_not_made_to_the_end_is_a_conflict():
    with pytest.raises(Conflict, match="is Pending"):
        differences(WANTED, SERVER, [POOL | {"status": "Pending"}], [KNOWN])


def test_an_address_of_either_family():
    assert listen_address("192.0.2.11", 8443) == "192.0.2.11:8443"
    assert listen_address("2001:db8::11", 8443) == "[2001:db8::11]:8443"


def test_pools_as_people_write_them():
    assert read_pools(["a", {"name": "b", "driver": "btrfs", "source": "/dev/sdb", "size": "2GiB"}, {"name": "c"}]) == [
        Pool("a"),
        Pool("b", "btrfs", {"source": "/dev/sdb", "size": "2048MiB"}),
        Pool("c"),
    ]


@pytest.mark.parametrize(
    "declared", [[{"nam": "a"}], [{"name": "a", "driver": "ceph"}], [{"name": "a", "size": "2GB"}], [3], [None]]
)
def test_pools_that_cannot_be_understood(declared):
    with pytest.raises(Unacceptable):
        read_pools(declared)
