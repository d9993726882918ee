# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet's lock: one run at a time, whoever and through whichever node."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import LockRecord, Unreachable
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox import lock as locks
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.client import Client
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.lock import Lock
from cluster import client_of
from double import Double


def record(since: float = 1.0) -> LockRecord:
    return LockRecord(uuid.uuid4().hex, "tester@here", "test", "machine", 1, since, since)


def test_it_is_taken_held_renewed_and_given_back(client: Client) -> None:
    lock, first, second = Lock("f", client), record(), record()
    assert lock.take(first) is None
    assert lock.take(first) is None, "it is ours already"
    assert lock.take(second) == first
    assert lock.renew(replace(first, renewed=9.0))
    assert lock.take(second) == replace(first, renewed=9.0)
    lock.release(second.token)
    assert lock.take(second) is not None, "somebody else's is not released"
    for _again in range(2):
        lock.release(first.token)
    assert not lock.renew(first)
    assert lock.take(second) is None
    assert Lock("another fleet".replace(" ", "-"), client).take(first) is None


def test_of_twelve_who_ask_at_once_through_all_nodes_one_gets_it(double: Double) -> None:
    contenders = [Lock("f", client_of(double)) for _each in range(12)]
    records = [record() for _each in contenders]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda pair: pair[0].take(pair[1]), zip(contenders, records, strict=True)))
    assert answers.count(None) == 1
    winner = records[answers.index(None)]
    assert {answer.token for answer in answers if answer} == {winner.token}


def test_of_those_who_break_the_same_stale_lock_one_gets_it(double: Double) -> None:
    stale = record()
    assert Lock("f", client_of(double)).take(stale) is None
    contenders = [(Lock("f", client_of(double)), record()) for _each in range(8)]

    def break_and_take(pair: tuple[Lock, LockRecord]) -> LockRecord | None:
        pair[0].release(stale.token)
        return pair[0].take(pair[1])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(break_and_take, contenders)).count(None) == 1


def test_a_breaker_who_comes_late_does_not_break_the_next_ones_lock(client: Client) -> None:
    lock, stale, new = Lock("f", client), record(), record()
    lock.take(stale)
    lock.release(stale.token)
    assert lock.take(new) is None
    lock.release(stale.token)
    assert lock.renew(new)


def test_a_lost_answer_loses_no_lock(client: Client, double: Double) -> None:
    lock, mine = Lock("f", client), record()
    double.faults.add("lose-answer", "POST /pools", times=2)
    assert lock.take(mine) is None
    lock.release(mine.token)
    assert lock.take(record()) is None


def test_without_a_quorum_nobody_gets_it(client: Client, double: Double) -> None:
    double.faults.lose_quorum()
    with pytest.raises(Unreachable, match="no quorum"):
        Lock("f", client).take(record())


def test_old_ones_are_cleared_away_and_the_numbers_go_on(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Lock("f", client)
    monkeypatch.setattr(locks, "_KEEP", -1.0)
    for _run in range(4):
        mine = record()
        assert lock.take(mine) is None
        lock.release(mine.token)
    names = sorted(pool["poolid"] for pool in client.get("/pools", "test"))
    assert names == ["switchyard-lock-f.4", "switchyard-lock-f.4.released"]


def test_a_spoiled_record_is_a_lock_somebody_holds(client: Client) -> None:
    client.send("POST", "/pools", "test", {"poolid": "switchyard-lock-f.1", "comment": "mine!"})
    held = Lock("f", client).take(record())
    assert held and (held.token, held.purpose) == ("", "mine!")
