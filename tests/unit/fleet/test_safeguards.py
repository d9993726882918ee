# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replicas and protections in plans: what is declared, in an order in which nobody is ever less safe than before."""

from __future__ import annotations

from dataclasses import replace

import fleets as b
import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.arrangements import MOST_PAIRS, arrangements
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.digest import digest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.document import from_document, to_document
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.explain import diff_of, headline, plan_text
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.converge import converge
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.drain import drain
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.migrate import migrate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import DrainOptions, MigrateOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Abilities,
    Arrangement,
    Copying,
    Failover,
    Observed,
    ObservedServer,
    Plan,
    Protection,
    Replication,
    Rule,
    Server,
)

ALL = Abilities(replicates=True, protects=True, arranges=True, shortest_interval=60)
THREE = [b.node(f"n{i}") for i in (1, 2, 3)]
SEEN = [b.seen(f"n{i}") for i in (1, 2, 3)]


def safe(name: str = "a", **facts: object) -> Server:
    return b.server(name, **{"replication": Replication("interval", 300), "failover": Failover("auto"), **facts})


def copy(of: Server, on: str, **facts: object) -> ObservedServer:
    """A complete replica, refreshed as declared."""
    copying = Copying(**{"interval": 300, "refreshed": 1.0, **facts})
    return b.guest(of, on, role="replica", state="stopped", copying=copying)


def guarded(of: Server, on: str, *backups: str, **facts: object) -> ObservedServer:
    protection = Protection(**{"nodes": (on, *backups), "strict": True, "keeps": "running", **facts})
    return b.guest(of, on, protection=protection)


def seen(*guests: ObservedServer, nodes: list[object] | None = None, **facts: object) -> Observed:
    return b.observed(nodes or SEEN, guests, **{"abilities": ALL, **facts})  # type: ignore[arg-type]


def ids(plan: Plan) -> list[str]:
    return [step.id for step in plan.steps if step.action != "gate"]


# ---------------------------------------------------------------- what is declared


def test_a_new_server_is_copied_and_then_protected() -> None:
    plan = converge(b.fleet(THREE, [safe()]), seen())
    assert ids(plan) == ["create/a", "start/a", "replicate/a", "protect/a"]
    made, guard = plan.steps[2:]
    assert made.needs == ("create/a", "start/a") and made.cost.copied == 1024
    assert "replicate/a" in guard.needs
    assert (guard.node, guard.backups) == (made.source, (made.node,))
    assert plan.backups == {"a": made.node}


def test_what_the_nodes_know_otherwise_is_told_and_nothing_is_copied() -> None:
    a = safe()
    outdated = (("vs_checks", "none", "http 80 / within 30 s"),)
    plan = converge(b.fleet(THREE, [a]), seen(guarded(a, "n1", "n3"), copy(a, "n3", outdated=outdated)))
    (told,) = plan.steps
    assert told.changes == {"vs_checks": ("none", "http 80 / within 30 s")}
    assert (told.id, told.cost.copied) == ("replicate/a", 0)
    assert "nothing is copied" in told.reason


def test_what_is_so_needs_nothing() -> None:
    a = safe()
    assert ids(converge(b.fleet(THREE, [a]), seen(guarded(a, "n1", "n2"), copy(a, "n2")))) == []


def test_the_declared_backup_is_copied_to_before_the_old_copy_goes() -> None:
    nodes = [b.node("n1", backup="n3"), *THREE[1:]]
    a = safe()
    plan = converge(b.fleet(nodes, [a]), seen(guarded(a, "n1", "n2"), copy(a, "n2")))
    assert ids(plan) == ["replicate/a", "protect/a", "unreplicate/a@n2"]
    assert [step.needs for step in plan.steps] == [(), ("replicate/a",), ("replicate/a", "protect/a")]
    assert plan.steps[1].changes == {"failover": ("n1, then n2 only", "n1, then n3 only")}


