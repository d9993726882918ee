# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Incus alone: replicas are guests of their own there, which nodes keep by their marks; so it is the marks that are
looked at, and that nothing is ever done by one that is wrong. What agents and a cluster do with them is tested in
tests/lab/failover."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Engine, EngineError, Refused
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import handover, safekeeping
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.engine import IncusEngine
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guest import MARK
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guests import Guests
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.refresh import refresh
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.converge import converge
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Failover,
    ObservedServer,
    Replication,
    Server,
)

from .conftest import World, silent
from .cutting import Killed, cut
from .incus_platform import Incus
from .moving import carry_out, where

INTERVAL = 300
PAIRS = ["node1 node2", "node2 node1", "node2 node3", "node3 node2", "node1 node3", "node3 node1"]


@pytest.fixture
def incus(world: World) -> Incus:
    if not isinstance(world.platform, Incus):
        pytest.skip("its replicas are no guests: see test_contract_safeguards")
    world.platform.agents()
    return world.platform


@pytest.fixture
def nodes(world: World) -> list[str]:
    return sorted(world.bed.nodes)


def declared(world: World, mode: Any = "auto", **more: Any) -> Server:
    server = world.server()
    return replace(server, replication=Replication("interval", INTERVAL), failover=Failover(mode), **more)


@pytest.fixture
def copied(world: World, incus: Incus, nodes: list[str]) -> tuple[IncusEngine, Server]:
    """A server that runs on the first node, with a replica on the second."""
    server = declared(world)
    engine = world.engine(world.fleet(server))
    assert isinstance(engine, IncusEngine)
    engine.create(server, nodes[0], silent)
    incus.write(nodes[0], server.name, "/root/data", "first")
    engine.start(server.name, nodes[0])
    engine.replicate(server, nodes[0], nodes[1], silent)
    return engine, server


@pytest.fixture
def guarded(copied: tuple[IncusEngine, Server], incus: Incus, nodes: list[str]) -> tuple[IncusEngine, Server]:
    """The same server with a label. The test says that the cluster knows the pairs of nodes: there is none here."""
    engine, server = copied
    for node in nodes:
        incus.report(node, {"replicates": True, "protects": True, "pairs": PAIRS})
    engine.protect(server, nodes[0], [nodes[1]])
    return engine, server


def marks(incus: Incus, node: str, name: str) -> dict[str, str]:
    """What is written on a copy."""
    raw = incus.guest(node, name)
    assert raw is not None, f"no copy on {node}"
    own = {key: value for key, value in raw["config"].items() if key.startswith(MARK)}
    return {key.removeprefix(MARK): value for key, value in own.items()} | {
        "autostart": raw["config"].get("boot.autostart") or ""
    }


def guests(engine: IncusEngine, node: str) -> Guests:
    return Guests(engine.fleet, engine._clients[node])


def replicas(engine: Engine, name: str) -> list[ObservedServer]:
    return [each for each in engine.observe().servers if each.name == name and each.role == "replica"]


# ---------------------------------------------------------------- what is written


def test_where_no_agent_is_nothing_is_replicated_and_nothing_changed(world: World, nodes: list[str]) -> None:
    if not isinstance(world.platform, Incus):
        pytest.skip("Proxmox VE needs no agents")
    server = declared(world)
    engine = world.engine(world.fleet(server))
    engine.create(server, nodes[0], silent)
    before = world.platform.guest(nodes[0], server.name)
    for node in nodes:
        world.platform.report(node, None)
    assert not engine.observe().abilities.replicates
    with pytest.raises(Refused, match="does no such thing"):
        engine.replicate(server, nodes[0], nodes[1], silent)
    assert world.platform.guest(nodes[0], server.name) == before
    plan = converge(engine.fleet, engine.observe())
    assert any("without effect" in note for note in plan.notes) and not plan.refusals


def test_both_copies_say_what_a_node_has_to_know(
    copied: tuple[IncusEngine, Server], incus: Incus, nodes: list[str]
) -> None:
    _engine, server = copied
    primary, replica = (marks(incus, node, server.name) for node in nodes[:2])
    assert (primary["replicas"], primary["keeps"], primary["autostart"]) == (nodes[1], "running", "false")
    assert (replica["role"], replica["replicas"], replica["autostart"]) == ("replica", nodes[1], "false")
    assert replica["failover"] == primary["failover"] == safekeeping.guard_mark(server)[safekeeping.FAILOVER]
    assert (replica["replica.interval"], replica["replica.source"]) == (str(INTERVAL), nodes[0])
    assert "replica.refreshing" not in replica
    assert not [key for key in primary if key.startswith("replica.")]
    assert 0 < time.time() - float(replica["replica.refreshed"]) < 120


