# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines a person watches while a plan is carried out."""

from __future__ import annotations

from ansible_collections.switchyard.fleet.plugins.module_utils.apply import Outcome
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Step
from ansible_collections.switchyard.fleet.plugins.plugin_utils.progress import Lines, moved

MOVE = Step("move/a", "move", node="n2", server="a", source="n1")
CLOSE = Step("maintenance/n1", "maintenance", node="n1", changes={"state": ("active", "maintenance")})


def test_a_move_says_from_where_to_where_and_how_long_nobody_was_served() -> None:
    said: list[str] = []
    lines = Lines((CLOSE, MOVE), said.append)
    for outcome in (Outcome(CLOSE, 0.04), Outcome(MOVE, 1.44, gap=1.06)):
        lines.started(outcome.step)
        lines.ended(outcome)
    assert said == ["[1/2] close n1 … ok 0.0 s", "[2/2] move a n1 → n2 … ok 1.4 s, 1.1 s without service"]


def test_a_move_nobody_noticed_says_nothing_of_a_gap() -> None:
    said: list[str] = []
    lines = Lines((MOVE,), said.append)
    lines.started(MOVE)
    lines.ended(Outcome(MOVE, 1.0, gap=0.0))
    assert said == ["[1/1] move a n1 → n2 … ok 1.0 s"]
    assert moved([Outcome(MOVE, 1.0, gap=0.0)]) == "1 move done, no gap in service"


def test_in_the_end_the_longest_gap_is_told_with_its_server() -> None:
    other = Step("move/b", "move", node="n2", server="b", source="n1")
    words = moved([Outcome(MOVE, 1, gap=0.9), Outcome(CLOSE, 0), Outcome(other, 2, gap=1.7)])
    assert words == "2 moves done; gap in service 1.7 s the longest (b), 1.7 s half of them or less"