def test_a_declared_backup_that_is_drained_moves_no_replica() -> None:
    nodes = [b.node("n1", backup="n3"), *THREE[1:]]
    a = safe()
    drained = [*SEEN[:2], b.seen("n3", maintenance=True)]
    assert ids(converge(b.fleet(nodes, [a]), seen(guarded(a, "n1", "n2"), copy(a, "n2"), nodes=drained))) == []


def test_a_silent_backup_keeps_its_replicas_and_is_named() -> None:
    a = safe()
    nodes = [b.seen("n1"), b.silent("n2"), b.seen("n3")]
    plan = converge(b.fleet(THREE, [a]), seen(guarded(a, "n1", "n2"), copy(a, "n2"), nodes=nodes))
    assert ids(plan) == []
    assert any("the replicas of a there wait for it" in note for note in plan.notes)


def test_a_backup_that_is_out_of_service_for_good_is_replaced() -> None:
    a = safe()
    nodes = [THREE[0], b.node("n2", state="maintenance"), THREE[2]]
    plan = converge(b.fleet(nodes, [a]), seen(guarded(a, "n1", "n2"), copy(a, "n2")))
    assert ids(plan) == ["replicate/a", "protect/a", "unreplicate/a@n2"]
    assert plan.steps[0].node == "n3"


def test_without_any_node_for_a_backup_all_stays_as_it_is() -> None:
    a = safe()
    nodes = [THREE[0], b.node("n2", state="maintenance")]
    plan = converge(b.fleet(nodes, [a]), seen(guarded(a, "n1", "n2"), copy(a, "n2"), nodes=SEEN[:2]))
    assert ids(plan) == []
    assert any("a: no node can be the backup now" in note for note in plan.notes)


def test_what_somebody_else_set_up_is_counted_and_named() -> None:
    a = safe()
    plan = converge(
        b.fleet(THREE, [a]), seen(guarded(a, "n1", "n3", foreign=True), copy(a, "n3", foreign=True, interval=0))
    )
    assert ids(plan) == []
    assert any("the protection of a, the replica of a on n3: set up by somebody else" in note for note in plan.notes)


@pytest.mark.parametrize("mode", ["manual", "off"])
def test_who_no_longer_fails_over_by_itself_is_left_to_itself(mode: str) -> None:
    a = safe(failover=Failover(mode))  # type: ignore[arg-type]
    assert ids(converge(b.fleet(THREE, [a]), seen(guarded(a, "n1", "n2"), copy(a, "n2")))) == ["unprotect/a"]


def test_who_is_left_to_itself_is_so_although_nobody_would_start_it_elsewhere_just_now() -> None:
    """The last one that is told so: of the nodes' agents none reports a cluster any more that nobody needs."""
    a, idle = safe(failover=Failover("manual")), replace(ALL, protects=False)
    there = [guarded(a, "n1", "n2"), copy(a, "n2")]
    assert ids(converge(b.fleet(THREE, [a]), seen(*there, abilities=idle))) == ["unprotect/a"]
    foreign = seen(guarded(a, "n1", "n2", foreign=True), copy(a, "n2"), abilities=idle)
    assert ids(converge(b.fleet(THREE, [a]), foreign)) == []
    assert ids(converge(b.fleet(THREE, [safe()]), seen(*there, abilities=idle))) == [], "a cluster may come back"


@pytest.mark.parametrize("why", ["trouble", "waits", "foreign"])
def test_a_replica_the_platform_still_counts_on_stays(why: str) -> None:
    nodes = [b.node("n1", backup="n3"), *THREE[1:]]
    a = safe()
    held = guarded(a, "n1", "n2", **{why: True if why == "foreign" else "so it is"})
    assert ids(converge(b.fleet(nodes, [a]), seen(held, copy(a, "n2")))) == ["replicate/a"]


def test_one_in_trouble_is_left_to_itself_where_that_is_declared() -> None:
    a = safe(failover=Failover())
    there = seen(guarded(a, "n1", "n2", trouble="gave it up"), copy(a, "n2"))
    assert ids(converge(b.fleet(THREE, [a]), there)) == ["unprotect/a"]


