# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failover sent away goes home: one after the other, to complete replicas, and only where home is fit for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.digest import digest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.failback import failback
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import FailbackOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Abilities,
    Copying,
    Failover,
    Observed,
    ObservedNode,
    ObservedServer,
    Plan,
    Protection,
    Replication,
    Rule,
    Server,
    Size,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.schedule import waves
from fleets import apart, fleet, guest, node, observed, seen, server, silent

KEPT = {"failover": Failover("manual"), "replication": Replication("interval", 300)}
ABLE = Abilities(replicates=True, promotes=True)


def away(of: Server, on: str = "b", home: str = "a") -> ObservedServer:
    return guest(of, on, home=home, generation=1000)


def replica(of: Server, on: str, refreshed: float = 900.0) -> ObservedServer:
    return guest(of, on, role="replica", state="stopped", generation=1000, copying=Copying(300, refreshed))


def there(*guests: ObservedServer, a: ObservedNode | None = None) -> Observed:
    return observed([a or seen("a"), seen("b"), seen("c")], guests, abilities=ABLE)


def planned(servers: Iterable[Server], found: Observed, *rules: Rule, **options: Any) -> Plan:
    return failback(fleet([node(name) for name in "abc"], servers, rules), found, FailbackOptions(**options))


def moves(plan: Plan) -> dict[str, tuple[str, str]]:
    return {step.server: (step.node, step.manner) for step in plan.steps if step.action == "move"}


def test_servers_go_home_one_after_the_other_to_their_replicas() -> None:
    servers = [server(name, **KEPT) for name in ("s", "t", "u", "v")]
    found = there(
        *(away(its) for its in servers[:3]), *(replica(its, "a") for its in servers[:3]), guest(servers[3], "b")
    )
    plan = planned(servers, found)
    assert not plan.refusals
    assert moves(plan) == dict.fromkeys(("s", "t", "u"), ("a", "switch"))
    order = [waves(plan.steps)[step.id] for step in plan.steps if step.action == "move"]
    assert order == [0, 1, 2]
    assert plan.steps[0].reason.startswith("a is its home, and back")


def test_what_a_move_left_at_home_that_was_cut_off_is_left_to_the_next_move() -> None:
    pbx = server("s", **KEPT)
    for half in (replace(replica(pbx, "a"), moving="b"), replace(replica(pbx, "a", refreshed=0.0), moving="b")):
        plan = planned([pbx], there(away(pbx), half, replica(pbx, "c")))
        assert not plan.refusals
        assert next(step.action for step in plan.steps if step.server == "s") == "move"
        assert moves(plan)["s"][0] == "a"


def test_a_home_without_a_complete_replica_gets_one_first() -> None:
    servers = [server("s", **KEPT), server("t", **KEPT)]
    found = there(away(servers[0]), away(servers[1]), replica(servers[1], "a", refreshed=0.0), replica(servers[0], "c"))
    plan = planned(servers, found)
    assert [step.id for step in plan.steps][:2] == ["replicate/s@a", "replicate/t@a"]
    assert {step.source for step in plan.steps[:2]} == {"b"}
    assert "cut off" in plan.steps[1].reason
    assert moves(plan) == {"s": ("a", "switch"), "t": ("a", "switch")}
    needs = {step.server: step.needs for step in plan.steps if step.action == "move"}
    assert "replicate/t@a" in needs["t"]
    assert plan.base == digest(fleet([node(name) for name in "abc"], servers), found), "of what is, not of what will be"
    # The one on c stays what it is; the copy it leaves on b goes.
    assert [step.id for step in plan.steps if step.action == "unreplicate"] == ["unreplicate/s@b"]


def test_who_is_at_home_stays() -> None:
    servers = [server("s", **KEPT)]
    plan = planned(servers, there(guest(servers[0], "a"), replica(servers[0], "b")))
    assert not plan.steps
    assert plan.notes == ("everybody is at home",)


