# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""While servers move, whoever remembers where they are names every node they may be on."""

from __future__ import annotations

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Fleet,
    Interface,
    Plan,
    Server,
    Size,
    Step,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.whereabouts import Book

A = Server("a", Size(1, 1, 1), "tiny", interfaces=(Interface("lan", "10.0.0.1"),))
FLEET = Fleet("test", "incus", {}, {"a": A})


def move(step_id: str, source: str, node: str) -> Step:
    return Step(step_id, "move", node=node, server="a", source=source)


PLAN = Plan(
    "balance",
    (move("move/a", "n1", "n3"), move("move/a@n2", "n3", "n2")),
    "",
    placement={"a": "n2", "orphan": "n1"},
)


def test_before_and_while_it_moves_it_may_be_on_any_node_of_its_way_most_likely_the_first() -> None:
    assert Book(FLEET, PLAN).after() == {"a": (("n1", "n3", "n2"), ("10.0.0.1",)), "orphan": (("n1",), ())}


def test_what_is_behind_it_is_forgotten() -> None:
    assert Book(FLEET, PLAN).after({"move/a"})["a"][0] == ("n3", "n2")
    assert Book(FLEET, PLAN).after({"move/a", "move/a@n2"})["a"][0] == ("n2",)
