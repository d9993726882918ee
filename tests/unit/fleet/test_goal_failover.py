# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node is dead, or taken for dead: who runs again, where, in which order; who does not, and what may die next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.failover import failover
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import FailoverOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Abilities,
    Copying,
    Failover,
    Observed,
    ObservedNode,
    Plan,
    Protection,
    Replication,
    Rule,
    Server,
    Size,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.schedule import waves
from fleets import apart, fleet, guest, node, observed, seen, server, silent, stranger

REPLICATED = {"failover": Failover("auto"), "replication": Replication("interval", 300)}
NODES = ("a", "b", "c")


def there(
    servers: Iterable[Server], homes: dict[str, str], replicas: dict[str, str], *, dead: str = "", **nodes: ObservedNode
) -> Observed:
    """Servers on a, b and c, replicas beside them; the dead node does not answer, its servers are unknown."""
    servers = list(servers)
    guests = [guest(its, homes[its.name], state="unknown" if homes[its.name] == dead else "running") for its in servers]
    guests += [
        guest(its, replicas[its.name], role="replica", state="stopped")
        for its in servers
        if its.name in replicas and replicas[its.name] != dead
    ]
    found = {name: silent(name) if name == dead else nodes.get(name, seen(name)) for name in NODES}
    return observed(found.values(), guests)


def planned(
    servers: Iterable[Server], seen_there: Observed, *dead: str, rules: Iterable[Rule] = (), **backups: str
) -> Plan:
    """The plan for the death of these nodes."""
    servers = list(servers)
    nodes = [node(name, backup=backups.get(name, "")) for name in NODES]
    return failover(fleet(nodes, servers, rules), seen_there, FailoverOptions(dead))


def starts(plan: Plan) -> dict[str, str]:
    """Server -> the node it is started on, in the plan's order."""
    return {step.server: step.node for step in plan.steps if step.action == "start"}


def test_servers_of_a_dead_node_start_where_their_replicas_are() -> None:
    servers = [server("s", **REPLICATED), server("t", **REPLICATED), server("u", **REPLICATED)]
    plan = planned(
        servers, there(servers, {"s": "a", "t": "a", "u": "b"}, {"s": "b", "t": "c", "u": "c"}, dead="a"), "a"
    )
    assert starts(plan) == {"s": "b", "t": "c"}
    assert plan.placement == {"s": "b", "t": "c", "u": "b"}
    (first, _second) = plan.steps
    assert first.reason == "a is dead, b is its backup; b cores 12 % → 25 %; data at most 300 s old"
    assert "2 of 2 servers start again, on 2 nodes" in plan.notes


def test_a_drill_says_the_same_while_the_node_answers() -> None:
    servers = [server("s", **REPLICATED)]
    homes, replicas = {"s": "a"}, {"s": "b"}
    drill, real = (planned(servers, there(servers, homes, replicas, dead=dead), "a") for dead in ("", "a"))
    assert drill.steps == real.steps
    assert "a answers: this is a drill" in drill.notes
    assert not any("drill" in note for note in real.notes)


def test_nothing_is_started_before_what_has_a_lower_start_order() -> None:
    servers = [
        server("db", start_order=10, start_delay=5, **REPLICATED),
        server("pbx", start_order=20, **REPLICATED),
    ]
    plan = planned(servers, there(servers, {"db": "a", "pbx": "a"}, {"db": "b", "pbx": "c"}, dead="a"), "a")
    assert [step.id for step in plan.steps] == ["start/db", "gate/start-20", "start/pbx"]
    assert plan.steps[1].pause == 5
    assert waves(plan.steps) == {"start/db": 0, "gate/start-20": 0, "start/pbx": 1}


def test_where_not_all_fit_those_that_start_last_are_left_out() -> None:
    servers = [
        server("a-late", start_order=90, size=Size(1, 3072, 512), **REPLICATED),
        server("b-early", start_order=10, size=Size(1, 3072, 512), **REPLICATED),
        server("small", start_order=95, size=Size(1, 1024, 512), **REPLICATED),
    ]
    homes, replicas = (
        dict.fromkeys(("a-late", "b-early", "small"), "a"),
        dict.fromkeys(("a-late", "b-early", "small"), "b"),
    )
    plan = planned(servers, there(servers, homes, replicas, dead="a", b=seen("b", memory=4096)), "a")
    assert list(starts(plan)) == ["b-early", "small"]
    assert "not started: a-late: not enough memory left on b after all that start before" in plan.notes
    assert plan.placement["a-late"] == "a"
    # What is left on the dead node is lost already: the next death is asked about without it.
    assert [(proof.lost, proof.holds) for proof in plan.survival_after] == [("b", True)]


