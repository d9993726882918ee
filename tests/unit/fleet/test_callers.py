# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers whose live peer is called when their node dies: which node does, and what plans have it told."""

from __future__ import annotations

from dataclasses import replace

import fleets as b
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.callers import caller
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.converge import converge
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Abilities,
    Failover,
    Protection,
    Server,
)

CALLS = Abilities(replicates=True, protects=True, activates=True)
THREE = [b.node(f"n{i}") for i in (1, 2, 3)]
SEEN = [b.seen(f"n{i}") for i in (1, 2, 3)]


def two(mode: str = "auto", url: str = "http://peer/take") -> Server:
    return b.server("a", failover=Failover(mode, "activate", url))  # type: ignore[arg-type]


def steps(server: Server, protection: Protection | None, abilities: Abilities = CALLS, nodes=SEEN) -> dict[str, tuple]:
    guest = b.guest(server, "n1", protection=protection)
    plan = converge(b.fleet(THREE, [server]), b.observed(nodes, [guest], abilities=abilities))
    assert not plan.refusals
    return {step.id: step.backups for step in plan.steps if step.action != "gate"}


def test_the_next_node_is_told_whom_to_call_and_then_nothing_is_left_to_do() -> None:
    assert steps(two(), None) == {"protect/a": ("n2",)}
    assert steps(two(), Protection(("n1", "n2"), strict=True, keeps="running")) == {}
    assert steps(two(), Protection(("n1", "n3"), strict=True, keeps="running")) == {}, "whoever does it goes on"


def test_one_that_was_told_something_else_is_told_anew() -> None:
    assert steps(two(), Protection(("n1", "n2"), strict=False, keeps="running")) == {"protect/a": ("n2",)}


def test_a_platform_that_calls_nobody_and_a_server_for_a_person_are_left_alone() -> None:
    assert steps(two(), None, replace(CALLS, activates=False)) == {}
    assert steps(two("manual"), None) == {}
    assert list(steps(two("manual"), Protection(("n1", "n2"), strict=True, keeps="running"))) == ["unprotect/a"]


def test_who_calls() -> None:
    fleet, observed = b.fleet(THREE, []), b.observed(SEEN, [])
    assert [caller(fleet, observed, f"n{i}") for i in (1, 2, 3)] == ["n2", "n3", "n1"]
    declared = b.fleet([b.node("n1", backup="n3"), *THREE[1:]], [])
    assert caller(declared, observed, "n1", "n2") == "n3"
    dark = b.observed([SEEN[0], b.seen("n2", reach="offline"), SEEN[2]], [])
    assert caller(fleet, dark, "n1") == "n3"
    assert caller(fleet, dark, "n1", "n2") == "n2", "it only does not answer"
    drained = b.observed([SEEN[0], b.seen("n2", maintenance=True), SEEN[2]], [])
    assert caller(fleet, drained, "n1", "n2") == "n3"
    assert caller(b.fleet(THREE[:1], []), observed, "n1") == ""
