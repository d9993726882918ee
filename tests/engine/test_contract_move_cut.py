# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A move that is cut off, called off, or goes wrong: the next run finishes it, nothing runs twice, nothing is lost."""

from __future__ import annotations

import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError, Refused
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import operation
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.census import take_census
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.converge import converge
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Size, Step
from ansible_collections.switchyard.fleet.plugins.module_utils.readiness import NotReady
from ansible_collections.switchyard.fleet.plugins.module_utils.steps import CalledOff, doer

from .conftest import HEAVY, World, seen, silent
from .cutting import Killed, cut, unplugged
from .moving import BEFORE, DURING, QUIET, WRITES, answers, carry_out, never_two, up, where


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(1, WRITES + 1))
def test_killed_at_any_write_the_next_run_finishes_it(
    world: World, monkeypatch: pytest.MonkeyPatch, write: int, after: bool
) -> None:
    """What a run does that was killed there: first what a converge finds, then the move, to its end."""
    if write > world.platform.writes:
        pytest.skip("a move takes fewer requests here")
    server = world.server()
    source, target, *_others = world.nodes
    fleet = world.fleet(server)
    engine = world.engine(fleet)
    up(world, engine, server, source)
    with never_two(world, server.name) as states:
        with cut(monkeypatch, engine, write, after=after) as controller, suppress(Killed):
            engine.move(server, source, target, "copy", silent)
        assert controller.dead, controller.writes
        world.platform.settle()
        again = world.engine(fleet)
        observed = again.observe()
        right = take_census(fleet, observed).primaries[server.name]
        assert right.node == (source if write < world.platform.promotes + 1 - after else target)
        world.platform.write(right.node, server.name, DURING, "at the cut")
        if after:
            # What is going on by itself may end meanwhile: planning waits for nobody.
            time.sleep(0.2)
        if write % 2:
            carry_out(again, converge(fleet, again.observe()))
            here = take_census(fleet, again.observe()).primaries[server.name]
            assert where(world, server.name) == {here.node: "Running"}
            assert not converge(fleet, again.observe()).steps
        again.move(server, source, target, "copy", silent)
    assert where(world, server.name) == {target: "Running"}
    assert world.platform.read(target, server.name, BEFORE) == "kept"
    assert world.platform.read(target, server.name, DURING) == "at the cut"
    assert states[-1] == (target,)
    assert not converge(fleet, again.observe()).steps


@pytest.mark.parametrize("write", range(1, WRITES + 1))
@pytest.mark.parametrize("lost", ["source", "target"])
def test_a_node_out_of_reach_from_any_write_on_never_makes_two_and_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, write: int, lost: str
) -> None:
    world.needs("api per node")
    server = world.server()
    source, target, *_others = world.nodes
    fleet = world.fleet(server)
    engine = world.engine(fleet)
    up(world, engine, server, source)
    monkeypatch.setattr(operation, "PATIENCE", 0.5)
    with never_two(world, server.name):
        with (
            unplugged(monkeypatch, engine, write, source if lost == "source" else target),
            pytest.raises(EngineError) as caught,
        ):
            engine.move(server, source, target, "copy", silent)
            # The copy there may be all that was still to be asked of that node.
            raise EngineError(source, "nothing", "it was moved")
        print(write, lost, caught.value)
        found = where(world, server.name)
        if lost == "target" and write < WRITES - 1:
            # The source can be reached: the server goes on there, and the error says so.
            assert found[source] == "Running", found
        again = world.engine(fleet)
        carry_out(again, converge(fleet, again.observe()))
        here = take_census(fleet, again.observe()).primaries[server.name]
        assert where(world, server.name) == {here.node: "Running"}
        again.move(server, source, target, "copy", silent) if here.node == source else None
    assert where(world, server.name) == {target: "Running"}
    assert world.platform.read(target, server.name, BEFORE) == "kept"


