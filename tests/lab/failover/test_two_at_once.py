# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two of three nodes die at once: more than the fleet was made for. What can run, runs; the rest is named.

Two witnesses without servers join the cluster for it, so that whoever is left still has a majority: with three votes,
the last node goes on with what it carries and starts nobody else's servers (test_power).
"""

from __future__ import annotations

import pytest
from support.prober import STARVED
from support.watch import Watch

pytestmark = [pytest.mark.lab, pytest.mark.long]

WITNESSES = ("node4", "node5")


@pytest.fixture
def witnessed(watch: Watch) -> Watch:
    """Two more nodes, taken in while everybody is served."""
    fleet = watch.fleet
    with watch.scenario():
        before = fleet.where()
        carrying = list(fleet.nodes)
        fleet.lab.playbook("lab", extra={"lab_nodes": len(carrying) + len(WITNESSES)})
        nodes = {node: {} for node in carrying} | {node: {"node_witness": True} for node in WITNESSES}
        fleet.declare(fleet.servers, nodes)
        fleet.play("site")
        assert fleet.where() == before
        assert watch.prober.back(watch.began, STARVED) == {}, "nobody was away"
    return watch


def test_two_nodes_die_at_once(witnessed: Watch) -> None:
    watch, fleet = witnessed, witnessed.fleet
    with watch.scenario():
        first = fleet.busiest()
        second = fleet.busiest(first) if len(set(fleet.where().values())) > 1 else fleet.nodes[-1]
        left = next(node for node in fleet.nodes if node not in (first, second))
        places = {name: {each.node for each in fleet.copies() if each.server == name} for name in fleet.servers}
        stranded = {name for name, nodes in places.items() if left not in nodes}
        watch.cut_power(first, second)
        watch.all_answer(but=stranded)
        assert set(fleet.where().values()) == {left}
        named = fleet.play("plan", plan_goal="failover", failover_nodes=[first, second], check=None)
        for name in stranded:
            assert name in named
        watch.boot(first, second)
        watch.all_answer()
