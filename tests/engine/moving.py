# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that move, watched from outside: what every test of a move needs."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ansible_collections.switchyard.fleet.plugins.module_utils.apply import Run, Watcher
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Engine
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Plan, Server
from ansible_collections.switchyard.fleet.plugins.module_utils.steps import doer

from .conftest import World, silent

BEFORE, DURING = "/root/before", "/root/during"
WRITES = 9
"""Requests that change something in a move of a running server: offer, copy, mark, stop, offer, copy, promote,
start, delete."""


class Quiet:
    """Tells nobody."""

    def __call__(self, words: str) -> None:
        pass

    def node_is_free(self) -> None:
        pass

    def must_end(self) -> None:
        pass


QUIET = Quiet()


def up(world: World, engine: Engine, server: Server, node: str, *, running: bool = True) -> None:
    """The server, on a node, with something in it."""
    engine.create(server, node, silent)
    world.platform.write(node, server.name, BEFORE, "kept")
    if running:
        engine.start(server.name, node)


def answers(world: World, server: Server, within: float = 20.0) -> None:
    """Wait until the server answers on its address, with its name; where servers can."""
    if "network inside" in world.platform.lacks:
        assert "Running" in where(world, server.name).values()
        return
    end = time.monotonic() + within
    while True:
        with suppress(OSError):
            with urllib.request.urlopen(f"http://{server.interfaces[0].address}/", timeout=0.5) as page:
                assert page.read().decode().strip() == server.name
            return
        assert time.monotonic() < end, "no answer"
        time.sleep(0.05)


@contextmanager
def never_two(world: World, name: str) -> Iterator[list[tuple[str, ...]]]:
    """Watch the server all the time: it may not run on two nodes at any moment."""
    seen_running: list[tuple[str, ...]] = []
    over = threading.Event()

    def look() -> None:
        last = False
        while not last:
            # Once more after the end: what is seen last is how it is then.
            last = over.is_set()
            running = world.platform.running(name)
            if len(running) > 1:
                # Nodes are asked one after the other, and on a busy machine a server changes nodes in between. Two that
                # run are still two when asked again.
                running = world.platform.running(name)
            if not seen_running or seen_running[-1] != running:
                seen_running.append(running)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen_running
    finally:
        assert watcher.is_alive()
        over.set()
        watcher.join()
    assert all(len(running) < 2 for running in seen_running), seen_running


def where(world: World, name: str) -> dict[str, str]:
    """Node -> status of every copy."""
    found = {node: world.platform.guest(node, name) for node in world.nodes}
    return {node: raw["status"] for node, raw in found.items() if raw}


def carry_out(engine: Engine, plan: Plan) -> None:
    """A plan, as an apply carries it out."""
    assert not plan.refusals
    do = doer(engine.fleet, engine, threading.Event())
    result = Run(plan.steps, do, {}, 4, Watcher())(threading.Event())
    assert result.ok, [outcome.error for outcome in result.failed]


def generation(world: World, moves: int) -> int:
    """The generation of a server's copy, where there are any."""
    return 1 if "generations" in world.platform.lacks else moves