def test_only_the_homes_named_are_gone_back_to() -> None:
    servers = [server("s", **KEPT), server("t", **KEPT)]
    found = there(away(servers[0]), away(servers[1], home="c"), replica(servers[0], "a"), replica(servers[1], "c"))
    assert set(moves(planned(servers, found, nodes=("c",)))) == {"t"}
    assert set(moves(planned(servers, found))) == {"s", "t"}


def test_a_home_that_is_not_back_is_waited_for() -> None:
    servers = [server("s", **KEPT)]
    found = there(away(servers[0]), a=silent("a"))
    plan = planned(servers, found)
    assert not plan.steps
    assert "s: a does not answer (timed out)" in plan.notes
    assert planned(servers, found, nodes=("a",)).refusals[0].subject == "a"
    drained = there(away(servers[0]), a=seen("a", maintenance=True))
    assert "is drained" in planned(servers, drained, nodes=("a",)).refusals[0].reason


def test_a_home_that_has_just_come_up_is_not_trusted_yet() -> None:
    servers = [server("s", **KEPT)]
    found = there(away(servers[0]), replica(servers[0], "a"), a=seen("a", uptime=20.0))
    (refusal,) = planned(servers, found).refusals
    assert refusal.reason == "came up 20 s ago, and has to be up for 300 s first (failback_hold)"
    assert moves(planned(servers, found, hold=0.0))
    assert moves(planned(servers, found, hold=15.0))


def test_where_home_would_break_a_rule_that_is_refused_or_told() -> None:
    servers = [server("s", **KEPT), server("t", node="a")]
    found = there(away(servers[0]), replica(servers[0], "a"), guest(servers[1], "a"))
    plan = planned(servers, found, apart("s", "t"))
    assert plan.refusals[0].subject == "s"
    assert any("failback_to=best" in note for note in plan.notes)
    plan = planned(servers, found, apart("s", "t"), to="best")
    assert not plan.refusals
    assert not plan.steps
    assert any(note.startswith("s: b is the better home: a: ") for note in plan.notes)


def test_best_leaves_where_it_is_whoever_would_make_the_fleet_less_even() -> None:
    big = Size(4, 4096, 512)
    servers = [server("s", size=big, **KEPT), server("t", size=big), server("u", size=Size(1, 512, 512))]
    found = there(away(servers[0]), replica(servers[0], "a"), guest(servers[1], "a"), guest(servers[2], "c"))
    plan = planned(servers, found, to="best")
    assert not plan.steps
    assert any("b is the better home: " in note and "→" in note for note in plan.notes)
    assert set(moves(planned(servers, found, to="home"))) == {"s"}


def test_best_takes_home_whom_it_can() -> None:
    servers = [server("s", **KEPT), server("t", **KEPT), server("x")]
    found = there(
        *(away(its) for its in servers[:2]), *(replica(its, "a") for its in servers[:2]), guest(servers[2], "c")
    )
    assert set(moves(planned(servers, found, to="best"))) >= {"s"}


def test_what_the_platform_is_busy_with_is_left_alone() -> None:
    servers = [server("s", **KEPT)]
    busy = replace(away(servers[0]), protection=Protection(("b", "a"), trouble="was given up"))
    plan = planned(servers, there(busy, replica(servers[0], "a")))
    assert not plan.steps
    assert "s stays on b: was given up" in plan.notes


def test_a_server_without_replication_is_copied_home() -> None:
    servers = [server("s", failover=Failover("manual"))]
    assert moves(planned(servers, there(away(servers[0])))) == {"s": ("a", "copy")}


def test_names_that_are_none_and_too_few_that_answer() -> None:
    servers = [server("s", **KEPT)]
    assert planned(servers, there(away(servers[0])), nodes=("d",)).refusals[0].subject == "d"
    assert planned(servers, replace(there(away(servers[0])), quorate=False)).refusals[0].subject == "test"
