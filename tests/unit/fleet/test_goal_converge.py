# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal converge: what is missing is made, what differs is brought in line, nothing else is touched."""

from __future__ import annotations

from dataclasses import replace

import fleets as b
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.converge import converge
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import ConvergeOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Abilities, Interface, Size, Template

ONE = [b.node("n1")]
ONE_SEEN = [b.seen("n1")]
THREE = [b.node(f"n{i}") for i in (1, 2, 3)]


def ids(plan):
    return [step.id for step in plan.steps]


def step(plan, step_id):
    return next(found for found in plan.steps if found.id == step_id)


def test_a_missing_server_is_created_then_started():
    plan = converge(b.fleet(ONE, [b.server("a")]), b.observed(ONE_SEEN))
    assert ids(plan) == ["create/a", "start/a"]
    assert step(plan, "start/a").needs == ("create/a",)


def test_a_converged_fleet_needs_nothing():
    a = b.server("a")
    plan = converge(b.fleet(ONE, [a]), b.observed(ONE_SEEN, [b.guest(a, "n1")]))
    assert plan.steps == ()
    assert plan.notes == ()


def test_a_stopped_server_is_started_and_one_declared_stopped_is_stopped():
    a, c = b.server("a"), b.server("c", state="stopped")
    plan = converge(b.fleet(ONE, [a, c]), b.observed(ONE_SEEN, [b.guest(a, "n1", state="stopped"), b.guest(c, "n1")]))
    assert ids(plan) == ["stop/c", "start/a"]


def test_a_server_declared_stopped_is_created_and_left_stopped():
    plan = converge(b.fleet(ONE, [b.server("a", state="stopped")]), b.observed(ONE_SEEN))
    assert ids(plan) == ["create/a"]


def test_a_size_that_differs_is_changed_and_shown():
    a = b.server("a", size=Size(2, 2048, 2048))
    plan = converge(b.fleet(ONE, [a]), b.observed(ONE_SEEN, [b.guest(a, "n1", size=Size(1, 1024, 1024))]))
    assert step(plan, "resize/a").changes == {"cores": (1, 2), "memory": (1024, 2048), "disk": (1024, 2048)}


def test_cores_and_memory_of_a_vm_that_runs_wait_for_leave_to_restart():
    a = b.server("a", size=Size(2, 2048, 2048))
    running, asleep = (b.guest(a, "n1", size=Size(1, 1024, 1024), state=state) for state in ("running", "stopped"))
    fleet = replace(b.fleet(ONE, [a]), templates={a.template: Template(a.template, kind="vm")})
    static = Abilities(resized_at_start=frozenset({"vm"}))

    def plan(guest, *, kinds=static, fleet=fleet, **options):
        return converge(fleet, replace(b.observed(ONE_SEEN, [guest]), abilities=kinds), ConvergeOptions(**options))

    waiting = plan(running)
    assert ids(waiting) == ["resize/a"] and step(waiting, "resize/a").changes == {"disk": (1024, 2048)}
    assert "cores 1 → 2, memory 1024 → 2048 waits, as it needs a restart" in waiting.notes[0]
    allowed = plan(running, restart=True)
    assert ids(allowed) == ["resize/a", "restart/a"] and not allowed.notes
    assert step(allowed, "restart/a").needs == ("resize/a",)
    for other in (plan(running, kinds=Abilities()), plan(running, fleet=b.fleet(ONE, [a]))):
        assert ids(other) == ["resize/a"] and len(step(other, "resize/a").changes) == 3
    assert ids(plan(asleep)) == ["resize/a", "start/a"] and len(step(plan(asleep), "resize/a").changes) == 3


def test_one_restart_is_enough_for_all_that_needs_it():
    a = b.server("a", size=Size(2, 2048, 2048))
    there = replace(b.guest(a, "n1", size=Size(1, 1024, 1024)), interfaces=(Interface("lan", "10.0.0.99"),))
    fleet = replace(b.fleet(ONE, [a]), templates={a.template: Template(a.template, kind="vm")})
    seen = replace(b.observed(ONE_SEEN, [there]), abilities=Abilities(resized_at_start=frozenset({"vm"})))
    plan = converge(fleet, seen, ConvergeOptions(restart=True))
    assert ids(plan) == ["resize/a", "configure/a", "restart/a"]
    assert step(plan, "restart/a").needs == ("resize/a", "configure/a")


def test_a_disk_never_shrinks():
    a = b.server("a", size=Size(1, 1024, 512))
    plan = converge(b.fleet(ONE, [a]), b.observed(ONE_SEEN, [b.guest(a, "n1", size=Size(1, 1024, 1024))]))
    assert "cannot shrink" in plan.refusals[0].reason
    assert plan.steps == ()


