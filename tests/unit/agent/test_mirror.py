# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node may write to a server's disk, by what DRBD and the cluster's record say (tests/vm: DRBD itself)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.agent import alone, mirror, settings
from ansible_collections.switchyard.fleet.plugins.module_utils.drbd.status import Status
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError, Refused
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import safekeeping

NODES = {
    name: {"address": f"192.0.2.{number}", "disk_address": f"192.0.2.{number}", "certificate": ""}
    for number, name in ((1, "n1"), (2, "n2"))
}
PLAIN = {"fleet": "f", "here": "n1", "nodes": NODES, "certificate": "", "key": ""}
SETTINGS = settings.parse(PLAIN | {"disks": {"place": "/srv/disks", "secret": "s3cret"}})
CONFIG = {safekeeping.SYNC: "n1=3 n2=0", safekeeping.SYNC_SIZE: "64"}
IN_STEP = Status("Connected", "Secondary", "Secondary", "UpToDate", "UpToDate")
ALONE = Status("WFConnection", "Secondary", "Unknown", "Consistent", "DUnknown")


def test_a_resource_has_this_nodes_side_first_and_the_others_address():
    made = mirror.resource(SETTINGS, "a", CONFIG, "/dev/loop0")
    assert [(side.node, side.address, side.number) for side in made.sides] == [
        ("n1", "192.0.2.1", 3),
        ("n2", "192.0.2.2", 0),
    ]


@pytest.mark.parametrize(
    ("given", "mark", "words"),
    [
        (PLAIN, "n1=3 n2=0", "no place for disks"),
        (None, "", "does not say"),
        (None, "n1=3", "does not say"),
        (None, "n2=3 n4=0", "does not say"),
        (None, "n1=3 n9=0", "where n9 is"),
    ],
)
def test_a_mark_that_does_not_say_is_refused(given, mark, words):
    known = settings.parse(given) if given else SETTINGS
    with pytest.raises(Refused, match=words):
        mirror.resource(known, "a", {safekeeping.SYNC: mark}, "")


class Device:
    """What a device says, one after the other; and whether it was written to."""

    def __init__(self, *says, fails=0):
        self.says, self.fails, self.mounted = list(says), fails, ""

    def status(self):
        return self.says[0]

    def wait(self, _until, _seconds):
        return self.says[0]

    def connect(self, *, discard=False):
        assert not discard

    def primary(self):
        if self.fails:
            self.fails -= 1
            self.says.pop(0)
            raise EngineError("n1", "write", "peer is not outdated")
        self.says = [replace(self.says[0], role="Primary")]

    def mount(self, place):
        self.mounted = place


@pytest.fixture
def record(monkeypatch, tmp_path):
    """The cluster's."""
    held: dict[str, str] = {}
    real = alone.hands_on
    monkeypatch.setattr(alone, "hands_on", lambda server: real(server, tmp_path))
    monkeypatch.setattr(alone, "read", lambda: dict(held))
    monkeypatch.setattr(alone, "claim", lambda server, node: held.update({server: node}))
    return held


def taken(device):
    disk = mirror.Mirror(SETTINGS, "a", CONFIG)
    disk.device = device
    disk.up = lambda *, make: None
    disk.take("/there")
    return device.mounted


def test_what_is_in_step_is_taken_and_nothing_recorded(record):
    assert taken(Device(IN_STEP)) == "/there"
    assert record == {}


def test_without_the_other_node_it_is_recorded_first(record):
    assert taken(Device(ALONE)) == "/there"
    assert record == {"a": "n1"}


def test_a_node_that_dies_on_the_way_makes_no_difference(record):
    assert taken(Device(IN_STEP, ALONE, fails=1)) == "/there"
    assert record == {"a": "n1"}


@pytest.mark.parametrize("disk", ["Inconsistent", "Outdated", "Diskless"])
def test_what_is_not_all_that_was_acknowledged_is_never_taken(record, disk):
    with pytest.raises(Refused, match="not all that was acknowledged"):
        taken(Device(replace(ALONE, disk=disk)))
    assert record == {}


def test_what_the_other_node_went_on_with_alone_is_never_taken(record):
    record["a"] = "n2"
    with pytest.raises(Refused, match="n2 went on alone"):
        taken(Device(ALONE))
    assert taken(Device(IN_STEP)) == "/there"
