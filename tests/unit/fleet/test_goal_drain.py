# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal drain: nodes empty and closed; what cannot move is named with why."""

from __future__ import annotations

import fleets as b
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.drain import drain
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import DrainOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Failover, Replication, Size

THREE = [b.node(f"n{i}") for i in (1, 2, 3)]
THREE_SEEN = [b.seen(f"n{i}") for i in (1, 2, 3)]
FAILS_OVER = {"failover": Failover(mode="auto"), "replication": Replication("interval", 60)}


def moves(plan):
    return {step.server: step.node for step in plan.steps if step.action == "move"}


def memory(name, mib, **facts):
    return b.server(name, size=Size(0.1, mib, 16), **facts)


def replica(server, on):
    return b.guest(server, on, role="replica", state="stopped")


def test_everything_leaves_evenly_and_the_node_is_closed_first():
    servers = [b.server(f"pbx{i}") for i in range(4)]
    plan = drain(
        b.fleet(THREE, servers), b.observed(THREE_SEEN, [b.guest(s, "n1") for s in servers]), DrainOptions(("n1",))
    )
    first, *rest = plan.steps
    assert first.id == "maintenance/n1"
    assert first.changes == {"state": ("active", "maintenance")}
    assert all("maintenance/n1" in step.needs for step in rest)
    assert b.per_node(moves(plan)) == {"n2": ["pbx0", "pbx2"], "n3": ["pbx1", "pbx3"]}
    assert plan.placement == moves(plan)
    assert plan.after["n1"].servers == 0


def test_others_are_moved_aside_where_nothing_fits_directly():
    big, middle, small = memory("big", 6144), memory("middle", 4096), memory("small", 3072)
    plan = drain(
        b.fleet(THREE, [big, middle, small]),
        b.observed(THREE_SEEN, [b.guest(big, "n1"), b.guest(middle, "n3"), b.guest(small, "n2")]),
        DrainOptions(("n1",)),
    )
    assert moves(plan) == {"small": "n3", "big": "n2"}
    assert "makes room for big" in plan.steps[1].reason
    assert "move/small" in plan.steps[2].needs


def test_a_chain_makes_room_one_after_the_other():
    nodes = [b.node(f"n{i}") for i in (1, 2, 3, 4)]
    seen = [b.seen("n1"), b.seen("n2"), b.seen("n3", memory=5500), b.seen("n4")]
    servers = [memory("a", 6000), memory("b", 5000), memory("c", 3500), memory("d", 4500)]
    guests = [b.guest(s, f"n{i}") for i, s in enumerate(servers, 1)]
    plan = drain(b.fleet(nodes, servers), b.observed(seen, guests), DrainOptions(("n1",)))
    assert moves(plan) == {"c": "n4", "b": "n3", "a": "n2"}


def test_what_cannot_be_is_told_by_a_smallest_set_of_facts():
    servers = [memory("a", 6000), memory("b", 6000), memory("c", 100)]
    guests = [b.guest(servers[0], "n1"), b.guest(servers[1], "n2"), b.guest(servers[2], "n2")]
    plan = drain(b.fleet(THREE[:2], servers), b.observed(THREE_SEEN[:2], guests), DrainOptions(("n1",)))
    assert not plan.steps
    (refusal,) = plan.refusals
    assert refusal.reason == "fits nowhere; n2: memory: 6000 MiB wanted, 2092 free"
    assert refusal.conflict == (
        "n1 is to be empty",
        "a takes 6000 MiB of memory",
        "b takes 6000 MiB of memory",
        "n2 has 8192 MiB of memory",
    )


def test_a_pinned_server_is_refused_with_the_two_facts_that_clash():
    servers = [b.server("pbx1", node="n1"), b.server("pbx2")]
    plan = drain(
        b.fleet(THREE, servers), b.observed(THREE_SEEN, [b.guest(s, "n1") for s in servers]), DrainOptions(("n1",))
    )
    assert not plan.steps
    (refusal,) = plan.refusals
    assert refusal.subject == "pbx1"
    assert refusal.conflict == ("n1 is to be empty", "pbx1 is pinned to n1")
    assert plan.placement == {"pbx1": "n1", "pbx2": "n1"}


