# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every scenario file: the plan is what an operator expects, and holds what it promises."""

from __future__ import annotations

import pytest
from expectations import CHECKS, disappointments, story
from naive import objections
from scenario import SCENARIOS, load, names

FILES = sorted(SCENARIOS.rglob("*.yml"))


@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}/{path.stem}" for path in FILES])
def test_scenario(path):
    scenario = load(path)
    assert set(scenario.expect) <= set(CHECKS)
    plan = scenario.plan()
    dead = names(scenario.options.get("nodes")) if scenario.goal == "failover" else ()
    wrong = [*disappointments(plan, scenario), *objections(scenario.fleet, scenario.observed, plan, dead=dead)]
    if plan != scenario.plan():
        wrong.append("a second look at the same fleet gives another plan")
    assert not wrong, "\n".join([*wrong, "", story(plan, scenario)])


def test_there_are_scenarios_for_everything():
    assert len(FILES) >= 120
    assert {load(path).goal for path in FILES} >= {
        *("balance", "migrate", "drain", "undrain", "dedicate", "failover", "failback", "capacity", "converge"),
    }
