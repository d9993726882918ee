# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cables that are cut: nodes that live, and that nobody hears."""

from __future__ import annotations

import pytest
from support.guarded import until
from support.watch import Watch

pytestmark = pytest.mark.lab


def test_an_isolated_node_is_off_before_its_servers_start_elsewhere(watch: Watch) -> None:
    fleet = watch.fleet
    with watch.scenario():
        victim = fleet.busiest()
        with watch.lossy(victim), fleet.outside.isolated(victim):
            watch.all_answer()
            assert victim not in fleet.outside.powered()
        # That it was off before is what the wire says: its copies would have been heard beside the new ones.
        fleet.outside.restore_power(victim)


@pytest.mark.long
def test_of_two_halves_that_reach_the_power_switch_the_one_with_most_votes_goes_on(watch: Watch) -> None:
    fleet = watch.fleet
    with watch.scenario():
        victim = fleet.busiest()
        others = [node for node in fleet.nodes if node != victim]
        with watch.lossy(victim), fleet.outside.parted([victim], others):
            # It is served from both halves, until one of them is off.
            until(lambda: fleet.outside.powered() == set(others), 120)
            watch.all_answer()
        fleet.outside.restore_power(victim)


def test_a_cable_that_is_loose_for_a_moment_costs_nobody_anything(watch: Watch) -> None:
    fleet = watch.fleet
    with watch.scenario():
        victim = fleet.busiest()
        before = fleet.where()
        with fleet.outside.parted([victim], [node for node in fleet.nodes if node != victim]):
            pass
        assert fleet.outside.powered() == set(fleet.nodes)
        assert fleet.where() == before
