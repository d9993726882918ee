# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers whose pair is on its backup, and that do not run: whom the looks there try again, and when."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.agent import behind, glance, home, quorum, survivors
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.quorum import Quorum
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.work import Work
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster.pairs import Pair
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guests import Found

HOME, BACKUP = "n1", "n2"


def copy(role="replica", status="Stopped", move="", **guarded):
    told = {"mode": "auto", "action": "relocate", "addresses": ["192.0.2.7"], **guarded}
    marks = {"role": role, "pair": f"{HOME} {BACKUP}", "move": move, "fleet": "test", "failover": json.dumps(told)}
    config = {f"user.switchyard.{key}": text for key, text in marks.items()}
    return Found({"name": "pbx", "config": config, "status": status}, "")


@pytest.fixture
def tried(monkeypatch):
    """Each attempt: the servers, and whether their home is dead."""
    attempts: list[tuple[set[str], bool]] = []

    class Rescue:
        def __init__(self, _work):
            pass

        def again(self, mine, *, dead):
            attempts.append((set(mine), dead))

    monkeypatch.setattr(behind, "Rescue", Rescue)
    return attempts


def look(monkeypatch, members, *, dead=(), answers=(), named=(), **copies):
    monkeypatch.setattr(survivors, "members", lambda: frozenset(members))
    monkeypatch.setattr(quorum, "known", lambda: Quorum(dead=frozenset(dead)))
    monkeypatch.setattr(behind, "answering", lambda asked: {each: "answers ping" for each in answers if each in asked})
    nodes = {HOME: SimpleNamespace(address="192.0.2.1")}
    settings = SimpleNamespace(protects=True, fleet=SimpleNamespace(nodes=nodes))
    work = cast(Work, SimpleNamespace(settings=settings, pair=Pair(HOME, BACKUP), here=BACKUP))
    return behind.again(work, copies, dict.fromkeys(named, "why"))


def test_once_its_home_was_seen_off_every_server_that_waits_is_tried(monkeypatch, tried):
    assert look(monkeypatch, [BACKUP, "n3"], dead=[HOME], named=["a"], a=copy(), b=copy(), c=copy("primary"))
    assert tried == [({"a", "b"}, True)]


@pytest.mark.parametrize(
    "known",
    [{}, {"dead": [HOME], "answers": ["192.0.2.1"]}, {"dead": [HOME], "answers": ["192.0.2.7"]}],
    ids=["not seen off", "it answers", "the server answers"],
)
def test_a_home_that_only_left_the_cluster_keeps_its_servers(monkeypatch, tried, known):
    assert not look(monkeypatch, [BACKUP, "n3"], named=["a"], a=copy(), **known)
    assert tried == []


def test_of_a_home_that_lives_only_what_it_let_go_of_is_tried(monkeypatch, tried):
    assert look(monkeypatch, [HOME, BACKUP], named=["a"], a=copy(), b=copy())
    assert tried == [({"a"}, False)]
    assert not look(monkeypatch, [HOME, BACKUP], b=copy())


def test_what_a_person_has_to_start_is_left_to_them(monkeypatch, tried):
    known = {"dead": [HOME], "a": copy(mode="manual"), "b": copy(action="activate")}
    assert not look(monkeypatch, [BACKUP, "n3"], **known)
    assert tried == []


def test_a_quick_look_does_not_pass_over_them():
    remembered: dict[str, Any] = {"calm": [], "fleet": "test"}
    assert not glance._same(f"{HOME}:{BACKUP}", remembered, {"pbx": copy().raw})
    assert glance._same(f"{BACKUP}:{HOME}", remembered, {"pbx": copy().raw})


def test_a_server_whose_move_was_cut_off_stops_with_its_pair():
    copies = {"a": copy("primary", "Running"), "b": copy("primary", "Running", move="to n3 running"), "c": copy()}
    work = SimpleNamespace(insist=lambda ask: ask(), local=lambda: copies, label=lambda _found: True)
    assert set(home._running(home._of_pair(cast(Work, work)))) == {"a", "b"}
