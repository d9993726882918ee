# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two nodes, and a third machine that gives a vote and is no member."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from support.guarded import until
from support.lab import Lab
from support.members import LEAVE, UNITS, Cluster, changed

pytestmark = [pytest.mark.lab, pytest.mark.long]


@pytest.fixture(scope="module")
def cluster(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """node1 and node2, with node3's vote; whoever was a member of what before."""
    cluster = Cluster(lab, tmp_path_factory.mktemp("cluster"))
    for node in cluster.nodes:
        lab.ssh(node, LEAVE, check=False)
    cluster.declare_two(fleet_quorum_device="node3")
    cluster.up()
    yield cluster
    cluster.outside.restore_power(*cluster.nodes)
    for node in cluster.nodes:
        until(lambda node=node: "up" in lab.ssh(node, "echo up", check=False), 60)
        lab.ssh(node, LEAVE, check=False)


def units(cluster: Cluster) -> dict[str, str]:
    """When what runs on the members was started."""
    show = f"systemctl show --property=ActiveEnterTimestampMonotonic,MainPID {' '.join(UNITS)} corosync-qdevice"
    return {node: cluster.lab.ssh(node, show) for node in ("node1", "node2")}


def test_it_has_a_vote_and_nothing_runs_there(cluster: Cluster) -> None:
    assert cluster.members() == {"node1", "node2"}
    told = cluster.lab.ssh("node1", "corosync-quorumtool -s", check=False)
    assert re.search(r"Total votes:\s+3", told), told
    assert re.search(r"Quorum:\s+2", told), told
    active = cluster.lab.ssh("node3", "systemctl is-active corosync-qnetd corosync pacemaker", check=False)
    assert active.split() == ["active", "inactive", "inactive"]
    status = cluster.lab.ssh("node3", "corosync-qnetd-tool -l -v")
    # The kernel of a lab has no say in it: both are encrypted, and known by their certificate.
    assert len(re.findall(r"TLS active:\s+Yes \(client certificate verified\)", status)) == 2, status


def test_run_again_it_changes_and_starts_nothing(cluster: Cluster) -> None:
    before = units(cluster)
    assert changed(cluster.up()) == 0
    assert units(cluster) == before


def test_another_token_starts_nobody_anew(cluster: Cluster) -> None:
    before = units(cluster)
    cluster.up(failover_token=3000)
    assert units(cluster) == before
    cluster.up()


def test_one_left_is_the_majority_and_fences_the_other(cluster: Cluster) -> None:
    cluster.outside.cut_power("node2")
    try:
        began = time.monotonic()
        until(lambda: cluster.members() == {"node1"}, 60)
        until(cluster.quorate, 60)
        print(f"quorate alone {time.monotonic() - began:.1f} s after the other's power was cut")
        until(lambda: "OFFLINE: [ node2 ]" in cluster.lab.ssh("node1", "timeout 20 crm_mon -1"), 90)
    finally:
        cluster.outside.restore_power("node2")
    until(lambda: cluster.members("node2") == {"node1", "node2"}, 90)
    until(lambda: "Total votes:      3" in cluster.lab.ssh("node2", "corosync-quorumtool -s", check=False), 60)


def test_of_two_that_lose_each_other_one_goes_on(cluster: Cluster) -> None:
    """And the other is fenced by it: never both, never none."""
    try:
        with cluster.outside.parted(["node1"], ["node2"]):
            until(lambda: len(cluster.outside.powered() & {"node1", "node2"}) == 1, 120)
            (left,) = cluster.outside.powered() & {"node1", "node2"}
            until(lambda: cluster.quorate(left), 30)
    finally:
        cluster.outside.restore_power("node1", "node2")
    until(lambda: cluster.members() == {"node1", "node2"}, 120)
    until(lambda: cluster.members("node2") == {"node1", "node2"}, 60)


def test_without_it_two_go_on_and_one_does_not(cluster: Cluster) -> None:
    cluster.outside.cut_power("node3")
    try:
        until(lambda: "Total votes:      2" in cluster.lab.ssh("node1", "corosync-quorumtool -s", check=False), 60)
        assert cluster.quorate()
        told = cluster.up(check=False, failover_token=4000)
        assert "unreachable" in told.lower() or "fleet_quorum_device" in told
        for node in ("node1", "node2"):
            assert "token: 2000" in cluster.lab.ssh(node, "cat /etc/corosync/corosync.conf")
    finally:
        cluster.outside.restore_power("node3")
    until(lambda: "Total votes:      3" in cluster.lab.ssh("node1", "corosync-quorumtool -s", check=False), 90)


def test_a_third_member_takes_its_place(cluster: Cluster) -> None:
    before = {node: cluster.started()[node] for node in ("node1", "node2")}
    cluster.declare(cluster.nodes)
    cluster.up()
    until(lambda: cluster.members() == set(cluster.nodes), 60)
    assert {node: cluster.started()[node] for node in before} == before
    assert "device" not in cluster.lab.ssh("node1", "cat /etc/corosync/corosync.conf")
    # Ended is either: systemd ends its worker with it, and it calls that a failure.
    ended = cluster.lab.ssh(
        "node1", "systemctl is-active corosync-qdevice; systemctl is-enabled corosync-qdevice", check=False
    )
    assert ended.split() in (["inactive", "disabled"], ["failed", "disabled"])