def test_who_does_not_fail_over_is_said_and_why() -> None:
    servers = [
        server("off"),
        server("peer", failover=Failover("auto", "activate")),
        server("vip", failover=Failover("auto", "none")),
        server("rests", state="stopped", **REPLICATED),
        server("bare", **REPLICATED),
    ]
    homes = dict.fromkeys((its.name for its in servers), "a")
    plan = planned(servers, there(servers, homes, {}, dead="a"), "a")
    assert not plan.steps
    assert set(plan.notes) >= {
        "not started: off: failover is off",
        "not started: peer: its peer is told to take over instead",
        "not started: vip: its service moves by itself",
        "not started: rests: declared stopped",
        "not started: bare: its replica was never made",
        "0 of 5 servers start again",
    }
    assert not any("no replica yet" in note for note in plan.notes)


def test_a_drill_counts_replicas_that_are_still_to_be_made_and_says_so() -> None:
    servers = [server("s", **REPLICATED)]
    plan = planned(servers, there(servers, {"s": "a"}, {}), "a", a="c")
    assert starts(plan) == {"s": "c"}
    assert "s: no replica yet; counted as if there were" in plan.notes


def test_a_server_without_replication_starts_where_its_disk_is_reached() -> None:
    servers = [server("s", failover=Failover("auto"))]
    plan = planned(servers, there(servers, {"s": "a"}, {}, dead="a"), "a", a="b")
    assert starts(plan) == {"s": "b"}
    assert plan.steps[0].reason.endswith("its disk is where it was")


def test_manual_failover_is_planned_and_marked() -> None:
    servers = [server("s", failover=Failover("manual"), replication=Replication("sync"))]
    plan = planned(servers, there(servers, {"s": "a"}, {"s": "b"}, dead="a"), "a")
    assert plan.steps[0].reason.endswith("no data lost; by hand: vs_failover is manual")


def test_a_backup_that_dies_too_starts_nobody() -> None:
    servers = [server("s", **REPLICATED), server("t", **REPLICATED)]
    plan = planned(servers, there(servers, {"s": "a", "t": "b"}, {"s": "b", "t": "c"}), "a", "b")
    assert starts(plan) == {"t": "c"}
    assert "not started: s: its backup b is dead too" in plan.notes


def test_a_drained_backup_starts_nobody() -> None:
    servers = [server("s", **REPLICATED)]
    plan = planned(servers, there(servers, {"s": "a"}, {"s": "b"}, dead="a", b=seen("b", maintenance=True)), "a")
    assert "not started: s: its backup b is drained" in plan.notes


def test_everybody_who_lost_a_backup_gets_a_new_one_and_n_plus_1_is_proven_again() -> None:
    servers = [server("s", **REPLICATED), server("t", **REPLICATED)]
    plan = planned(servers, there(servers, {"s": "a", "t": "b"}, {"s": "b", "t": "a"}, dead="a"), "a")
    assert plan.backups == {"s": "c", "t": "c"}
    assert "new backup c: s, t" in plan.notes
    assert all(proof.holds for proof in plan.survival_after)
    assert [proof.lost for proof in plan.survival_after] == ["b"]


def test_with_one_node_left_there_is_no_backup_for_anybody() -> None:
    servers = [server("s", **REPLICATED), server("t", **REPLICATED)]
    plan = planned(servers, there(servers, {"s": "a", "t": "b"}, {"s": "b", "t": "c"}), "a", "c")
    assert starts(plan) == {"s": "b"}
    assert plan.backups == {}
    assert "no backup is left for s, t" in plan.notes
    assert [proof.gaps for proof in plan.survival_after if not proof.holds] == [
        ("s has no backup node", "t has no backup node")
    ]


