# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the planner is to reach is told apart from what it missed."""

from __future__ import annotations

import pytest
from planning import aims
from planning.measure import Row

ROW: Row = {
    "score": 0.09,
    "score_60s": 0.085,
    "waves": 5,
    "schedule_bound": 5,
    "faults": [],
    "cpu_seconds": 0.5,
    "hbal_seconds": 120.0,
    "hbal_score": 0.1,
    "score_at_hbal_moves": 0.1,
    "hbal_moved_mib": 1000,
    "moved_mib_at_hbal_moves": 900,
    "moves_at_0.1": 103,
    "lp_moves_at_0.1": 100,
    "survives": 40,
    "survives_before": 40,
}


def test_everything_can_be_reached() -> None:
    assert "MISSED" not in aims.verdicts({"40x1000": ROW | {"local": {"faults": []}}})


@pytest.mark.parametrize(
    "missed",
    [
        {"score": 0.1},
        {"waves": 6},
        {"faults": ["wave 1: alpha promises 1100 of 1000 memory"]},
        {"cpu_seconds": 0.7},
        {"score_at_hbal_moves": 0.1001},
        {"moved_mib_at_hbal_moves": 1001},
        {"moves_at_0.1": 104},
        {"moves_at_0.1": None},
        {"survives": 39},
        {"replicas": {"faults": ["something"]}},
    ],
)
def test_one_that_was_missed_is_named(missed: Row) -> None:
    lines = aims.verdicts({"40x1000": ROW | missed}).splitlines()
    assert sum(line.startswith("MISSED") for line in lines) == 1


def test_the_largest_and_the_tight_fleet_have_aims_of_their_own() -> None:
    assert aims.verdicts({"256x10000": {"seconds": 11.0, "replan_s": 1.0, "faults": []}}).count("MISSED") == 1
    assert aims.verdicts({"tight": {"score": 0.06, "faults": []}}).count("MISSED") == 1
