# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who backs whom up: what an operator would choose, on fleets small enough to do it by hand."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.backups import choose_backups, worst_share
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Factors,
    Failover,
    Node,
    ObservedNode,
    ObservedServer,
    Replication,
    Rule,
    Server,
    Size,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.problem import formulate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.state import NOWHERE, State
from fleets import apart, fleet, guest, node, observed, seen, server, silent, together

SURVIVES = {"failover": Failover("auto")}
REPLICATED = {**SURVIVES, "replication": Replication("interval", 300)}


def chosen(
    nodes: Iterable[Node],
    homes: dict[str, str],
    *,
    servers: Iterable[Server] | None = None,
    rules: Iterable[Rule] = (),
    there: Iterable[ObservedNode] | None = None,
    replicas: dict[str, str] | None = None,
) -> dict[str, str]:
    """Server -> the node that became its backup; servers are small and fail over unless told otherwise."""
    state = settled(nodes, homes, servers=servers, rules=rules, there=there, replicas=replicas)
    problem = state.problem
    return {
        name: problem.nodes[b] if b != NOWHERE else "" for name, b in zip(problem.servers, state.backup, strict=True)
    }


def settled(
    nodes: Iterable[Node],
    homes: dict[str, str],
    *,
    servers: Iterable[Server] | None = None,
    rules: Iterable[Rule] = (),
    there: Iterable[ObservedNode] | None = None,
    replicas: dict[str, str] | None = None,
) -> State:
    """The state with backups chosen."""
    nodes = list(nodes)
    servers = list(servers or (server(name, **SURVIVES) for name in homes))
    there = list(there or (seen(item.name) for item in nodes))
    guests = [guest(item, homes[item.name]) for item in servers]
    guests += [copy_of(item, replicas[item.name]) for item in servers if replicas and item.name in replicas]
    state = State(formulate(fleet(nodes, servers, rules), observed(there, guests)))
    choose_backups(state)
    return state


def copy_of(of: Server, on: str) -> ObservedServer:
    """A server's replica."""
    return guest(of, on, role="replica", state="stopped")


# ---------------------------------------------------------------- where it goes


def test_a_server_that_does_not_fail_over_gets_none() -> None:
    servers = [server("stays-down"), server("activated", failover=Failover("auto", "activate"))]
    homes = {"stays-down": "a", "activated": "a"}
    assert chosen([node("a"), node("b")], homes, servers=servers) == {"stays-down": "", "activated": ""}


def test_a_replicated_server_gets_one_though_it_does_not_fail_over() -> None:
    servers = [server("kept", replication=Replication("interval", 60))]
    assert chosen([node("a"), node("b")], {"kept": "a"}, servers=servers) == {"kept": "b"}


def test_one_node_has_nobody_to_back_it_up() -> None:
    assert chosen([node("a")], {"s": "a"}) == {"s": ""}


def test_two_nodes_back_each_other_up() -> None:
    assert chosen([node("a"), node("b")], {"s": "a", "t": "b"}) == {"s": "b", "t": "a"}


def test_servers_of_one_node_are_spread_evenly_over_the_others() -> None:
    homes = {f"s{number}": "a" for number in range(6)}
    backups = chosen([node(name) for name in "abcd"], homes)
    assert Counter(backups.values()) == {"b": 2, "c": 2, "d": 2}


def test_the_bigger_node_takes_more() -> None:
    homes = {f"s{number}": "a" for number in range(6)}
    there = [seen("a"), seen("b"), seen("big", cores=16, memory=16384, disk=16384)]
    backups = chosen([node("a"), node("b"), node("big")], homes, there=there)
    assert Counter(backups.values()) == {"b": 2, "big": 4}


def test_who_is_full_already_takes_less() -> None:
    homes = {f"s{number}": "a" for number in range(4)} | {f"t{number}": "b" for number in range(4)}
    backups = chosen([node(name) for name in "abc"], homes)
    assert Counter(backups[f"s{number}"] for number in range(4)) == {"c": 4}


