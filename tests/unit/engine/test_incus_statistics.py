# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Incus counts of nodes and guests, in the words of the model: two looks, made rates of."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.statistics import guest, node
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import FileSystem, Traffic, Use

RESOURCES = {
    "load": {"Average1Min": 3.54, "Average5Min": 2.45, "Average10Min": 1.26, "Processes": 212},
    "memory": {"used": 3 * 2**30, "total": 2**35},
}


def card(received: int, sent: int, kind: str = "broadcast") -> dict[str, Any]:
    return {"type": kind, "host_name": "veth1", "counters": {"bytes_received": received, "bytes_sent": sent}}


def raw(pid: int = 1138, received: int = 1000, sent: int = 500, **more: Any) -> dict[str, Any]:
    state = {
        "pid": pid,
        "processes": 12,
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime(time.time() - 3600)),
        "disk": {"root": {"usage": 5 * 2**20 + 1, "total": 64 * 2**20}},
        "network": {"eth0": card(received, sent), "lo": card(9 * received, 9 * sent, "loopback")},
    }
    return {"name": "pbx01", "project": "default", "state": {**state, **more}}


def test_a_nodes_load_memory_processes_and_traffic():
    found = node(
        RESOURCES, {"eth0": {"bytes_received": 100, "bytes_sent": 0}}, {"eth0": card(2100, 500)["counters"]}, 2
    )
    assert found.load == (3.54, 2.45, 1.26)
    assert (found.memory, found.processes) == (3072, 212)
    assert found.traffic == Traffic(network_receive=1000.0, network_send=250.0)
    assert (found.cores, found.uptime) == (None, None)


def test_a_node_that_tells_nothing_has_no_figures_rather_than_zeros():
    found = node({}, {}, {}, 1)
    assert (found.load, found.memory, found.processes, found.traffic) == (None, None, None, Traffic())


def test_a_network_card_that_was_not_there_before_has_no_rate():
    assert node(RESOURCES, {}, {"eth0": card(10**9, 0)["counters"]}, 1).traffic == Traffic()


def test_a_counter_that_began_anew_is_not_a_negative_rate():
    found = node(RESOURCES, {"eth0": card(5000, 5000)["counters"]}, {"eth0": card(100, 6000)["counters"]}, 1)
    assert found.traffic == Traffic(network_receive=0.0, network_send=1000.0)


def test_a_guests_figures_leave_out_what_it_says_to_itself():
    found = guest(raw(), raw(received=3000, sent=600), Use(0.25, 100), 2.0)
    assert found is not None
    assert (found.cores, found.memory, found.processes) == (0.25, 100, 12)
    assert found.traffic == Traffic(network_receive=1000.0, network_send=50.0)
    assert found.file_systems == (FileSystem("root", 64, 6),)
    assert found.uptime is not None and 3590 < found.uptime < 3700


def test_a_guest_that_does_not_run_has_none():
    assert guest(raw(), raw(pid=0), None, 1.0) is None
    assert guest(None, {"name": "pbx01"}, None, 1.0) is None


def test_where_the_kernel_keeps_no_account_nothing_is_made_up():
    found = guest(None, raw(disk={}, processes=-1, started_at="0001-01-01T00:00:00Z", network=None), None, 1.0)
    assert found is not None
    assert (found.cores, found.memory, found.processes, found.uptime) == (None, None, None, None)
    assert (found.file_systems, found.traffic) == ((), Traffic())