def test_a_server_cannot_grow_beyond_its_node():
    a = b.server("a", size=Size(1, 9000, 1024))
    plan = converge(b.fleet(ONE, [a]), b.observed(ONE_SEEN, [b.guest(a, "n1", size=Size(1, 1024, 1024))]))
    assert "cannot grow on n1: memory: 9000 MiB wanted, 8192 free" in plan.refusals[0].reason


def test_the_io_budget_is_the_planners_alone():
    a = b.server("a", size=Size(1, 1024, 1024, io=30))
    there = b.observed(ONE_SEEN, [b.guest(a, "n1", size=Size(1, 1024, 1024, io=0))])
    assert converge(b.fleet(ONE, [a]), there).steps == ()


def test_a_new_tenant_is_written_down_without_touching_the_service():
    a = b.server("a", tenant="acme")
    plan = converge(b.fleet(ONE, [a]), b.observed(ONE_SEEN, [b.guest(a, "n1", tenant="")]))
    assert ids(plan) == ["configure/a"]


def test_a_new_address_waits_for_leave_to_restart():
    a = b.server("a")
    there = b.observed(ONE_SEEN, [b.guest(a, "n1", interfaces=(Interface("lan", "10.1.9.9"),))])
    plan = converge(b.fleet(ONE, [a]), there)
    assert plan.steps == ()
    assert "needs a restart" in plan.notes[0]
    allowed = converge(b.fleet(ONE, [a]), there, ConvergeOptions(restart=True))
    assert ids(allowed) == ["configure/a", "restart/a"]


def test_a_stopped_server_takes_its_new_address_at_its_start():
    a = b.server("a")
    there = b.observed(ONE_SEEN, [b.guest(a, "n1", state="stopped", interfaces=(Interface("lan", "10.1.9.9"),))])
    assert ids(converge(b.fleet(ONE, [a]), there)) == ["configure/a", "start/a"]


def test_servers_start_in_their_order_with_the_delay_between():
    servers = [
        b.server("pbx", start_order=50),
        b.server("sip", start_order=10, start_delay=2.0),
        b.server("sip2", start_order=10, start_delay=1.0),
    ]
    plan = converge(b.fleet(ONE, servers), b.observed(ONE_SEEN))
    gate = step(plan, "gate/start-50")
    assert sorted(gate.needs) == ["start/sip", "start/sip2"]
    assert gate.pause == 2.0
    assert "gate/start-50" in step(plan, "start/pbx").needs
    assert "gate/start-50" not in step(plan, "start/sip").needs


def test_servers_stop_in_the_reverse_of_their_start_order():
    early, late = b.server("early", start_order=10, state="stopped"), b.server("late", start_order=90, state="stopped")
    plan = converge(b.fleet(ONE, [early, late]), b.observed(ONE_SEEN, [b.guest(early, "n1"), b.guest(late, "n1")]))
    assert ids(plan) == ["stop/late", "gate/stop-10", "stop/early"]


def test_an_undeclared_server_of_ours_is_named_and_left_alone():
    gone = b.server("gone")
    plan = converge(b.fleet(ONE, []), b.observed(ONE_SEEN, [b.guest(gone, "n1")]))
    assert plan.steps == ()
    assert "gone" in plan.notes[0]


def test_prune_deletes_it_after_stopping_it():
    gone = b.server("gone")
    plan = converge(b.fleet(ONE, []), b.observed(ONE_SEEN, [b.guest(gone, "n1")]), ConvergeOptions(frozenset({"all"})))
    assert ids(plan) == ["stop/gone", "delete/gone"]
    assert step(plan, "delete/gone").needs == ("stop/gone",)


def test_prune_by_name_deletes_only_that_one():
    there = b.observed(ONE_SEEN, [b.guest(b.server("x"), "n1"), b.guest(b.server("y"), "n1")])
    plan = converge(b.fleet(ONE, []), there, ConvergeOptions(frozenset({"y"})))
    assert ids(plan) == ["stop/y", "delete/y"]


def test_prune_never_deletes_a_stranger_or_another_fleets_server():
    there = b.observed(ONE_SEEN, [b.stranger("alien", "n1"), b.stranger("theirs", "n1", fleet="other")])
    assert converge(b.fleet(ONE, []), there, ConvergeOptions(frozenset({"all"}))).steps == ()


def test_prune_of_a_declared_server_is_refused():
    a = b.server("a")
    there = b.observed(ONE_SEEN, [b.guest(a, "n1")])
    plan = converge(b.fleet(ONE, [a]), there, ConvergeOptions(frozenset({"a"})))
    assert "is in the inventory" in plan.refusals[0].reason


