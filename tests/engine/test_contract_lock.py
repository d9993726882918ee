# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time holds the fleet, from wherever it comes."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError

from .conftest import World, lock_record


def test_the_second_is_told_who_holds_the_fleet(world: World) -> None:
    first, second = lock_record("site"), lock_record("balance")
    engine = world.engine()
    assert engine.take_lock(first) is None
    assert world.engine().take_lock(second) == first
    assert engine.take_lock(first) is None  # asked twice
    engine.release_lock(second.token)  # not theirs
    assert world.engine().take_lock(second) == first
    engine.release_lock(first.token)
    engine.release_lock(first.token)
    assert engine.take_lock(second) is None


def test_a_sign_of_life_is_seen_by_others_and_refused_to_a_superseded_holder(world: World) -> None:
    engine = world.engine()
    first, second = lock_record(), lock_record()
    assert engine.take_lock(first) is None
    later = replace(first, renewed=first.renewed + 20)
    assert engine.renew_lock(later)
    assert engine.take_lock(second) == later
    engine.release_lock(first.token)
    assert engine.take_lock(second) is None
    assert not engine.renew_lock(later)
    assert engine.take_lock(first) == second


def test_of_ten_threads_one_wins_each_round(world: World) -> None:
    engine = world.engine()
    for _again in range(10):
        records = [lock_record() for _again in range(10)]
        gate = threading.Barrier(10)

        def contend(record: object, gate: threading.Barrier = gate) -> object:
            gate.wait()
            return engine.take_lock(record)  # type: ignore[arg-type]

        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(contend, records))
        winners = [record for record, answer in zip(records, answers, strict=True) if answer is None]
        assert len(winners) == 1
        engine.release_lock(winners[0].token)


CONTENDER = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import LockRecord
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.connect import connect
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Node
raw = json.loads(sys.argv[2])
engine = connect(Fleet("contract", raw["engine"], {n: Node(n, a, port=p) for n, a, p in raw["nodes"]}, {}), raw["pki"])
record = LockRecord(**raw["record"])
log = []
end = time.monotonic() + raw["seconds"]
while time.monotonic() < end:
    if engine.take_lock(record) is None:
        begin = time.time()
        time.sleep(0.005)
        log.append((begin, time.time()))
        engine.release_lock(record.token)
    record = LockRecord(**{**raw["record"], "token": record.token + "x"})
print(json.dumps(log))
"""


def test_two_processes_never_hold_the_fleet_at_once(world: World) -> None:
    root = Path(__file__).parents[2] / ".collections"
    nodes = [(node.name, node.address, node.port) for node in world.bed.nodes.values()]
    task = {"engine": world.bed.engine, "nodes": nodes, "pki": world.bed.pki, "seconds": 3}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", CONTENDER, str(root), json.dumps(task | {"record": asdict(lock_record())})],
            stdout=subprocess.PIPE,
        )
        for _again in range(3)
    ]
    held = sorted(span for run in runs for span in json.loads(run.communicate(timeout=60)[0]))
    assert len(held) > 3
    for (_begin, end), (begin, _end) in itertools.pairwise(held):
        assert end <= begin


def test_of_several_who_break_a_stale_lock_one_gets_it(world: World) -> None:
    engine = world.engine()
    for _again in range(10):
        stale = lock_record("died")
        assert engine.take_lock(stale) is None
        records = [lock_record() for _again in range(6)]
        gate = threading.Barrier(6)

        def contend(record: object, stale_token: str = stale.token, gate: threading.Barrier = gate) -> object:
            gate.wait()
            engine.release_lock(stale_token)
            return engine.take_lock(record)  # type: ignore[arg-type]

        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(contend, records))
        winners = [record for record, answer in zip(records, answers, strict=True) if answer is None]
        assert len(winners) <= 1
        # Nobody's lock was swept away by a slower breaker: who won still holds it.
        for winner in winners:
            assert engine.renew_lock(winner)
            engine.release_lock(winner.token)
        for record in records:
            engine.release_lock(record.token)


def test_a_majority_is_enough_and_less_is_an_error(world: World) -> None:
    _first, second, third = world.nodes
    two = world.engine(world.fleet(**world.platform.dead(third)))
    record = lock_record()
    assert two.take_lock(record) is None
    assert two.renew_lock(record)
    assert world.engine().take_lock(lock_record()) == record
    one = world.engine(world.fleet(**world.platform.dead(second, third)))
    with pytest.raises(EngineError, match="more than half"):
        one.take_lock(lock_record())
    with pytest.raises(EngineError, match="more than half"):
        one.renew_lock(record)


def test_a_lock_left_on_a_node_that_was_away_is_found_and_can_be_broken(world: World) -> None:
    world.needs("lock per node")
    first, *_others = world.nodes
    left = lock_record("left behind")
    assert world.engine().take_lock(left) is None
    world.engine(world.fleet(**{first: world.behind(first, 9)})).release_lock(left.token)
    record = lock_record()
    engine = world.engine()
    assert engine.take_lock(record) == left
    engine.release_lock(left.token)
    assert engine.take_lock(record) is None


def test_the_record_comes_back_as_it_was_written(world: World) -> None:
    record = replace(lock_record("a purpose, with ümläuts"), since=time.time() - 5.25)
    engine = world.engine()
    assert engine.take_lock(record) is None
    assert engine.take_lock(lock_record()) == record
