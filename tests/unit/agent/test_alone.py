# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who goes on alone with a server in step, as the cluster remembers it; and what DRBD is told when it asks."""

from __future__ import annotations

import argparse
from xml.etree.ElementTree import fromstring, tostring

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.agent import alone, fence_peer, quorum, settings
from ansible_collections.switchyard.fleet.plugins.module_utils.drbd import device
from ansible_collections.switchyard.fleet.plugins.module_utils.drbd.status import Status
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError

SETTINGS = settings.parse(
    {"fleet": "f", "here": "n1", "nodes": {"n1": {"address": "192.0.2.1", "certificate": ""}}}
    | {"certificate": "", "key": ""}
)


def _read(claims):
    held = fromstring(alone.written(claims)).find("cluster_property_set")
    return alone.parsed(tostring(held, encoding="unicode"))


def test_the_record_is_read_as_it_was_written_and_nobody_is_left_out():
    assert _read({"a": "n1", "b-1": "n2", "c": ""}) == {"a": "n1", "b-1": "n2"}
    assert alone.parsed("") == {}


def test_a_record_that_cannot_be_read_is_not_taken_for_an_empty_one():
    with pytest.raises(EngineError, match="not the XML"):
        alone.parsed("<cluster_property_set")


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    """A record, and a majority: ``there`` is what it is at each time it is asked for."""

    class Cluster:
        def __init__(self):
            self.record: dict[str, str] = {}
            self.there = [True]

        def known(self):
            return quorum.Quorum() if (self.there.pop(0) if len(self.there) > 1 else self.there[0]) else None

    held = Cluster()
    monkeypatch.setattr(alone, "read", lambda: dict(held.record))
    monkeypatch.setattr(alone, "write", held.record.update)
    monkeypatch.setattr(quorum, "known", held.known)
    monkeypatch.setattr(alone, "_SETTLES", 0.0)
    monkeypatch.setattr(fence_peer, "_PATIENCE", 0.0)
    monkeypatch.setattr(fence_peer, "_PAUSE", 0.0)
    real = alone.hands_on
    monkeypatch.setattr(alone, "hands_on", lambda server: real(server, tmp_path))
    return held


def test_nothing_is_claimed_without_a_majority(cluster):
    cluster.there = [False]
    with pytest.raises(EngineError, match="majority"):
        alone.claim("a", "n1")
    assert cluster.record == {}


def test_a_claim_counts_for_nothing_where_the_majority_was_lost_meanwhile(cluster):
    cluster.there = [True, False]
    with pytest.raises(EngineError, match="majority"):
        alone.claim("a", "n1")


def _asked(monkeypatch, role, name="switchyard-a"):
    monkeypatch.setenv("DRBD_RESOURCE", name)
    monkeypatch.setenv("DRBD_MINOR", "3")
    monkeypatch.setattr(device, "statuses", lambda _node: {3: Status("WFConnection", role)})
    return fence_peer.run(SETTINGS, argparse.Namespace())


def test_a_node_that_writes_goes_on_once_the_majority_has_it(cluster, monkeypatch):
    assert _asked(monkeypatch, "Primary") == fence_peer.OUTDATED
    assert cluster.record == {"a": "n1"}


def test_it_waits_where_there_is_no_majority_or_the_other_one_goes_on(cluster, monkeypatch):
    cluster.there = [False]
    assert _asked(monkeypatch, "Primary") == fence_peer.NO
    cluster.there = [True]
    cluster.record["a"] = "n2"
    assert _asked(monkeypatch, "Primary") == fence_peer.NO
    assert cluster.record == {"a": "n2"}


def test_a_node_begins_to_write_only_where_that_was_recorded_before(cluster, monkeypatch):
    assert _asked(monkeypatch, "Secondary") == fence_peer.NO
    cluster.record["a"] = "n2"
    assert _asked(monkeypatch, "Secondary") == fence_peer.NO
    cluster.record["a"] = "n1"
    assert _asked(monkeypatch, "Secondary") == fence_peer.DEAD


def test_other_resources_are_none_of_its_business(cluster, monkeypatch):
    assert _asked(monkeypatch, "Primary", "somebodys") == fence_peer.NO
    assert cluster.record == {}
