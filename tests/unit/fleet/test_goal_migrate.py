# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal migrate: named servers to a named node, or each to the best one."""

from __future__ import annotations

import fleets as b
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.migrate import migrate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import MigrateOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Failover, Replication, Size

THREE = [b.node(f"n{i}") for i in (1, 2, 3)]
THREE_SEEN = [b.seen(f"n{i}") for i in (1, 2, 3)]


def memory(name, mib, **facts):
    return b.server(name, size=Size(0.1, mib, 16), **facts)


def plan_for(servers, places, options, *, rules=(), nodes=None, seen=None):
    guests = [b.guest(s, places[s.name]) for s in servers if s.name in places]
    return migrate(b.fleet(nodes or THREE, servers, rules), b.observed(seen or THREE_SEEN, guests), options)


def moves(plan):
    return {step.server: step.node for step in plan.steps if step.action == "move"}


def test_named_servers_go_to_the_named_node():
    servers = [b.server("pbx1"), b.server("pbx2"), b.server("web")]
    plan = plan_for(servers, {"pbx1": "n1", "pbx2": "n2", "web": "n1"}, MigrateOptions(("pbx1", "pbx2"), "n3"))
    assert moves(plan) == {"pbx1": "n3", "pbx2": "n3"}
    assert plan.steps[0].reason.startswith("asked for; ")
    assert plan.placement == {"pbx1": "n3", "pbx2": "n3", "web": "n1"}


def test_without_a_node_each_goes_to_the_best_one():
    servers = [b.server("pbx1"), memory("big", 4000), memory("middle", 2000)]
    plan = plan_for(servers, {"pbx1": "n1", "big": "n2", "middle": "n3"}, MigrateOptions(("pbx1",)))
    assert moves(plan) == {"pbx1": "n3"}


def test_who_is_there_already_stays():
    servers = [b.server("pbx1"), b.server("pbx2")]
    plan = plan_for(servers, {"pbx1": "n1", "pbx2": "n2"}, MigrateOptions(("pbx1", "pbx2"), "n2"))
    assert moves(plan) == {"pbx1": "n2"}
    assert plan.notes == ("pbx2 is on n2 already",)


def test_the_cheapest_others_make_room():
    servers = [memory("big", 6000), memory("small", 3000), memory("middle", 4000)]
    plan = plan_for(servers, {"big": "n1", "small": "n2", "middle": "n2"}, MigrateOptions(("big",), "n2"))
    assert len(plan.steps) == 3
    assert moves(plan)["big"] == "n2"
    servers = [memory("big", 4000), memory("small", 3000), memory("middle", 4000)]
    plan = plan_for(servers, {"big": "n1", "small": "n2", "middle": "n2"}, MigrateOptions(("big",), "n2"))
    assert len(plan.steps) == 2
    assert "makes room for big" in plan.steps[0].reason


def test_who_was_asked_for_does_not_make_room_for_the_others():
    servers = [memory("big", 6000), memory("there", 3000), memory("other", 1000)]
    options = MigrateOptions(("big", "there"), "n2")
    plan = plan_for(servers, {"big": "n1", "there": "n2", "other": "n2"}, options)
    assert not plan.steps
    assert "there is asked onto n2" in plan.refusals[0].conflict
    assert "there takes 3000 MiB of memory" in plan.refusals[0].conflict


def test_those_kept_apart_from_it_make_way():
    servers = [b.server("sip1"), b.server("sip2")]
    plan = plan_for(
        servers, {"sip1": "n1", "sip2": "n2"}, MigrateOptions(("sip1",), "n2"), rules=[b.apart("sip1", "sip2")]
    )
    assert moves(plan) == {"sip2": "n3", "sip1": "n2"}
    assert [step.id for step in plan.steps] == ["move/sip2", "move/sip1"]
    assert plan.steps[1].needs == ("move/sip2",)


def test_servers_tied_together_go_together():
    servers = [b.server("web"), b.server("db")]
    plan = plan_for(servers, {"web": "n1", "db": "n1"}, MigrateOptions(("web",), "n2"), rules=[b.together("web", "db")])
    assert moves(plan) == {"web": "n2", "db": "n2"}
    assert plan.notes == ("db goes with them: it is tied to web",)


