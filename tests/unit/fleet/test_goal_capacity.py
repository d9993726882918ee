# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many more fit, what runs short, what to buy: by hand on small fleets, and proven by really placing them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.backups import choose_backups
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.enlarged import enlarged
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.explain import headline
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.capacity import capacity
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import CapacityOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.growth import Addition, Growth, Newcomer, Survive
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Abilities,
    Class,
    Failover,
    Fleet,
    Node,
    Observed,
    ObservedNode,
    Plan,
    Replication,
    Server,
    Size,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.purchase import offers
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.problem import formulate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.state import State
from fleets import fleet, guest, node, observed, seen, server

SMALL = Class("pbx_small", Size(1, 1024, 1024))
REPLICATED = {"failover": Failover("auto"), "replication": Replication("interval", 300)}
A_LOT = 1_000_000
"""MiB: disk is not what is short."""


def some_fleet(
    nodes: Iterable[Node],
    homes: dict[str, str] | None = None,
    *,
    servers: Iterable[Server] | None = None,
    there: Iterable[ObservedNode] | None = None,
    **facts: object,
) -> tuple[Fleet, Observed]:
    """Nodes with room for eight small servers each but disk for many, and replicated small servers on them."""
    nodes, homes = list(nodes), homes or {}
    servers = list(servers or (server(name, class_name="pbx_small", **REPLICATED) for name in homes))
    there = list(there or (seen(item.name, disk=A_LOT) for item in nodes))
    guests = [guest(its, homes[its.name]) for its in servers]
    return fleet(nodes, servers, classes={"pbx_small": SMALL}), observed(there, guests, **facts)


def asked(pair: tuple[Fleet, Observed], survive: Survive = "node", wanted: int = 0) -> Plan:
    """The answer."""
    return capacity(*pair, CapacityOptions("pbx_small", survive, wanted))


def nodes(names: str, racks: str = "") -> list[Node]:
    """One node a letter, in the rack of the letter below it."""
    return [node(name, failure_domain=rack.strip()) for name, rack in itertools.zip_longest(names, racks, fillvalue="")]


# ---------------------------------------------------------------- how many


def test_without_failures_every_place_is_used() -> None:
    assert asked(some_fleet(nodes("abc")), "nothing").notes[0] == "24 more pbx_small fit as long as nothing dies"


def test_of_two_nodes_half_is_kept_free() -> None:
    plan = asked(some_fleet(nodes("ab")))
    assert plan.notes[0] == "8 more pbx_small fit while any one node may die"
    assert (plan.after["a"].servers, plan.after["b"].servers) == (4, 4)
    assert all(proof.holds for proof in plan.survival_after)


def test_of_four_nodes_a_quarter_is() -> None:
    assert asked(some_fleet(nodes("abcd"))).notes[0].startswith("24 more")


def test_of_two_racks_half_is_when_a_rack_may_die() -> None:
    pair = some_fleet(nodes("abcd", "rrss"))
    assert asked(pair, "failure_domain").notes[0] == (
        "16 more pbx_small fit while any one node or failure domain may die"
    )
    assert asked(pair, "node").notes[0].startswith("24 more")


def test_on_one_node_nothing_fits_that_may_lose_it() -> None:
    plan = asked(some_fleet(nodes("a")))
    assert plan.notes[0].startswith("0 more")
    assert "short then: room for one more, but none for its backup elsewhere, on a" in plan.notes


def test_what_runs_already_takes_its_place_and_its_backup() -> None:
    homes = {f"s{number}": "abcd"[number % 4] for number in range(12)}
    assert asked(some_fleet(nodes("abcd"), homes)).notes[0].startswith("12 more")


def test_the_replica_takes_disk_too() -> None:
    there = [seen(name, disk=5 * 1024) for name in "ab"]
    plan = asked(some_fleet(nodes("ab"), {"s": "a"}, there=there))
    # Ten disks: two are taken, eight are four servers and their replicas.
    assert plan.notes[0].startswith("4 more")
    assert "short then: disk on pool default on all 2 nodes" in plan.notes


def test_on_storage_every_node_reaches_it_does_not() -> None:
    there = [seen(name, disk=5 * 1024) for name in "ab"]
    pair = some_fleet(nodes("ab"), there=there, abilities=Abilities(shared_pools=frozenset({"default"})))
    assert asked(pair).notes[0].startswith("8 more")


