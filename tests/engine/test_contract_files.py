# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers in files: the same server again, or a new one; and nothing left behind, whoever dies on the way."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Engine, EngineError, Refused
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Server, Size

from .conftest import World, seen, silent

NOTE = "/srv/note"
IDENTITY = "0123456789abcdef0123456789abcdef\n"
KEPT = ("volatile.uuid", "volatile.cloud-init.instance-id")


def prepared(world: World, *, runs: bool = False, **changes: object) -> tuple[Engine, Server, str]:
    """A server with something on its disk, and the node it is on."""
    world.needs("servers in files")
    server = replace(world.server("source"), tenant="acme", **changes)
    engine = world.engine(world.fleet(server))
    node = world.nodes[0]
    engine.create(server, node, silent)
    world.platform.write(node, server.name, NOTE, "precious")
    world.platform.write(node, server.name, "/etc/machine-id", IDENTITY)
    if runs:
        engine.start(server.name, node)
    return engine, server, node


def export(engine: Engine, server: Server, node: str, path: Path, compression: str = "gzip") -> str:
    """The server in a file; the file's path."""
    with path.open("wb") as file:
        engine.export_server(server.name, node, file.write, silent, compression=compression)
    return str(path)


@pytest.mark.parametrize("runs", [False, True], ids=["stopped", "running"])
def test_a_server_comes_back_as_the_one_it_was(world: World, tmp_path: Path, runs: bool) -> None:
    engine, server, node = prepared(world, runs=runs)
    target = world.nodes[1]
    before = world.platform.guest(node, server.name)
    hardware = world.platform.hardware(node, server.name)
    assert before is not None
    path = export(engine, server, node, tmp_path / "file")
    after = world.platform.guest(node, server.name)
    assert after is not None and (after["status"], after["config"]) == (before["status"], before["config"])
    assert world.platform.leftovers(node, server.name) == []

    told = engine.read_export(path)
    assert told.checksum == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert (told.server.name, told.server.tenant, told.server.size) == (server.name, "acme", server.size)
    assert told.server.interfaces == server.interfaces
    with pytest.raises(Refused, match="was not made from this file"):
        engine.import_server(path, server, node, silent)

    engine.stop(server.name, node)
    engine.delete(server.name, node)
    for _again in range(2):
        engine.import_server(path, server, target, silent)
    assert world.platform.read(target, server.name, NOTE) == "precious"
    assert world.platform.read(target, server.name, "/etc/machine-id") == IDENTITY
    back = world.platform.guest(target, server.name)
    assert back is not None
    assert {key: back["config"].get(key) for key in KEPT} == {key: before["config"].get(key) for key in KEPT}
    assert world.platform.hardware(target, server.name) == hardware
    found = seen(engine.observe(), server.name)
    assert found is not None
    assert (found.node, found.state, found.tenant, found.role) == (target, "stopped", "acme", "primary")
    assert (found.interfaces, found.size, found.imported) == (server.interfaces, server.size, told.checksum)
    assert found.generation == 2, "it outdoes copies of the time before"
    assert not engine.configure(server, target), "nothing is left to do"
    engine.start(server.name, target)
    assert world.platform.running(server.name) == (target,)


@pytest.mark.parametrize("compression", ["gzip", "xz"])
def test_a_new_server_of_a_file_is_another_machine(world: World, tmp_path: Path, compression: str) -> None:
    engine, server, node = prepared(world, runs=True)
    world.platform.mark(node, server.name, replicas="node9", pair="node1 node9", home="node9", keeps="running")
    path = export(engine, server, node, tmp_path / "file", compression)
    new = replace(world.server("new", size=Size(2, 128, 150)), tenant="umbrella")
    other = world.engine(world.fleet(server, new))
    other.import_server(path, new, node, silent)
    found = seen(other.observe(), new.name)
    assert found is not None
    assert (found.size, found.interfaces, found.tenant) == (new.size, new.interfaces, "umbrella")
    assert (found.state, found.role, found.generation, found.protection) == ("stopped", "primary", 1, None)
    assert world.platform.read(node, new.name, NOTE) == "precious"
    assert world.platform.read(node, new.name, "/etc/machine-id") == ""
    assert world.platform.hardware(node, server.name).isdisjoint(world.platform.hardware(node, new.name))
    old, raw = world.platform.guest(node, server.name), world.platform.guest(node, new.name)
    assert old and raw
    assert old["config"]["volatile.uuid"] != raw["config"]["volatile.uuid"]
    ours = {key.removeprefix("user.switchyard.") for key in raw["config"] if key.startswith("user.switchyard.")}
    assert ours.isdisjoint({"replicas", "pair", "home", "keeps", "failover", "move", "copy_of"}), ours
    assert raw["config"].get("boot.autostart") is None
    other.start(new.name, node)
    assert world.platform.running(new.name) == (node,)
    assert world.platform.running(server.name) == (node,)


def test_owners_of_files_stay(world: World, tmp_path: Path) -> None:
    engine, server, node = prepared(world, runs=True)
    world.platform.write(node, server.name, "/srv/owned", "x", owner=33)
    new = world.server("new")
    path = export(engine, server, node, tmp_path / "file")
    engine = world.engine(world.fleet(server, new))
    engine.import_server(path, new, world.nodes[1], silent)
    engine.start(new.name, world.nodes[1])
    assert world.platform.owner(world.nodes[1], new.name, "/srv/owned") == 33


