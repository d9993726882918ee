# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal balance: what it refuses, repairs, moves, leaves, and says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.balance import balance
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import BalanceOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.leeway import standby_for, without_free_backups
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Abilities,
    Failover,
    Fleet,
    Observed,
    Plan,
    Size,
    Use,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.problem import formulate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.state import State
from fleets import apart, fleet, guest, node, observed, per_node, seen, server, silent

SHARED = Abilities(shared_pools=frozenset({"default"}))


def pile(count: int = 6, **facts: Any) -> tuple[Fleet, Observed]:
    """Servers on the first of three nodes."""
    servers = [server(f"s{number}", **facts) for number in range(count)]
    places = [seen(name) for name in ("n1", "n2", "n3")]
    guests = [guest(item, "n1") for item in servers]
    return fleet([node(f"n{number}") for number in (1, 2, 3)], servers), observed(places, guests)


def planned(fleet_and_observed: tuple[Fleet, Observed], **options: Any) -> Plan:
    """The plan for it."""
    return balance(*fleet_and_observed, BalanceOptions(**options))


def test_a_pile_is_spread() -> None:
    plan = planned(pile())
    assert {name: len(found) for name, found in per_node(plan.placement).items()} == {"n1": 2, "n2": 2, "n3": 2}
    assert [step.action for step in plan.steps] == ["move"] * 4
    assert plan.score_before and plan.score_after
    assert plan.score_after.balance < plan.score_before.balance


def test_reasons_tell_what_each_move_makes_of_its_nodes() -> None:
    plan = planned(pile())
    assert plan.steps[0].reason.startswith("n1 memory 75% → 62%; ")


def test_without_quorum_nothing_is_planned() -> None:
    wanted, there = pile()
    lost = observed([*there.nodes.values(), silent("n4")], there.servers, quorate=False)
    plan = balance(wanted, lost, BalanceOptions())
    assert not plan.steps
    assert "too few nodes answer" in plan.refusals[0].reason


def test_a_server_to_ignore_that_is_not_there_is_refused() -> None:
    plan = planned(pile(), ignore=frozenset({"s77"}))
    assert not plan.steps
    assert plan.refusals[0].subject == "s77"


def test_what_is_even_is_said_to_be() -> None:
    wanted, there = pile(3)
    spread = observed(
        there.nodes.values(), [guest(wanted.servers[f"s{number}"], f"n{number + 1}") for number in range(3)]
    )
    plan = balance(wanted, spread, BalanceOptions())
    assert not plan.steps
    assert plan.notes[0].startswith("already balanced: ")


def test_what_is_broken_is_mended_though_nothing_else_may_move() -> None:
    wanted, there = pile(4)
    torn = fleet(wanted.nodes.values(), wanted.servers.values(), [apart("s0", "s1")])
    plan = balance(torn, there, BalanceOptions(max_moves=1))
    assert len(plan.steps) == 1
    assert plan.violations_before
    assert not plan.violations_after


def test_servers_nobody_measured_are_counted_in_a_note() -> None:
    wanted, there = pile(4)
    guests = [replace(item, use=Use(1, 1024) if at else None) for at, item in enumerate(there.servers)]
    plan = balance(wanted, observed(there.nodes.values(), guests), BalanceOptions(measured=0.5))
    assert "no use is measured of 1 of 4 running servers: these count as declared" in plan.notes
    assert not any("measured" in note for note in planned(pile(4)).notes)


def test_ignored_servers_stay_though_they_are_in_the_way() -> None:
    plan = planned(pile(), ignore=frozenset(f"s{number}" for number in range(6)))
    assert not plan.steps


def test_a_target_is_reached_and_not_overdone() -> None:
    all_of_it, part = planned(pile()), planned(pile(), target=0.7)
    assert part.score_after and part.score_after.balance <= 0.7
    assert 0 < len(part.steps) < len(all_of_it.steps)


def test_a_full_node_is_relieved_though_its_losses_are_protected() -> None:
    wanted, there = pile(6, failover=Failover(mode="auto"))
    plan = balance(wanted, observed(there.nodes.values(), there.servers, abilities=SHARED), BalanceOptions())
    assert len(plan.steps) == 4
    assert all(proof.holds for proof in plan.survival_after)
    assert all(plan.backups[name] != home for name, home in plan.placement.items())


def test_free_backups_hold_at_both_ends() -> None:
    wanted, there = pile(6, failover=Failover(mode="auto"), size=Size(1, 1024, 64))
    start = State(formulate(wanted, there))
    for i in range(6):
        start.assign_backup(i, 1)
    start.protect()
    loose = without_free_backups(start)
    places = [0, 0, 1, 1, 2, 2]
    found = standby_for(start, places, loose.backup)
    assert found is not None
    assert all(b not in (home, -1) for b, home in zip(found.before, start.at, strict=True))
    assert all(b not in (j, -1) for b, j in zip(found.after, places, strict=True))
    # Whoever moves to its backup leaves its old home behind as one, and nobody else's changes.
    assert all(
        after == (0 if before == j else before)
        for before, after, j in zip(found.before, found.after, places, strict=True)
    )


def test_only_backups_that_will_not_hold_are_chosen_anew() -> None:
    kept = [server(f"s{number}", failover=Failover(mode="auto"), size=Size(1, 1024, 64)) for number in range(4)]
    rest = [server(f"t{number}", size=Size(0.1, 1024, 64)) for number in range(7)]
    guests = [guest(item, "n1") for item in (*kept, *rest[5:])] + [guest(item, "n2") for item in rest[:5]]
    nodes = [node(name) for name in ("n1", "n2", "n3")]
    start = State(formulate(fleet(nodes, [*kept, *rest]), observed([seen(item.name) for item in nodes], guests)))
    for i, b in enumerate((1, 1, 2, 2)):
        start.assign_backup(i, b)
    start.protect()
    assert 0 in start.protected
    loose = without_free_backups(start)
    held = standby_for(start, start.at, loose.backup)
    assert held is not None
    assert held.before[:4] == (1, 1, 2, 2)
    # Two more on n2 leave it no room for the two it would have to take in.
    found = standby_for(start, [*start.at[:9], 1, 1], loose.backup)
    assert found is not None
    assert found.before[:4] == found.after[:4]
    assert found.before[2:4] == (2, 2)
    assert 2 in found.before[:2]