def test_a_refresh_brings_data_and_declaration_and_tells_when(
    world: World, copied: tuple[IncusEngine, Server], incus: Incus, nodes: list[str]
) -> None:
    engine, server = copied
    incus.write(nodes[0], server.name, "/root/data", "second")
    larger = replace(server, size=replace(server.size, memory=96))
    engine.resize(larger, nodes[0])
    before = float(marks(incus, nodes[1], server.name)["replica.refreshed"])
    began = time.time()
    refresh(guests(engine, nodes[0]), guests(engine, nodes[1]), server.name)
    after = marks(incus, nodes[1], server.name)
    assert incus.read(nodes[1], server.name, "/root/data") == "second"
    assert (incus.guest(nodes[1], server.name) or {})["config"]["limits.memory"] == "96MiB"
    assert before < began - 0.01 <= float(after["replica.refreshed"])
    assert float(after["replica.took"]) > 0
    assert [each.complete for each in replicas(engine, server.name)] == [True]


def test_another_interval_is_written_and_other_checks_are_noticed(
    world: World, copied: tuple[IncusEngine, Server], incus: Incus, nodes: list[str]
) -> None:
    engine, server = copied
    assert not [step for step in converge(engine.fleet, engine.observe()).steps if step.action == "replicate"]
    changed = replace(server, replication=Replication("interval", 60), start_order=7)
    other = world.engine(world.fleet(changed))
    carry_out(other, converge(other.fleet, other.observe()))
    assert marks(incus, nodes[1], server.name)["replica.interval"] == "60"
    assert safekeeping.guarded({safekeeping.FAILOVER: marks(incus, nodes[0], server.name)["failover"]}).order == 7
    refresh(guests(engine, nodes[0]), guests(engine, nodes[1]), server.name)
    assert not [step for step in converge(other.fleet, other.observe()).steps if step.action == "replicate"]