def test_what_is_deleted_makes_room_before_what_is_created():
    olds = [b.server(f"old{i}") for i in range(8)]
    there = b.observed(ONE_SEEN, [b.guest(old, "n1") for old in olds])
    plan = converge(b.fleet(ONE, [b.server("new")]), there, ConvergeOptions(frozenset({"all"})))
    assert "delete/old3" in step(plan, "create/new").needs


def test_a_name_taken_by_a_stranger_is_refused():
    plan = converge(b.fleet(ONE, [b.server("a")]), b.observed(ONE_SEEN, [b.stranger("a", "n1")]))
    assert "taken on n1 by a guest that is not ours" in plan.refusals[0].reason
    assert plan.steps == ()


def test_an_address_somebody_answers_on_is_refused():
    a = b.server("a")
    answering = {a.interfaces[0].address: "answers ping"}
    plan = converge(b.fleet(ONE, [a]), b.observed(ONE_SEEN, answering=answering))
    assert "in use by somebody unknown (answers ping)" in plan.refusals[0].reason


def test_servers_of_a_silent_node_are_never_made_again_elsewhere():
    a, new = b.server("a"), b.server("new")
    there = b.observed([b.silent("n1"), b.seen("n2"), b.seen("n3")], [b.guest(a, "n1", state="unknown")])
    plan = converge(b.fleet(THREE, [a, new]), there)
    assert ids(plan) == ["create/new", "start/new"]
    assert "n1 does not answer" in plan.notes[0]


def test_without_a_quorum_nothing_is_changed():
    there = b.observed([b.silent("n1"), b.silent("n2"), b.seen("n3")], quorate=False)
    plan = converge(b.fleet(THREE, [b.server("a")]), there)
    assert "too few nodes answer" in plan.refusals[0].reason
    assert plan.steps == ()


def test_of_two_primaries_the_higher_generation_counts():
    a = b.server("a", state="stopped")
    there = b.observed([b.seen(n.name) for n in THREE], [b.guest(a, "n1"), b.guest(a, "n2", generation=2)])
    plan = converge(b.fleet(THREE, [a]), there)
    assert [(s.id, s.node) for s in plan.steps] == [("stop/a", "n2")]


def test_of_two_equal_primaries_neither_is_touched():
    a = b.server("a", state="stopped")
    there = b.observed([b.seen(n.name) for n in THREE], [b.guest(a, "n1"), b.guest(a, "n2")])
    plan = converge(b.fleet(THREE, [a]), there)
    assert plan.steps == ()
    assert "2 copies call themselves primary" in plan.notes[0]


def test_a_template_is_copied_where_it_is_missing_before_anything_is_made_from_it():
    servers = [b.server(f"d{i}", template="debian") for i in range(3)]
    there = b.observed([b.seen("n1", templates=frozenset({("debian", "1")})), b.seen("n2"), b.seen("n3")])
    plan = converge(b.fleet(THREE, servers), there)
    copies = {s.node: s for s in plan.steps if s.action == "template"}
    assert set(copies) == {"n2", "n3"}
    assert copies["n2"].source == "n1"
    made_on_n2 = next(s for s in plan.steps if s.action == "create" and s.node == "n2")
    assert "template/debian@n2" in made_on_n2.needs


def test_a_template_that_is_nowhere_is_refused():
    plan = converge(b.fleet(ONE, [b.server("a", template="debian")]), b.observed(ONE_SEEN))
    assert "is on no node that answers" in plan.refusals[0].reason


def test_an_old_version_of_a_template_is_not_the_template():
    there = b.observed([b.seen("n1", templates=frozenset({("tiny", "0")}))])
    assert converge(b.fleet(ONE, [b.server("a")]), there).refusals


def test_a_pinned_server_elsewhere_is_said_and_not_moved():
    a = b.server("a", node="n2")
    plan = converge(b.fleet(THREE, [a]), b.observed([b.seen(n.name) for n in THREE], [b.guest(a, "n1")]))
    assert plan.steps == ()
    assert plan.violations_before == ("a on n1: a is pinned to n2",)


def test_broken_rules_of_today_are_told():
    a, c = b.server("a"), b.server("c")
    there = b.observed([b.seen(n.name) for n in THREE], [b.guest(a, "n1"), b.guest(c, "n1")])
    plan = converge(b.fleet(THREE, [a, c], [b.apart("a", "c")]), there)
    assert plan.violations_before == ("a on n1: anti-affinity with c", "c on n1: anti-affinity with a")


def test_a_plan_tells_how_full_nodes_are_before_and_after():
    plan = converge(b.fleet(ONE, [b.server("a")]), b.observed(ONE_SEEN))
    assert plan.before["n1"].memory == 0
    assert plan.after["n1"].memory == 0.125


