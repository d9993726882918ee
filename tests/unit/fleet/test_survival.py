# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof that any node or rack may die, or the words for why not."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.backups import choose_backups
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Failover, Size, Survival
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.problem import formulate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.state import NOWHERE, State
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.survival import prove, survival_line
from fleets import fleet, guest, node, observed, seen, server, stranger

SURVIVES = {"failover": Failover("auto")}


def state_of(
    homes: dict[str, str], backups: dict[str, str], *, racks: dict[str, str] | None = None, memory: int = 8192
) -> State:
    """Nodes a to d, with room for eight servers each; servers that fail over, with the backups given."""
    racks = racks or {}
    nodes = [node(name, failure_domain=racks.get(name, "")) for name in "abcd"]
    servers = [server(name, **SURVIVES) for name in homes]
    there = observed(
        [seen(item.name, memory=memory) for item in nodes], [guest(its, homes[its.name]) for its in servers]
    )
    problem = formulate(fleet(nodes, servers), there)
    backup = tuple(problem.node_index.get(backups.get(name, ""), NOWHERE) for name in problem.servers)
    return State(replace(problem, backup=backup))


def proof_of(lost: str, state: State) -> Survival:
    """The proof for one loss."""
    return next(proof for proof in prove(state) if proof.lost == lost)


def test_a_loss_everybody_has_room_after_is_proven_with_the_tightest_backup_named() -> None:
    state = state_of({"s1": "a", "s2": "a", "t": "b"}, {"s1": "b", "s2": "c", "t": "a"})
    assert proof_of("a", state) == Survival("a", "node", (), "b memory 25 %")


def test_only_nodes_that_carry_servers_have_a_proof() -> None:
    state = state_of({"s": "a"}, {"s": "b"})
    assert [proof.lost for proof in prove(state)] == ["a"]


def test_a_server_without_a_backup_is_a_gap() -> None:
    assert proof_of("a", state_of({"s": "a"}, {})).gaps == ("s has no backup node",)


def test_a_backup_on_the_same_node_is_a_gap() -> None:
    assert proof_of("a", state_of({"s": "a"}, {"s": "a"})).gaps == ("s has its backup on its own node",)


def test_a_backup_in_the_same_rack_is_a_gap_when_the_rack_dies_and_none_when_the_node_does() -> None:
    state = state_of({"s": "a"}, {"s": "b"}, racks={"a": "r1", "b": "r1"})
    assert proof_of("a", state).holds
    assert proof_of("r1", state) == Survival(
        "r1", "failure_domain", ("s would be started on b, which is in r1 too",), ""
    )


def test_a_backup_out_of_service_is_a_gap() -> None:
    state = state_of({"s": "a"}, {"s": "b"})
    closed = replace(state.problem, closed=("", "is drained", "", ""))
    assert proof_of("a", State(closed)).gaps == ("s would be started on b, which is drained",)


def test_a_backup_without_room_says_what_it_would_need_and_for_whom() -> None:
    homes = {f"s{number}": "a" for number in range(5)} | {f"t{number}": "b" for number in range(4)}
    state = state_of(homes, dict.fromkeys(homes, "b") | {f"t{number}": "c" for number in range(4)})
    (cores,) = (gap for gap in proof_of("a", state).gaps if "cores" in gap)
    (memory,) = (gap for gap in proof_of("a", state).gaps if "memory" in gap)
    assert cores == "b would need cores 9, has 8: s0 (1), s1 (1), s2 (1) and 2 more would come"
    assert memory == (
        "b would need memory 9216 MiB, has 8192: s0 (1024 MiB), s1 (1024 MiB), s2 (1024 MiB) and 2 more would come"
    )


def test_a_rack_may_be_too_much_where_each_of_its_nodes_is_not() -> None:
    homes = {f"s{number}": "ab"[number % 2] for number in range(10)}
    state = state_of(homes, dict.fromkeys(homes, "c"), racks={"a": "r1", "b": "r1"})
    assert proof_of("a", state).holds
    assert proof_of("b", state).holds
    assert not proof_of("r1", state).holds


def test_what_dies_already_is_not_asked_about() -> None:
    state = state_of({"s": "a", "t": "b"}, {"t": "c"}, racks={"a": "r1", "b": "r1"})
    assert [proof.lost for proof in prove(state) if not proof.holds] == ["a", "r1"]
    assert [(proof.lost, proof.holds) for proof in prove(state, frozenset({0}))] == [("b", True), ("r1", True)]


def test_strangers_and_those_that_stay_down_need_nothing() -> None:
    servers = [server("s")]
    there = observed([seen("a"), seen("b")], [guest(servers[0], "a"), stranger("x", "a")])
    state = State(formulate(fleet([node("a"), node("b")], servers), there))
    assert prove(state) == (Survival("a", "node", (), ""),)


@pytest.mark.parametrize("seed", range(40))
def test_a_proof_holds_exactly_where_the_state_counts_no_gap(seed: int) -> None:
    chance = random.Random(seed)
    nodes = [node(f"n{number}", failure_domain=chance.choice(("", "r1", "r2"))) for number in range(5)]
    servers = [
        server(
            f"s{number}",
            size=Size(1, 1024 * chance.choice((1, 2, 3)), 512),
            failover=chance.choice((Failover(), Failover("auto"))),
        )
        for number in range(16)
    ]
    guests = [guest(its, chance.choice(nodes).name) for its in servers]
    state = State(formulate(fleet(nodes, servers), observed([seen(its.name) for its in nodes], guests)))
    if chance.random() < 0.7:
        choose_backups(state)
    proofs = {(proof.lost, proof.over): proof.holds for proof in prove(state)}
    for number, loss in enumerate(state.problem.losses):
        assert proofs.get((loss.name, loss.over), True) == state.survivable(number)


# ---------------------------------------------------------------- in one line


def test_the_line_counts_what_may_die_and_names_the_tightest() -> None:
    state = state_of({"s": "a", "t": "b"}, {"s": "c", "t": "c"}, racks={"a": "r1", "b": "r1"})
    line = "N+1 holds: any one of 2 nodes or 1 failure domain may die; tightest: c memory 25 % without r1"
    assert survival_line(prove(state)) == line


def test_the_line_names_who_may_not_die_and_the_first_reason() -> None:
    state = state_of({"s": "a", "t": "a", "u": "b"}, {"u": "c"})
    assert survival_line(prove(state)) == "N+1 fails if a dies: s has no backup node, and 1 more gap"


def test_nothing_to_lose() -> None:
    assert survival_line(()) == "N+1: nothing runs that a failure could stop"
