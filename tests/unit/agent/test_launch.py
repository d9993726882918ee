# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers started in their order, those of one order side by side."""

from __future__ import annotations

import threading
import time

from ansible_collections.switchyard.fleet.plugins.module_utils.agent.launch import AT_ONCE, Deadline, Turn, in_turn
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Refused


def test_one_order_after_the_other():
    done: list[str] = []
    turns = [Turn("pbx1", 50), Turn("db", 10), Turn("router", 90), Turn("pbx2", 50)]
    assert in_turn(turns, done.append, Deadline(5)) == {}
    assert (done[0], {*done[1:3]}, done[3]) == ("db", {"pbx1", "pbx2"}, "router")
    done.clear()
    in_turn(turns, done.append, Deadline(5), backwards=True)
    assert (done[0], done[3]) == ("router", "db")


def test_those_of_one_order_side_by_side():
    together = threading.Barrier(AT_ONCE, timeout=5)
    assert (
        in_turn([Turn(f"pbx{number}") for number in range(AT_ONCE)], lambda _name: together.wait(), Deadline(9)) == {}
    )


def test_a_delay_holds_up_the_next_order_and_nobody_when_going_backwards():
    turns = [Turn("db", 10, delay=0.3), Turn("pbx", 50, delay=9)]
    began = time.monotonic()
    in_turn(turns, lambda _name: None, Deadline(5))
    assert 0.3 <= time.monotonic() - began < 2
    began = time.monotonic()
    in_turn(turns, lambda _name: None, Deadline(5), backwards=True)
    assert time.monotonic() - began < 0.3


def test_what_fails_keeps_nobody_else():
    done = []

    def start(name):
        if name == "sick":
            raise Refused("node1", "start sick", "no room", "make some")
        done.append(name)

    assert in_turn([Turn("sick", 10), Turn("well", 20)], start, Deadline(5)) == {"sick": "no room (make some)"}
    assert done == ["well"]


def test_whose_turn_does_not_come_in_time_is_named():
    turns = [Turn("db", 10, delay=60), Turn("pbx", 50)]
    failed = in_turn(turns, lambda _name: None, Deadline(0.2))
    assert list(failed) == ["pbx"]
    assert "no time" in failed["pbx"]
