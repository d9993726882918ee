# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers in step where the nodes' kernel has no DRBD: refused with a way out, before anything has changed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

IN_STEP = {"pbx01": {"vs_replication": "sync", "vs_failover": "auto"}}


@pytest.fixture
def asking(world):
    """A fleet with a server in step."""
    if Path("/proc/drbd").exists():
        pytest.skip("this machine's kernel has DRBD, and so do its nodes")
    world.fleet |= {"node_sync_disks": "/srv/disks"}
    world.declare(IN_STEP)
    return world


def _of_drbd(world) -> dict[str, str]:
    looked = "ls -d /srv/disks /etc/drbd.d /etc/modules-load.d/switchyard-drbd.conf /etc/corosync/* 2>/dev/null; true"
    return {node: world.lab.ssh(node, looked).strip() for node in world.nodes}


@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_site_refuses_a_kernel_without_drbd_before_anything_changes(asking, arguments):
    before = _of_drbd(asking)
    output = " ".join(asking.play("site", *arguments, check=False).split())
    for words in (
        "has no DRBD in its kernel",
        "vs_replication: sync of pbx01",
        "node_sync_disks",
        "vs_replication: 1m",
    ):
        assert words in output, words
    assert set(re.findall(r"changed=(\d+)", output)) == {"0"}
    assert _of_drbd(asking) == before
    assert asking.running() == {}


def test_a_plan_refuses_it_as_well(asking):
    output = " ".join(asking.apply(check=False).split())
    assert "vs_replication: sync needs DRBD and the agent on every node" in output
    assert asking.running() == {}


def test_an_interval_is_the_way_out(asking):
    asking.declare({"pbx01": {"vs_replication": "1m"}})
    output = asking.play("site", "--check")
    assert "has no DRBD" not in output
