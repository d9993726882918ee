# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no plan does to a server in step, and says so before anything is changed."""

from __future__ import annotations

import fleets as b
import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import (
    ConvergeOptions,
    DrainOptions,
    MigrateOptions,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.registry import GOALS
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.held import refusals
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Abilities,
    Copying,
    Failover,
    Observed,
    Plan,
    Protection,
    Replication,
    Server,
    Size,
    Step,
)

ALL = Abilities(replicates=True, protects=True, arranges=True, shortest_interval=60, synchronous=True)
THREE = [b.node(f"n{i}") for i in (1, 2, 3)]


def server(mode: str = "sync", **facts: object) -> Server:
    replication = Replication("sync") if mode == "sync" else Replication("interval", 300)
    return b.server("a", **{"replication": replication, "failover": Failover("auto"), **facts})


def seen(of: Server, *, in_step: bool = True, on: str = "n2") -> Observed:
    copying = Copying(interval=0 if in_step else 300, refreshed=1.0, in_step=in_step)
    home = b.guest(of, "n1", protection=Protection(nodes=("n1", on), strict=True, keeps="running"))
    replica = b.guest(of, on, role="replica", state="stopped", copying=copying)
    return b.observed([b.seen(node.name) for node in THREE], [home, replica], abilities=ALL)


def planned(goal: str, servers: list[Server], observed: Observed, options: object) -> Plan:
    return GOALS[goal].plan(b.fleet(THREE, servers), observed, options)


def why(plan: Plan) -> str:
    assert not plan.steps
    (refusal,) = plan.refusals
    assert refusal.subject == "a"
    return refusal.reason


def test_what_is_as_declared_needs_nothing_and_is_not_refused() -> None:
    plan = planned("converge", [server()], seen(server()), ConvergeOptions())
    assert not plan.steps and not plan.refusals


@pytest.mark.parametrize(
    ("goal", "options"),
    [
        ("migrate", MigrateOptions(servers=("a",), node="n3")),
        ("migrate", MigrateOptions(servers=("a",), node="n2")),
        ("drain", DrainOptions(nodes=("n1",))),
    ],
)
def test_no_plan_moves_it(goal: str, options: object) -> None:
    assert "no plan moves it" in why(planned(goal, [server()], seen(server()), options))
    moved = planned(goal, [server("interval")], seen(server("interval"), in_step=False), options)
    assert moved.steps and not moved.refusals


def test_it_is_not_deleted_before_it_is_off_its_device() -> None:
    prune = ConvergeOptions(prune=frozenset({"a"}))
    assert "not deleted like that" in why(planned("converge", [], seen(server()), prune))
    gone = planned("converge", [], seen(server("interval"), in_step=False), prune)
    assert "delete/a" in [step.id for step in gone.steps]


def test_its_disk_does_not_grow() -> None:
    larger = server(size=Size(1, 1024, 4096, 1))
    plan = planned("converge", [larger], seen(server(size=Size(1, 1024, 2048, 1))), ConvergeOptions())
    assert "does not grow" in why(plan)


def test_an_interval_and_in_step_are_not_changed_into_each_other() -> None:
    kept = planned("converge", [server("interval")], seen(server()), ConvergeOptions())
    assert "kept otherwise; declare vs_replication: none" in why(kept)
    kept = planned("converge", [server()], seen(server("interval"), in_step=False), ConvergeOptions())
    assert "refreshed at an interval" in why(kept)


def test_it_is_taken_off_its_device_where_no_replica_is_declared() -> None:
    plain = server(replication=Replication(), failover=Failover())
    plan = planned("converge", [plain], seen(server()), ConvergeOptions())
    assert not plan.refusals
    assert "unreplicate/a@n2" in [step.id for step in plan.steps]


def test_nobody_promotes_it_by_hand() -> None:
    plan = Plan("failover", (Step(id="promote/a", action="promote", node="n2", server="a"),), "")
    assert "only the cluster knows" in refusals(plan, seen(server()))[0].reason
    assert refusals(plan, seen(server("interval"), in_step=False)) == ()