def test_a_replica_takes_no_disk_a_second_time() -> None:
    servers = [server("s", size=Size(1, 1024, 8000), **REPLICATED)]
    plan = planned(servers, there(servers, {"s": "a"}, {"s": "b"}, dead="a"), "a")
    assert starts(plan) == {"s": "b"}
    assert plan.after["b"].disk == plan.before["b"].disk


def test_replicas_left_where_they_break_a_rule_start_all_the_same_and_the_rule_is_named() -> None:
    servers = [server("s1", **REPLICATED), server("s2", **REPLICATED)]
    plan = planned(
        servers, there(servers, {"s1": "a", "s2": "b"}, {"s1": "b"}, dead="a"), "a", rules=[apart("s1", "s2")]
    )
    assert starts(plan) == {"s1": "b"}
    assert "s1 on b: anti-affinity with s2" in plan.violations_after


def test_others_that_do_not_answer_and_what_is_not_ours_are_mentioned() -> None:
    servers = [server("s", **REPLICATED)]
    found = there(servers, {"s": "a"}, {"s": "b"}, c=silent("c"))
    found = replace(found, servers=(*found.servers, stranger("x", "a")))
    plan = planned(servers, found, "a")
    assert "c does not answer either; if it is dead, name it too" in plan.notes
    assert "a carries 1 more, not managed here: lost with it" in plan.notes


def test_without_quorum_it_is_told_all_the_same() -> None:
    servers = [server("s", **REPLICATED)]
    plan = planned(servers, replace(there(servers, {"s": "a"}, {"s": "b"}, dead="a"), quorate=False), "a")
    assert starts(plan) == {"s": "b"}
    assert any(note.startswith("too few nodes answer") for note in plan.notes)


def test_names_that_are_none() -> None:
    servers = [server("s", **REPLICATED)]
    found = there(servers, {"s": "a"}, {})
    assert planned(servers, found, "d").refusals[0].subject == "d"
    assert planned(servers, found).refusals[0].reason == "names no node and no failure domain"


# ---------------------------------------------------------------- carried out

BY_HAND = Abilities(replicates=True, promotes=True)
MANUAL = {"failover": Failover("manual"), "replication": Replication("interval", 300)}


def carried_out(servers: Iterable[Server], seen_there: Observed, **options: Any) -> Plan:
    """The plan for the death of node a, on a platform that promotes when it is told to."""
    fleet_ = fleet([node(name) for name in NODES], servers)
    able = seen_there if seen_there.abilities.promotes else replace(seen_there, abilities=BY_HAND)
    return failover(fleet_, able, FailoverOptions(("a",), **options))


def test_a_replica_is_promoted_and_then_started() -> None:
    servers = [server("db", start_order=10, **MANUAL), server("pbx", start_order=20, **MANUAL)]
    plan = carried_out(servers, there(servers, {"db": "a", "pbx": "a"}, {"db": "b", "pbx": "c"}, dead="a"))
    assert [step.id for step in plan.steps] == [
        *("promote/db", "promote/pbx", "start/db", "gate/start-20", "start/pbx"),
    ]
    needs = {step.id: step.needs for step in plan.steps}
    assert needs["start/pbx"] == ("promote/pbx", "gate/start-20")
    assert needs["promote/pbx"] == (), "it waits for nobody"
    assert {step.lost for step in plan.steps if step.action == "promote"} == {("a",)}
    assert waves(plan.steps)["start/db"] == 1


def test_how_old_the_data_is_where_that_is_known() -> None:
    servers = [server("s", **MANUAL), server("t", **MANUAL)]
    found = there(servers, {"s": "a", "t": "a"}, {"s": "b", "t": "b"}, dead="a")
    kept = {"s": Copying(300, refreshed=1000.0), "t": Copying(300, 1030.0, failures=2, failure="no space")}
    guests = [replace(g, copying=kept[g.name]) if g.role == "replica" else g for g in found.servers]
    plan = carried_out(servers, replace(found, servers=tuple(guests), at=1042.0))
    assert plan.steps[-2].reason.endswith("data 42 s old; by hand: vs_failover is manual")
    assert "what was written since the last refresh is lost: 42 s at most (s), 12 s for half of them" in plan.notes
    assert "t: its last 2 refreshes failed: no space" in plan.notes


