# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the HA manager and the jobs say of a guest, in the words of the model, without a cluster."""

from __future__ import annotations

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox import jobs, rules
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.register import Registered
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.safety import Safety
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.converge import converge
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Abilities,
    Arrangement,
    Capacity,
    Fleet,
    Node,
    Observed,
    ObservedNode,
    ObservedServer,
    Size,
)
from guarded import pbx

PBX = pbx(interfaces=())
FLEET = Fleet("contract", "proxmox", {n: Node(n, "127.0.0.1") for n in ("pve1", "pve2")}, {PBX.name: PBX})
RULE = rules.Rule("sy__on__contract__pbx-001", "node-affinity", frozenset({"ct:100"}), {"pve1": 2, "pve2": 1}, True)
MINE = {"sid": "ct:100", "state": "started", "comment": "switchyard contract: pbx-001"}
JOB = {
    "id": "100-0",
    "guest": 100,
    "target": "pve2",
    "schedule": "*/5",
    "comment": "switchyard contract: every 300 s",
}


def guest(state: str = "stopped", node: str = "pve1") -> ObservedServer:
    size = Size(1, 128, 1024)
    return ObservedServer(PBX.name, node, state, size, pool=PBX.pool, fleet="contract", template=PBX.template)  # type: ignore[arg-type]


def seen(
    state: str = "started", row: dict[str, object] | None = None, status: dict[str, object] | None = None
) -> list[ObservedServer]:
    """A stopped guest under HA in this state, with a replica."""
    job = jobs.job(JOB, {"last_sync": 1, "fail_count": 0} if status is None else status)
    registered = Registered({"ct:100": MINE if row is None else row}, (RULE,))
    return Safety(FLEET, registered, True, {"ct:100": state}, (job,)).beside({100: guest()})


def planned(found: list[ObservedServer]) -> tuple[list[str], tuple[str, ...]]:
    """(steps, notes)."""
    nodes = {
        name: ObservedNode(name, "online", capacity=Capacity(8, 8192, pools={PBX.pool: 8192})) for name in FLEET.nodes
    }
    abilities = Abilities(replicates=True, protects=True, arranges=True)
    plan = converge(FLEET, Observed(nodes, tuple(found), abilities=abilities))
    assert not plan.refusals
    return [step.id for step in plan.steps], plan.notes


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("error", "gave it up (state error): see its last tasks on pve1"),
        ("fence", "pve1 is being fenced"),
        ("recovery", "looks for a node to start it on"),
        ("freeze", "has frozen it"),
        ("queued", "has not taken it up yet; if that lasts, see that pve-ha-lrm runs on pve1"),
    ],
)
def test_a_state_of_trouble_is_said_and_nobody_starts_the_server(state: str, words: str) -> None:
    steps, notes = planned(seen(state))
    assert steps == []
    assert len(notes) == 1 and notes[0].startswith("pbx-001: ") and words in notes[0]


@pytest.mark.parametrize("state", ["fence", "recovery"])
def test_one_that_is_being_recovered_may_be_running_elsewhere(state: str) -> None:
    assert seen(state)[0].state == "unknown"


def test_one_in_order_is_started_through_ha_and_kept_as_it_is() -> None:
    assert planned(seen("started")) == (["start/pbx-001"], ())


@pytest.mark.parametrize(
    ("said", "keeps"),
    [("started", "running"), ("enabled", "running"), ("stopped", "stopped"), ("disabled", ""), ("ignored", "")],
)
def test_the_state_it_is_kept_in(said: str, keeps: str) -> None:
    protection = seen(row={**MINE, "state": said})[0].protection
    assert protection is not None and protection.keeps == keeps


def test_without_its_rule_it_would_be_started_anywhere_and_the_rule_is_made_again() -> None:
    job = jobs.job(JOB, {"last_sync": 1})
    bare = Safety(FLEET, Registered({"ct:100": MINE}, ()), True, {}, (job,)).beside({100: guest("running")})
    assert bare[0].protection is not None and bare[0].protection.nodes == ()
    assert planned(bare)[0] == ["protect/pbx-001"]


def test_a_dead_nodes_replicas_are_as_good_as_they_were() -> None:
    found = Safety(FLEET, None, True, {}, (jobs.job(JOB, None),)).beside({100: guest("unknown")})
    assert (found[1].role, found[1].copying, found[1].complete) == ("replica", None, True)


def test_a_replica_its_node_does_not_tell_of_is_not_counted_as_complete() -> None:
    replica = seen(status={})[1]
    assert (replica.role, replica.node, replica.complete) == ("replica", "pve2", False)


@pytest.mark.parametrize(("source", "copies"), [("pve1", ["pve1"]), ("pve2", []), ("", [])])
def test_where_a_job_led_when_the_server_was_started_there_the_copy_is_where_it_came_from(
    source: str, copies: list[str]
) -> None:
    job = jobs.job({**JOB, "source": source}, {"last_sync": 1})
    found = Safety(FLEET, None, True, {}, (job,)).beside({100: guest(node="pve2")})
    assert [each.node for each in found if each.role == "replica"] == copies


def test_arrangements_are_read_from_our_rules_alone() -> None:
    servers = {100: guest(), 101: ObservedServer("pbx-002", "pve2", "running", Size(1, 1, 1), fleet="contract")}
    both = frozenset({"ct:100", "ct:101"})
    name = rules.name_of_set("contract", "apart", ["pbx-001", "pbx-002"])
    ours = rules.Rule(name, "resource-affinity", both, affinity="negative")
    theirs = rules.Rule("keep", "resource-affinity", both, affinity="negative")
    safe = Safety(FLEET, Registered({"ct:100": MINE}, (ours, theirs)))
    assert safe.arrangements(servers) == {Arrangement("apart", frozenset({"pbx-001", "pbx-002"}))}


def test_a_strangers_guest_has_no_replica_of_ours() -> None:
    stranger = ObservedServer("theirs", "pve1", "running", Size(1, 1, 1))
    assert Safety(FLEET, None, True, {}, (jobs.job(JOB, {"last_sync": 1}),)).beside({100: stranger}) == [stranger]


def test_a_server_the_ha_manager_brought_elsewhere_has_its_home_where_its_rule_prefers_it() -> None:
    def home(node: str, rule: rules.Rule, row: dict[str, object] | None = None) -> str:
        registered = Registered({"ct:100": row or MINE}, (rule,))
        return Safety(FLEET, registered, True, {"ct:100": "started"}, ()).beside({100: guest("running", node)})[0].home

    assert home("pve2", RULE) == "pve1"
    assert home("pve1", RULE) == ""
    flat = rules.Rule(RULE.name, RULE.kind, RULE.resources, {"pve1": 0, "pve2": 0}, True)
    assert home("pve2", flat) == "", "without preferences it is at home on either"
    assert home("pve2", RULE, {"sid": "ct:100", "state": "started", "comment": "somebody else's"}) == ""