def test_what_an_interrupted_move_left_behind_is_deleted_once_it_is_clear_who_is_right():
    a = b.server("a")
    right = b.guest(a, "n1")
    copies = [
        b.guest(a, "n2", role="replica", state="stopped", moving="n1"),
        b.guest(a, "n3", state="stopped", generation=1),
    ]
    plan = converge(
        b.fleet(THREE, [a]),
        b.observed([b.seen(f"n{i}") for i in (1, 2, 3)], [*copies, b.guest(a, "n1", generation=2)]),
    )
    assert ids(plan) == ["delete/a@n2", "delete/a@n3"]
    assert "left behind by a move" in step(plan, "delete/a@n2").reason
    assert plan.placement == {"a": "n1"}
    assert right.role == "primary"


def test_what_a_failover_left_behind_is_never_deleted():
    a = b.server("a")
    divergent = replace(b.guest(a, "n2", state="stopped"), diverged=True)
    winner = b.guest(a, "n1", generation=1000)
    seen = [b.seen(f"n{i}") for i in (1, 2, 3)]
    plan = converge(b.fleet(THREE, [a]), b.observed(seen, [divergent, winner]))
    assert ids(plan) == []
    assert any("before the failover to n1" in note for note in plan.notes)


def test_a_replica_that_is_meant_to_be_is_left_alone():
    a = b.server("a")
    there = [b.guest(a, "n1"), b.guest(a, "n2", role="replica", state="stopped")]
    assert ids(converge(b.fleet(THREE, [a]), b.observed([b.seen(f"n{i}") for i in (1, 2, 3)], there))) == []


def test_a_server_cut_off_in_its_move_is_started_where_it_is_right():
    a = b.server("a")
    there = [
        b.guest(a, "n1", state="stopped", moving="n2"),
        b.guest(a, "n2", role="replica", state="stopped", moving="n1"),
    ]
    plan = converge(b.fleet(THREE, [a]), b.observed([b.seen(f"n{i}") for i in (1, 2, 3)], there))
    assert ids(plan) == ["delete/a@n2", "start/a"]
    assert step(plan, "start/a").node == "n1"


def test_a_server_on_its_way_to_a_node_that_is_silent_is_left_alone():
    a = b.server("a")
    there = [b.guest(a, "n1", state="unknown", moving="n2")]
    seen = [b.seen("n1"), b.silent("n2"), b.seen("n3")]
    plan = converge(b.fleet(THREE, [a]), b.observed(seen, there))
    assert ids(plan) == []
    assert any("was being moved from n1 to n2" in note for note in plan.notes)


def test_an_outdated_copy_of_a_server_counts_as_disk_alone():
    a = b.server("a")
    there = [b.guest(a, "n1", state="stopped", generation=1), b.guest(a, "n2", generation=2)]
    plan = converge(b.fleet(THREE, [a]), b.observed([b.seen(f"n{i}") for i in (1, 2, 3)], there))
    assert plan.placement == {"a": "n2"}
    assert plan.before["n1"].memory == 0
    assert plan.before["n1"].disk > 0


def test_the_copies_of_a_pruned_server_go_with_it_and_others_stay():
    a = b.server("a")
    there = [b.guest(a, "n1"), b.guest(a, "n2", role="replica", state="stopped"), b.guest(b.server("c"), "n3")]
    seen = b.observed([b.seen(f"n{i}") for i in (1, 2, 3)], there)
    plan = converge(b.fleet(THREE, []), seen, ConvergeOptions(prune=frozenset({"a"})))
    assert [each for each in ids(plan) if each.startswith("delete")] == ["delete/a", "delete/a@n2"]
    assert not any(each.startswith("delete") for each in ids(converge(b.fleet(THREE, []), seen)))


def test_a_copy_whose_server_is_gone_is_pruned_too():
    a = b.server("a")
    seen = b.observed([b.seen("n1")], [b.guest(a, "n1", role="replica", state="stopped")])
    for said in ("all", "a"):
        plan = converge(b.fleet(ONE, []), seen, ConvergeOptions(prune=frozenset({said})))
        assert ids(plan) == ["delete/a@n1"]
        assert plan.notes == ()


def test_a_copy_whose_server_is_gone_is_named_and_kept_until_then():
    a, c = b.server("a"), b.server("c")
    asleep = [b.guest(each, "n1", role="replica", state="stopped") for each in (a, c)]
    # Of c the inventory still knows: its replica may be all that is left of it, and is no leftover.
    plan = converge(b.fleet(ONE, [c]), b.observed(ONE_SEEN, asleep))
    assert not any(each.startswith("delete") for each in ids(plan))
    (told,) = (note for note in plan.notes if "prune" in note)
    assert told.startswith("a on n1: replicas of servers that are nowhere")
