# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine tells of what nodes and guests take right now."""

from __future__ import annotations

from .conftest import World, silent


def test_every_node_that_answers_has_figures(world: World) -> None:
    found = world.engine().statistics()
    assert sorted(found.nodes) == world.nodes
    for figures in found.nodes.values():
        assert figures.load is not None and min(figures.load) >= 0
        assert figures.memory is not None and figures.memory > 0


def test_who_runs_has_figures_and_who_rests_has_none(world: World) -> None:
    a, b = world.server("a"), world.server("b")
    node = world.nodes[0]
    engine = world.engine(world.fleet(a, b))
    for server in (a, b):
        engine.create(server, node, silent)
    engine.start(a.name, node)
    found = engine.statistics((a.name, b.name)).servers
    assert (node, b.name) not in found
    assert found[node, a.name].uptime is not None


def test_a_node_that_does_not_answer_is_left_out(world: World) -> None:
    dead = world.nodes[-1]
    found = world.engine(world.fleet(**world.platform.dead(dead))).statistics()
    assert sorted(found.nodes) == [name for name in world.nodes if name != dead]


def test_the_requests_do_not_grow_with_the_guests(world: World) -> None:
    engine = world.engine()

    def asked() -> int:
        before = engine.calls
        engine.statistics()
        return engine.calls - before

    few = asked()
    for number in range(4):
        world.platform.stranger(world.nodes[0], f"contract-{number}")
    assert asked() == few