def test_of_half_a_file_or_another_nothing_is_made(world: World, tmp_path: Path) -> None:
    engine, server, node = prepared(world)
    path = Path(export(engine, server, node, tmp_path / "file"))
    whole = path.read_bytes()
    new = world.server("new")
    for spoiled, said in (
        (whole[: len(whole) // 2], "damaged"),
        (whole[:-3], "damaged"),
        (b"", "no export of a server"),
        (b"hello, world", "no export of a server"),
        (gzip.compress(b"hello, world"), "no export of a server"),
        (bytes([*whole[:200], whole[200] ^ 255, *whole[201:]]), "damaged|cannot be read|no export"),
        (b"\x28\xb5\x2f\xfd" + whole, "zstd"),
    ):
        other = tmp_path / "spoiled"
        other.write_bytes(spoiled)
        with pytest.raises(Refused, match=said):
            world.engine().read_export(str(other))
        with pytest.raises(Refused, match=said):
            world.engine(world.fleet(new)).import_server(str(other), new, node, silent)
    with pytest.raises(Refused, match="No such file"):
        engine.read_export(str(tmp_path / "nowhere"))
    assert new.name not in world.platform.names(node)


def test_nobody_elses_guest_is_exported_or_written_over(world: World, tmp_path: Path) -> None:
    engine, server, node = prepared(world)
    path = export(engine, server, node, tmp_path / "file")
    new = world.server("new")
    world.platform.stranger(node, new.name)
    before = world.platform.guest(node, new.name)
    with pytest.raises(Refused, match="does not bear the mark"):
        export(engine, new, node, tmp_path / "other")
    with pytest.raises(Refused, match="does not bear the mark"):
        world.engine(world.fleet(new)).import_server(path, new, node, silent)
    assert world.platform.guest(node, new.name) == before


def test_who_cannot_take_the_file_leaves_nothing_on_the_node(world: World) -> None:
    engine, server, node = prepared(world)

    def full(_piece: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        engine.export_server(server.name, node, full, silent)
    assert world.platform.leftovers(node, server.name) == []


def test_a_full_node_says_so_and_keeps_nothing(world: World, tmp_path: Path) -> None:
    engine, server, node = prepared(world)
    with world.platform.full_backups(node), pytest.raises(EngineError, match="has no room left where it packs exports"):
        export(engine, server, node, tmp_path / "file")
    assert world.platform.leftovers(node, server.name) == []


KILLED = """
import os, signal, sys
sys.path[:0] = {paths!r}
from ansible_collections.switchyard.fleet.plugins.module_utils import lock
from tests.engine import bed as beds
from tests.engine.conftest import World
from tests.engine.incus_platform import Incus
bed = beds.find()
world = World(bed, Incus(bed))
def die(_piece):
    os.kill(os.getpid(), signal.SIGKILL)
engine = world.engine(world.fleet(world.server("source")))
engine.export_server({name!r}, {node!r}, die, print, run=lock.run_name(), over=lock.run_is_over)
"""


def test_what_a_killed_run_left_goes_with_the_next(world: World, tmp_path: Path) -> None:
    engine, server, node = prepared(world)
    paths = [each for each in sys.path if "collections" in each] + [str(Path(__file__).parents[2])]
    script = KILLED.format(paths=paths, name=server.name, node=node)
    died = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert died.returncode == -9, died.stderr
    assert len(world.platform.leftovers(node, server.name)) == 1
    from ansible_collections.switchyard.fleet.plugins.module_utils import lock

    with (tmp_path / "file").open("wb") as file:
        engine.export_server(server.name, node, file.write, silent, run=lock.run_name(), over=lock.run_is_over)
    assert world.platform.leftovers(node, server.name) == []
    assert engine.read_export(str(tmp_path / "file")).server.name == server.name


def test_a_connection_that_breaks_leaves_nothing_and_the_next_try_goes_on(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, server, node = prepared(world)
    path = export(engine, server, node, tmp_path / "file")
    new = world.server("new")
    other = world.engine(world.fleet(server, new))
    from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import incoming

    real = incoming.rewritten

    def broken(*given: object):
        length, pieces = real(*given)

        def some():
            for piece in pieces:
                yield piece
                raise ConnectionResetError("unplugged")

        return length, some()

    with monkeypatch.context() as patch:
        patch.setattr(incoming, "rewritten", broken)
        with pytest.raises(EngineError):
            other.import_server(path, new, node, silent)
    time.sleep(0.5)
    assert new.name not in world.platform.names(node)
    other.import_server(path, new, node, silent)
    assert world.platform.read(node, new.name, NOTE) == "precious"


def test_an_engine_without_such_files_says_what_to_do(world: World, tmp_path: Path) -> None:
    if "servers in files" not in world.platform.lacks:
        pytest.skip("this one has them")
    server = world.server("source")
    engine = world.engine(world.fleet(server))
    engine.create(server, world.nodes[0], silent)
    with pytest.raises(Refused, match=r"vzdump \d+ --mode snapshot"):
        engine.export_server(server.name, world.nodes[0], lambda _piece: None, silent)
    with pytest.raises(Refused, match="pct restore"):
        engine.read_export(str(tmp_path / "file"))
