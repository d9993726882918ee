# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written on a server and its replicas, through a life of moves and failovers."""

from __future__ import annotations

import json
import random

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import handover, safekeeping
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.safekeeping import (
    AUTOSTART,
    HOME,
    INTERVAL,
    KEEPS,
    PAIR,
    REFRESHED,
    REPLICAS,
    SOURCE,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Check,
    Failover,
    Interface,
    Replication,
    Server,
    Size,
)

SERVER = Server(
    "pbx-1",
    Size(1, 64, 100),
    "pbx",
    interfaces=(Interface("lan", "192.0.2.9"), Interface("voice", "")),
    start_order=7,
    start_delay=1.5,
    checks=(Check("sip", 5060, timeout=9.0),),
    replication=Replication("interval", 60),
    failover=Failover("auto"),
)


def told(*keys: dict[str, str]) -> dict[str, str]:
    """A configuration after these keys were written, one after the other; an empty value removes a key."""
    config: dict[str, str] = {}
    for each in keys:
        config |= each
    return {key: value for key, value in config.items() if value}


def test_what_a_node_knows_of_a_server_is_what_was_declared() -> None:
    known = safekeeping.guarded(safekeeping.watched(SERVER))
    assert (known.mode, known.action, known.order, known.delay) == ("auto", "relocate", 7, 1.5)
    assert (known.checks, known.addresses) == (SERVER.checks, ("192.0.2.9",))


@pytest.mark.parametrize("spoiled", ["", "{", "[]", '{"mode": "auto", "checks": [{"odd": 1}]}', '{"unknown": 1}', "7"])
def test_a_spoiled_mark_is_a_server_nobody_fails_over(spoiled: str) -> None:
    assert safekeeping.guarded({safekeeping.FAILOVER: spoiled}) == safekeeping.Guarded()


def test_what_a_later_release_tells_besides_is_left_out() -> None:
    mark = json.loads(safekeeping.guard_mark(SERVER)[safekeeping.FAILOVER])
    mark["later"] = 1
    for check in mark["checks"]:
        check["later"] = 1
    config = {safekeeping.FAILOVER: json.dumps(mark)}
    assert safekeeping.guarded(config) == safekeeping.guarded(safekeeping.guard_mark(SERVER))
    assert safekeeping.is_readable(config) and safekeeping.is_readable({})
    assert not safekeeping.is_readable({safekeeping.FAILOVER: "{"})


@pytest.mark.parametrize(("mark", "nodes"), [("n1 n2", ("n1", "n2")), ("", None), ("n1", None), ("n1 n2 n3", None)])
def test_a_label_names_two_nodes(mark: str, nodes: tuple[str, str] | None) -> None:
    assert safekeeping.pair({PAIR: mark}) == nodes


def test_with_replicas_a_server_does_not_start_with_its_node_and_without_it_does_as_before() -> None:
    for before in ("", "true", "last-state"):
        server = told({AUTOSTART: before})
        one = told(server, safekeeping.kept(server, ["n2"]))
        two = told(one, safekeeping.kept(one, ["n2", "n3"]))
        assert (one[AUTOSTART], two[AUTOSTART], two[REPLICAS]) == ("false", "false", "n2 n3")
        assert told(two, safekeeping.kept(two, [])) == server


def test_a_failover_goes_home_by_switching() -> None:
    config = told({REPLICAS: "n2", AUTOSTART: "false"}, safekeeping.pair_mark("n1", "n2"))
    rescued = told(config, safekeeping.rescued(config, "n2", "n1"))
    assert (rescued[REPLICAS], rescued[PAIR], rescued[HOME]) == ("n1", "n2 n1", "n1")
    back = told(rescued, safekeeping.successor(rescued, "n1", "n2"))
    assert back == config


