# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal undrain: nodes back in service."""

from __future__ import annotations

import fleets as b
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import UndrainOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.undrain import undrain
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Failover

TWO = [b.node("n1"), b.node("n2", failure_domain="r1")]


def test_a_drained_node_is_opened_and_balance_is_named():
    plan = undrain(
        b.fleet(TWO, []), b.observed([b.seen("n1", maintenance=True), b.seen("n2")]), UndrainOptions(("n1",))
    )
    (step,) = plan.steps
    assert (step.id, step.changes) == ("maintenance/n1", {"state": ("maintenance", "active")})
    assert plan.notes == ("nothing is moved to n1 by this; balance brings load back",)


def test_what_survives_again_is_told():
    pbx = b.server("pbx", failover=Failover(mode="auto"))
    what = b.fleet(TWO, [pbx])
    plan = undrain(
        what, b.observed([b.seen("n1", maintenance=True), b.seen("n2")], [b.guest(pbx, "n2")]), UndrainOptions(("n1",))
    )
    assert [proof.holds for proof in (*plan.survival_before, *plan.survival_after)] == [False, True]
    assert plan.backups == {"pbx": "n1"}


def test_a_failure_domain_is_opened():
    seen = [b.seen("n1", maintenance=True), b.seen("n2", maintenance=True)]
    plan = undrain(b.fleet(TWO, []), b.observed(seen), UndrainOptions(failure_domain="r1"))
    assert [step.node for step in plan.steps] == ["n2"]


def test_a_node_in_service_needs_nothing():
    plan = undrain(b.fleet(TWO, []), b.observed([b.seen("n1"), b.seen("n2")]), UndrainOptions(("n1",)))
    assert plan.steps == ()
    assert plan.notes == ("n1 is in service already",)


def test_what_the_inventory_closes_only_the_inventory_opens():
    nodes = [b.node("n1", state="maintenance"), TWO[1]]
    plan = undrain(b.fleet(nodes, []), b.observed([b.seen("n1"), b.seen("n2")]), UndrainOptions(("n1",)))
    assert plan.steps == ()
    assert plan.notes == ("n1 stays closed as long as the inventory says node_state: maintenance; take that out of it",)


def test_a_node_that_does_not_answer_cannot_be_told():
    plan = undrain(b.fleet(TWO, []), b.observed([b.silent("n1"), b.seen("n2")]), UndrainOptions(("n1",)))
    assert plan.refusals[0].subject == "n1"


def test_a_name_nobody_has_is_answered_with_the_nearest():
    plan = undrain(b.fleet(TWO, []), b.observed([b.seen("n1"), b.seen("n2")]), UndrainOptions(("n11",)))
    assert plan.refusals[0].reason == "no such node; there is n1 (the nearest name)"


def test_no_name_at_all_is_a_mistake():
    plan = undrain(b.fleet(TWO, []), b.observed([b.seen("n1"), b.seen("n2")]), UndrainOptions())
    assert plan.refusals[0].reason == "names no node and no failure domain"
