# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of steps: gates, copies, waves."""

from __future__ import annotations

import fleets as b
import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Step, Template
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.schedule import copies, in_start_order, waves


def start(name):
    return Step(id=f"start/{name}", action="start", node="n1", server=name)


def test_a_gate_is_as_many_needs_as_servers_not_their_product():
    servers = [b.server(f"a{i}", start_order=1) for i in range(50)] + [
        b.server(f"b{i}", start_order=2) for i in range(50)
    ]
    ordered = in_start_order(b.fleet([b.node("n1")], servers), [start(s.name) for s in servers])
    assert sum(len(step.needs) for step in ordered) == 100


def test_one_start_order_needs_no_gate():
    servers = [b.server("a"), b.server("b")]
    ordered = in_start_order(b.fleet([b.node("n1")], servers), [start("a"), start("b")])
    assert [step.action for step in ordered] == ["start", "start"]


def test_copies_spread_like_a_tree():
    steps = copies(Template("t"), ["n0"], [f"n{i}" for i in range(1, 16)])
    depth = waves(steps)
    assert max(depth.values()) == 3
    assert {step.node for step in steps} == {f"n{i}" for i in range(1, 16)}
    sources = [step.source for step in steps]
    assert max(sources.count(source) for source in sources) == 2


def test_copies_use_every_node_that_has_the_template():
    steps = copies(Template("t"), ["h1", "h2", "h3"], ["n1", "n2", "n3"])
    assert [step.source for step in steps] == ["h1", "h2", "h3"]
    assert all(not step.needs for step in steps)


def test_a_wave_is_one_after_the_latest_need():
    steps = [
        start("a"),
        Step(id="x", action="stop", needs=("start/a",)),
        Step(id="y", action="stop", needs=("x", "start/a")),
    ]
    assert waves(steps) == {"start/a": 0, "x": 1, "y": 2}


def test_a_gate_takes_no_wave_of_its_own():
    steps = [start("a"), Step(id="g", action="gate", needs=("start/a",)), Step(id="y", action="start", needs=("g",))]
    assert waves(steps)["y"] == 1


def test_a_need_that_does_not_come_before_is_an_error():
    with pytest.raises(ValueError, match="needs nothing-like-it"):
        waves([Step(id="a", action="start", needs=("nothing-like-it",))])