def test_a_big_node_is_worth_only_what_the_others_can_catch() -> None:
    there = [seen("a", disk=A_LOT), seen("b", disk=A_LOT), seen("big", cores=80, memory=81920, disk=A_LOT)]
    # a and b have 16 places between them for what runs on big; there is no more to lose than they can hold.
    assert asked(some_fleet([*nodes("ab"), node("big")], there=there)).notes[0].startswith("16 more")


@pytest.mark.parametrize(
    "closed", [{"state": "maintenance"}, {"witness": True}, {"dedicated": frozenset({"somebody"})}]
)
def test_nodes_that_take_nobody_do_not_count(closed: dict[str, object]) -> None:
    assert asked(some_fleet([*nodes("ab"), node("c", **closed)])).notes[0].startswith("8 more")


def test_a_node_somebody_wants_alone_does_not_count_nor_the_one_kept_empty_for_it() -> None:
    servers = [server("alone", dedicated=True, node="d", **REPLICATED)]
    plan = asked(some_fleet(nodes("abcd"), {"alone": "d"}, servers=servers))
    assert plan.notes[0].startswith("8 more")
    assert all(proof.holds for proof in plan.survival_after)


def test_where_a_node_may_not_die_even_now_the_answer_is_none_and_why() -> None:
    homes = {f"s{number}": "a" for number in range(5)} | {f"t{number}": "b" for number in range(5)}
    plan = asked(some_fleet(nodes("ab"), homes))
    assert plan.notes[0].startswith(
        "0 more pbx_small fit while any one node may die, since some may not even now; 0 fit"
    )
    assert plan.notes[1].startswith("a may not die now: b would need memory 10240 MiB, has 8192")


def test_the_headline_is_the_answer() -> None:
    assert headline(asked(some_fleet(nodes("ab")))) == "capacity: 8 more pbx_small fit while any one node may die"


def test_one_more_is_counted_like_those_there_are() -> None:
    plan = asked(some_fleet(nodes("ab"), {"s": "a"}))
    assert plan.notes[1] == (
        "one of them takes 1 core, 1024 MiB memory, 1024 MiB disk on pool default; "
        "failing over, its disk twice for its replica"
    )


def test_classes_and_pools_that_are_none() -> None:
    pair = some_fleet(nodes("ab"))
    assert capacity(*pair, CapacityOptions("pbx_smal")).refusals[0].reason == (
        "no such class; there is pbx_small (the nearest name)"
    )
    odd = replace(pair[0], classes={"pbx_small": replace(SMALL, pool="fast")})
    assert asked((odd, pair[1])).refusals[0].reason == "no node has its storage pool fast"
    assert asked(pair, wanted=-1).refusals


# ---------------------------------------------------------------- what to buy


def test_nothing_is_bought_for_what_fits() -> None:
    assert asked(some_fleet(nodes("ab")), wanted=8).notes[-1] == (
        "for 8 more pbx_small while any one node may die: nothing to buy"
    )


def test_nodes_like_those_there_are() -> None:
    # Three nodes of eight, one of them kept free in all.
    plan = asked(some_fleet(nodes("ab")), wanted=16)
    assert plan.notes[-1] == (
        "for 16 more pbx_small while any one node may die, "
        f"buy 1 node like a (usable: 8 cores, 8192 MiB memory, {A_LOT} MiB on pool default)"
    )


def test_each_kind_of_node_is_offered_fewest_first() -> None:
    there = [seen("a", disk=A_LOT), seen("b", disk=A_LOT), seen("big", cores=80, memory=81920, disk=A_LOT)]
    plan = asked(some_fleet([*nodes("ab"), node("big")], there=there), wanted=90)
    assert [note.split(" (")[0].split(", ")[-1] for note in plan.notes[-2:]] == [
        "buy 1 node like big",
        "or 10 nodes like a",
    ]


def test_new_nodes_are_spread_over_the_racks() -> None:
    plan = asked(some_fleet(nodes("abcd", "rrst")), "failure_domain", 30)
    assert plan.notes[-1].endswith("in s (1), t (1)")


def test_a_server_bigger_than_any_node_cannot_be_bought_for() -> None:
    pair = some_fleet(nodes("ab"))
    huge = replace(pair[0], classes={"pbx_small": replace(SMALL, size=Size(1, 999_999, 1))})
    assert asked((huge, pair[1]), wanted=1).notes[-1] == (
        "for 1 more pbx_small while any one node may die: no number of nodes like those there are is enough"
    )


# ---------------------------------------------------------------- proof


