# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves in order: who waits for whom, in as few waves as may be."""

from __future__ import annotations

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.schedule import waves
from fleets import apart, server, together
from order_cases import Case, nodes_of, of


def test_moves_that_are_in_nobodys_way_wait_for_nobody():
    case = Case(nodes_of(4), [(server(f"s{i}", size=of(10)), f"n{i % 2 + 1}") for i in range(8)])
    ordering = case.to(**{f"s{i}": f"n{i % 2 + 3}" for i in range(8)})
    assert all(not step.needs for step in ordering.steps)
    assert len(ordering.waves) == ordering.bound == 1
    assert case.wrong() == []


def test_a_move_waits_for_the_one_that_makes_room_and_for_no_other():
    case = Case(
        nodes_of(3),
        [
            (server("big", size=of(60)), "n1"),
            (server("other", size=of(60)), "n2"),
            (server("small", size=of(10)), "n2"),
        ],
    )
    case.to(big="n2", other="n3", small="n3")
    assert case.needs("move/big") == {"move/other"}
    assert case.wrong() == []


def test_a_chain_of_full_nodes_begins_at_its_free_end():
    count = 6
    case = Case(nodes_of(count), [(server(f"s{i}", size=of(90)), f"n{i}") for i in range(1, count)])
    ordering = case.to(**{f"s{i}": f"n{i + 1}" for i in range(1, count)})
    assert case.ids() == [f"move/s{i}" for i in range(count - 1, 0, -1)]
    assert len(ordering.waves) == ordering.bound == count - 1
    assert case.wrong() == []


def test_servers_apart_do_not_meet_on_the_way():
    case = Case(
        nodes_of(3),
        [(server("a", size=of(10)), "n1"), (server("b", size=of(10)), "n2")],
        [apart("a", "b")],
    )
    case.to(a="n2", b="n3")
    assert case.needs("move/a") == {"move/b"}
    assert case.wrong() == []


def test_who_wants_a_node_alone_comes_when_all_have_left():
    case = Case(
        nodes_of(3),
        [
            (server("alone", size=of(10), dedicated=True), "n1"),
            *((server(f"s{i}", size=of(10)), "n2") for i in range(3)),
            (server("next", size=of(10)), "n3"),
        ],
    )
    case.to(alone="n2", s0="n3", s1="n3", s2="n3", next="n1")
    assert case.needs("move/alone") == {"move/s0", "move/s1", "move/s2"}
    assert case.needs("move/next") == {"move/alone"}
    assert case.wrong() == []


def test_a_unit_moves_side_by_side_and_waits_as_one():
    case = Case(
        nodes_of(3),
        [
            (server("web", size=of(10)), "n1"),
            (server("db", size=of(40)), "n1"),
            (server("old", size=of(80)), "n2"),
        ],
        [together("web", "db")],
    )
    ordering = case.to(web="n2", db="n2", old="n3")
    assert case.needs("move/web") == case.needs("move/db") == {"move/old"}
    assert ordering.waves == (("move/old",), ("move/db", "move/web"))
    assert case.wrong() == []


def test_a_wave_is_no_wider_than_a_node():
    for width in (1, 2, 3):
        case = Case(nodes_of(3, width), [(server(f"s{i}", size=of(5)), "n1") for i in range(6)])
        ordering = case.to(**{f"s{i}": f"n{i % 2 + 2}" for i in range(6)})
        assert len(ordering.waves) == ordering.bound == -(-6 // width)
        for wave in ordering.waves:
            assert len(wave) <= width
        assert case.wrong() == []


def test_waves_are_what_the_schedule_reads_off_the_needs():
    case = Case(nodes_of(3, 2), [(server(f"s{i}", size=of(5)), f"n{i % 2 + 1}") for i in range(9)])
    ordering = case.to(**{f"s{i}": "n3" for i in range(9)})
    numbers = waves(ordering.steps)
    assert [[name for name in numbers if numbers[name] == at] for at in range(max(numbers.values()) + 1)] == [
        list(wave) for wave in ordering.waves
    ]


def test_a_way_the_caller_knows_is_taken_where_none_is_found():
    """n3 has to be emptied for a moment by somebody who is to stay there."""
    case = Case(
        nodes_of(4),
        [
            (server("a", size=of(90)), "n1"),
            (server("b", size=of(90)), "n2"),
            (server("c", size=of(50)), "n3"),
            (server("d", size=of(50)), "n4"),
        ],
    )
    assert case.to(a="n2", b="n1").impossible
    way = [("c", "n4", ""), ("a", "n3", ""), ("b", "n1", ""), ("a", "n2", ""), ("c", "n3", "")]
    ordering = case.to(way, a="n2", b="n1")
    assert not ordering.impossible
    assert case.ids() == ["move/c@n4", "move/a@n3", "move/b", "move/a", "move/c"]
    assert case.wrong() == []


def test_what_only_goes_together_is_not_parted():
    case = Case(nodes_of(3), [(server("a", size=of(10)), "n1"), (server("b", size=of(10)), "n1")], [together("a", "b")])
    ordering = case.to(a="n2")
    assert ordering.steps == ()
    assert ordering.impossible[0].subject == "a"
    assert ordering.impossible[0].conflict == ("a on n2", "b on n1")
