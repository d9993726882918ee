# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disasters on real nodes: three that carry replicated servers, their cluster installed once for all scenarios.

They go one after the other on the same servers, wherever the one before has left them: each begins and ends on an
ordinary day (``Watch.scenario``), which also means that the fleet mended everything by itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from support.guarded import GuardedFleet
from support.lab import Lab
from support.watch import Watch, watched

SERVERS: dict[str, dict[str, Any]] = {
    "pbx01": {},
    "pbx02": {},
    "pbx03": {},
    "pbx04": {},
    # Soon given up: nobody waits for half a minute for its first answer.
    "pbx05": {"vs_checks": [{"type": "http", "port": 80, "timeout": "5s"}]},
    # On a disk that is easily full.
    "pbx06": {"vs_pool": "small"},
}


@pytest.fixture(scope="session")
def fleet(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedFleet]:
    """Six servers on the lab's nodes, replicated and protected."""
    pools = {
        "node_storage_pools": [{"name": "default"}, {"name": "small", "source": "/srv/small/pool"}],
        "node_pools": {"default": "8GiB", "small": "1GiB"},
    }
    fleet = GuardedFleet(lab, tmp_path_factory.mktemp("guarded"), **pools)
    for node in lab.facts["nodes"]:
        fleet.outside.plug_disk(node, 96, "/srv/small")
        fleet.outside.console(node, "mkdir", "-p", "/srv/small/pool")
    fleet.declare(SERVERS, {node: {} for node in lab.facts["nodes"]})
    fleet.play("site")
    yield fleet
    if not os.environ.get("KEEP_LAB"):
        for node in lab.facts["nodes"]:
            fleet.outside.unplug_disk(node)


@pytest.fixture(scope="session")
def everybody(fleet: GuardedFleet) -> Iterator[Watch]:
    """Whoever looks on all the time."""
    with watched(fleet) as watch:
        yield watch


@pytest.fixture
def watch(everybody: Watch) -> Iterator[Watch]:
    """The same; whatever a scenario left without power has some before the next one."""
    yield everybody
    everybody.fleet.outside.restore_power(*everybody.fleet.lab.facts["nodes"])