def test_unreplicated_it_is_unprotected_first() -> None:
    a = safe(replication=Replication(), failover=Failover())
    plan = converge(b.fleet(THREE, [a]), seen(guarded(a, "n1", "n2"), copy(a, "n2")))
    assert ids(plan) == ["unprotect/a", "unreplicate/a@n2"]
    assert plan.steps[1].needs == ("unprotect/a",)


def test_the_state_it_is_kept_in_goes_with_a_start_or_a_stop() -> None:
    a = safe(state="stopped")
    plan = converge(b.fleet(THREE, [a]), seen(guarded(a, "n1", "n2"), copy(a, "n2")))
    assert ids(plan) == ["stop/a"]
    resting = replace(guarded(a, "n1", "n2"), state="stopped")
    plan = converge(b.fleet(THREE, [a]), seen(resting, copy(a, "n2")))
    assert plan.steps[0].changes == {"kept": ("running", "stopped")}


def test_one_the_platform_gave_up_is_not_started() -> None:
    a = safe()
    stopped = replace(guarded(a, "n1", "n2", trouble="gave it up: do this"), state="stopped")
    plan = converge(b.fleet(THREE, [a]), seen(stopped, copy(a, "n2")))
    assert ids(plan) == []
    assert "a: gave it up: do this" in plan.notes


# ---------------------------------------------------------------- what cannot be


def test_an_engine_without_it_says_so_and_plans_nothing() -> None:
    plan = converge(b.fleet(THREE, [safe()]), seen(abilities=Abilities()))
    assert ids(plan) == ["create/a", "start/a"]
    assert [note for note in plan.notes if "without effect" in note] == [
        "vs_replication of a is checked and kept, without effect: the engine incus keeps no replicas yet",
        "vs_failover: auto of a is checked and kept, without effect: the engine incus starts no servers elsewhere by "
        "itself yet",
    ]


def test_a_pool_that_cannot_be_replicated_is_refused_with_what_can() -> None:
    abilities = replace(ALL, unreplicable={"default": "is of type dir; only zfspool is replicated"})
    plan = converge(b.fleet(THREE, [safe(f"s{i}") for i in range(3)]), seen(abilities=abilities))
    assert [(each.subject, each.reason) for each in plan.refusals] == [
        ("s0, s1, s2", "vs_replication: pool default is of type dir; only zfspool is replicated")
    ]
    assert plan.steps == ()


def test_what_counts_is_the_pool_a_server_is_on() -> None:
    abilities = replace(ALL, unreplicable={"old": "is of type dir; only zfspool is replicated"})
    a = safe()
    plan = converge(b.fleet(THREE, [a]), seen(b.guest(a, "n1", pool="old"), abilities=abilities))
    assert [each.reason for each in plan.refusals] == [
        "vs_replication: pool old is of type dir; only zfspool is replicated"
    ]


def test_replication_in_step_is_refused_where_there_is_none() -> None:
    plan = converge(b.fleet(THREE, [safe(replication=Replication("sync"))]), seen())
    assert "declare an interval" in plan.refusals[0].reason


IN_STEP = replace(ALL, synchronous=True)
SYNC = Replication("sync")


def test_a_new_server_in_step_is_replicated_and_then_protected() -> None:
    plan = converge(b.fleet(THREE, [safe(replication=SYNC)]), seen(abilities=IN_STEP))
    assert ids(plan) == ["create/a", "start/a", "replicate/a", "protect/a"]
    assert plan.steps[2].changes["interval"] == (None, "in step")


def test_what_is_in_step_as_declared_needs_nothing() -> None:
    a = safe(replication=SYNC)
    there = seen(guarded(a, "n1", "n2"), copy(a, "n2", interval=0, in_step=True), abilities=IN_STEP)
    assert ids(converge(b.fleet(THREE, [a]), there)) == []