def test_one_that_fails_over_twice_remembers_where_it_belongs() -> None:
    config = told({REPLICAS: "n2", AUTOSTART: "false"}, safekeeping.pair_mark("n1", "n2"))
    once = told(config, safekeeping.rescued(config, "n2", "n1"))
    elsewhere = told(once, safekeeping.kept(once, ["n3"]), safekeeping.pair_mark("n2", "n3"))
    twice = told(elsewhere, safekeeping.rescued(elsewhere, "n3", "n2"))
    assert (twice[HOME], twice[PAIR], twice[REPLICAS]) == ("n1", "n3 n2", "n2")
    returned = told(once, safekeeping.rescued(once, "n1", "n2"))
    assert HOME not in returned


def test_a_copied_server_keeps_its_replica_and_its_backup() -> None:
    config = told({REPLICAS: "n2", AUTOSTART: "false", HOME: "n9"}, safekeeping.pair_mark("n1", "n2"))
    moved = told(config, safekeeping.successor(config, "n3"))
    assert (moved[REPLICAS], moved[PAIR]) == ("n2", "n3 n2")
    assert HOME not in moved


def test_a_server_copied_over_its_own_replica_has_neither_replica_nor_label() -> None:
    config = told({REPLICAS: "n2", AUTOSTART: "false"}, safekeeping.pair_mark("n1", "n2"))
    assert told(config, safekeeping.successor(config, "n2")) == {}


def test_however_it_goes_the_label_says_where_it_is_and_names_a_replica() -> None:
    """A life of moves and failovers, drawn by lot."""
    for seed in range(300):
        draw = random.Random(seed)
        nodes = ["n1", "n2", "n3", "n4"]
        here = "n1"
        config = told({REPLICAS: "n2", AUTOSTART: "false", KEEPS: "running"}, safekeeping.pair_mark("n1", "n2"))
        for _step in range(12):
            others = [node for node in nodes if node != here]
            replicas = safekeeping.replicas(config)
            what = draw.choice(("switch", "copy", "dies", "another"))
            if what == "another":
                config = told(config, safekeeping.kept(config, [*replicas, draw.choice(others)]))
                continue
            to = draw.choice(replicas if what in ("switch", "dies") and replicas else others)
            if what == "dies" and replicas:
                config = told(config, safekeeping.rescued(config, to, here))
            else:
                config = told(config, safekeeping.successor(config, to, here if what == "switch" else ""))
            here = to
            label, now = safekeeping.pair(config), safekeeping.replicas(config)
            assert here not in now and len(set(now)) == len(now)
            assert label is None or (label[0] == here and label[1] in now), (seed, config)
            assert config.get(AUTOSTART, "") == ("false" if now else "")
            assert config.get(HOME, "") != here


def test_a_promotion_outdoes_every_move_it_may_not_have_heard_of() -> None:
    assert [safekeeping.lifted(each) for each in (1, 999, 1000, 1001, 2999)] == [1000, 1000, 2000, 2000, 3000]


def test_the_keys_of_one_replica_go_along_with_no_copy_and_end_with_its_promotion() -> None:
    own = safekeeping.replicated("n1", 60, 1234.5)
    config = told({REPLICAS: "n2"}, own, {safekeeping.REFRESHING: "1300.0"})
    assert {key for key in config if key.startswith(safekeeping.OWN)} <= set(safekeeping.ALONE)
    assert told(config, handover.promoted(2, "false")) == told({REPLICAS: "n2"}, handover.promoted(2, "false"))
    kept = safekeeping.copying(config)
    assert (kept.interval, kept.refreshed, kept.failures) == (60, 1234.5, 0)
    assert (config[SOURCE], config[INTERVAL], config[REFRESHED]) == ("n1", "60", "1234.500")


@pytest.mark.parametrize(
    ("config", "lost", "carrier"),
    [
        ({SOURCE: "n1"}, ["n1", "n2"], "n1"),
        ({SOURCE: "n3", PAIR: "n1 n2"}, ["n1"], "n1"),
        ({SOURCE: "n3"}, ["n5", "n4"], "n4"),
        ({}, [], ""),
    ],
)
def test_which_dead_node_carried_it(config: dict[str, str], lost: list[str], carrier: str) -> None:
    assert safekeeping.carrier(config, lost) == carrier
