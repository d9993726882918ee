# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal dedicate: a node for some servers, everybody else off it."""

from __future__ import annotations

import fleets as b
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.dedicate import dedicate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import DedicateOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Failover, Replication, Size

THREE = [b.node(f"n{i}") for i in (1, 2, 3)]
THREE_SEEN = [b.seen(f"n{i}") for i in (1, 2, 3)]


def plan_for(servers, places, options, *, rules=(), nodes=None, strangers=()):
    guests = [b.guest(s, places[s.name]) for s in servers]
    return dedicate(b.fleet(nodes or THREE, servers, rules), b.observed(THREE_SEEN, [*guests, *strangers]), options)


def moves(plan):
    return {step.server: step.node for step in plan.steps if step.action == "move"}


def test_others_leave_and_the_chosen_come():
    servers = [b.server("db"), b.server("web1"), b.server("web2")]
    plan = plan_for(servers, {"db": "n2", "web1": "n1", "web2": "n1"}, DedicateOptions("n1", ("db",)))
    assert plan.placement["db"] == "n1"
    assert {plan.placement["web1"], plan.placement["web2"]} == {"n2", "n3"}
    assert plan.notes == ("for this to last, the inventory has to say so: node_dedicated: [db] on n1",)


def test_full_nodes_change_places_by_way_of_a_third():
    servers = [b.server("db", size=Size(1, 8000, 16)), b.server("web", size=Size(1, 8000, 16))]
    plan = plan_for(servers, {"db": "n2", "web": "n1"}, DedicateOptions("n1", ("db",)))
    assert moves(plan) == {"web": "n3", "db": "n1"}


def test_without_a_third_place_the_swap_is_refused():
    servers = [b.server("db", size=Size(1, 8000, 16)), b.server("web", size=Size(1, 8000, 16))]
    guests = [b.guest(servers[0], "n2"), b.guest(servers[1], "n1")]
    fleet, observed = b.fleet(THREE[:2], servers), b.observed(THREE_SEEN[:2], guests)
    plan = dedicate(fleet, observed, DedicateOptions("n1", ("db",)))
    assert not plan.steps
    assert {refusal.subject for refusal in plan.refusals} == {"db", "web"}


def test_a_server_pinned_to_the_node_clashes():
    servers = [b.server("db"), b.server("web", node="n1")]
    plan = plan_for(servers, {"db": "n2", "web": "n1"}, DedicateOptions("n1", ("db",)))
    assert plan.refusals[0].conflict == ("n1 is to carry nobody but db", "web is pinned to n1")


def test_what_is_tied_to_a_chosen_server_comes_along():
    servers = [b.server("db"), b.server("cache"), b.server("web")]
    plan = plan_for(
        servers,
        {"db": "n2", "cache": "n2", "web": "n1"},
        DedicateOptions("n1", ("db",)),
        rules=[b.together("db", "cache")],
    )
    assert moves(plan) == {"db": "n1", "cache": "n1", "web": "n2"}
    assert "cache goes with them: it is tied to db" in plan.notes
    assert "for this to last, the inventory has to say so: node_dedicated: [cache, db] on n1" in plan.notes


def test_strangers_stay_and_are_named():
    servers = [b.server("db")]
    plan = plan_for(servers, {"db": "n2"}, DedicateOptions("n1", ("db",)), strangers=[b.stranger("windows", "n1")])
    assert moves(plan) == {"db": "n1"}
    assert "n1: windows stays there: not ours" in plan.notes


def test_a_node_dedicated_to_others_is_refused():
    servers = [b.server("db"), b.server("sip")]
    nodes = [b.node("n1", dedicated=frozenset({"sip"})), *THREE[1:]]
    plan = plan_for(servers, {"db": "n2", "sip": "n1"}, DedicateOptions("n1", ("db",)), nodes=nodes)
    assert plan.refusals
    assert any("n1 is dedicated to sip" in refusal.conflict for refusal in plan.refusals)


def test_what_the_inventory_says_already_lasts():
    nodes = [b.node("n1", dedicated=frozenset({"db"})), *THREE[1:]]
    servers = [b.server("db"), b.server("web")]
    plan = plan_for(servers, {"db": "n2", "web": "n1"}, DedicateOptions("n1", ("db",)), nodes=nodes)
    assert moves(plan) == {"db": "n1", "web": "n2"}
    assert plan.notes == ("the inventory has n1 dedicated to db, so it lasts",)


def test_nobody_else_has_the_node_as_backup_afterwards():
    fails_over = {"failover": Failover(mode="auto"), "replication": Replication("interval", 60)}
    servers = [b.server("db"), b.server("web", **fails_over)]
    guests = [b.guest(servers[0], "n2"), b.guest(servers[1], "n3")]
    guests.append(b.guest(servers[1], "n1", role="replica", state="stopped"))
    plan = dedicate(b.fleet(THREE, servers), b.observed(THREE_SEEN, guests), DedicateOptions("n1", ("db",)))
    assert plan.backups == {"web": "n2"}


def test_mistakes_are_named():
    plan = plan_for([b.server("db")], {"db": "n2"}, DedicateOptions("n9", ("dbb",)))
    assert {refusal.subject for refusal in plan.refusals} == {"n9", "dbb"}
    plan = plan_for([b.server("db")], {"db": "n2"}, DedicateOptions("n1"))
    assert plan.refusals[0].reason == "names no server"