def test_another_rack_is_better_than_an_emptier_node_in_the_same() -> None:
    nodes = [node("a", failure_domain="r1"), node("b", failure_domain="r1"), node("c", failure_domain="r2")]
    backups = chosen(nodes, {"s": "a", "t": "c", "u": "c", "v": "c"})
    assert backups["s"] == "c"


def test_the_same_rack_is_better_than_none() -> None:
    nodes = [node("a", failure_domain="r1"), node("b", failure_domain="r1")]
    assert chosen(nodes, {"s": "a"}) == {"s": "b"}


def test_a_whole_rack_fits_on_the_others_together() -> None:
    nodes = [node(f"{rack}{number}", failure_domain=rack) for rack in "abc" for number in (1, 2)]
    homes = {f"{item.name}-{number}": item.name for item in nodes for number in range(5)}
    state = settled(nodes, homes)
    # Five of eight are taken everywhere: 10 servers come to 4 nodes with 12 places left.
    assert all(state.survivable(loss) for loss in range(len(state.problem.losses)))
    assert worst_share(state) == 1.0


# ---------------------------------------------------------------- what wins, what stays


def test_the_declared_backup_wins_though_it_is_fuller() -> None:
    nodes = [node("a", backup="b"), node("b"), node("c")]
    assert chosen(nodes, {"s": "a", "t": "b", "u": "b"})["s"] == "b"


def test_a_declared_backup_that_is_in_maintenance_is_no_backup() -> None:
    nodes = [node("a", backup="b"), node("b", state="maintenance"), node("c")]
    assert chosen(nodes, {"s": "a"}) == {"s": "c"}


def test_a_replica_stays_where_it_is() -> None:
    servers = [server("s", **REPLICATED), server("t", **REPLICATED)]
    backups = chosen([node(n) for n in "abc"], {"s": "a", "t": "b"}, servers=servers, replicas={"s": "b", "t": "c"})
    assert backups == {"s": "b", "t": "c"}


@pytest.mark.parametrize("gone", [silent("b"), seen("b", maintenance=True)])
def test_a_replica_on_a_node_out_of_service_is_replaced(gone: ObservedNode) -> None:
    servers = [server("s", **REPLICATED)]
    there = [seen("a"), gone, seen("c")]
    assert chosen([node(n) for n in "abc"], {"s": "a"}, servers=servers, there=there, replicas={"s": "b"}) == {"s": "c"}


def test_where_no_other_is_left_the_useless_one_is_taken_away() -> None:
    servers = [server("s", **REPLICATED)]
    there = [seen("a"), silent("b")]
    assert chosen([node("a"), node("b")], {"s": "a"}, servers=servers, there=there, replicas={"s": "b"}) == {"s": ""}


def test_only_those_asked_for_get_one() -> None:
    servers = [server("s", **SURVIVES), server("t", **SURVIVES)]
    there = observed([seen("a"), seen("b")], [guest(item, "a") for item in servers])
    state = State(formulate(fleet([node("a"), node("b")], servers), there))
    choose_backups(state, [1])
    assert state.backup == [NOWHERE, 1]


# ---------------------------------------------------------------- who may be where


def test_a_pin_does_not_bind_beyond_the_death_of_its_node() -> None:
    servers = [server("s", node="a", **SURVIVES)]
    assert chosen([node("a"), node("b")], {"s": "a"}, servers=servers) == {"s": "b"}


@pytest.mark.parametrize(
    ("wish", "right"),
    [({"site": "east"}, {"site": "east"}), ({"devices": frozenset({"isdn"})}, {"devices": frozenset({"isdn"})})],
)
def test_site_and_devices_bind_beyond_it(wish: dict[str, object], right: dict[str, object]) -> None:
    servers = [server("s", node="a", **wish, **SURVIVES)]
    nodes = [node("a", **right), node("b"), node("c", **right)]
    assert chosen(nodes, {"s": "a"}, servers=servers) == {"s": "c"}