def test_in_step_and_at_an_interval_are_told_apart() -> None:
    a, kept = safe(replication=SYNC), safe()
    there = seen(guarded(a, "n1", "n2"), copy(a, "n2"), abilities=IN_STEP)
    (step,) = [each for each in converge(b.fleet(THREE, [a]), there).steps if each.action == "replicate"]
    assert step.changes == {"interval": ("300 s", "in step")}
    there = seen(guarded(kept, "n1", "n2"), copy(kept, "n2", interval=0, in_step=True), abilities=IN_STEP)
    (step,) = [each for each in converge(b.fleet(THREE, [kept]), there).steps if each.action == "replicate"]
    assert step.changes == {"interval": ("in step", "300 s")}


def test_failover_to_where_the_disk_is_not_is_refused() -> None:
    plan = converge(b.fleet(THREE, [safe(replication=Replication())]), seen())
    assert "its disk would be nowhere else" in plan.refusals[0].reason
    shared = replace(ALL, shared_pools=frozenset({"default"}))
    plan = converge(b.fleet(THREE, [safe(replication=Replication())]), seen(abilities=shared))
    assert ids(plan) == ["create/a", "start/a", "protect/a"]


# ---------------------------------------------------------------- moves


def test_a_move_to_the_replica_leaves_it_where_the_server_was() -> None:
    a = safe()
    plan = migrate(
        b.fleet(THREE, [a]),
        seen(guarded(a, "n1", "n2"), copy(a, "n2")),
        MigrateOptions(servers=frozenset({"a"}), node="n2"),
    )
    assert ids(plan) == ["move/a", "protect/a"]
    assert plan.steps[0].manner == "switch"
    assert (plan.steps[1].node, plan.steps[1].backups, plan.steps[1].needs) == ("n2", ("n1",), ("move/a",))


def test_a_replica_that_is_not_complete_is_no_way_to_move() -> None:
    a = safe()
    plan = migrate(
        b.fleet(THREE, [a]),
        seen(guarded(a, "n1", "n2"), copy(a, "n2", refreshed=0.0)),
        MigrateOptions(servers=frozenset({"a"}), node="n2"),
    )
    assert plan.steps[0].manner == "copy"


def test_what_moves_touch_nobody_who_was_not_safe_before() -> None:
    a, c = safe(), safe("c")
    plan = migrate(
        b.fleet(THREE, [a, c]), seen(b.guest(a, "n1"), b.guest(c, "n2")), MigrateOptions(frozenset({"a"}), "n3")
    )
    assert ids(plan) == ["move/a"]


def test_drained_of_replicas_a_node_is_nobodys_backup() -> None:
    a = safe()
    plan = drain(b.fleet(THREE, [a]), seen(guarded(a, "n1", "n2"), copy(a, "n2")), DrainOptions(nodes=("n2",)))
    assert ids(plan) == ["maintenance/n2", "replicate/a", "protect/a", "unreplicate/a@n2"]


# ---------------------------------------------------------------- together and apart


def rule(kind: str, subjects: str, others: str, **facts: object) -> Rule:
    return Rule(kind, frozenset(subjects), frozenset(others), **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (rule("apart", "abc", "abc"), ["apart abc"]),
        (rule("apart", "a", "bc"), ["apart ab", "apart ac"]),
        (rule("apart", "abc", "abc", over="failure_domain"), ["apart abc"]),
        (rule("apart", "abc", "abc", hard=False), []),
        (rule("together", "d", "e"), ["together de"]),
        (rule("together", "d", "e", over="failure_domain"), []),
        (rule("apart", "az", "az"), []),
    ],
)
def test_hard_rules_among_the_protected_are_handed_over_as_sets(given: Rule, wanted: list[str]) -> None:
    fleet = b.fleet(THREE, [b.server(each) for each in "abcdez"], [given])
    where = {"a": "n1", "b": "n2", "c": "n3", "d": "n1", "e": "n1", "z": "n2"}
    told = arrangements(fleet, where, set("abcde"))
    assert sorted(f"{each.kind} {''.join(sorted(each.servers))}" for each in told.wanted) == wanted
    assert told.notes == ()


