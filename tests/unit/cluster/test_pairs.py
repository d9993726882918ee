# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs of nodes as Pacemaker is told them."""

from __future__ import annotations

from itertools import permutations
from xml.etree.ElementTree import fromstring

from ansible_collections.switchyard.fleet.plugins.module_utils.cluster import pairs
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster.pairs import Pair, Timing


def test_no_two_pairs_share_a_name() -> None:
    nodes = ["a", "b", "a-b", "b-a", "a-b-a", "a--b", "b--a", "a.b"]
    names = [Pair(home, backup).identity for home, backup in permutations(nodes, 2)]
    assert len(set(names)) == len(names)


def test_a_pair_prefers_home_and_may_run_on_its_backup() -> None:
    scores = {each.get("node"): int(each.get("score", 0)) for each in pairs.places(Pair("n1", "n2"))}
    assert scores["n1"] > scores["n2"] > 0
    assert len(scores) == 2


def test_what_is_added_is_found_again() -> None:
    wanted = [Pair("n2", "n1"), Pair("n1", "n-3"), Pair("n2", "n1")]
    read = pairs.found(fromstring(pairs.addition(wanted)))
    assert read == {pair.identity: pair for pair in wanted}


def test_a_strangers_resource_is_no_pair() -> None:
    text = (
        '<resources><primitive id="pair-a-b" class="ocf" provider="heartbeat" type="Dummy"><instance_attributes id="x">'
        '<nvpair id="x1" name="home" value="a"/><nvpair id="x2" name="backup" value="b"/></instance_attributes>'
        "</primitive></resources>"
    )
    assert pairs.found(fromstring(text)) == {}


def test_a_stop_that_fails_fences_the_node() -> None:
    operations = {each.get("name"): each for each in pairs.template(Timing(stop_timeout=90)).iter("op")}
    assert operations["stop"].get("on-fail") == "fence"
    assert operations["stop"].get("timeout") == "90s"
    assert operations["monitor"].get("interval") == "5s"
