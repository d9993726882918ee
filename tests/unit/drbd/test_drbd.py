# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What DRBD is told of a server's disk, and what it says of it."""

from __future__ import annotations

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.agent import alone
from ansible_collections.switchyard.fleet.plugins.module_utils.drbd import resource, status, store
from ansible_collections.switchyard.fleet.plugins.module_utils.drbd.resource import Resource, Side

PROC = """version: 8.4.11 (api:1/proto:86-101)
srcversion: DA4D7D7D7D7D7D7D7D7D7D
 0: cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate C r-----
    ns:1048 nr:0 dw:1048 dr:2100 al:8 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:0
 1: cs:SyncTarget ro:Secondary/Primary ds:Inconsistent/UpToDate C r-----
    ns:0 nr:5120 dw:5120 dr:0 al:0 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:9000
\t[=====>..............] sync'ed: 31.2% (9000/14120)K
\tfinish: 0:00:10 speed: 800 (800) K/sec
 2: cs:Unconfigured
 7: cs:WFConnection ro:Primary/Unknown ds:UpToDate/DUnknown C s---F-
    ns:0 nr:0 dw:0 dr:0 al:0 bm:0 lo:0 pe:0 ua:0 ap:2 ep:1 wo:f oos:4
"""


def sample(server: str = "pbx01", **changes: str) -> Resource:
    here = Side("node1", changes.get("address", "10.9.1.1"), 3, "/dev/vg0/switchyard-pbx01")
    return Resource(server, (here, Side("node2", "10.9.1.2", 0, "/dev/null")), changes.get("secret", "abc123"))


def test_each_side_listens_on_a_port_of_its_own_device():
    text = resource.configuration(sample(), "/usr/local/sbin/switchyard-agent fence-peer", "host1")
    assert 'on "host1" {\n        address ipv4 10.9.1.1:7803;\n        device /dev/drbd3;' in text
    assert "disk /dev/vg0/switchyard-pbx01;" in text
    assert 'on "not-host1" {\n        address ipv4 10.9.1.2:7800;\n        device /dev/drbd0;' in text


def test_writes_wait_for_the_handler_and_nothing_is_thrown_away_by_drbd():
    text = resource.configuration(sample(), "/usr/local/sbin/switchyard-agent fence-peer", "host1")
    for line in (
        "protocol C;",
        "fencing resource-and-stonith;",
        'fence-peer "/usr/local/sbin/switchyard-agent fence-peer";',
        "after-sb-0pri disconnect;",
        "after-sb-1pri disconnect;",
        "after-sb-2pri disconnect;",
    ):
        assert f"        {line}\n" in text


def test_ipv6_is_written_in_brackets():
    assert "address ipv6 [fd00::1]:7803;" in resource.configuration(sample(address="fd00::1"), "true", "host1")


@pytest.mark.parametrize("name", ['a"b', "a b", "", "a\nb", "-a"])
def test_what_drbd_would_read_as_something_else_is_refused(name):
    with pytest.raises(ValueError, match="not a name for DRBD"):
        resource.configuration(sample(server=name), "true", "host1")


def test_a_mark_says_which_device_it_is_on_either_node():
    assert resource.numbers("node1=3 node2=0") == {"node1": 3, "node2": 0}
    assert resource.numbers(resource.mark({"b": 1, "a": 2})) == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    "text", ["", "node1=3", "node1=3 node1=4", "node1=x node2=0", "a=1 b=2 c=3", "=1 b=2", "a=1 b=1000"]
)
def test_a_spoiled_mark_says_nothing(text):
    assert resource.numbers(text) == {}


def test_the_lowest_free_number_is_given_out_and_never_the_port_of_incus():
    assert resource.free([]) == 0
    assert resource.free([0, 1, 3]) == 2
    assert resource.free(range(643)) == 644
    with pytest.raises(ValueError, match="taken"):
        resource.free(range(1000))


def test_what_the_devices_do():
    devices = status.parse(PROC)
    assert devices[0].in_step
    assert devices[0].role == "Primary"
    assert not devices[1].in_step
    assert devices[1].words == "SyncTarget, Secondary/Primary, Inconsistent/UpToDate, 31.2 % in step"
    assert not devices[2].exists
    assert devices[7].suspended
    assert devices[7].words == "WFConnection, Primary/Unknown, UpToDate/DUnknown, writes wait"
    assert not devices[0].suspended
    assert sorted(devices) == [0, 1, 2, 7]


def test_which_drbd_it_is():
    assert status.version(PROC) == (8, 4)
    assert status.version("version: 9.2.4 (api:2/proto:86-122)\n") == (9, 2)
    assert status.version("nothing of the kind") is None


def test_a_server_has_its_whole_disk_to_itself():
    # DRBD's own records: 36 KiB and 32 KiB for each GiB; ext4's take about 1.6 per cent.
    for disk in (100, 1024, 20 * 1024, 4096 * 1024):
        records = (36 + 32 * disk / 1024) / 1024
        assert store.needed(disk) >= disk * 1.02 + records


def test_who_goes_on_alone_is_read_as_it_was_written():
    text = alone.written({"pbx01": "node1", "pbx02": ""})
    inner = text.removeprefix("<crm_config>").removesuffix("</crm_config>")
    assert alone.parsed(inner) == {"pbx01": "node1"}
    assert alone.parsed("") == {}


def test_a_spoiled_record_is_not_taken_for_an_empty_one():
    with pytest.raises(Exception, match="not the XML it should be"):
        alone.parsed("<cluster_property_set")