def some_state(chance: random.Random, size: int, filled: float) -> tuple[State, Server, Newcomer]:
    """Nodes of two sizes, perhaps in racks, some replicated servers on them with their backups; and what comes next."""
    letters = "abcdefgh"[:size]
    racks = "".join(chance.choice("rst") for _node in letters) if chance.random() < 0.5 else ""
    there = [
        seen(name, cores=8 * k, memory=8192 * k, disk=chance.choice((12, 40)) * 1024 * k)
        for name in letters
        for k in [chance.choice((1, 2))]
    ]
    servers = [
        server(f"s{number}", size=Size(1, chance.choice((512, 1024, 3072)), 1024), **REPLICATED)
        for number in range(int(filled * size * 4))
    ]
    pair = some_fleet(
        nodes(letters, racks), {its.name: chance.choice(letters) for its in servers}, servers=servers, there=there
    )
    pattern = Server(
        "new",
        SMALL.size,
        "",
        failover=Failover("auto"),
        replication=chance.choice((Replication(), Replication("sync"))),
    )
    state = State(formulate(*pair))
    choose_backups(state)
    return state, pattern, Newcomer((1.0, 1024.0, 0.0, 1024.0), 3, pattern.replication.mode != "none")


def broken(state: State, survive: Survive) -> set[str]:
    """What may not die."""
    scopes = ("node",) if survive == "node" else ("node", "failure_domain")
    losses = enumerate(state.problem.losses)
    return {
        f"{loss.over} {loss.name}" for number, loss in losses if loss.over in scopes and not state.survivable(number)
    }


@pytest.mark.parametrize("survive", ["node", "failure_domain"])
@pytest.mark.parametrize("seed", range(25))
def test_what_is_counted_really_fits_and_survives(seed: int, survive: Survive) -> None:
    before, pattern, newcomer = some_state(random.Random(seed), 5, 0.5)
    growth = Growth(before, newcomer, survive)
    growth.fill(10_000)
    after = enlarged(growth, pattern)
    assert len(after.at) == len(before.at) + len(growth.placed)
    assert not any(after.overfull(j) for j in range(5) if not before.overfull(j))
    assert broken(after, survive) <= broken(before, survive)


@pytest.mark.parametrize("survive", ["node", "failure_domain"])
@pytest.mark.parametrize("seed", range(12))
def test_what_is_bought_is_enough_and_one_node_less_is_not(seed: int, survive: Survive) -> None:
    before, pattern, newcomer = some_state(random.Random(seed), 4, 0.5)
    wanted = Growth(before, newcomer, survive).fill(10_000) + 25
    for offer in offers(before, newcomer, survive, wanted):
        after = enlarged(offer.growth, pattern, before.problem.nodes[offer.like], offer.domains)
        assert len(offer.growth.placed) == wanted
        assert not any(after.overfull(j) for j in range(len(after.load)) if j >= 4 or not before.overfull(j))
        assert broken(after, survive) <= broken(before, survive)
        fewer = [Addition(offer.growth.limit[j], offer.growth.domain[j]) for j in range(4, 3 + offer.count)]
        assert Growth(before, newcomer, survive, fewer).fill(wanted) < wanted


def most(growth: Growth) -> int:
    """The most newcomers there can be at all on three nodes, by trying every split over homes and backups."""
    pairs = [(j, b) for j in growth.open for b in growth.open if b != j]

    def fits(counts: dict[tuple[int, int], int]) -> bool:
        for b in growth.open:
            home = sum(count for (j, _b), count in counts.items() if j == b)
            if any(
                home + counts.get((j, b), 0) > growth.slots[b].get(j, growth.bare[b]) for j in growth.open if j != b
            ):
                return False
            replicas = sum(count for (_j, to), count in counts.items() if to == b) if growth.newcomer.replicated else 0
            if home > growth.bare[b] or home + replicas > growth.disk[b]:
                return False
        return True

    def best(at: int, counts: dict[tuple[int, int], int]) -> int:
        if at == len(pairs):
            return sum(counts.values())
        found = 0
        for count in itertools.count():
            tried = {**counts, pairs[at]: count}
            if not fits(tried):
                return found
            found = max(found, best(at + 1, tried))
        return found

    return best(0, {})


@pytest.mark.parametrize("seed", range(40))
def test_on_three_nodes_no_more_would_fit_however_one_splits_them(seed: int) -> None:
    before, _pattern, newcomer = some_state(random.Random(seed), 3, 1.2)
    untouched = Growth(before, newcomer, "node")
    assert Growth(before, newcomer, "node").fill(10_000) == most(untouched)