def test_a_dedicated_node_backs_up_only_its_own() -> None:
    nodes = [node("a"), node("b", dedicated=frozenset({"t"})), node("c")]
    assert chosen(nodes, {"s": "a", "t": "a"})["s"] == "c"


def test_nor_does_it_back_up_who_is_pinned_elsewhere() -> None:
    servers = [server("s", node="a", **SURVIVES)]
    nodes = [node("a"), node("b", dedicated=frozenset({"t"})), node("c")]
    assert chosen(nodes, {"s": "a"}, servers=servers) == {"s": "c"}


def test_a_witness_backs_nobody_up() -> None:
    assert chosen([node("a"), node("w", witness=True)], {"s": "a"}) == {"s": ""}


def test_a_server_that_wants_its_node_alone_gets_an_empty_backup_and_keeps_it_so() -> None:
    servers = [server("alone", dedicated=True, **SURVIVES), server("s", **SURVIVES), server("t", **SURVIVES)]
    nodes = [node(name, failure_domain=rack) for name, rack in zip("abcd", ("r1", "r1", "r2", "r2"), strict=True)]
    backups = chosen(nodes, {"alone": "a", "s": "b", "t": "c"}, servers=servers)
    assert backups["alone"] == "d"
    # Were s to come to d as well when the rack is lost, alone would not be alone.
    assert backups["s"] == "c"


# ---------------------------------------------------------------- rules hold after the failure too


def test_no_backup_where_the_counterpart_runs() -> None:
    backups = chosen([node(n) for n in "abc"], {"s1": "a", "s2": "b"}, rules=[apart("s1", "s2")])
    assert backups == {"s1": "c", "s2": "c"}


def test_two_that_are_apart_and_would_come_together_get_two_backups() -> None:
    nodes = [node(n, failure_domain=rack) for n, rack in zip("abcd", ("r1", "r1", "r2", "r2"), strict=True)]
    backups = chosen(nodes, {"s1": "a", "s2": "b", "t": "d", "u": "d"}, rules=[apart("s1", "s2")])
    assert sorted((backups["s1"], backups["s2"])) == ["c", "d"]


def test_a_replica_beside_the_counterpart_is_replaced() -> None:
    servers = [server("s1", **REPLICATED), server("s2", **REPLICATED)]
    backups = chosen(
        [node(n) for n in "abc"],
        {"s1": "a", "s2": "b"},
        servers=servers,
        rules=[apart("s1", "s2")],
        replicas={"s1": "b"},
    )
    assert backups["s1"] == "c"


def test_a_soft_rule_stops_nobody() -> None:
    backups = chosen([node("a"), node("b")], {"s1": "a", "s2": "b"}, rules=[apart("s1", "s2", hard=False)])
    assert backups == {"s1": "b", "s2": "a"}


def test_those_that_belong_together_have_one_backup() -> None:
    homes = {"s1": "a", "s2": "a", "s3": "a", "s4": "a"}
    backups = chosen([node(n) for n in "abcd"], homes, rules=[together("s1", "s3")])
    assert backups["s1"] == backups["s3"]


# ---------------------------------------------------------------- room


def test_disk_for_the_replica_counts() -> None:
    servers = [server("s", size=Size(1, 512, 6000), **REPLICATED)]
    there = [seen("a"), seen("b", disk=5000), seen("c", memory=2048)]
    assert chosen([node(n) for n in "abc"], {"s": "a"}, servers=servers, there=there) == {"s": "c"}


@pytest.mark.parametrize("wish", [SURVIVES, REPLICATED])
def test_a_server_is_not_started_where_its_pool_is_not(wish: dict[str, object]) -> None:
    fast = server("s", pool="fast", **wish)
    there = [seen("a"), seen("b"), seen("c")]
    with_fast = [
        replace(item, capacity=replace(item.capacity, pools={"default": 8192, "fast": 8192})) for item in there
    ]
    assert chosen(
        [node(n) for n in "abc"], {"s": "a"}, servers=[fast], there=[with_fast[0], there[1], with_fast[2]]
    ) == {"s": "c"}


