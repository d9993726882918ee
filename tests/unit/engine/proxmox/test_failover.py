# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failover: under HA as declared, tied to the nodes that hold the replica, and left as it is after every move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Refused
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox import register
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.converge import converge
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.drain import drain
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.migrate import migrate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import (
    ConvergeOptions,
    DrainOptions,
    MigrateOptions,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Arrangement,
    Failover,
    Replication,
    Rule,
)
from cluster import guest, silent
from double import Double
from guarded import carry_out, changes, converged, engine, fleet, ids, pbx, primary, replicas, step, until

PBX = pbx()
TO_2 = {"pve1": "pve2", "pve2": "pve1", "pve3": "pve1"}


@pytest.fixture
def old() -> Iterator[Double]:
    with Double(nodes=3, version="8.4", latency=0.003, tls=True, staleness=1.0) as here:
        yield here


def resource(double: Double, sid: str = "ct:100") -> dict[str, object]:
    return double.ask("GET", f"/cluster/ha/resources/{sid}").data


def rules(double: Double) -> dict[str, tuple[object, ...]]:
    """Rule -> (type, resources, nodes or affinity, strict)."""
    return {
        row["rule"]: (row["type"], row["resources"], row.get("nodes") or row.get("affinity"), row.get("strict", 0))
        for row in double.ask("GET", "/cluster/ha/rules").data
    }


def apart(*names: str) -> Rule:
    return Rule("apart", frozenset(names), frozenset(names))


def together(*names: str) -> Rule:
    return Rule("together", frozenset(names), frozenset(names))


def settled(platform, declared) -> None:  # type: ignore[no-untyped-def]
    """The HA manager has taken up what it was told, and nothing is left to do."""
    until(lambda: not converge(declared, platform.observe()).notes, "the HA manager has taken everything up")
    assert ids(converge(declared, platform.observe())) == []


def test_it_is_under_ha_and_tied_to_home_and_replica(double: Double) -> None:
    declared = fleet(double, PBX, backup=TO_2)
    platform = engine(double, declared)
    plan = converged(platform, declared)
    assert ids(plan) == ["create/pbx-001", "start/pbx-001", "replicate/pbx-001", "protect/pbx-001"]
    assert "replicate/pbx-001" in step(plan, "protect/pbx-001").needs
    assert step(plan, "protect/pbx-001").changes == {"failover": (None, "pve1, then pve2 only")}
    row = resource(double)
    assert (row["state"], row["comment"], row["failback"]) == ("started", "switchyard contract: pbx-001", 0)
    assert (row["max_restart"], row["max_relocate"]) == (3, 1)
    assert rules(double) == {"sy__on__contract__pbx-001": ("node-affinity", "ct:100", "pve1:2,pve2:1", 1)}
    protection = primary(platform, "pbx-001").protection
    assert protection is not None
    assert (protection.nodes, protection.strict, protection.keeps) == (("pve1", "pve2"), True, "running")
    settled(platform, declared)
    assert changes(platform, lambda: converged(platform, declared)) == []
    assert plan.backups == {"pbx-001": "pve2"}


def test_lists_are_read_once_for_many_that_are_protected(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "_FRESH", 1e9)
    servers = [pbx(f"pbx-{n:03}", interfaces=()) for n in range(4)]
    platform = engine(double, fleet(double, *servers))
    for each in servers:
        platform.create(each, "pve1", silent)
    asked: list[str] = []
    real = platform._client.get
    monkeypatch.setattr(
        platform._client, "get", lambda path, *rest, **more: asked.append(path) or real(path, *rest, **more)
    )
    for each in servers:
        platform.protect(each, "pve1", ["pve2"])
    assert sum(path.startswith("/cluster/ha/") for path in asked) == 2
    assert len(rules(double)) == 4
    platform.unprotect("pbx-001", "pve1")
    platform.protect(servers[1], "pve1", ["pve3"])
    assert rules(double)["sy__on__contract__pbx-001"][2] == "pve1:2,pve3:1", "own changes are known without asking"