def test_where_it_cannot_start_it_goes_back_and_runs_where_it_was(world: World) -> None:
    world.needs("bridges per node")
    server = world.server()
    source, target, *_others = world.nodes
    fleet = world.fleet(server, **{target: replace(world.bed.nodes[target], bridge="nobridge0")})
    engine = world.engine(fleet)
    up(world, engine, server, source)
    with never_two(world, server.name), pytest.raises(EngineError, match=f"nobridge0.* on {source} as before"):
        engine.move(server, source, target, "copy", silent)
    answers(world, server)
    assert where(world, server.name)[source] == "Running"
    found = take_census(fleet, engine.observe()).primaries[server.name]
    assert (found.node, found.moving) == (source, "")
    sound = world.engine(world.fleet(server))
    sound.move(server, source, target, "copy", silent)
    assert where(world, server.name) == {target: "Running"}
    answers(world, server)


def test_a_server_that_does_not_answer_over_there_is_told_and_nothing_is_thrown_away(world: World) -> None:
    world.needs("leftover copies")
    server = world.server()
    source, target, *_others = world.nodes
    engine = world.engine(world.fleet(server))
    up(world, engine, server, source)

    def silence() -> None:
        raise NotReady("it does not answer")

    with pytest.raises(NotReady):
        engine.move(server, source, target, "copy", silent, arrived=silence)
    assert where(world, server.name) == {source: "Stopped", target: "Running"}
    carry_out(engine, converge(engine.fleet, engine.observe()))
    assert where(world, server.name) == {target: "Running"}


def test_a_move_that_is_called_off_leaves_the_server_alone(world: World) -> None:
    server = world.server()
    source, target, *_others = world.nodes
    engine = world.engine(world.fleet(server))
    up(world, engine, server, source)
    stop = threading.Event()
    stop.set()
    do = doer(engine.fleet, engine, stop)
    step = Step("move/a", "move", node=target, server=server.name, source=source, manner="copy")
    with never_two(world, server.name) as states, pytest.raises(CalledOff):
        do(step, QUIET)
    assert states == [(source,)]
    carry_out(engine, converge(engine.fleet, engine.observe()))
    assert where(world, server.name) == {source: "Running"}


def test_a_full_disk_over_there_is_told_and_the_server_runs_on(world: World) -> None:
    world.needs("full storage")
    source, target, *_others = world.nodes
    if target not in world.bed.shell:
        pytest.skip("no shell on the servers given")

    def on_node(node: str, script: str) -> None:
        subprocess.run([*world.bed.shell[node], script], check=True, capture_output=True)

    folder = "/var/tmp/contract-full"
    for node, size in ((source, "300m"), (target, "40m")):
        on_node(
            node, f"mkdir -p {folder} && mount -t tmpfs -o size={size} contract-full {folder} && mkdir {folder}/pool"
        )
    try:
        for node in (source, target):
            world.platform.pool(node, "contract-full", f"{folder}/pool")
        server = replace(world.server(), pool="contract-full")
        engine = world.engine(world.fleet(server))
        up(world, engine, server, source)
        where_it_lies = f"{folder}/pool/containers/{server.name}/rootfs/root/ballast"
        on_node(source, f"head -c 80000000 /dev/urandom > {where_it_lies}")
        with (
            never_two(world, server.name) as states,
            pytest.raises(EngineError, match=r"(?i)no space|disk space|broken pipe|closed network") as caught,
        ):
            engine.move(server, source, target, "copy", silent)
        assert "full" in caught.value.hint
        assert states == [(source,)], "it was not even stopped"
        assert where(world, server.name) == {source: "Running"}
    finally:
        for node in (source, target):
            world.platform.drop_pool(node, "contract-full")
            on_node(node, f"umount -l {folder} && rmdir {folder}")


