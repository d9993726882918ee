# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster's books say that nodes and guests take, and how often it is asked for that."""

from __future__ import annotations

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Untrusted
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.client import Client
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.session import Credentials
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.statistics import guest, node, statistics
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import FileSystem, Traffic
from cluster import client_of
from double import Double

STATUS = {
    "loadavg": ["7.49", "7.78", "6.90"],
    "uptime": 5300,
    "memory": {"used": 5008343040, "total": 25276510208},
    "rootfs": {"used": 35276718080, "total": 270553174016},
}
ROW = {"node": "pve1", "cpu": 0.5, "maxcpu": 8, "mem": 2**30, "uptime": 5200}
MINUTE = {"netin": 126.761666666667, "netout": 11.7666666666667, "diskread": 0, "diskwrite": 4096, "time": 1795171320}


def test_a_nodes_figures_come_from_its_row_its_status_and_its_last_minute():
    found = node(ROW, STATUS, {"netin": 2048.04, "netout": 1, "time": 1})
    assert (found.cores, found.memory, found.uptime) == (4.0, 4776, 5300.0)
    assert found.load == (7.49, 7.78, 6.9)
    assert found.file_systems == (FileSystem("/", 258019, 33643),)
    assert found.traffic == Traffic(network_receive=2048.0, network_send=1.0)


def test_a_node_whose_status_nobody_got_still_has_what_the_list_says():
    found = node(ROW, {}, {})
    assert (found.cores, found.memory, found.uptime, found.load) == (4.0, 1024, 5200.0, None)
    assert (found.file_systems, found.traffic) == ((), Traffic())


def test_a_guests_rates_are_those_of_its_last_minute():
    row = {"type": "lxc", "cpu": 0.25, "maxcpu": 2, "mem": 737281, "uptime": 70, "disk": 2461696, "maxdisk": 1020702720}
    found = guest(row, MINUTE)
    assert (found.cores, found.memory, found.uptime) == (0.5, 1, 70.0)
    assert found.file_systems == (FileSystem("root", 973, 3),)
    assert found.traffic == Traffic(126.8, 11.8, 0.0, 4096.0)
    assert guest({**row, "type": "qemu"}, {}).file_systems == ()


def test_the_requests_do_not_grow_with_the_guests_unless_details_are_asked(client: Client, double: Double):
    def asked(*names: str) -> int:
        before = client.calls
        statistics(client, names)
        return client.calls - before

    double.add_guest(100, hostname="ct100", running=True)
    few = asked()
    for vmid in range(101, 120):
        double.add_guest(vmid, hostname=f"ct{vmid}", running=True)
    assert asked() == few == 1 + 2 * 3
    assert asked("ct101", "ct102", "nobody") == few + 2


def test_who_runs_has_figures_and_who_rests_has_none(client: Client, double: Double):
    double.add_guest(100, hostname="ct100", running=True)
    double.add_guest(101, hostname="ct101")
    found = statistics(client, ())
    assert sorted(found.nodes) == ["pve1", "pve2", "pve3"]
    assert list(found.servers) == [("pve1", "ct100")]
    assert (found.servers["pve1", "ct100"].memory or 0) > 0


def test_a_dead_node_has_no_figures_nor_have_its_guests(client: Client, double: Double):
    double.add_guest(100, hostname="ct100", running=True)
    double.faults.kill("pve1")
    found = statistics(client, ("ct100",))
    assert sorted(found.nodes) == ["pve2", "pve3"]
    assert found.servers == {}


def test_who_is_not_let_in_is_told_so(double: Double):
    client = client_of(double, Credentials("root@pam", password="wrong"))
    with pytest.raises(Untrusted):
        statistics(client, ())
    client.close()