def test_before_version_9_it_is_a_group(old: Double) -> None:
    declared = fleet(old, PBX, backup=TO_2)
    platform = engine(old, declared)
    converged(platform, declared)
    row = resource(old)
    group = old.ask("GET", f"/cluster/ha/groups/{row['group']}").data
    assert (group["nodes"], group["restricted"], group["nofailback"]) == ("pve1:2,pve2:1", 1, 1)
    assert "failback" not in row
    settled(platform, declared)
    assert changes(platform, lambda: converged(platform, declared)) == []
    manual = fleet(old, replace(PBX, failover=Failover("manual")), backup=TO_2)
    platform = engine(old, manual)
    assert ids(converged(platform, manual)) == ["unprotect/pbx-001"]
    assert old.ask("GET", "/cluster/ha/resources").data == old.ask("GET", "/cluster/ha/groups").data == []


def test_before_version_9_rules_about_servers_are_kept_by_plans_alone(old: Double) -> None:
    servers = [pbx("pbx-a", interfaces=()), pbx("pbx-b", interfaces=())]
    declared = fleet(old, *servers, rules=(apart("pbx-a", "pbx-b"),))
    plan = converged(engine(old, declared), declared)
    assert not [each for each in plan.steps if each.action == "arrange"]


@pytest.mark.parametrize("mode", ["manual", "off"])
def test_who_is_not_to_fail_over_by_itself_is_taken_out_and_runs_on(double: Double, mode: str) -> None:
    declared = fleet(double, PBX)
    converged(engine(double, declared), declared)
    changed = fleet(double, replace(PBX, failover=Failover(mode)))  # type: ignore[arg-type]
    platform = engine(double, changed)
    plan = converge(changed, platform.observe())
    assert ids(plan)[-1] == "unprotect/pbx-001"
    assert step(plan, "unprotect/pbx-001").reason == f"vs_failover: {mode}"
    carry_out(platform, changed, plan)
    assert double.ask("GET", "/cluster/ha/resources").data == []
    assert rules(double) == {}
    assert guest(double, "pbx-001").running
    assert ids(converge(changed, platform.observe())) == []


def test_a_peer_that_takes_over_needs_no_relocation(double: Double) -> None:
    activated = pbx(failover=Failover("auto", "activate", "https://b.example.net/activate"))
    declared = fleet(double, activated)
    platform = engine(double, declared)
    assert "protect/pbx-001" not in ids(converged(platform, declared))


def test_without_a_replica_and_without_shared_storage_it_is_refused(double: Double) -> None:
    declared = fleet(double, pbx(replication=Replication()))
    plan = converge(declared, engine(double, declared).observe())
    assert [each.subject for each in plan.refusals] == ["pbx-001"]
    assert "its disk would be nowhere else" in plan.refusals[0].reason
    assert plan.steps == ()


def test_on_storage_all_nodes_share_its_backup_is_a_preference(double: Double) -> None:
    double.add_storage("shared", shared=True)
    declared = fleet(double, replace(pbx(replication=Replication()), pool="shared"), backup=TO_2)
    platform = engine(double, declared)
    converged(platform, declared)
    assert rules(double)["sy__on__contract__pbx-001"][2:] == ("pve1:2,pve2:1", 0)
    settled(platform, declared)


def test_the_state_it_is_kept_in_follows_the_declared_one(double: Double) -> None:
    declared = fleet(double, PBX)
    converged(engine(double, declared), declared)
    asleep = fleet(double, replace(PBX, state="stopped"))
    platform = engine(double, asleep)
    plan = converged(platform, asleep)
    assert "stop/pbx-001" in ids(plan)
    until(lambda: resource(double)["state"] == "stopped", "HA keeps it stopped")
    assert not guest(double, "pbx-001").running
    settled(platform, asleep)
    platform = engine(double, declared)
    converged(platform, declared)
    assert (resource(double)["state"], guest(double, "pbx-001").running) == ("started", True)
    settled(platform, declared)


def test_a_restart_goes_through_ha_and_ends_running(double: Double) -> None:
    declared = fleet(double, PBX)
    platform = engine(double, declared)
    converged(platform, declared)
    settled(platform, declared)
    since = guest(double, "pbx-001").since
    platform.restart("pbx-001", "pve1")
    assert guest(double, "pbx-001").running and guest(double, "pbx-001").since > since
    assert resource(double)["state"] == "started"