def test_a_server_pinned_elsewhere_is_refused():
    servers = [b.server("pbx1", node="n1")]
    plan = plan_for(servers, {"pbx1": "n1"}, MigrateOptions(("pbx1",), "n2"))
    assert plan.refusals[0].reason == "fits nowhere; n2: pbx1 is pinned to n1"
    assert plan.refusals[0].conflict == ("pbx1 is asked onto n2", "pbx1 is pinned to n1")


def test_room_that_cannot_be_made_is_told_by_a_smallest_set_of_facts():
    servers = [memory("big", 6000), memory("fixed", 3000, node="n2"), memory("free", 1000)]
    plan = plan_for(servers, {"big": "n1", "fixed": "n2", "free": "n2"}, MigrateOptions(("big",), "n2"))
    assert plan.refusals[0].conflict == (
        "big is asked onto n2",
        "fixed is pinned to n2",
        "big takes 6000 MiB of memory",
        "fixed takes 3000 MiB of memory",
        "n2 has 8192 MiB of memory",
    )


def test_two_full_nodes_swap_through_a_third():
    nodes = [*THREE]
    servers = [memory("a", 8000), memory("c", 8000)]
    plan = plan_for(servers, {"a": "n1", "c": "n2"}, MigrateOptions(("a",), "n2"), nodes=nodes)
    assert moves(plan) == {"c": "n3", "a": "n2"}


def test_a_failure_that_could_be_survived_is_not_given_up_for_a_wish():
    kept = memory("kept", 6000, failover=Failover(mode="auto"), replication=Replication("interval", 60))
    wanted = memory("wanted", 3000)
    guests = [b.guest(kept, "n1"), b.guest(kept, "n2", role="replica", state="stopped"), b.guest(wanted, "n3")]
    plan = migrate(b.fleet(THREE, [kept, wanted]), b.observed(THREE_SEEN, guests), MigrateOptions(("wanted",), "n2"))
    assert not plan.steps
    assert plan.refusals[0].conflict == ("wanted is asked onto n2", "the death of n1 has to stay survivable")


def test_nobody_takes_the_only_backup_of_a_peer_it_is_kept_apart_from():
    """Were n1 to die, sip1 could only run on n3, since only n1 and n3 have what it needs; n3 would be evener."""
    nodes = [b.node(f"n{i}", devices=frozenset({"dongle"} if i in (1, 3) else ())) for i in (1, 2, 3, 4)]
    seen = [b.seen(f"n{i}") for i in (1, 2, 3, 4)]
    fails_over = {"failover": Failover(mode="auto")}
    sip1 = b.server("sip1", devices=frozenset({"dongle"}), **fails_over)
    sip2, other = b.server("sip2", **fails_over), b.server("other")
    guests = [b.guest(sip1, "n1"), b.guest(sip2, "n2"), b.guest(other, "n4")]
    what = b.fleet(nodes, [sip1, sip2, other], [b.apart("sip1", "sip2")])
    plan = migrate(what, b.observed(seen, guests), MigrateOptions(("sip2",)))
    assert moves(plan) == {"sip2": "n4"}
    assert plan.backups["sip1"] == "n3"
    assert all(proof.holds for proof in plan.survival_after)


def test_a_node_that_takes_nobody_is_refused():
    seen = [THREE_SEEN[0], b.seen("n2", maintenance=True), THREE_SEEN[2]]
    plan = plan_for([b.server("pbx1")], {"pbx1": "n1"}, MigrateOptions(("pbx1",), "n2"), seen=seen)
    assert (plan.refusals[0].subject, plan.refusals[0].reason) == ("n2", "is drained")


def test_names_nobody_has_and_servers_nobody_can_move_are_named_at_once():
    servers = [b.server("pbx1"), b.server("new"), b.server("lost")]
    seen = [THREE_SEEN[0], THREE_SEEN[1], b.silent("n3")]
    guests = [b.guest(servers[0], "n1"), b.guest(servers[2], "n3", state="unknown")]
    options = MigrateOptions(("pbx11", "new", "lost"), "n22")
    plan = migrate(b.fleet(THREE, servers), b.observed(seen, guests), options)
    reasons = {refusal.subject: refusal.reason for refusal in plan.refusals}
    assert reasons == {
        "pbx11": "no such virtual server; there is pbx1 (the nearest name)",
        "n22": "no such node; there is n2 (the nearest name)",
        "new": "does not exist yet; site creates it",
        "lost": "is on n3, which does not answer",
    }