def test_how_much_may_be_lost_by_what_was_written_from_refresh_to_refresh() -> None:
    servers = [server("s", **MANUAL), server("t", **MANUAL)]
    found = there(servers, {"s": "a", "t": "a"}, {"s": "b", "t": "b"}, dead="a")
    kept = {"s": Copying(10, refreshed=1000.0, changing=2.5), "t": Copying(60, 1030.0, changing=0.4)}
    guests = [replace(g, copying=kept[g.name]) if g.role == "replica" else g for g in found.servers]
    plan = carried_out(servers, replace(found, servers=tuple(guests), at=1042.0))
    # Four intervals and a fifth of one were missed; and a part of one, of which nobody knows which.
    reasons = [step.reason for step in plan.steps if step.action == "start"]
    assert "data 42 s old, about 11 MiB lost" in reasons[0]
    assert "data 12 s old, about 1 MiB lost" in reasons[1]
    lost = "42 s at most (s), 12 s for half of them; about 11 MiB in all, 11 MiB at most (s)"
    assert f"what was written since the last refresh is lost: {lost}" in plan.notes


def test_a_replica_that_was_never_complete_starts_nobody_and_a_complete_one_elsewhere_does() -> None:
    servers = [server("s", **MANUAL), server("t", **MANUAL)]
    found = there(servers, {"s": "a", "t": "a"}, {"s": "b", "t": "b"}, dead="a")
    half = [replace(g, copying=Copying(300)) if g.role == "replica" else g for g in found.servers]
    whole = guest(servers[1], "c", role="replica", state="stopped", copying=Copying(300, 900.0))
    plan = carried_out(servers, replace(found, servers=(*half, whole)))
    assert starts(plan) == {"t": "c"}
    assert "not started: s: its replica was never complete" in plan.notes
    assert "lost until a is back: s" in plan.notes


def test_a_replica_the_server_was_moving_to_is_good_once_the_other_end_is_dead() -> None:
    servers = [server("s", **MANUAL)]
    found = there(servers, {"s": "a"}, {"s": "b"}, dead="a")
    halves = [replace(g, moving="a", copying=Copying(300, 900.0)) if g.role == "replica" else g for g in found.servers]
    assert starts(carried_out(servers, replace(found, servers=tuple(halves)))) == {"s": "b"}


def wanting(plan: Plan) -> dict[str, str]:
    """Whom the plan waits for, and why."""
    return {condition.subject: condition.reason for condition in plan.conditions}


def test_silence_is_not_death() -> None:
    servers = [server("s", **MANUAL)]
    found = there(servers, {"s": "a"}, {"s": "b"}, dead="a")
    assert "no way to cut its power (node_fence). If you" in wanting(carried_out(servers, found))["a"]
    once = wanting(carried_out(servers, found, dead=("a",)))["a"]
    assert once == "is told to be dead once; told a second time, with failover_sure=a, that is believed"
    assert "failover_dead=a" in wanting(carried_out(servers, found, sure=("a",)))["a"]
    assert not carried_out(servers, found, dead=("a",), sure=("a",)).conditions
    assert not carried_out(servers, found, fenced=("a",)).conditions
    assert "b" in wanting(failover_of_two(servers, found, fenced=("a",)))


def failover_of_two(servers: Iterable[Server], found: Observed, **options: Any) -> Plan:
    """The same with c dead as well, which nobody has fenced."""
    servers = [*servers, server("t", **MANUAL)]
    nodes = {**found.nodes, "b": silent("b")}
    guests = (*found.servers, guest(servers[-1], "b", state="unknown"))
    guests += (guest(servers[-1], "c", role="replica", state="stopped"),)
    found = replace(found, nodes=nodes, servers=guests, abilities=BY_HAND)
    return failover(fleet([node(name) for name in NODES], servers), found, FailoverOptions(("a", "b"), **options))


def test_a_node_that_answers_is_alive_whatever_anybody_says() -> None:
    servers = [server("s", **MANUAL)]
    found = there(servers, {"s": "a"}, {"s": "b"})
    plan = carried_out(servers, found, dead=("a",), sure=("a",), fenced=("a",))
    assert wanting(plan)["a"].startswith("answers, so it is alive")
    assert plan.steps, "it may be read all the same"


