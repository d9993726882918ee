# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dead nodes, wrong nodes, broken connections, daemons that die in mid-task, full disks."""

from __future__ import annotations

import hashlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import (
    EngineError,
    NotInstalled,
    Refused,
    TimedOut,
    Unreachable,
    Untrusted,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.connect import connect
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import operation
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Node, Size

from .conftest import HEAVY, LIMITS, World, lock_record, seen, silent
from .cutting import cut
from .proxy import DeadHost, Proxy

SLOW = Size(1, 64, 2000)


@pytest.fixture
def proxy(world: World) -> Iterator[Proxy]:
    """Between the engine and the first node."""
    node = world.bed.nodes[world.nodes[0]]
    proxy = Proxy(node.address, node.port)
    yield proxy
    proxy.close()


@contextmanager
def meanwhile(change: Callable[[], None]) -> Iterator[list[EngineError]]:
    """The change goes on beside what the block does; afterwards: what it ended with."""
    errors: list[EngineError] = []

    def run() -> None:
        try:
            change()
        except EngineError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield errors
    thread.join(90)
    assert not thread.is_alive()


def test_a_dead_node_costs_one_timeout_and_not_the_run(world: World) -> None:
    dead = DeadHost()
    node = world.nodes[0]
    engine = world.engine(world.fleet(**{**world.platform.dead(node), node: world.behind(node, dead.port)}))
    begin = time.monotonic()
    observed = engine.observe()
    took = time.monotonic() - begin
    dead.close()
    assert LIMITS.connect <= took < LIMITS.connect + 1.5
    assert observed.nodes[node].reach == "offline"
    assert observed.nodes[node].error
    assert observed.quorate
    assert {name for name, each in observed.nodes.items() if each.reach == "online"} == set(world.nodes) - {node}


def test_a_node_that_accepts_and_then_says_nothing_is_offline_after_one_timeout(world: World, proxy: Proxy) -> None:
    world.needs("api per node")
    proxy.hung = True
    node = world.nodes[0]
    begin = time.monotonic()
    observed = world.engine(world.fleet(**{node: world.behind(node, proxy.port)})).observe()
    assert time.monotonic() - begin < LIMITS.connect + 1.5
    assert observed.nodes[node].reach == "offline"
    assert "did not answer" in observed.nodes[node].error


def test_fewer_than_a_majority_is_not_quorate(world: World) -> None:
    observed = world.engine(world.fleet(**world.platform.dead(*world.nodes[1:]))).observe()
    assert not observed.quorate
    assert observed.nodes[world.nodes[1]].reach == "offline"
    assert observed.nodes[world.nodes[1]].error


def test_a_changed_certificate_stops_everything_and_says_what_was_seen(world: World) -> None:
    node = world.nodes[0]
    fleet = world.fleet(**{node: replace(world.bed.nodes[node], fingerprint="ab" * 32)})
    with pytest.raises(Untrusted) as caught:
        world.engine(fleet).observe()
    assert caught.value.node == node
    assert "ab" * 32 in caught.value.answer
    assert world_fingerprint(world, node) in caught.value.answer
    assert re.search("node_accept_certificate|fingerprint", caught.value.hint)


def world_fingerprint(world: World, node: str) -> str:
    """SHA-256 of the certificate a node really shows."""
    there = world.bed.nodes[node]
    pem = ssl.get_server_certificate((there.address, there.port))
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def test_a_node_that_does_not_know_us_says_what_to_do(world: World, tmp_path: Path) -> None:
    pki = tmp_path / "pki"
    shutil.copytree(world.bed.pki, pki)
    world.platform.impostor(pki)
    with pytest.raises(Untrusted, match=r"certificate|token") as caught:
        world.engine(pki=str(pki)).observe()
    assert caught.value.hint


def test_something_else_on_the_port_is_not_trusted(world: World) -> None:
    node = world.nodes[0]
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _where = listener.accept()
            connection.recv(100)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        fleet = world.fleet(**{node: world.behind(node, listener.getsockname()[1])})
        with pytest.raises(Untrusted, match=node):
            world.engine(fleet).observe()


def test_a_controller_without_certificate_is_told_what_is_missing(world: World, tmp_path: Path) -> None:
    with pytest.raises(NotInstalled) as caught:
        connect(world.fleet(), str(tmp_path))
    for missing in world.platform.identity:
        assert missing in str(caught.value)


def test_a_node_never_installed_is_offline_and_keeps_nobody_from_the_others(world: World) -> None:
    engine = world.engine(world.fleet(new=Node("new", "192.0.2.1")))
    observed = engine.observe()
    assert observed.nodes["new"].reach == "offline"
    assert re.search("never installed|no node of this name", observed.nodes["new"].error)
    assert observed.quorate
    with pytest.raises(EngineError, match=r"never installed|no guest"):
        engine.start("contract-a", "new")
    assert engine.take_lock(lock_record()) is None


def test_a_connection_cut_in_mid_task_is_taken_up_again(world: World, proxy: Proxy) -> None:
    world.platform.slow()
    server = world.server(template=HEAVY, size=SLOW)
    node = world.nodes[0]
    engine = world.engine(world.fleet(server, **{node: world.behind(node, proxy.port)}))
    with meanwhile(lambda: engine.create(server, node, silent)) as errors:
        for _again in range(5):
            time.sleep(0.3)
            proxy.cut()
    assert not errors
    assert proxy.accepted > 1
    assert server.name in world.platform.names(node)


@pytest.mark.parametrize("change", ["create", "start", "stop", "delete"])
def test_a_change_whose_answer_got_lost_is_judged_by_the_guest(
    world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    server = world.server()
    node = world.nodes[0]
    sure = world.engine(world.fleet(server))
    if change != "create":
        sure.create(server, node, silent)
    if change == "stop":
        sure.start(server.name, node)
    engine = world.engine(world.fleet(server, **{node: world.behind(node, proxy.port)}))
    engine.observe()
    threads: list[threading.Thread] = []

    def hear_again() -> None:
        time.sleep(0.5)
        proxy.deaf = False
        proxy.cut()

    def deafen(_write: str) -> None:
        # From the first write on nothing comes back, until the connections are cut.
        if not threads:
            proxy.deaf = True
            threads.append(threading.Thread(target=hear_again))
            threads[0].start()

    with cut(monkeypatch, engine, 0, after=False, watch=deafen):
        if change == "create":
            engine.create(server, node, silent)
        else:
            getattr(engine, change)(server.name, node)
    threads[0].join()
    found = seen(sure.observe(), server.name)
    assert (found.state if found else "gone") == {
        "create": "stopped",
        "start": "running",
        "stop": "stopped",
        "delete": "gone",
    }[change]


def test_what_does_not_end_in_time_is_unsure(world: World) -> None:
    world.platform.slow()
    server = world.server(template=HEAVY, size=SLOW)
    node = world.nodes[0]
    engine = world.engine(world.fleet(server, limits=replace(LIMITS, operation=0.4)))
    with pytest.raises(TimedOut) as caught:
        engine.create(server, node, silent)
    assert caught.value.unsure
    # A later run waits for what is going on, and finds it done.
    world.engine(world.fleet(server)).create(server, node, silent)
    assert world.platform.guest(node, server.name)


def test_a_run_killed_while_creating_is_taken_up_by_the_next(world: World) -> None:
    world.platform.slow()
    server = world.server(template=HEAVY, size=SLOW)
    node = world.nodes[0]
    engine = world.engine(world.fleet(server, limits=replace(LIMITS, operation=0.2)))
    with pytest.raises(TimedOut):
        engine.create(server, node, silent)
    # The next finds a guest, and starts it: not before its creation has ended.
    world.engine(world.fleet(server)).start(server.name, node)
    raw = world.platform.guest(node, server.name)
    assert raw is not None
    assert raw["status"] == "Running"


def test_a_daemon_that_dies_while_creating_leaves_nothing_half_done_behind(world: World) -> None:
    world.needs("mended creation")
    server = world.server(template=HEAVY, size=SLOW)
    node = world.nodes[0]
    engine = world.engine(world.fleet(server))
    with meanwhile(lambda: engine.create(server, node, silent)) as errors:
        time.sleep(0.7)
        world.platform.crash(node)
        world.platform.revive(node)
    # Either it was made whole at once, or the error says so and the next run makes it whole.
    if errors:
        assert isinstance(errors[0], EngineError)
        engine.create(server, node, silent)
    raw = world.platform.guest(node, server.name)
    assert raw is not None
    assert raw["config"].get("volatile.apply_template") == "create"


def test_a_fragment_left_by_a_dead_daemon_is_made_whole_before_it_starts(world: World) -> None:
    world.needs("mended creation")
    server = world.server(template=HEAVY, size=SLOW)
    node = world.nodes[0]
    hurried = world.engine(world.fleet(server, limits=replace(LIMITS, operation=0.3)))
    with pytest.raises(TimedOut):
        hurried.create(server, node, silent)
    world.platform.crash(node)
    world.platform.revive(node)
    before = world.platform.guest(node, server.name)
    assert before is not None
    assert "volatile.apply_template" not in before["config"]
    engine = world.engine(world.fleet(server))
    engine.start(server.name, node)
    after = world.platform.guest(node, server.name)
    assert after is not None
    assert after["created_at"] != before["created_at"]
    assert after["status"] == "Running"


def test_a_daemon_that_restarts_between_two_changes_is_not_noticed(world: World) -> None:
    server = world.server()
    node = world.nodes[0]
    engine = world.engine(world.fleet(server))
    engine.create(server, node, silent)
    world.platform.crash(node)
    world.platform.revive(node)
    engine.start(server.name, node)
    found = seen(engine.observe(), server.name)
    assert found is not None
    assert found.state == "running"


def test_a_node_that_dies_in_mid_task_is_told_as_unsure(
    world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.needs("mended creation")
    server = world.server(template=HEAVY, size=SLOW)
    node = world.nodes[0]
    monkeypatch.setattr(operation, "PATIENCE", 3.0)
    engine = world.engine(world.fleet(server, **{node: world.behind(node, proxy.port)}))
    begin = time.monotonic()
    with meanwhile(lambda: engine.create(server, node, silent)) as errors:
        time.sleep(0.5)
        proxy.close()
    assert time.monotonic() - begin < 15
    assert isinstance(errors[0], Unreachable)
    assert errors[0].unsure
    engine = world.engine(world.fleet(server))
    engine.create(server, node, silent)


def test_a_full_pool_is_refused_in_plain_words_and_leaves_nothing(world: World) -> None:
    world.needs("full storage")
    node = world.nodes[0]
    if node not in world.bed.shell:
        pytest.skip("no shell on the servers given")

    def on_node(script: str) -> None:
        subprocess.run([*world.bed.shell[node], script], check=True, capture_output=True)

    full = "/var/tmp/contract-full"
    on_node(f"mkdir -p {full} && mount -t tmpfs -o size=40m contract-full {full} && mkdir {full}/pool")
    try:
        world.platform.pool(node, "contract-full", f"{full}/pool")
        server = replace(world.server(template=HEAVY, size=SLOW), pool="contract-full")
        engine = world.engine(world.fleet(server))
        assert engine.observe().nodes[node].capacity.pools["contract-full"] == 40
        with pytest.raises(Refused, match=r"(?i)no space|out of disk space") as caught:
            engine.create(server, node, silent)
        assert "full" in caught.value.hint
        assert server.name not in world.platform.names(node)
    finally:
        world.platform.drop_pool(node, "contract-full")
        on_node(f"umount -l {full} && rmdir {full}")


def test_no_secret_is_ever_written_down(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = tmp_path / "trace"
    monkeypatch.setenv("SWITCHYARD_TRACE", str(trace))
    server = world.server()
    node = world.nodes[0]
    engine = world.engine(world.fleet(server))
    engine.create(server, node, silent)
    lines = trace.read_text().splitlines()
    assert len(lines) == engine.calls
    assert any(line.startswith(f"POST {node} /") for line in lines)
    assert all(len(line.split()) == 3 for line in lines)
    secrets = [(Path(world.bed.pki) / name).read_text().strip() for name in world.platform.identity]
    words = [line for secret in secrets for line in secret.replace("=", "\n").splitlines() if len(line) > 20]
    assert words
    assert not any(word in line for word in words for line in lines)


def test_a_secret_of_a_copied_template_is_not_written_down(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.needs("copied templates")
    trace = tmp_path / "trace"
    monkeypatch.setenv("SWITCHYARD_TRACE", str(trace))
    source, target, *_others = world.nodes
    engine = world.engine()
    engine.provide_template(HEAVY, target, source, silent)
    world.platform.drop_image(target, HEAVY)
    lines = trace.read_text().splitlines()
    assert f"POST {target} /1.0/images" in lines
    assert not any("secret=" in line or "BEGIN" in line for line in lines)


def test_what_ran_comes_back_with_its_node_and_what_was_stopped_does_not(world: World) -> None:
    a, b = world.server("a"), replace(world.server("b"), state="stopped")
    node = world.nodes[0]
    engine = world.engine(world.fleet(a, b))
    for server in (a, b):
        engine.create(server, node, silent)
        engine.start(server.name, node)
    engine.stop(b.name, node)
    world.platform.power_cut(node, a.name)
    world.platform.revive(node)

    def states() -> tuple[str, str]:
        observed = engine.observe()
        found = [seen(observed, server.name) for server in (a, b)]
        assert found[0]
        assert found[1]
        return found[0].state, found[1].state

    end = time.monotonic() + 20
    while states() != ("running", "stopped") and time.monotonic() < end:
        time.sleep(0.2)
    assert states() == ("running", "stopped")