def test_partial_moves_what_can_move_and_names_what_stays():
    servers = [b.server("pbx1", node="n1"), b.server("pbx2")]
    plan = drain(
        b.fleet(THREE, servers),
        b.observed(THREE_SEEN, [b.guest(s, "n1") for s in servers]),
        DrainOptions(("n1",), partial=True),
    )
    assert moves(plan) == {"pbx2": "n2"}
    assert any(note.startswith("pbx1 stays: ") and "pinned to n1" in note for note in plan.notes)


def test_strangers_and_orphans_stay_and_are_named():
    ours = b.server("pbx1")
    old = b.server("old")
    plan = drain(
        b.fleet(THREE, [ours]),
        b.observed(THREE_SEEN, [b.guest(ours, "n1"), b.stranger("windows", "n1"), b.guest(old, "n1")]),
        DrainOptions(("n1",)),
    )
    assert moves(plan) == {"pbx1": "n2"}
    assert "n1: windows stays there: not ours" in plan.notes
    assert "n1: old stays there: ours, but not in the inventory" in plan.notes


def test_a_failure_domain_is_drained_as_a_whole():
    nodes = [b.node("n1", failure_domain="r1"), b.node("n2", failure_domain="r1"), b.node("n3"), b.node("n4")]
    seen = [b.seen(f"n{i}") for i in (1, 2, 3, 4)]
    servers = [b.server(f"pbx{i}") for i in range(4)]
    guests = [b.guest(s, ("n1", "n2")[i % 2]) for i, s in enumerate(servers)]
    plan = drain(b.fleet(nodes, servers), b.observed(seen, guests), DrainOptions(failure_domain="r1"))
    assert [step.id for step in plan.steps[:2]] == ["maintenance/n1", "maintenance/n2"]
    assert set(moves(plan).values()) == {"n3", "n4"}
    assert len(moves(plan)) == 4


def test_servers_tied_together_leave_together():
    servers = [b.server("web"), b.server("db"), memory("full", 7000)]
    guests = [b.guest(servers[0], "n1"), b.guest(servers[1], "n1"), b.guest(servers[2], "n2")]
    plan = drain(
        b.fleet(THREE, servers, [b.together("web", "db")]), b.observed(THREE_SEEN, guests), DrainOptions(("n1",))
    )
    assert moves(plan) == {"web": "n3", "db": "n3"}


def test_a_server_goes_where_its_replica_is():
    pbx, other = b.server("pbx", **FAILS_OVER), memory("other", 2048)
    guests = [b.guest(pbx, "n1"), replica(pbx, "n3"), b.guest(other, "n3")]
    plan = drain(b.fleet(THREE, [pbx, other]), b.observed(THREE_SEEN, guests), DrainOptions(("n1",)))
    (move,) = [step for step in plan.steps if step.action == "move"]
    assert (move.node, move.manner, move.cost.copied) == ("n3", "switch", 0)
    assert plan.backups == {"pbx": "n2"}
    assert all(proof.holds for proof in plan.survival_after)


def test_who_is_backed_up_on_a_drained_node_gets_another_backup():
    pbx = b.server("pbx", **FAILS_OVER)
    guests = [b.guest(pbx, "n2"), replica(pbx, "n1")]
    plan = drain(b.fleet(THREE, [pbx]), b.observed(THREE_SEEN, guests), DrainOptions(("n1",)))
    assert moves(plan) == {}
    assert plan.backups == {"pbx": "n3"}
    assert "another backup for pbx: theirs is drained" in plan.notes


def test_of_two_nodes_one_is_drained_and_the_risk_is_named():
    servers = [b.server(f"pbx{i}", **FAILS_OVER) for i in range(2)]
    guests = [
        b.guest(servers[0], "n1"),
        replica(servers[0], "n2"),
        b.guest(servers[1], "n2"),
        replica(servers[1], "n1"),
    ]
    plan = drain(b.fleet(THREE[:2], servers), b.observed(THREE_SEEN[:2], guests), DrainOptions(("n1",)))
    assert moves(plan) == {"pbx0": "n2"}
    assert all(proof.holds for proof in plan.survival_before)
    assert "until n1 is undrained, the fleet does not survive the death of n2" in plan.notes