def test_too_few_that_answer_start_nothing() -> None:
    servers = [server("s", **MANUAL)]
    found = replace(there(servers, {"s": "a"}, {"s": "b"}, dead="a"), quorate=False)
    assert "too few nodes answer" in wanting(carried_out(servers, found, fenced=("a",)))["test"]


def test_a_platform_that_cannot_be_told_says_what_a_person_does() -> None:
    servers = [server("s", **MANUAL)]
    found = replace(
        there(servers, {"s": "a"}, {"s": "b"}, dead="a"), abilities=Abilities(protects=True, replicates=True)
    )
    plan = planned(servers, found, "a")
    assert "mv /etc/pve/nodes/DEAD" in wanting(plan)["test"]


def test_who_was_told_dead_has_to_be_named_as_well() -> None:
    servers = [server("s", **MANUAL)]
    plan = carried_out(servers, there(servers, {"s": "a"}, {"s": "b"}, dead="a"), dead=("c",), sure=("x",))
    assert [refusal.subject for refusal in plan.refusals] == ["x"]
    plan = carried_out(servers, there(servers, {"s": "a"}, {"s": "b"}, dead="a"), dead=("c",))
    assert plan.refusals[0].reason == "is told to be dead, and is none of the nodes to fail over"


def test_what_the_platform_starts_by_itself_is_left_to_it_unless_a_person_wants_it_by_hand() -> None:
    servers = [server("s", **REPLICATED), server("t", **MANUAL)]
    found = there(servers, {"s": "a", "t": "a"}, {"s": "b", "t": "b"}, dead="a")
    waits = Protection(("a", "b"), strict=True, keeps="running", waits="the cluster starts it")
    guests = [replace(g, protection=waits) if g.name == "s" and g.role == "primary" else g for g in found.servers]
    found = replace(found, servers=tuple(guests), abilities=replace(BY_HAND, protects=True))
    plan = carried_out(servers, found, fenced=("a",))
    assert [step.id for step in plan.steps] == ["promote/t", "start/t"]
    assert plan.left == {"s": "a"}
    assert plan.placement == {"s": "a", "t": "b"}, "until it has been started, it is remembered where it was"
    assert any(note.startswith("the platform starts s by itself") for note in plan.notes)
    plan = carried_out(servers, found, fenced=("a",), by_hand=True)
    assert {step.server for step in plan.steps} == {"s", "t"}
    assert plan.left == {}


def test_a_run_that_was_cut_off_after_promoting_starts_what_it_promoted() -> None:
    servers = [server("s", **MANUAL), server("t", **MANUAL)]
    found = there(servers, {"s": "a", "t": "a"}, {"t": "b"}, dead="a")
    guests = [
        guest(servers[0], "b", state="stopped", home="a", generation=1000),
        *(g for g in found.servers if g.name == "t"),
    ]
    plan = carried_out(servers, replace(found, servers=tuple(guests)), fenced=("a",))
    assert [step.id for step in plan.steps] == ["promote/t", "start/t", "start/s"]
    assert "never started here" in plan.steps[2].reason
    assert plan.placement == {"s": "b", "t": "b"}


def test_when_all_is_done_nothing_is_left_to_do_and_nothing_to_see_to() -> None:
    servers = [server("s", **MANUAL)]
    found = observed([silent("a"), seen("b"), seen("c")], [guest(servers[0], "b", home="a", generation=1000)])
    plan = carried_out(servers, found)
    assert not plan.steps
    assert not plan.conditions


def test_one_that_the_failover_brought_home_is_started_after_a_run_that_was_cut_off_as_well() -> None:
    servers = [server("s", **MANUAL), server("rests", state="stopped", **MANUAL), server("bare")]
    guests = [guest(its, "b", state="stopped", generation=2000) for its in servers]
    plan = carried_out(servers, observed([silent("a"), seen("b"), seen("c")], guests), fenced=("a",))
    assert [step.id for step in plan.steps] == ["start/s"]
    assert plan.steps[0].reason == "is to run, and stands still"