def test_what_others_put_under_ha_is_never_touched(double: Double) -> None:
    declared = fleet(double, PBX)
    platform = engine(double, declared)
    platform.create(PBX, "pve1", silent)
    platform.start("pbx-001", "pve1")
    platform.replicate(PBX, "pve1", "pve2", silent)
    double.ask("POST", "/cluster/ha/resources", sid="ct:100", comment="mine")
    double.ask("POST", "/cluster/ha/rules", rule="mine", type="node-affinity", resources="ct:100", nodes="pve1")
    until(lambda: primary(platform, "pbx-001").protection.state == "started", "HA has taken it up")  # type: ignore[union-attr]
    plan = converge(declared, platform.observe())
    assert ids(plan) == []
    assert any("the protection of pbx-001: set up by somebody else" in note for note in plan.notes)
    with pytest.raises(Refused, match=r"somebody else put ct:100 under HA \(mine\); it was not touched"):
        platform.protect(PBX, "pve1", ["pve2"])
    with pytest.raises(Refused, match="it was not touched"):
        platform.unprotect("pbx-001", "pve1")
    assert list(rules(double)) == ["mine"]


def test_a_rule_of_others_that_rules_ours_out_is_named_before_anything_is_sent(double: Double) -> None:
    declared = fleet(double, PBX)
    platform = engine(double, declared)
    converged(platform, declared)
    double.ask("DELETE", "/cluster/ha/rules/sy__on__contract__pbx-001")
    double.ask("POST", "/cluster/ha/rules", rule="mine", type="node-affinity", resources="ct:100", nodes="pve1")
    platform.observe()

    def refused() -> None:
        with pytest.raises(Refused, match="rule mine says already where pbx-001 may be"):
            platform.protect(PBX, "pve1", ["pve2"])

    assert changes(platform, refused) == []


# ---------------------------------------------------------------- servers apart and together


def test_who_is_to_be_apart_is_kept_apart_by_ha_as_well(double: Double) -> None:
    servers = [pbx("pbx-a", interfaces=()), pbx("pbx-b", interfaces=())]
    declared = fleet(double, *servers, rules=(apart("pbx-a", "pbx-b"),), backup={"pve1": "pve3", "pve2": "pve3"})
    platform = engine(double, declared)
    plan = converged(platform, declared)
    arranged = step(plan, "arrange/apart/pbx-a+pbx-b")
    assert arranged.needs == ("protect/pbx-a", "protect/pbx-b")
    assert sorted(row[0:3:2] for row in rules(double).values() if row[0] == "resource-affinity") == [
        ("resource-affinity", "negative")
    ]
    assert all(":" not in str(row[2]) for row in rules(double).values()), "no preferences beside such a rule"
    settled(platform, declared)
    free = fleet(double, *servers, backup={"pve1": "pve3", "pve2": "pve3"})
    platform = engine(double, free)
    assert ids(converged(platform, free)) == ["arrange/apart/pbx-a+pbx-b/not"]
    assert [row[0] for row in rules(double).values()] == ["node-affinity", "node-affinity"]


def test_who_is_to_be_together_is_kept_together_once_it_is(double: Double) -> None:
    servers = [pbx("pbx-a", interfaces=()), pbx("pbx-b", interfaces=())]
    declared = fleet(double, *servers, rules=(together("pbx-a", "pbx-b"),))
    platform = engine(double, declared)
    plan = converged(platform, declared)
    assert "arrange/together/pbx-a+pbx-b" in ids(plan)
    assert platform.observe().arrangements == {Arrangement("together", frozenset({"pbx-a", "pbx-b"}))}
    settled(platform, declared)


def test_preferences_go_when_a_server_comes_to_be_in_a_rule(double: Double) -> None:
    servers = [pbx("pbx-a", interfaces=()), pbx("pbx-b", interfaces=())]
    nodes = {"pve1": "pve3", "pve2": "pve3"}
    free = fleet(double, *servers, backup=nodes)
    platform = engine(double, free)
    converged(platform, free)
    assert all(":" in str(row[2]) for row in rules(double).values())
    homes = {each: primary(platform, each).node for each in ("pbx-a", "pbx-b")}
    assert len(set(homes.values())) == 2, homes
    bound = fleet(double, *servers, rules=(apart("pbx-a", "pbx-b"),), backup=nodes)
    platform = engine(double, bound)
    assert ids(converged(platform, bound)) == ["arrange/apart/pbx-a+pbx-b"]
    settled(platform, bound)


