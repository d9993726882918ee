# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes as a cluster: brought up, kept as declared while it runs, able to fence; refused where it could not be."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from support.guarded import until
from support.lab import Lab
from support.members import LEAVE, Cluster, changed

pytestmark = [pytest.mark.lab, pytest.mark.long]


@pytest.fixture(scope="module")
def cluster(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of three, whoever was one before."""
    cluster = Cluster(lab, tmp_path_factory.mktemp("cluster"))
    for node in cluster.nodes:
        lab.ssh(node, LEAVE, check=False)
    cluster.up()
    yield cluster
    cluster.outside.restore_power(*cluster.nodes)
    for node in cluster.nodes:
        until(lambda node=node: "up" in lab.ssh(node, "echo up", check=False), 60)
        lab.ssh(node, LEAVE, check=False)


def test_it_comes_up_with_a_majority_and_a_fence_for_each_node(cluster: Cluster) -> None:
    assert cluster.members() == set(cluster.nodes)
    assert cluster.quorate()
    told = cluster.configuration()
    assert 'name="stonith-enabled" value="true"' in told
    for node in cluster.nodes:
        assert f'id="switchyard-fence-{node}"' in told
        assert "600" in cluster.lab.ssh(node, "stat -c %a /var/lib/pacemaker/cib/cib.xml")
        assert cluster.lab.ssh(node, "stat -c %a /etc/corosync/authkey").strip() == "400"
    key = cluster.lab.directory / "pki" / "corosync.authkey"
    assert key.stat().st_mode & 0o777 == 0o600


def test_run_again_it_changes_and_starts_nothing(cluster: Cluster) -> None:
    before = cluster.started()
    assert changed(cluster.up()) == 0
    assert cluster.started() == before


def test_what_somebody_changed_is_shown_by_a_check_and_mended_by_a_run(cluster: Cluster) -> None:
    before = cluster.started()
    cluster.lab.ssh("node2", "timeout 20 crm_attribute --type crm_config --name stonith-enabled --update false")
    cluster.lab.ssh(
        "node2", "timeout 20 cibadmin --delete --xml-text '<rsc_location id=\"switchyard-fence-node3-elsewhere\"/>'"
    )
    spoiled = cluster.configuration()
    told = cluster.up("--check", "--diff")
    assert changed(told) == 1
    assert "-stonith-enabled: false" in told
    assert "+stonith-enabled: true" in told
    assert cluster.configuration() == spoiled
    assert changed(cluster.up()) == 1
    mended = cluster.configuration()
    assert 'name="stonith-enabled" value="true"' in mended
    assert "switchyard-fence-node3-elsewhere" in mended
    assert "switchyard-maintenance" not in mended
    assert cluster.started() == before


def test_another_token_is_taken_up_without_a_restart(cluster: Cluster) -> None:
    before = cluster.started()
    cluster.up(failover_token=3000)
    for node in cluster.nodes:
        # Three members: the coefficient is added once.
        assert "= 3100" in cluster.lab.ssh(node, "corosync-cmapctl -g runtime.config.totem.token")
    assert cluster.started() == before
    assert cluster.members() == set(cluster.nodes)
    cluster.up()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"ip": "{{ lab_gateway }}", "plgu": "node1"}, "does not take plgu"),
        ({"ip": "{{ lab_gateway }}", "plug": "node9"}, "cannot tell the power state"),
    ],
)
def test_a_fence_that_does_not_work_is_refused_before_anything_changes(
    cluster: Cluster, parameters: dict[str, str], said: str
) -> None:
    before = cluster.configuration()
    fence = {"agent": "fence_switchyard_lab", "parameters": parameters}
    told = cluster.up(check=False, node_fence=fence, failover_token=4000)
    assert "node_fence: fence_switchyard_lab" in told
    assert said in told
    assert cluster.configuration() == before
    assert "token: 2000" in cluster.lab.ssh("node1", "cat /etc/corosync/corosync.conf")


def test_a_watchdog_that_is_not_there_is_refused_before_anything_changes(cluster: Cluster) -> None:
    before = cluster.configuration()
    told = cluster.up(check=False, node_fence={"agent": "watchdog"}, failover_token=4000)
    assert "node_fence: there is no /dev/watchdog" in told
    assert cluster.configuration() == before
    for node in cluster.nodes:
        assert "token: 2000" in cluster.lab.ssh(node, "cat /etc/corosync/corosync.conf")
        # Corosync would start no more with it.
        assert not cluster.lab.ssh(node, "ls /usr/sbin/sbd 2>/dev/null", check=False)


def test_sbd_is_left_to_others_and_starts_no_more_where_it_was_ours(cluster: Cluster) -> None:
    def enabled() -> str:
        return cluster.lab.ssh("node2", "systemctl is-enabled sbd.service", check=False).strip()

    before = cluster.started()
    quiet = "printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; "
    cluster.lab.ssh("node2", f"{quiet}DEBIAN_FRONTEND=noninteractive apt-get -qy install sbd; rm /usr/sbin/policy-rc.d")
    try:
        cluster.lab.ssh("node2", "echo SBD_DEVICE=/dev/theirs > /etc/default/sbd; systemctl enable sbd.service")
        assert changed(cluster.up()) == 0
        assert enabled() == "enabled"
        mark = "# No shared disk: the node resets itself when it is cut off from the majority, or hangs."
        cluster.lab.ssh("node2", f"echo '{mark}' > /etc/default/sbd")
        assert changed(cluster.up()) == 1
        assert enabled() == "disabled"
        assert changed(cluster.up()) == 0
    finally:
        cluster.lab.ssh("node2", "DEBIAN_FRONTEND=noninteractive apt-get -qy purge sbd; systemctl daemon-reload")
    assert cluster.started() == before


def test_a_node_is_fenced_and_comes_back(cluster: Cluster) -> None:
    cluster.lab.ssh("node1", "timeout 60 stonith_admin --fence node3 --timeout 30")
    assert cluster.outside.powered() == {"node1", "node2"}
    until(lambda: cluster.members() == {"node1", "node2"}, 30)
    assert cluster.quorate()
    cluster.outside.restore_power("node3")
    until(lambda: cluster.members() == set(cluster.nodes), 90, lambda: str(cluster.members()))


def test_one_of_two_links_cut_is_no_loss(cluster: Cluster) -> None:
    cut = (
        "nft add table inet cut; nft add chain inet cut in '{ type filter hook input priority 0; }'; "
        "nft add rule inet cut in udp dport 5405 drop"
    )
    for number, node in enumerate(cluster.nodes, 1):
        cluster.lab.ssh(node, f"ip address replace 10.254.99.{number}/24 dev vmbr0")
    second = "10.254.99.{{ groups.nodes.index(inventory_hostname) + 1 }}"
    links = {"node_cluster_addresses": ["{{ ansible_host }}", second]}
    before = cluster.started()
    cluster.up(**links)
    try:
        assert cluster.started() == before
        connected = cluster.lab.ssh("node1", "corosync-cfgtool -n")
        assert len(re.findall(r"enabled connected", connected)) == 2 * (len(cluster.nodes) - 1)
        cluster.lab.ssh("node2", cut)
        # Longer than it takes to lose a member that is silent.
        until(lambda: "disconnected" in cluster.lab.ssh("node1", "corosync-cfgtool -s; sleep 1"), 60)
        cluster.lab.ssh("node1", "sleep 8")
        assert cluster.members() == set(cluster.nodes)
    finally:
        cluster.lab.ssh("node2", "nft delete table inet cut", check=False)
        cluster.up()
    assert cluster.members() == set(cluster.nodes)


def test_a_witness_votes_and_carries_nothing(cluster: Cluster) -> None:
    witness = "{{ inventory_hostname == 'node3' }}"
    cluster.up(node_witness=witness)
    cluster.outside.cut_power("node2")
    try:
        until(lambda: cluster.members() == {"node1", "node3"}, 30)
        assert cluster.quorate()
        cluster.outside.cut_power("node3")
        until(lambda: cluster.members() == {"node1"}, 30)
        assert not cluster.quorate()
    finally:
        cluster.outside.restore_power("node2", "node3")
    until(lambda: cluster.members() == set(cluster.nodes), 90)
    until(lambda: cluster.quorate("node3"), 30)


def test_two_nodes_are_no_cluster(cluster: Cluster) -> None:
    before = cluster.configuration()
    cluster.declare_two()
    try:
        assert "node_witness" in cluster.up(check=False)
    finally:
        cluster.declare(cluster.nodes)
    assert cluster.configuration() == before


def test_a_run_that_is_cut_off_leaves_no_maintenance_behind(cluster: Cluster) -> None:
    """The set of options a run makes, with an end that comes soon, as if nobody were left to take it away."""
    xml = (
        '<cluster_property_set id="switchyard-maintenance"><rule id="switchyard-maintenance-rule" score="1">'
        '<date_expression id="switchyard-maintenance-until" operation="lt" end="%s"/></rule>'
        '<nvpair id="switchyard-maintenance-mode" name="maintenance-mode" value="true"/></cluster_property_set>'
    )
    command = (
        f"xml='{xml}'; end=$(date -u -d '+20 seconds' '+%F %TZ'); "
        'timeout 20 cibadmin --modify --allow-create --scope crm_config --xml-text "$(printf "$xml" "$end")"'
    )
    cluster.lab.ssh("node1", command)

    def resting() -> bool:
        return "DISABLED" in cluster.lab.ssh("node1", "timeout 20 crm_mon -1")

    until(resting, 10)
    until(lambda: not resting(), 60)