def test_io_counts() -> None:
    capacity = [replace(seen(n).capacity, io=io) for n, io in (("a", 100), ("b", 10), ("c", 50))]
    there = [replace(seen(n), capacity=its) for n, its in zip("abc", capacity, strict=True)]
    servers = [server("s", size=Size(1, 1024, 1024, 40), **SURVIVES)]
    assert chosen([node(n) for n in "abc"], {"s": "a"}, servers=servers, there=there) == {"s": "c"}


def test_who_finds_no_room_sends_a_smaller_one_on() -> None:
    # The small one comes first by rule of fewest choices, and would take b; only there the big one fits.
    servers = [server("big", size=Size(1, 6144, 512), **SURVIVES), server("dev", devices=frozenset({"x"}), **SURVIVES)]
    nodes = [node("a"), node("b", devices=frozenset({"x"})), node("c", devices=frozenset({"x"}))]
    there = [seen("a", memory=16384), seen("b", memory=6144), seen("c", memory=2048)]
    assert chosen(nodes, {"big": "a", "dev": "a"}, servers=servers, there=there) == {"big": "b", "dev": "c"}


def test_without_room_to_run_anywhere_the_replica_is_still_put_somewhere() -> None:
    servers = [server("s", size=Size(1, 8000, 1024), **REPLICATED)]
    there = [seen("a"), seen("b", memory=4096)]
    assert chosen([node("a"), node("b")], {"s": "a"}, servers=servers, there=there) == {"s": "b"}


# ---------------------------------------------------------------- how even it is


def bound(state: State) -> float:
    """No choice of backups can do better: the fullest survivor as it is, or all that remains, were it spread evenly."""
    problem = state.problem
    worst = 0.0
    for loss in problem.losses:
        alive = [j for j in range(len(problem.nodes)) if j not in loss.nodes]
        for column in range(3):
            if any(not 0 < problem.limit[j][column] < math.inf for j in alive):
                continue
            fallen = sum(problem.demand[i][column] for i, home in enumerate(state.at) if home in loss.nodes)
            there = sum(state.load[j][column] for j in alive)
            worst = max(
                worst,
                (there + fallen) / sum(problem.limit[j][column] for j in alive),
                *(state.load[j][column] / problem.limit[j][column] for j in alive),
            )
    return worst


@pytest.mark.parametrize("racks", [0, 5])
@pytest.mark.parametrize("seed", range(3))
def test_the_load_after_any_failure_is_within_a_twentieth_of_the_most_even(seed: int, racks: int) -> None:
    chance = random.Random(seed)
    nodes = [node(f"n{number:02}", failure_domain=f"r{number % racks}" if racks else "") for number in range(20)]
    there = [
        seen(item.name, cores=64 * k, memory=65536 * k, disk=999999 * k)
        for item in nodes
        for k in [chance.choice((1, 2))]
    ]
    servers = [
        server(f"s{number:03}", size=Size(1, 1024 * chance.choice((1, 1, 2, 4)), 10240), **REPLICATED)
        for number in range(400)
    ]
    weights = [item.capacity.memory for item in there]
    homes = {item.name: chance.choices([its.name for its in nodes], weights)[0] for item in servers}
    state = settled(nodes, homes, servers=servers, there=there)
    assert state.gaps() == 0
    assert worst_share(state) <= bound(state) + 0.05


def test_the_worst_share_is_that_of_the_fullest_survivor_of_any_loss() -> None:
    # a or b dies: its 3 join the other's 3 of 8; cores may be promised four times, so memory counts.
    nodes = [node(n, overcommit=Factors()) for n in "ab"]
    state = settled(nodes, {f"{n}{number}": n for n in "ab" for number in range(3)})
    assert worst_share(state) == pytest.approx(6 / 8)


def test_same_input_same_backups() -> None:
    homes = {f"s{number}": "abcd"[number % 4] for number in range(16)}
    nodes = [node(name) for name in "abcd"]
    assert chosen(nodes, homes) == chosen(nodes, homes)
