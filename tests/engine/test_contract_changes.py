# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every change an engine makes: what it does, that it may be asked twice, and that strangers are left alone."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Engine, EngineError, Refused
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Size, Template

from .conftest import HEAVY, LIMITS, TINY, World, seen, silent


def test_a_created_server_is_stopped_ours_and_of_its_size(world: World) -> None:
    server = world.server()
    engine = world.engine(world.fleet(server))
    engine.create(server, world.nodes[0], silent)
    found = seen(engine.observe(), server.name)
    assert found is not None
    assert (found.node, found.state, found.fleet) == (world.nodes[0], "stopped", engine.fleet.name)
    assert found.size == server.size
    assert found.interfaces == server.interfaces
    assert (found.role, found.generation) == ("primary", 1)
    assert (found.template, found.template_version) == (TINY.name, TINY.version)


def test_a_started_server_answers_on_its_address_and_knows_its_name(world: World) -> None:
    world.needs("network inside")
    server = world.server()
    engine = world.engine(world.fleet(server))
    engine.create(server, world.nodes[0], silent)
    engine.start(server.name, world.nodes[0])
    end = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(f"http://{server.interfaces[0].address}/", timeout=1) as answer:
                assert answer.read().decode().strip() == server.name
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def test_each_change_may_be_asked_for_twice(world: World) -> None:
    server = world.server()
    node = world.nodes[0]
    engine = world.engine(world.fleet(server))
    for _again in range(2):
        engine.create(server, node, silent)
    for _again in range(2):
        engine.start(server.name, node)
    before = world.platform.guest(node, server.name)
    engine.create(server, node, silent)
    engine.configure(server, node)
    engine.resize(server, node)
    assert world.platform.guest(node, server.name) == before
    for _again in range(2):
        engine.stop(server.name, node)
    for _again in range(2):
        engine.delete(server.name, node)
    assert server.name not in world.platform.names(node)


def test_restart_leaves_it_running_whatever_it_was(world: World) -> None:
    server = world.server()
    node = world.nodes[0]
    engine = world.engine(world.fleet(server))
    engine.create(server, node, silent)
    for _again in range(2):
        engine.restart(server.name, node)
        found = seen(engine.observe(), server.name)
        assert found is not None
        assert found.state == "running"


def test_a_step_costs_no_more_calls_than_it_must(world: World) -> None:
    world.needs("fixed number of requests")
    server = world.server()
    node = world.nodes[0]
    engine = world.engine(world.fleet(server))

    def calls(change: Callable[[], None]) -> int:
        before = engine.calls
        change()
        return engine.calls - before

    assert calls(lambda: engine.create(server, node, silent)) == 2
    assert calls(lambda: engine.start(server.name, node)) == 3
    assert calls(lambda: engine.start(server.name, node)) == 1
    assert calls(lambda: engine.configure(server, node)) == 1
    assert calls(lambda: engine.stop(server.name, node)) == 3
    assert calls(lambda: engine.delete(server.name, node)) == 3


def test_what_is_so_already_costs_a_question_and_nothing_else(world: World) -> None:
    server = world.server()
    node = world.nodes[0]
    engine = world.engine(world.fleet(server))
    engine.create(server, node, silent)
    engine.start(server.name, node)

    def calls(change: Callable[[], None]) -> int:
        before = engine.calls
        change()
        return engine.calls - before

    assert calls(lambda: engine.configure(server, node)) == 1
    assert calls(lambda: engine.resize(server, node)) <= 2
    assert calls(lambda: engine.start(server.name, node)) <= 2