def test_a_failure_is_given_up_only_where_nothing_else_helps():
    """Two of three nodes can carry everything, but not with one more dying; moving is better than not draining."""
    servers = [memory(f"pbx{i}", 2500, **FAILS_OVER) for i in range(6)]
    guests = [b.guest(s, f"n{i // 2 + 1}") for i, s in enumerate(servers)]
    guests += [replica(s, f"n{(i // 2 + 1 + i % 2) % 3 + 1}") for i, s in enumerate(servers)]
    plan = drain(b.fleet(THREE, servers), b.observed(THREE_SEEN, guests), DrainOptions(("n1",)))
    assert len(moves(plan)) == 2
    assert all(proof.holds for proof in plan.survival_before)
    assert any("does not survive the death of n2 or of n3" in note for note in plan.notes)


def test_what_survives_is_kept_where_there_is_a_way():
    """n2 would become evenest, but only n3 keeps every death survivable."""
    nodes = [b.node(f"n{i}") for i in (1, 2, 3, 4)]
    seen = [b.seen(f"n{i}") for i in (1, 2, 3, 4)]
    going, kept = memory("going", 3000), memory("kept", 6000, **FAILS_OVER)
    filler = memory("filler", 3500)
    guests = [b.guest(going, "n1"), b.guest(kept, "n4"), replica(kept, "n2"), b.guest(filler, "n3")]
    plan = drain(b.fleet(nodes, [going, kept, filler]), b.observed(seen, guests), DrainOptions(("n1",)))
    assert moves(plan) == {"going": "n3"}
    assert "n2 refused" in plan.steps[1].reason


def test_a_drained_node_has_nothing_left_to_do():
    seen = [b.seen("n1", maintenance=True), *THREE_SEEN[1:]]
    plan = drain(b.fleet(THREE, [b.server("pbx")]), b.observed(seen), DrainOptions(("n1",)))
    assert plan.steps == ()
    assert plan.notes == ("n1 is closed already",)


def test_a_node_in_maintenance_by_the_inventory_is_emptied_without_being_closed():
    nodes = [b.node("n1", state="maintenance"), *THREE[1:]]
    pbx = b.server("pbx")
    plan = drain(b.fleet(nodes, [pbx]), b.observed(THREE_SEEN, [b.guest(pbx, "n1")]), DrainOptions(("n1",)))
    assert [step.id for step in plan.steps] == ["move/pbx"]


def test_mistakes_are_named_all_at_once():
    plan = drain(
        b.fleet(THREE, []), b.observed(THREE_SEEN, quorate=False), DrainOptions(("n11", "n2"), failure_domain="r9")
    )
    reasons = {refusal.subject: refusal.reason for refusal in plan.refusals}
    assert reasons["n11"] == "no such node; there is n1 (the nearest name)"
    assert reasons["r9"].startswith("no such failure domain")
    assert "too few nodes answer" in reasons["test"]


def test_nothing_is_moved_from_a_node_that_does_not_answer():
    pbx = b.server("pbx")
    seen = [b.silent("n1"), *THREE_SEEN[1:]]
    plan = drain(b.fleet(THREE, [pbx]), b.observed(seen, [b.guest(pbx, "n1", state="unknown")]), DrainOptions(("n1",)))
    assert plan.refusals[0].subject == "n1"
    assert "failover" in plan.refusals[0].reason


def test_nobody_goes_to_another_closed_node():
    seen = [THREE_SEEN[0], b.seen("n2", maintenance=True), THREE_SEEN[2]]
    pbx = b.server("pbx")
    plan = drain(b.fleet(THREE, [pbx]), b.observed(seen, [b.guest(pbx, "n1")]), DrainOptions(("n1",)))
    assert moves(plan) == {"pbx": "n3"}
