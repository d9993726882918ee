# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine sees: nodes, guests of ours and of others, and what the ledger remembers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Size

from .conftest import TINY, World, seen, silent


def test_every_node_tells_its_capacity_use_and_templates(world: World) -> None:
    observed = world.engine().observe()
    assert observed.quorate
    assert sorted(observed.nodes) == world.nodes
    for node in observed.nodes.values():
        assert node.reach == "online"
        assert node.version
        assert node.capacity.cores >= 1
        assert 0 < node.memory_used < node.capacity.memory
        assert 0 <= node.pools_used[world.bed.pool] < node.capacity.pools[world.bed.pool]
        assert (TINY.name, TINY.version) in node.templates


def test_a_stranger_is_load_with_its_size(world: World) -> None:
    world.platform.stranger(world.nodes[0], "contract-stranger", cores=2, memory=1024)
    found = seen(world.engine().observe(), "contract-stranger")
    assert found is not None
    assert found.fleet == ""
    assert found.size == Size(2, 1024, 0)


def test_a_strangers_address_is_known(world: World) -> None:
    world.needs("addresses of strangers")
    world.platform.stranger(world.nodes[0], "contract-stranger", address="192.0.2.7")
    found = seen(world.engine().observe(), "contract-stranger")
    assert found is not None
    assert found.addresses == ("192.0.2.7",)


def test_another_fleets_server_is_not_ours(world: World) -> None:
    server = world.server()
    other = world.fleet(server, name="contract-other")
    world.engine(other).create(server, world.nodes[0], silent)
    found = seen(world.engine(world.fleet(server)).observe(), server.name)
    assert found is not None
    assert found.fleet == "contract-other"


def test_observing_costs_the_same_calls_at_5_and_at_50_guests(world: World) -> None:
    engine = world.engine()

    def crowd(first: int, last: int) -> int:
        with ThreadPoolExecutor(8) as pool:
            for done in [
                pool.submit(world.platform.stranger, world.nodes[each % 3], f"contract-{each}")
                for each in range(first, last)
            ]:
                done.result()
        before = engine.calls
        engine.observe()
        return engine.calls - before

    assert crowd(0, 5) == crowd(5, 50)


def test_what_a_dead_node_carries_is_known_and_reported_unknown(world: World) -> None:
    a, b = world.server("a"), world.server("b")
    alive, dead = world.nodes[0], world.nodes[-1]
    engine = world.engine(world.fleet(a, b))
    engine.create(a, alive, silent)
    engine.create(b, dead, silent)
    engine.remember(
        {
            a.name: ((alive,), (a.interfaces[0].address,)),
            b.name: ((dead,), (b.interfaces[0].address,)),
        }
    )
    observed = world.engine(world.fleet(a, b, **world.platform.dead(dead))).observe()
    assert observed.nodes[dead].reach == "offline"
    found = seen(observed, b.name)
    assert found is not None
    assert (found.node, found.state, found.fleet, found.size) == (dead, "unknown", engine.fleet.name, b.size)
    assert found.addresses == (b.interfaces[0].address,)
    there = seen(observed, a.name)
    assert there is not None
    assert there.state == "stopped"


def test_a_stale_ledger_does_not_conjure_up_a_server_that_moved(world: World) -> None:
    world.needs("ledger")
    server = world.server()
    alive, dead = world.nodes[0], world.nodes[-1]
    engine = world.engine(world.fleet(server))
    engine.remember({server.name: ((dead,), ())})
    engine.create(server, alive, silent)
    observed = world.engine(world.fleet(server, **{dead: world.behind(dead, 9)})).observe()
    found = seen(observed, server.name)
    assert found is not None
    assert (found.node, found.state) == (alive, "stopped")


def test_the_newest_ledger_counts_not_the_one_of_a_node_that_slept(world: World) -> None:
    world.needs("ledger")
    a, b = world.server("a"), world.server("b")
    first, second, third = world.nodes
    asleep = world.fleet(a, b, **{first: world.behind(first, 9)})
    awake = world.fleet(a, b)
    world.engine(awake).remember({a.name: ((third,), ())})
    world.engine(asleep).remember({b.name: ((third,), ())})
    observed = world.engine(replace(awake, nodes={**awake.nodes, third: world.behind(third, 9)})).observe()
    assert seen(observed, a.name) is None
    assert seen(observed, b.name) is not None
    assert observed.nodes[second].reach == "online"


def test_remembering_the_same_again_writes_nothing(world: World) -> None:
    world.needs("ledger")
    engine = world.engine()
    placement = {"contract-a": ((world.nodes[0],), ("192.0.2.9",))}
    engine.remember(placement)
    before = engine.calls
    engine.remember(placement)
    assert engine.calls - before == len(world.nodes)