CHANGES: dict[str, Callable[[Engine, World, str], None]] = {
    "create": lambda engine, world, node: engine.create(engine.fleet.servers["contract-a"], node, silent),
    "configure": lambda engine, world, node: engine.configure(engine.fleet.servers["contract-a"], node),
    "resize": lambda engine, world, node: engine.resize(engine.fleet.servers["contract-a"], node),
    "start": lambda engine, world, node: engine.start("contract-a", node),
    "stop": lambda engine, world, node: engine.stop("contract-a", node),
    "restart": lambda engine, world, node: engine.restart("contract-a", node),
    "delete": lambda engine, world, node: engine.delete("contract-a", node),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("owner", ["nobody", "another fleet"])
def test_a_guest_that_is_not_ours_is_refused_and_stays_as_it_is(world: World, change: str, owner: str) -> None:
    node = world.nodes[0]
    if owner == "nobody":
        world.platform.stranger(node, "contract-a")
    else:
        other = world.fleet(world.server(), name="contract-other")
        world.engine(other).create(other.servers["contract-a"], node, silent)
    before = world.platform.guest(node, "contract-a")
    engine = world.engine(world.fleet(world.server(size=Size(2, 128, 200))))
    with pytest.raises(Refused, match="contract-a") as caught:
        CHANGES[change](engine, world, node)
    assert caught.value.node == node
    assert world.platform.guest(node, "contract-a") == before


def test_a_running_server_is_not_deleted(world: World) -> None:
    server = world.server()
    engine = world.engine(world.fleet(server))
    engine.create(server, world.nodes[0], silent)
    engine.start(server.name, world.nodes[0])
    with pytest.raises(Refused, match="running"):
        engine.delete(server.name, world.nodes[0])
    assert server.name in world.platform.names(world.nodes[0])


@pytest.mark.parametrize("change", ["configure", "resize", "start", "stop", "restart"])
def test_a_server_that_is_gone_is_refused_not_made_up(world: World, change: str) -> None:
    engine = world.engine(world.fleet(world.server()))
    with pytest.raises(Refused, match="contract-a"):
        CHANGES[change](engine, world, world.nodes[0])
    assert "contract-a" not in world.platform.names(world.nodes[0])


@pytest.mark.parametrize("running", [False, True])
def test_resizing_changes_cores_memory_and_disk(world: World, running: bool) -> None:
    server = world.server()
    node = world.nodes[0]
    bigger = replace(server, size=Size(1.5, 96, 160, io=7))
    engine = world.engine(world.fleet(bigger))
    engine.create(server, node, silent)
    if running:
        engine.start(server.name, node)
    engine.resize(bigger, node)
    found = seen(engine.observe(), server.name)
    assert found is not None
    assert found.size == bigger.size
    assert found.state == ("running" if running else "stopped")


def test_a_smaller_disk_is_refused_and_nothing_changes(world: World) -> None:
    server = world.server()
    node = world.nodes[0]
    engine = world.engine(world.fleet(server))
    engine.create(server, node, silent)
    before = world.platform.guest(node, server.name)
    with pytest.raises(Refused, match=r"100 MiB.*only grow"):
        engine.resize(replace(server, size=Size(2, 128, 50)), node)
    assert world.platform.guest(node, server.name) == before


def test_configuring_adds_and_removes_legs_and_changes_marks(world: World) -> None:
    first = world.server(legs=2)
    node = world.nodes[0]
    second = replace(world.server(legs=1), tenant="acme", class_name="small", start_order=10)
    engine = world.engine(world.fleet(second))
    engine.create(first, node, silent)
    engine.configure(second, node)
    found = seen(engine.observe(), first.name)
    assert found is not None
    assert (found.interfaces, found.tenant, found.class_name) == (second.interfaces, "acme", "small")
    assert found.addresses == (second.interfaces[0].address,)
    raw = world.platform.guest(node, first.name)
    before = engine.calls
    engine.configure(second, node)
    assert engine.calls - before == 1
    assert world.platform.guest(node, first.name) == raw


def test_a_server_that_does_not_listen_is_switched_off(world: World) -> None:
    server = world.server()
    node = world.nodes[0]
    engine = world.engine(world.fleet(server, limits=replace(LIMITS, stop=1.0)))
    engine.create(server, node, silent)
    engine.start(server.name, node)
    # Stopped before its init has set its trap, or frozen, or deaf: either way it cannot hear.
    world.platform.freeze(node, server.name)
    engine.stop(server.name, node)
    found = seen(engine.observe(), server.name)
    assert found is not None
    assert found.state == "stopped"


def test_a_template_is_copied_between_nodes_once(world: World) -> None:
    world.needs("copied templates")
    source, target, *_others = world.nodes
    engine = world.engine()
    words: list[str] = []
    try:
        for _again in range(2):
            engine.provide_template(HEAVY, target, source, words.append)
        assert (HEAVY.name, HEAVY.version) in engine.observe().nodes[target].templates
        server = world.server(template=HEAVY, size=Size(1, 64, 1000))
        world.engine(world.fleet(server)).create(server, target, words.append)
        assert any("%" in word for word in words)
    finally:
        world.platform.clean()
        world.platform.drop_image(target, HEAVY)


def test_a_template_nobody_has_is_refused(world: World) -> None:
    source, target, *_others = world.nodes
    with pytest.raises(Refused, match="contract-absent") as caught:
        world.engine().provide_template(Template("contract-absent"), target, source, silent)
    assert caught.value.node in (source, target)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"template": "contract-absent"}, "image|alias|archive"),
        ({"pool": "contract-absent"}, "pool|storage"),
    ],
)
def test_what_the_platform_refuses_is_told_in_its_own_words_with_a_hint(
    world: World, wrong: dict[str, str], words: str
) -> None:
    server = replace(world.server(), **wrong)
    with pytest.raises(EngineError, match=f"(?i){words}") as caught:
        world.engine(world.fleet(server)).create(server, world.nodes[0], silent)
    assert caught.value.hint
    assert not caught.value.unsure
    assert server.name not in world.platform.names(world.nodes[0])


def test_a_missing_bridge_is_refused_with_its_name(world: World) -> None:
    server = world.server()
    node = world.nodes[0]
    fleet = world.fleet(server, **{node: replace(world.bed.nodes[node], bridge="nobridge0")})
    with pytest.raises(Refused, match="nobridge0") as caught:
        world.engine(fleet).create(server, node, silent)
        world.engine(fleet).start(server.name, node)
    assert caught.value.hint
