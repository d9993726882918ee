# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes lose their power, and come back: late, at once, over and over."""

from __future__ import annotations

import re
import time

import pytest
from support.guarded import until
from support.prober import STARVED
from support.watch import Watch

pytestmark = pytest.mark.lab


def test_a_node_dies_while_the_controller_is_away_and_returns_late(watch: Watch) -> None:
    fleet = watch.fleet
    with watch.scenario(), fleet.without_controller():
        victim = fleet.busiest(fleet.coordinator())
        gone = fleet.of(victim)
        moment = watch.cut_power(victim)
        watch.all_answer()
        assert victim not in fleet.where().values()
        assert set(watch.prober.back(moment, STARVED)) == gone, "nobody else was away"
        fleet.outside.restore_power(victim)
        watch.note(f"{victim} is back, and an ordinary day {fleet.calm():.1f} s later")
        # What it had is kept aside, named and dated, and no server of ours any more.
        aside = {each.aside: each for each in fleet.copies() if each.aside}
        assert set(aside) == gone
        for name, copy in aside.items():
            assert copy.node == victim and not copy.running
            assert re.fullmatch(rf"{name}-aside-\d{{8}}-\d{{4}}", copy.server)


@pytest.mark.long
def test_the_coordinating_node_dies(watch: Watch) -> None:
    fleet = watch.fleet
    with watch.scenario():
        victim = fleet.coordinator()
        assert fleet.of(victim), "somebody has to be hit"
        watch.cut_power(victim)
        watch.all_answer()
        assert fleet.coordinator() != victim
        fleet.outside.restore_power(victim)


def test_an_orderly_restart_of_a_node_costs_nobody_anything_it_took(watch: Watch) -> None:
    fleet = watch.fleet
    with watch.scenario():
        victim = fleet.busiest()
        gone = fleet.of(victim)
        booted = fleet.booted(victim)
        # Nothing is excused: the last refresh is from a server that is stopped, on a node that is still there.
        fleet.outside.console(victim, "systemctl", "reboot", check=False)
        until(lambda: fleet.booted(victim) not in {"", booted}, 180)
        watch.all_answer()
        fleet.calm()
        assert gone.isdisjoint(fleet.of(victim))
        assert not [each for each in fleet.copies() if each.aside], "nothing diverged"


@pytest.mark.long
def test_a_node_returns_at_once_over_and_over(watch: Watch) -> None:
    fleet = watch.fleet
    with watch.scenario():
        victim = fleet.busiest()
        with watch.lossy(victim):
            for pause in (0.0, 1.0, 4.0):
                # Too soon to be missed, while it is missed, while it boots.
                fleet.outside.cut_power(victim)
                fleet.outside.restore_power(victim)
                time.sleep(pause)
        watch.all_answer()
        # Who was fenced meanwhile stays off until somebody gives it power.
        fleet.outside.restore_power(victim)


@pytest.mark.long
def test_its_backup_dies_while_it_takes_over(watch: Watch) -> None:
    fleet = watch.fleet
    with watch.scenario():
        first = fleet.busiest()
        gone = fleet.of(first)
        heirs = {each.server: each.node for each in fleet.copies() if each.server in gone and each.node != first}
        second = heirs[min(gone)]
        left = next(node for node in fleet.nodes if node not in (first, second))
        kept = fleet.of(left)
        watch.cut_power(first)
        watch.until_one_of([name for name, node in heirs.items() if node == second], second)
        watch.cut_power(second)
        # One of three is left, which must not decide anything; what it carries goes on.
        time.sleep(3)
        assert watch.serving(kept)
        fleet.outside.restore_power(second)
        # With two there is a majority again: whoever the second had, or was about to have, is served.
        watch.all_answer()
        fleet.outside.restore_power(first)
