# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan's moves cost and what may die afterwards, in words."""

from __future__ import annotations

import fleets as b
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.explain import diff_of, plan_text, quiet_text
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Cost, Plan, Score, Step, Survival
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.standing import amount, expected, standing

FLEET = b.fleet([b.node("n1"), b.node("n2")], [])
CLOSE = Step(
    "maintenance/n1", "maintenance", node="n1", changes={"state": ("active", "maintenance")}, reason="nothing new"
)
MOVES = (
    Step(
        "move/a", "move", "n2", "a", source="n1", cost=Cost(1024, 2.0), changes={"node": ("n1", "n2")}, reason="n1 full"
    ),
    Step(
        "move/b", "move", "n2", "b", source="n1", cost=Cost(512, 1.5), changes={"node": ("n1", "n2")}, needs=("move/a",)
    ),
)
HOLDS = Survival("n1", "node", tightest="n2 memory 50 %")
HOLDS_NOT = Survival("n2", "node", ("a", "b", "c", "d", "e"))


def plan(**facts):
    return Plan("balance", facts.pop("steps", ()), "", **facts)


def test_each_move_is_shown_with_its_wave_its_bytes_and_its_gap_and_all_together():
    text = plan_text(FLEET, plan(steps=(CLOSE, *MOVES)))
    assert "wave  step    node     copies   gap    why" in text
    assert "1     move a  n1 → n2  1.0 GiB  2.0 s  n1 full" in text
    assert "2     move b  n1 → n2  512 MiB  1.5 s" in text
    assert "2 moves: 1.5 GiB to copy; gap in service expected: 2.0 s the longest, 3.5 s in all" in text
    assert "close" in text


def many(count):
    """So many servers, on two nodes."""
    for number in range(count):
        name, node = f"pbx{number:03}", f"n{number % 2 + 1}"
        why = f"pinned here; memory {number}%"
        yield Step(f"create/{name}", "create", node, name, reason=why, changes={"node": (None, node)})
        yield Step(f"start/{name}", "start", node, name, reason="new", needs=(f"create/{name}",))


def test_of_very_many_steps_like_ones_are_told_together_and_all_of_them_when_asked():
    long = Plan("converge", (CLOSE, *many(150)), "")
    lines = plan_text(FLEET, long, short=True).splitlines()
    assert "create pbx000, pbx002, pbx004 and 72 more  n1    pinned here" in lines
    assert "start pbx001, pbx003, pbx005 and 72 more   n2    new" in lines
    assert sum(line.startswith("close") for line in lines) == 1
    assert "like steps are told together; -v tells each" in lines
    assert len(lines) < 12
    whole = plan_text(FLEET, long)
    assert sum(line.startswith(("create", "start")) for line in whole.splitlines()) == 300
    assert "told together" not in whole
    assert len(diff_of(long.steps)) == 151


def test_a_list_that_can_be_read_is_told_step_by_step():
    text = plan_text(FLEET, Plan("converge", tuple(many(30)), ""), short=True)
    assert sum(line.startswith(("create", "start")) for line in text.splitlines()) == 60
    assert "told together" not in text


def test_of_very_many_moves_those_of_a_wave_between_two_nodes_are_told_together():
    moves = [
        Step(f"move/{n:03}", "move", "n2", f"{n:03}", source="n1", reason="n1 full", cost=Cost(1024, 2.0 + n / 100))
        for n in range(70)
    ]
    lines = plan_text(FLEET, plan(steps=tuple(moves)), short=True).splitlines()
    assert "1     move 000, 001, 002 and 67 more  n1 → n2  70.0 GiB  at most 2.7 s  n1 full" in lines


def test_moves_without_a_gap_say_so():
    live = Step("move/a", "move", "n2", "a", source="n1", cost=Cost(64))
    assert expected([live]) == ["1 move: 64 MiB to copy, no gap in service expected"]
    assert expected([CLOSE]) == []


def test_where_everything_may_die_one_line_says_so_and_since_when():
    (line,) = standing(plan(survival_before=(HOLDS, HOLDS_NOT), survival_after=(HOLDS, Survival("n2", "node"))))
    assert line.startswith("N+1 holds")
    assert line.endswith("; until now not for n2")


def test_each_loss_that_is_not_survived_has_a_line_of_its_own():
    rack = Survival("rack1", "failure_domain", ("a",))
    lines = standing(plan(survival_before=(HOLDS_NOT,), survival_after=(HOLDS, HOLDS_NOT, rack)))
    assert lines == [
        "not survived: the loss of n2: a; b; c; d; and 1 more",
        "not survived any more: the loss of failure domain rack1: a",
    ]


def test_the_score_before_and_after():
    before, after = Score(2, 1, 0.3124, 0.91), Score(0, 1, 0.041, 0.74)
    assert standing(plan(score_before=before, score_after=after)) == [
        "balance 0.312 → 0.041, fullest node 91% → 74%, broken rules 2 → 0, losses not survived 1"
    ]


def test_a_plan_that_proves_nothing_says_nothing():
    assert standing(plan()) == []
    assert quiet_text(plan(notes=("as it should be",))) == "balance: nothing to do\n  note: as it should be"


def test_a_server_that_goes_by_a_third_node_differs_in_its_first_and_last():
    way = (
        Step("move/a", "move", "n3", "a", source="n1", changes={"node": ("n1", "n3")}),
        Step("move/a@n2", "move", "n2", "a", source="n3", changes={"node": ("n3", "n2")}),
    )
    (diff,) = diff_of(way)
    assert (diff["before"], diff["after"]) == ("node: n1\n", "node: n2\n")


def test_amounts_are_told_in_a_unit_that_fits():
    assert [amount(mib) for mib in (0, 640, 1024, 2560)] == ["0 MiB", "640 MiB", "1.0 GiB", "2.5 GiB"]


def test_where_nothing_fails_over_nothing_is_called_safe():
    (line,) = standing(plan(survival_before=(), survival_after=(Survival("n1", "node"), Survival("n2", "node"))))
    assert line == "N+1: no server fails over (vs_failover); what a node carries stays down until it is back"