def test_a_server_that_is_stopped_or_started_says_how_it_is_to_be_kept_first(
    copied: tuple[IncusEngine, Server], incus: Incus, nodes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, server = copied
    for act, kept in ((engine.stop, "stopped"), (engine.start, "running")):
        with cut(monkeypatch, engine, 2, after=False), suppress(Killed):
            act(server.name, nodes[0])
        assert marks(incus, nodes[0], server.name)["keeps"] == kept, "before the state changes"
        act(server.name, nodes[0])
    engine.restart(server.name, nodes[0])
    assert marks(incus, nodes[0], server.name)["keeps"] == "running"


def test_without_replicas_it_starts_with_its_node_as_before(
    copied: tuple[IncusEngine, Server], incus: Incus, nodes: list[str]
) -> None:
    engine, server = copied
    engine.unreplicate(server.name, nodes[0], nodes[1])
    left = marks(incus, nodes[0], server.name)
    assert (left["autostart"], left.get("replicas", "")) == ("", "")
    assert where_is(incus, nodes, server) == [nodes[0]]


def where_is(incus: Incus, nodes: list[str], server: Server) -> list[str]:
    return [node for node in nodes if incus.guest(node, server.name)]


def test_a_duplicate_has_nothing_of_its_sources_safekeeping(
    world: World, guarded: tuple[IncusEngine, Server], incus: Incus, nodes: list[str]
) -> None:
    _engine, server = guarded
    for index, node in enumerate(nodes[:2]):
        twin = replace(world.server(f"twin{index}"), size=server.size)
        other = world.engine(world.fleet(server, twin))
        other.copy(server.name, nodes[0], twin, node, silent)
        found = marks(incus, node, twin.name)
        spoiled = {"replicas", "pair", "keeps", "home", "failover", "every"} & set(found)
        assert not spoiled and found["autostart"] == "" and not [key for key in found if key.startswith("replica.")]
        mine = [each for each in other.observe().servers if each.name == twin.name]
        assert [(each.node, each.role, each.protection) for each in mine] == [(node, "primary", None)]


# ---------------------------------------------------------------- cut off anywhere


def moments(writes: int) -> list[Any]:
    """Right before and right after each of so many writes."""
    when = {False: "before", True: "after"}
    return [
        pytest.param((write, after), id=f"{when[after]}-{write}")
        for write in range(1, writes + 1)
        for after in (False, True)
    ]


@pytest.mark.parametrize("moment", moments(4))
def test_killed_at_any_write_of_replicate_the_next_run_finishes_it(
    world: World, incus: Incus, nodes: list[str], monkeypatch: pytest.MonkeyPatch, moment: tuple[int, bool]
) -> None:
    """Mark, offer, copy, mark."""
    server = declared(world, "manual")
    engine = world.engine(world.fleet(server))
    engine.create(server, nodes[0], silent)
    engine.start(server.name, nodes[0])
    with cut(monkeypatch, engine, moment[0], after=moment[1]) as controller, suppress(Killed):
        engine.replicate(server, nodes[0], nodes[1], silent)
    assert controller.dead, controller.writes
    fresh = world.engine(world.fleet(server))
    plan = converge(fresh.fleet, fresh.observe())
    carry_out(fresh, plan)
    mine = replicas(fresh, server.name)
    assert len(mine) == 1 and mine[0].complete
    assert marks(incus, nodes[0], server.name)["replicas"] == mine[0].node
    assert where(world, server.name) == {nodes[0]: "Running", mine[0].node: "Stopped"}
    assert not [step for step in converge(fresh.fleet, fresh.observe()).steps if "replicate" in step.action]


@pytest.mark.parametrize("moment", moments(3))
def test_killed_at_any_write_of_unreplicate_the_next_run_finishes_it(
    world: World,
    guarded: tuple[IncusEngine, Server],
    incus: Incus,
    monkeypatch: pytest.MonkeyPatch,
    moment: tuple[int, bool],
) -> None:
    """Label, delete, mark."""
    engine, server = guarded
    nodes = world.nodes
    with cut(monkeypatch, engine, moment[0], after=moment[1]) as controller, suppress(Killed):
        engine.unreplicate(server.name, nodes[0], nodes[1])
    assert controller.dead, controller.writes
    plain = replace(server, replication=Replication(), failover=Failover())
    fresh = world.engine(world.fleet(plain))
    carry_out(fresh, converge(fresh.fleet, fresh.observe()))
    assert where(world, server.name) == {nodes[0]: "Running"}
    left = marks(incus, nodes[0], server.name)
    assert (left["autostart"], left.get("replicas", ""), left.get("pair", "")) == ("", "", "")


def test_a_refresh_that_was_cut_off_is_seen_and_gone_on_with(
    copied: tuple[IncusEngine, Server], incus: Incus, nodes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, server = copied
    complete = marks(incus, nodes[1], server.name)["replica.refreshed"]
    incus.write(nodes[0], server.name, "/root/data", "second")
    with cut(monkeypatch, engine, 3, after=True) as controller, suppress(Killed):
        refresh(guests(engine, nodes[0]), guests(engine, nodes[1]), server.name)
    assert controller.dead, controller.writes
    torn = marks(incus, nodes[1], server.name)
    assert "replica.refreshing" in torn and torn["replica.refreshed"] == complete
    refresh(guests(engine, nodes[0]), guests(engine, nodes[1]), server.name)
    assert "replica.refreshing" not in marks(incus, nodes[1], server.name)
    assert incus.read(nodes[1], server.name, "/root/data") == "second"


# ---------------------------------------------------------------- what is refused


def test_nothing_is_refreshed_by_or_into_a_copy_that_is_wrong(
    copied: tuple[IncusEngine, Server], incus: Incus, nodes: list[str]
) -> None:
    engine, server = copied
    here, there = (guests(engine, node) for node in nodes[:2])

    def refused(why: str) -> None:
        before = [incus.guest(node, server.name) for node in nodes[:2]]
        with pytest.raises(Refused, match=why):
            refresh(here, there, server.name)
        assert [incus.guest(node, server.name) for node in nodes[:2]] == before, why

    for node, keys, why in (
        (nodes[0], {"move": f"to {nodes[2]} running"}, "on its way to another node"),
        (nodes[0], {"replicas": nodes[2]}, "no replica on"),
        (nodes[0], {"role": "replica"}, "its server is elsewhere"),
        (nodes[1], {"move": f"from {nodes[0]}"}, "takes part in a move"),
        (nodes[1], {"role": "primary"}, "is no replica"),
        (nodes[1], {"generation": "1000"}, "is of generation 1000"),
    ):
        spoiled = {f"{MARK}{key}": value for key, value in keys.items()}
        before = guests(engine, node).set_keys(server.name, "spoil", spoiled)
        refused(why)
        guests(engine, node).set_keys(server.name, "mend", {key: before.config.get(key, "") for key in spoiled})
    refresh(here, there, server.name)


def test_what_cannot_be_replicated_is_refused_before_anything_is_changed(
    world: World, incus: Incus, nodes: list[str]
) -> None:
    server = declared(world)
    engine = world.engine(world.fleet(server))
    engine.create(server, nodes[0], silent)
    incus.tie(nodes[0], server.name)
    before = incus.guest(nodes[0], server.name)
    with pytest.raises(Refused, match="device data is a disk of this node"):
        engine.replicate(server, nodes[0], nodes[1], silent)
    assert incus.guest(nodes[0], server.name) == before
    assert where_is(incus, nodes, server) == [nodes[0]]


def test_a_pool_the_backup_does_not_have_is_named(world: World, incus: Incus, nodes: list[str]) -> None:
    if nodes[0] not in world.bed.shell:
        pytest.skip("no shell on the servers given")
    server = replace(declared(world), pool="fast")
    folder = "/var/tmp/contract-fast"
    subprocess.run([*world.bed.shell[nodes[0]], f"mkdir -p {folder}"], check=True)
    incus.pool(nodes[0], "fast", folder)
    try:
        engine = world.engine(world.fleet(server))
        engine.create(server, nodes[0], silent)
        with pytest.raises(Refused, match="pool fast"):
            engine.replicate(server, nodes[0], nodes[1], silent)
        assert "replicas" not in marks(incus, nodes[0], server.name)
    finally:
        incus.drop_pool(nodes[0], "fast")


def test_only_one_node_with_a_complete_replica_can_be_the_backup(
    guarded: tuple[IncusEngine, Server], nodes: list[str]
) -> None:
    engine, server = guarded
    for backups, why in (([nodes[2]], "no complete replica"), ([], "names one node"), (nodes[1:], "names one node")):
        with pytest.raises(Refused, match=why):
            engine.protect(server, nodes[0], backups)


# ---------------------------------------------------------------- labels


def labels(incus: Incus, server: Server, *nodes: str) -> list[str]:
    return [marks(incus, node, server.name).get("pair", "") for node in nodes]


def test_labels_follow_the_server_wherever_it_goes(
    guarded: tuple[IncusEngine, Server], incus: Incus, nodes: list[str]
) -> None:
    engine, server = guarded
    first, second, third = nodes
    assert labels(incus, server, first, second) == [f"{first} {second}"] * 2
    engine.move(server, first, second, "switch", silent)
    assert labels(incus, server, first, second) == [f"{second} {first}"] * 2
    old = marks(incus, first, server.name)
    assert (old["role"], old["replica.source"], old["replica.interval"]) == ("replica", second, str(INTERVAL))
    assert [each.complete for each in replicas(engine, server.name)] == [True]
    refresh(guests(engine, second), guests(engine, first), server.name)
    engine.move(server, second, third, "copy", silent)
    assert where_is(incus, nodes, server) == [first, third]
    assert labels(incus, server, first, third) == [f"{third} {first}"] * 2
    assert marks(incus, third, server.name)["replicas"] == first
    refresh(guests(engine, third), guests(engine, first), server.name)
    assert marks(incus, first, server.name)["replica.source"] == third
    assert (engine.observe().servers[-1].protection or engine.observe().servers[0].protection) is not None


def test_a_new_backup_is_labelled_and_the_old_one_no_more(
    guarded: tuple[IncusEngine, Server], incus: Incus, nodes: list[str]
) -> None:
    engine, server = guarded
    engine.replicate(server, nodes[0], nodes[2], silent)
    engine.protect(server, nodes[0], [nodes[2]])
    assert labels(incus, server, *nodes) == [f"{nodes[0]} {nodes[2]}", "", f"{nodes[0]} {nodes[2]}"]
    engine.unprotect(server.name, nodes[0])
    assert labels(incus, server, *nodes) == ["", "", ""]


def test_until_the_cluster_knows_the_pair_it_is_waited_for(
    guarded: tuple[IncusEngine, Server], incus: Incus, nodes: list[str]
) -> None:
    engine, server = guarded
    for node in nodes:
        incus.report(node, {"replicates": True, "protects": True, "pairs": [], "servers": {server.name: "sick"}})
    seen = next(each.protection for each in engine.observe().servers if each.role == "primary")
    assert seen is not None
    assert "take up the pair" in seen.waits and seen.trouble == "sick"


def test_a_move_that_fails_leaves_a_replica_that_is_refreshed_again(
    copied: tuple[IncusEngine, Server], incus: Incus, nodes: list[str]
) -> None:
    engine, server = copied

    def stays() -> None:
        raise EngineError("test", "leave", "somebody says no")

    with pytest.raises(EngineError, match="says no"):
        engine.move(server, nodes[0], nodes[1], "switch", silent, leaving=stays)
    refresh(guests(engine, nodes[0]), guests(engine, nodes[1]), server.name)
    replica = marks(incus, nodes[1], server.name)
    assert (replica["role"], replica["replica.interval"], replica.get("move", "")) == ("replica", str(INTERVAL), "")


def taken_over(engine: IncusEngine, server: Server, incus: Incus, nodes: list[str], *, told: bool) -> None:
    """The cluster has the second node start it; ``told``: the first one knows already that it lost it."""
    if (incus.guest(nodes[0], server.name) or {}).get("status") == "Running":
        incus.power(nodes[0], server.name, "stop")
    engine.promote(server, nodes[1], [nodes[0]])
    engine.start(server.name, nodes[1])
    if told:
        guests(engine, nodes[0]).set_keys(server.name, "let go", handover.demoted(1000))


@pytest.mark.parametrize("told", [False, True])
def test_what_the_cluster_took_over_during_the_long_copy_runs_there_and_nowhere_else(
    world: World, guarded: tuple[IncusEngine, Server], incus: Incus, nodes: list[str], told: bool
) -> None:
    engine, server = guarded
    cluster = world.engine(engine.fleet)
    assert isinstance(cluster, IncusEngine)

    def leaving() -> None:
        taken_over(cluster, server, incus, nodes, told=told)

    with pytest.raises(Refused, match="promoted meanwhile" if told else "somebody else stopped it"):
        engine.move(server, nodes[0], nodes[2], "copy", silent, leaving=leaving)
    assert where(world, server.name) == {nodes[0]: "Stopped", nodes[1]: "Running", nodes[2]: "Stopped"}
    assert not marks(incus, nodes[0], server.name).get("move")
    assert marks(incus, nodes[2], server.name)["role"] == "replica"


def test_what_the_cluster_took_over_during_the_last_copy_runs_there_and_nowhere_else(
    world: World,
    guarded: tuple[IncusEngine, Server],
    incus: Incus,
    nodes: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine, server = guarded
    cluster = world.engine(engine.fleet)
    assert isinstance(cluster, IncusEngine)
    stopped: list[str] = []

    def watch(write: str) -> None:
        if stopped and "taken" not in stopped:
            stopped.append("taken")
            taken_over(cluster, server, incus, nodes, told=True)
        if write.endswith("/state"):
            stopped.append(write)

    with cut(monkeypatch, engine, 0, after=False, watch=watch), pytest.raises(Refused, match="promoted meanwhile"):
        engine.move(server, nodes[0], nodes[2], "copy", silent)
    assert where(world, server.name) == {nodes[0]: "Stopped", nodes[1]: "Running", nodes[2]: "Stopped"}
    assert marks(incus, nodes[2], server.name)["role"] == "replica"


def test_what_a_failover_outdid_is_not_thrown_away_by_a_move(
    world: World, guarded: tuple[IncusEngine, Server], incus: Incus, nodes: list[str]
) -> None:
    engine, server = guarded
    incus.write(nodes[0], server.name, "/root/data", "nobody else has this")
    taken_over(engine, server, incus, nodes, told=False)
    with pytest.raises(Refused, match="switchyard-agent settle"):
        engine.move(server, nodes[1], nodes[0], "switch", silent)
    assert where(world, server.name) == {nodes[0]: "Stopped", nodes[1]: "Running"}
    assert incus.read(nodes[0], server.name, "/root/data") == "nobody else has this"


# ---------------------------------------------------------------- delete, and promote


def test_deleted_beside_a_dead_backup_it_is_deleted(
    world: World, copied: tuple[IncusEngine, Server], incus: Incus, nodes: list[str]
) -> None:
    engine, server = copied
    engine.stop(server.name, nodes[0])
    blind = world.engine(replace(world.fleet(server), nodes={**world.bed.nodes, **incus.dead(nodes[1])}))
    blind.delete(server.name, nodes[0])
    assert where_is(incus, nodes, server) == [nodes[1]]


def test_what_is_left_over_goes_without_the_replicas_of_its_server(
    guarded: tuple[IncusEngine, Server], incus: Incus, nodes: list[str]
) -> None:
    engine, server = guarded
    engine.replicate(server, nodes[0], nodes[2], silent)
    engine.delete(server.name, nodes[2])
    assert where_is(incus, nodes, server) == nodes[:2]
    assert [each.node for each in replicas(engine, server.name) if each.complete] == [nodes[1]]


def test_a_replica_is_promoted_once_its_node_is_lost_and_never_beside_its_server(
    world: World, guarded: tuple[IncusEngine, Server], incus: Incus, nodes: list[str]
) -> None:
    engine, server = guarded
    before = [incus.guest(node, server.name) for node in nodes[:2]]
    with pytest.raises(Refused, match="calls itself primary"):
        engine.promote(server, nodes[1], [nodes[2]])
    assert [incus.guest(node, server.name) for node in nodes[:2]] == before
    # The power of its node is cut, as far as anybody can see who does not ask it.
    incus.power(nodes[0], server.name, "stop")
    for _again in range(2):
        engine.promote(server, nodes[1], [nodes[0]])
    new = marks(incus, nodes[1], server.name)
    assert (new["role"], new["generation"], new["home"]) == ("primary", "1000", nodes[0])
    assert (new["replicas"], new["pair"], new["autostart"]) == (nodes[0], f"{nodes[1]} {nodes[0]}", "false")
    assert not [key for key in new if key.startswith("replica.")]
    engine.start(server.name, nodes[1])
    assert incus.read(nodes[1], server.name, "/root/data") == "first"
    seen = {each.node: each for each in engine.observe().servers if each.name == server.name}
    assert seen[nodes[1]].home == nodes[0] and seen[nodes[0]].diverged
    plan = converge(engine.fleet, engine.observe())
    assert not [step for step in plan.steps if step.action == "delete"], "it may hold what nobody else has"


def test_a_replica_that_was_never_complete_is_not_promoted(
    copied: tuple[IncusEngine, Server], incus: Incus, nodes: list[str]
) -> None:
    engine, server = copied
    guests(engine, nodes[1]).set_keys(server.name, "spoil", {safekeeping.REFRESHED: ""})
    with pytest.raises(Refused, match="never complete"):
        engine.promote(server, nodes[1], [nodes[0]])
    assert marks(incus, nodes[1], server.name)["role"] == "replica"


# ---------------------------------------------------------------- side by side


def test_two_nodes_fetch_the_same_server_at_once(
    copied: tuple[IncusEngine, Server], incus: Incus, nodes: list[str]
) -> None:
    """Incus hands a guest out to one at a time, and turns the other away: who waits for its turn, and loses nothing."""
    engine, server = copied
    engine.replicate(server, nodes[0], nodes[2], silent)
    for turn in ("first", "second", "third"):
        incus.write(nodes[0], server.name, "/root/data", turn)
        with ThreadPoolExecutor() as side_by_side:
            asked = [
                side_by_side.submit(refresh, guests(engine, nodes[0]), guests(engine, node), server.name)
                for node in nodes[1:]
            ]
        for each in asked:
            each.result()
        assert [incus.read(node, server.name, "/root/data") for node in nodes[1:]] == [turn, turn]


def test_who_marks_a_replica_for_a_move_ends_its_refresh(
    world: World,
    copied: tuple[IncusEngine, Server],
    incus: Incus,
    nodes: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The move comes right after the refresh looked for the last time, and right before it fetches."""
    engine, server = copied
    mover = world.engine(engine.fleet)
    moved: list[str] = []

    def watch(write: str) -> None:
        if write == "POST /1.0/instances" and not moved:
            moved.append(write)
            mover.move(server, nodes[0], nodes[1], "switch", silent)
            incus.write(nodes[1], server.name, "/root/data", "since the move")

    with cut(monkeypatch, engine, 0, after=False, watch=watch), pytest.raises(EngineError):
        refresh(guests(engine, nodes[0]), guests(engine, nodes[1]), server.name)
    assert moved
    assert where(world, server.name) == {nodes[0]: "Stopped", nodes[1]: "Running"}
    assert marks(incus, nodes[1], server.name)["role"] == "primary"
    assert incus.read(nodes[1], server.name, "/root/data") == "since the move"