def test_what_does_not_hold_yet_is_not_handed_over() -> None:
    fleet = b.fleet(THREE, [b.server(each) for each in "abde"], [rule("apart", "ab", "ab"), rule("together", "d", "e")])
    told = arrangements(fleet, {"a": "n1", "b": "n1", "d": "n1", "e": "n2"}, set("abde"))
    assert told.wanted == frozenset()
    assert told.notes == (
        "a, b: the platform is not told to keep them apart yet, as a and b are both on n1",
        "d, e: the platform is not told to keep them together yet, as they are on n1, n2",
    )


def test_ties_that_meet_are_one_and_a_set_within_another_says_nothing() -> None:
    ties = [rule("together", "a", "b"), rule("together", "b", "c"), rule("apart", "de", "de"), rule("apart", "d", "e")]
    fleet = b.fleet(THREE, [b.server(each) for each in "abcde"], ties)
    told = arrangements(fleet, {"a": "n1", "b": "n1", "c": "n1", "d": "n1", "e": "n2"}, set("abcde"))
    assert told.wanted == {
        Arrangement("together", frozenset("abc")),
        Arrangement("apart", frozenset("de")),
    }


def test_more_pairs_than_a_platform_is_to_know_are_left_to_plans() -> None:
    names = [f"s{i:03}" for i in range(MOST_PAIRS + 2)]
    one = Rule("apart", frozenset(names[:1]), frozenset(names[1:]), label="sip")
    fleet = b.fleet(THREE, [b.server(each) for each in names], [one])
    told = arrangements(fleet, dict.fromkeys(names, "n1") | {names[0]: "n2"}, set(names))
    assert told.wanted == frozenset()
    assert told.notes[0].startswith("anti-affinity sip: 65 pairs are more than the platform is told of")


def test_sets_come_after_protection_and_go_before_it_ends() -> None:
    a, c = safe(), safe("c")
    together = b.fleet(THREE, [a, c], [b.apart("a", "c")])
    plan = converge(together, seen())
    assert ids(plan)[-1] == "arrange/apart/a+c"
    assert plan.steps[-1].needs == ("protect/a", "protect/c")
    off = replace(together, servers={"a": a, "c": replace(c, failover=Failover())})
    there = seen(
        guarded(a, "n1", "n3"),
        copy(a, "n3"),
        guarded(c, "n2", "n3"),
        copy(c, "n3"),
        arrangements=frozenset({Arrangement("apart", frozenset("ac"))}),
    )
    plan = converge(off, there)
    assert ids(plan) == ["arrange/apart/a+c/not", "unprotect/c"]
    assert plan.steps[1].needs == ("arrange/apart/a+c/not",)


# ---------------------------------------------------------------- for people, and for later


def test_a_plan_is_told_shown_and_kept() -> None:
    a, c = safe(), safe("c")
    fleet = b.fleet(THREE, [a, c], [b.apart("a", "c")])
    plan = converge(fleet, seen())
    assert from_document(to_document(plan)) == plan
    assert headline(plan) == "converge: 2 to create, 2 to start, 2 to replicate, 2 to protect, 1 to keep apart"
    assert "keep apart a, c" in plan_text(fleet, plan)
    assert "from n1, 1.0 GiB; the best backup there is" in plan_text(fleet, plan)
    assert any("failover: " in each["after"] for each in diff_of(plan.steps))


def test_a_plan_stays_good_while_replicas_are_refreshed() -> None:
    a = safe()
    fleet = b.fleet(THREE, [a])
    before = seen(guarded(a, "n1", "n2", state="started"), copy(a, "n2"))
    after = seen(guarded(a, "n1", "n2", state="queued"), copy(a, "n2", refreshed=99.0, failures=1, failure="no"))
    gone = seen(guarded(a, "n1", "n2"), copy(a, "n2", refreshed=0.0))
    assert digest(fleet, before) == digest(fleet, after) != digest(fleet, gone)