def test_who_is_unprotected_leaves_its_rules_first(double: Double) -> None:
    servers = [pbx("pbx-a", interfaces=()), pbx("pbx-b", interfaces=())]
    rule = apart("pbx-a", "pbx-b")
    declared = fleet(double, *servers, rules=(rule,), backup={"pve1": "pve3", "pve2": "pve3"})
    converged(engine(double, declared), declared)
    fewer = replace(declared, servers={"pbx-a": servers[0], "pbx-b": replace(servers[1], failover=Failover("manual"))})
    platform = engine(double, fewer)
    plan = converged(platform, fewer)
    assert ids(plan) == ["arrange/apart/pbx-a+pbx-b/not", "unprotect/pbx-b"]
    assert "arrange/apart/pbx-a+pbx-b/not" in step(plan, "unprotect/pbx-b").needs
    settled(platform, fewer)


def test_one_that_is_deleted_leaves_no_rule_behind(double: Double) -> None:
    servers = [pbx("pbx-a", interfaces=()), pbx("pbx-b", interfaces=())]
    declared = fleet(double, *servers, rules=(apart("pbx-a", "pbx-b"),))
    converged(engine(double, declared), declared)
    left = fleet(double, servers[0])
    platform = engine(double, left)
    converge_and_prune = converge(left, platform.observe(), ConvergeOptions(prune=frozenset({"all"})))
    carry_out(platform, left, converge_and_prune)
    assert list(rules(double)) == ["sy__on__contract__pbx-a"]
    assert [row["sid"] for row in double.ask("GET", "/cluster/ha/resources").data] == ["ct:100"]
    settled(platform, left)


# ---------------------------------------------------------------- on the move


def test_moved_to_its_replica_it_is_left_replicated_and_protected(double: Double) -> None:
    declared = fleet(double, PBX)
    platform = engine(double, declared)
    converged(platform, declared)
    settled(platform, declared)
    to = replicas(platform, "pbx-001")[0].node
    home = primary(platform, "pbx-001").node
    plan = migrate(declared, platform.observe(), MigrateOptions(servers=frozenset({"pbx-001"}), node=to))
    assert ids(plan) == ["move/pbx-001", "protect/pbx-001"]
    carry_out(platform, declared, plan)
    assert (primary(platform, "pbx-001").node, replicas(platform, "pbx-001")[0].node) == (to, home)
    assert rules(double)["sy__on__contract__pbx-001"][2] == f"{to}:2,{home}:1"
    settled(platform, declared)


def test_moved_elsewhere_it_goes_where_its_rule_did_not_let_it(double: Double) -> None:
    declared = fleet(double, PBX, backup={"pve1": "pve2"})
    platform = engine(double, declared)
    converged(platform, declared)
    settled(platform, declared)
    plan = migrate(declared, platform.observe(), MigrateOptions(servers=frozenset({"pbx-001"}), node="pve3"))
    assert ids(plan) == ["move/pbx-001", "protect/pbx-001"]
    carry_out(platform, declared, plan)
    assert (primary(platform, "pbx-001").node, guest(double, "pbx-001").running) == ("pve3", True)
    assert rules(double)["sy__on__contract__pbx-001"][2:] == ("pve3:2,pve2:1", 1)
    settled(platform, declared)


def test_who_is_kept_together_moves_together(double: Double) -> None:
    servers = [pbx("pbx-a", interfaces=()), pbx("pbx-b", interfaces=())]
    nodes = {"pve1": "pve2", "pve2": "pve1", "pve3": "pve2"}
    declared = fleet(double, *servers, rules=(together("pbx-a", "pbx-b"),), backup=nodes)
    platform = engine(double, declared)
    converged(platform, declared)
    settled(platform, declared)
    plan = migrate(declared, platform.observe(), MigrateOptions(servers=frozenset({"pbx-a"}), node="pve3"))
    assert ids(plan) == ["move/pbx-a", "move/pbx-b", "protect/pbx-a", "protect/pbx-b"]
    carry_out(platform, declared, plan)
    assert {primary(platform, each.name).node for each in servers} == {"pve3"}
    assert all(guest(double, each.name).running for each in servers)
    settled(platform, declared)