@pytest.mark.parametrize("dies", ["source", "target"])
def test_a_daemon_that_dies_in_the_middle_of_the_copy_costs_nothing_but_time(world: World, dies: str) -> None:
    world.needs("api per node")
    source, target, *_others = world.nodes
    victim = source if dies == "source" else target
    server = world.server(template=HEAVY, size=Size(1, 64, 2000))
    fleet = world.fleet(server)
    engine = world.engine(fleet)
    up(world, engine, server, source)
    errors: list[EngineError] = []

    def move() -> None:
        try:
            engine.move(server, source, target, "copy", silent)
        except EngineError as error:
            errors.append(error)

    with never_two(world, server.name):
        thread = threading.Thread(target=move)
        thread.start()
        time.sleep(1.0)
        world.platform.crash(victim)
        world.platform.revive(victim)
        thread.join(90)
        assert not thread.is_alive()
        print(dies, errors)
        again = world.engine(fleet)
        again.move(server, source, target, "copy", silent)
    assert where(world, server.name) == {target: "Running"}
    assert world.platform.read(target, server.name, BEFORE) == "kept"


def test_a_server_on_its_way_to_a_node_that_died_is_started_nowhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promoted over there or not: from here nobody can tell, so nobody may start it here."""
    world.needs("leftover copies")
    server = world.server()
    source, target, *_others = world.nodes
    fleet = world.fleet(server)
    engine = world.engine(fleet)
    up(world, engine, server, source)
    with cut(monkeypatch, engine, 8, after=True), suppress(Killed):
        engine.move(server, source, target, "copy", silent)
    without = world.fleet(server, **{target: world.behind(target, 9)})
    blind = world.engine(without)
    observed = blind.observe()
    found = seen(observed, server.name)
    assert found is not None
    assert (found.node, found.state, found.moving) == (source, "unknown", target)
    plan = converge(without, observed)
    assert not plan.steps
    assert any("left alone" in note and server.name in note for note in plan.notes)
    carry_out(world.engine(fleet), converge(fleet, world.engine(fleet).observe()))
    assert where(world, server.name) == {target: "Running"}


def test_a_copy_that_is_not_promoted_is_started_by_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.needs("leftover copies")
    server = world.server()
    source, target, *_others = world.nodes
    engine = world.engine(world.fleet(server))
    up(world, engine, server, source)
    with cut(monkeypatch, engine, 3, after=False), suppress(Killed):
        engine.move(server, source, target, "copy", silent)
    for change in (engine.start, engine.restart):
        with pytest.raises(Refused, match="replica"):
            change(server.name, target)
    raw = world.platform.guest(target, server.name)
    assert raw
    assert raw["config"]["boot.autostart"] == "false"
    assert where(world, server.name) == {source: "Running", target: "Stopped"}


def test_an_old_copy_somebody_started_by_hand_stops_the_move(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.needs("leftover copies")
    server = world.server()
    source, target, *_others = world.nodes
    engine = world.engine(world.fleet(server))
    up(world, engine, server, source)
    with cut(monkeypatch, engine, 8, after=False), suppress(Killed):
        engine.move(server, source, target, "copy", silent)
    world.platform.power(source, server.name, "start")
    with pytest.raises(Refused, match="find out who started it"):
        engine.move(server, source, target, "copy", silent)
    assert where(world, server.name) == {source: "Running", target: "Stopped"}


def test_a_leftover_of_another_move_is_brought_up_to_date_not_believed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a move to the second node, then changes, then a move there after all: it arrives as it is now."""
    world.needs("leftover copies")
    server = world.server()
    source, target, *_others = world.nodes
    engine = world.engine(world.fleet(server))
    up(world, engine, server, source)
    with cut(monkeypatch, engine, 3, after=False), suppress(Killed):
        engine.move(server, source, target, "copy", silent)
    bigger = replace(server, size=Size(1, 96, 160))
    world.engine(world.fleet(bigger)).resize(bigger, source)
    world.platform.write(source, server.name, BEFORE, "changed")
    world.engine(world.fleet(bigger)).move(bigger, source, target, "copy", silent)
    found = seen(engine.observe(), server.name)
    assert found is not None
    assert (found.node, found.size) == (target, bigger.size)
    assert world.platform.read(target, server.name, BEFORE) == "changed"
