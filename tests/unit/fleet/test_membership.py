# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One node: present, absent, in maintenance, and why not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.foresight import foresee
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.membership import NodeRequest, membership
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Observed, Plan
from fleets import fleet, guest, node, observed, seen, server, silent, stranger

PBX1 = server("pbx01")
FLEET = fleet([node("node1"), node("node2"), node("judge", witness=True)], [PBX1])
SEEN = [seen("node1"), seen("node2"), seen("judge")]
THERE = observed(SEEN, [guest(PBX1, "node1"), stranger("theirs", "node2")])


def plan(name: str, there: Observed = THERE, **asked: Any) -> Plan:
    return membership(FLEET, there, NodeRequest(name, **asked))


def why_not(found: Plan) -> str:
    assert found.steps == ()
    return "; ".join(f"{refusal.subject}: {refusal.reason}" for refusal in found.refusals)


def ids(found: Plan) -> list[str]:
    assert found.refusals == ()
    return [step.id for step in found.steps]


def test_a_node_of_the_fleet_that_answers_is_present():
    assert ids(plan("node1")) == []
    assert ids(plan("judge")) == []


@pytest.mark.parametrize("maintenance", [None, True, False])
def test_a_node_nobody_knows_is_none_of_the_fleets(maintenance):
    assert "no such node; there is node1" in why_not(plan("nodde1", maintenance=maintenance))
    there = observed([*SEEN, seen("node9")])
    assert "is a member of the platform's cluster, but not in the inventory" in why_not(
        plan("node9", there, maintenance=maintenance)
    )


@pytest.mark.parametrize("maintenance", [None, True, False])
def test_a_node_that_does_not_answer_is_told_nothing(maintenance):
    there = observed([silent("node1"), *SEEN[1:]])
    assert "does not answer (timed out)" in why_not(plan("node1", there, maintenance=maintenance))


def test_maintenance_closes_a_node_moves_nobody_and_says_who_stays():
    found = plan("node1", maintenance=True)
    assert ids(found) == ["maintenance/node1"]
    assert found.notes == ("pbx01 stays on node1; drain moves them: ansible-playbook switchyard.fleet.drain",)
    closed = foresee(FLEET, THERE, found.steps)
    assert ids(plan("node1", closed, maintenance=True)) == []
    assert ids(plan("node1", closed, maintenance=False)) == ["maintenance/node1"]
    assert ids(plan("node1", maintenance=False)) == []


def test_a_witness_has_nothing_to_keep_away():
    assert "is a witness" in why_not(plan("judge", maintenance=True))


def test_nothing_is_changed_without_a_quorum():
    there = observed(SEEN, quorate=False)
    for asked in ({"maintenance": True}, {"maintenance": False}):
        assert "quorum" in why_not(plan("node1", there, **asked))


def test_a_node_with_anything_of_ours_on_it_does_not_leave():
    assert "still carries pbx01; drain it first" in why_not(plan("node1", state="absent"))
    copy = guest(PBX1, "node2", role="replica", state="stopped")
    there = observed(SEEN, [guest(PBX1, "node1"), copy])
    assert "still carries a replica of pbx01" in why_not(plan("node2", there, state="absent"))


def test_an_empty_node_is_closed_and_may_leave():
    found = plan("node2", state="absent")
    assert ids(found) == ["maintenance/node2"]
    assert any("take it out of the group nodes" in note for note in found.notes)
    assert ids(plan("node2", foresee(FLEET, THERE, found.steps), state="absent")) == []
    assert ids(plan("judge", state="absent")) == []


def test_a_silent_node_may_not_leave_by_this():
    there = observed([silent("node1"), *SEEN[1:]])
    assert "nobody can tell what is on it" in why_not(plan("node1", there, state="absent"))


def test_a_node_nobody_knows_is_absent_already():
    assert ids(plan("node9", state="absent")) == []
    found = plan("node9", observed([*SEEN, seen("node9")]), state="absent")
    assert ids(found) == [] and "still a member of the platform's cluster" in found.notes[0]