def test_who_is_kept_apart_changes_places_through_a_third_node(double: Double) -> None:
    servers = [pbx("pbx-a", interfaces=()), pbx("pbx-b", interfaces=())]
    nodes = {"pve1": "pve3", "pve2": "pve3"}
    declared = fleet(double, *servers, rules=(apart("pbx-a", "pbx-b"),), backup=nodes)
    platform = engine(double, declared)
    converged(platform, declared)
    settled(platform, declared)
    at = primary(platform, "pbx-b").node
    plan = migrate(declared, platform.observe(), MigrateOptions(servers=frozenset({"pbx-a"}), node=at))
    carry_out(platform, declared, plan)
    assert primary(platform, "pbx-a").node == at != primary(platform, "pbx-b").node


def test_a_drained_node_leaves_its_replicas_to_others(double: Double) -> None:
    declared = fleet(double, PBX, backup={"pve1": "pve2"})
    platform = engine(double, declared)
    converged(platform, declared)
    settled(platform, declared)
    plan = drain(declared, platform.observe(), DrainOptions(nodes=("pve2",)))
    assert ids(plan) == [
        "maintenance/pve2",
        "replicate/pbx-001",
        "protect/pbx-001",
        "unreplicate/pbx-001@pve2",
    ]
    carry_out(platform, declared, plan)
    assert [each.node for each in replicas(platform, "pbx-001")] == ["pve3"]
    assert rules(double)["sy__on__contract__pbx-001"][2] == "pve1:2,pve3:1"


def test_a_node_that_is_drained_of_a_server_sends_it_to_its_replica(double: Double) -> None:
    declared = fleet(double, PBX, backup={"pve1": "pve2"})
    platform = engine(double, declared)
    converged(platform, declared)
    settled(platform, declared)
    plan = drain(declared, platform.observe(), DrainOptions(nodes=("pve1",)))
    carry_out(platform, declared, plan)
    at, copy = primary(platform, "pbx-001").node, replicas(platform, "pbx-001")
    assert at != "pve1" and [each.node for each in copy] not in ([], ["pve1"], [at])
    nodes = str(rules(double)["sy__on__contract__pbx-001"][2])
    assert set(nodes.replace(":2", "").replace(":1", "").split(",")) == {at, copy[0].node}


# ---------------------------------------------------------------- a node's death, and states of trouble


def test_a_dead_nodes_server_runs_on_its_replica_and_is_protected_anew(double: Double) -> None:
    declared = fleet(double, PBX, backup={"pve1": "pve2"})
    platform = engine(double, declared)
    converged(platform, declared)
    settled(platform, declared)
    double.faults.kill("pve1")
    dead = platform.observe()
    assert next(each.state for each in dead.servers if each.role == "primary") == "unknown"
    assert ids(converge(declared, dead)) == [], "whoever may run elsewhere is not started by us"
    until(lambda: primary(platform, "pbx-001").node == "pve2", "HA starts it where its replica is")
    until(lambda: guest(double, "pbx-001").running, "it runs")

    def planned() -> list[str]:
        return ids(converge(declared, platform.observe()))

    until(lambda: planned() in (["replicate/pbx-001", "protect/pbx-001"], ["protect/pbx-001"], []), planned())
    double.faults.revive("pve1")
    until(lambda: platform.observe().nodes["pve1"].reach == "online", "it is back")
    converged(platform, declared)
    assert rules(double)["sy__on__contract__pbx-001"][2].startswith("pve2:2,")  # type: ignore[attr-defined]
    assert replicas(platform, "pbx-001")[0].complete
    settled(platform, declared)


def test_one_in_error_is_named_with_what_to_do_and_nobody_starts_it(double: Double) -> None:
    declared = fleet(double, PBX)
    platform = engine(double, declared)
    converged(platform, declared)
    settled(platform, declared)
    platform.stop("pbx-001", "pve1")
    until(lambda: resource(double)["state"] == "stopped", "HA keeps it stopped")
    guest(double, "pbx-001").config["net0"] = "name=eth0,bridge=vmbr55,ip=manual"
    double.ask("PUT", "/cluster/ha/resources/ct:100", state="started")
    until(lambda: primary(platform, "pbx-001").protection.state == "error", "HA gives it up")  # type: ignore[union-attr]
    plan = converge(declared, platform.observe())
    assert ids(plan) == []
    note = next(note for note in plan.notes if note.startswith("pbx-001: "))
    assert "the HA manager gave it up (state error)" in note
    assert "ha-manager set ct:100 --state disabled" in note
