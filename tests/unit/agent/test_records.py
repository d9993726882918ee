# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node writes down: in the cluster, in memory, and for servers whose peers it calls."""

from __future__ import annotations

import json
from xml.etree.ElementTree import fromstring, tostring

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.agent import memory, pairs, publish, record
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.health import Health
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.record import Claim
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.settings import Settings
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster.pairs import Pair
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import activation
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.activation import Peer
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guests import Found
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Node
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = st.text("abcxyz019-", min_size=1, max_size=12)


@UNHURRIED
@given(st.dictionaries(NAMES, st.builds(Claim, NAMES, st.integers(1, 10**9)), max_size=5))
def test_the_record_is_read_as_it_was_written(claims):
    held = fromstring(record.written(claims)).find("cluster_property_set")
    assert held is not None and held.get("id") == "switchyard"
    assert record.parsed(tostring(held, encoding="unicode")) == claims


def test_no_record_is_none_a_spoiled_claim_is_left_out_and_no_answer_is_an_error():
    assert record.parsed("") == {}
    with pytest.raises(EngineError, match="not the XML"):
        record.parsed("<cluster_property_set")
    held = "".join(
        f'<nvpair id="{key}" name="{key}" value="{value}"/>'
        for key, value in {"server-a": "node1", "server-b": "node1 x", "else": "node1 3", "server-c": "n 4"}.items()
    )
    assert record.parsed(f'<cluster_property_set id="switchyard">{held}</cluster_property_set>') == {"c": Claim("n", 4)}


def test_the_node_that_has_a_server_tells_of_promotions_and_moves_the_record_does_not_know():
    def found(generation, role="primary", move=""):
        marks = {"generation": str(generation), "role": role, "move": move}
        return Found({"config": {f"user.switchyard.{key}": text for key, text in marks.items()}}, "", "here")

    def told(copy, *claim):
        return record.lacking("here", {"a": copy}, {"a": Claim(*claim)} if claim else {}).get("a")

    assert told(found(1000)) == Claim("here", 1000), "promoted by hand"
    assert told(found(1001), "there", 1000) == Claim("here", 1001), "promoted there, moved here"
    assert told(found(1000), "here", 1000) is told(found(1), "there", 1000) is None
    assert told(found(7)) is None, "moved, but never promoted: whoever has an older copy of it has none that runs"
    assert told(found(1000, "replica")) is told(found(1000, move="to there running")) is None


def test_memory_is_as_it_was_stored(tmp_path):
    path = memory.path_of("node1", "node2", tmp_path)
    assert memory.load(path) is None
    stored = memory.Memory(3.0, {"a": Health(1.0, True, 0, (2.0,), 9.0, "")}, {"b": "why"})
    memory.store(path, stored, "prod")
    assert memory.load(path) == stored
    assert json.loads(path.read_text())["calm"] is None, "what is wrong is to be looked at until it is right"
    stored.named.clear()
    memory.store(path, stored, "prod")
    assert json.loads(path.read_text())["calm"] == ["a"]
    stored.named["b"] = "why"
    stored.healths["c"] = Health(1.0)
    memory.store(path, stored, "prod")
    assert json.loads(path.read_text())["calm"] is None
    assert memory.named(tmp_path) == {("node1", "node2"): {"b": "why"}}
    memory.forget(path)
    memory.forget(path)
    assert memory.load(path) is None


def test_what_is_another_pairs_meanwhile_is_no_longer_named():
    def copy(role, label):
        return Found({"config": {"user.switchyard.role": role, "user.switchyard.pair": label}}, "")

    named = {("node1", "node2"): {"a": "why"}}

    def told(copies, here):
        return publish.still_named(named, copies, here)

    assert told({"a": copy("primary", "node1 node2")}, "node1") == {"a": "why"}
    assert told({"a": copy("replica", "node2 node1")}, "node1") == {}
    assert told({"a": copy("replica", "node1 node2")}, "node2") == {"a": "why"}
    assert told({"a": copy("primary", "node2 node1")}, "node2") == {"a": "why"}, "promoted, and torn"
    assert told({"a": copy("primary", "node2 node3")}, "node2") == {}
    assert told({}, "node2") == {"a": "why"}


def test_spoiled_memory_is_a_pair_that_runs_and_remembers_nothing(tmp_path):
    path = memory.path_of("node1", "node2", tmp_path)
    path.write_text("{")
    remembered = memory.load(path)
    assert remembered is not None and remembered.healths == {}


def test_both_pairs_of_two_nodes_exclude_each_other_and_no_others(tmp_path):
    with memory.hands_on("a", "b", 0.0, tmp_path) as first:
        assert first
        with memory.hands_on("b", "a", 0.2, tmp_path) as second:
            assert not second
        with memory.hands_on("a", "c", 0.0, tmp_path) as third:
            assert third
    with memory.hands_on("b", "a", 0.0, tmp_path) as again:
        assert again


def test_whose_label_a_server_bears_that_pair_is_needed_both_ways_round():
    fleet = Fleet(
        "prod", "incus", {f"n{each}": Node(f"n{each}", "192.0.2.1", witness=each == 3) for each in (1, 2, 3)}, {}
    )
    known = Settings(fleet, "n1", {}, "", "")

    def found(label, role="primary"):
        return Found({"config": {"user.switchyard.pair": label, "user.switchyard.role": role}}, "")

    both = {Pair("n1", "n2"), Pair("n2", "n1")}
    assert pairs.needed(known, [found("n1 n2"), found("n1 n2")]) == both
    # A replica's own server tells, a witness starts nothing, and of a node that is gone nobody knows.
    odd = [found("n1 n2", "replica"), found("n1 n3"), found("n1 gone"), found("n1 n1"), found("")]
    assert pairs.needed(known, odd) == frozenset()


@UNHURRIED
@given(st.dictionaries(NAMES, st.builds(Peer, NAMES, NAMES, NAMES, st.floats(0, 1e10)), max_size=4))
def test_peers_are_read_as_they_were_written(book):
    assert activation.parse(activation.text(book)) == book


def test_spoiled_peers_are_none():
    assert activation.parse("[1]") == activation.parse("{") == activation.parse('{"a": {"x": 1}}') == {}
