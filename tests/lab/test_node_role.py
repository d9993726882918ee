# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node role on real nodes: what it refuses, what it brings back to order, and what it leaves alone."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import contextmanager

import pytest

pytestmark = pytest.mark.lab

PLAYBOOK = """
- hosts: nodes
  gather_facts: false
  roles:
    - switchyard.fleet.node
"""


class NodeRole:
    """The role, applied to the lab's nodes as a user would."""

    def __init__(self, lab, folder):
        self.lab = lab
        self.playbook = folder / "nodes.yml"
        self.playbook.write_text(PLAYBOOK)

    def __call__(self, *arguments, **extra):
        """What the run printed; it has to succeed."""
        return self.lab.playbook(self.playbook, *arguments, extra=extra).stdout

    def refusal(self, *arguments, **extra):
        """The table of a run that has to fail, and to change nothing."""
        before = self.state()
        done = self.lab.playbook(self.playbook, *arguments, extra=extra, check=False)
        assert done.returncode, done.stdout
        assert not re.search(r"changed=[1-9]", done.stdout), done.stdout
        assert self.state() == before
        found = re.search(r"nothing was changed on any of them\.\n\nNODE .*?\n(.*?)\n\n", done.stdout, re.DOTALL)
        assert found, done.stdout
        return [re.split(r" {2,}", line.strip()) for line in found[1].splitlines()]

    def state(self):
        """What Incus on every node says of itself."""
        listings = (
            "incus storage list -f csv; incus config trust list -f csv -c f | sort; incus image list -f csv -c F | sort"
        )
        return [self.lab.ssh(node, f"incus config show; {listings}") for node in self.lab.facts["nodes"]]


@pytest.fixture
def role(installed, tmp_path):
    return NodeRole(installed, tmp_path)


@contextmanager
def edited(lab, node, path, text):
    """Another file in the place of one on a node."""
    lab.ssh(node, f"cp -a {path} {path}.kept 2>/dev/null; printf '%s' '{text}' > {path}; chmod 755 {path}")
    try:
        yield
    finally:
        lab.ssh(node, f"if [ -e {path}.kept ]; then cp -a {path}.kept {path}; rm {path}.kept; else rm {path}; fi")


def wrong_clock(lab, node, seconds):
    """The node's ``date``, that many seconds off: containers have no clock of their own to set."""
    return edited(lab, node, "/usr/local/bin/date", f'#!/bin/sh\nexec /bin/date -d "{seconds} seconds" "$@"\n')


def changes(output):
    return {
        node: int(changed) for node, changed in re.findall(r"^(\w+)\s+: ok=\d+\s+changed=(\d+)", output, re.MULTILINE)
    }


def test_nodes_in_order_are_left_alone(role):
    for arguments in ((), ("--check",)):
        assert set(changes(role(*arguments)).values()) == {0}


def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_changed(role):
    lab = role.lab
    listener = "setsid python3 -m http.server 9443 >/dev/null 2>&1 & echo $!"
    pid = lab.ssh("node1", listener).strip()
    try:
        with edited(lab, "node2", "/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 node2\n"):
            rows = role.refusal(
                node_min_cores=999,
                node_min_memory="900GiB",
                node_min_disk="900TiB",
                node_storage_pools=["default", "another"],
                node_bridge="vmbr9",
                node_port=9443,
            )
    finally:
        lab.ssh("node1", "kill", pid)
    found = {tuple(row[:2]) for row in rows}
    for node in lab.facts["nodes"]:
        assert {(node, "cores"), (node, "memory"), (node, "disk"), (node, "bridge")} <= found
    assert {row[0] for row in rows if row[1] == "name"} == {"node2"}
    assert {row[0] for row in rows if row[1] == "port"} == {"node1"}
    assert next(row for row in rows if row[1] == "port")[2] == f"9443/tcp is taken by python3 (pid {pid})"


def test_a_check_refuses_like_a_run(role):
    assert {row[1] for row in role.refusal("--check", node_min_cores=999)} == {"cores"}


def test_a_clock_that_is_wrong_is_told_with_how_much(role):
    with wrong_clock(role.lab, "node1", 30):
        rows = role.refusal()
    assert rows[0][:2] == ["node1", "clock"]
    assert re.match(r"(29\.\d|30\.\d)\d s ahead of the controller's", rows[0][2])


def test_clocks_may_each_be_near_enough_and_yet_too_far_apart(role):
    with wrong_clock(role.lab, "node1", 4), wrong_clock(role.lab, "node2", -4):
        rows = role.refusal(node_max_clock_skew="6s")
    assert [row[:2] for row in rows] == [["node2, node1", "clock"]]


def test_an_unreachable_node_does_not_hold_up_the_others(role):
    done = role.lab.playbook(
        role.playbook, "-e", json.dumps({"ansible_host": "127.0.0.1", "ansible_port": 9}), "-l", "node1", check=False
    )
    assert done.returncode == 4
    output = role("-l", "node2,node3")
    assert set(changes(output)) == {"node2", "node3"}


def test_a_certificate_that_changed_is_refused_until_it_is_accepted(role, tmp_path):
    pki = tmp_path / "pki"
    shutil.copytree(role.lab.facts["pki"], pki)
    known = (pki / "nodes" / "node1.crt").read_text()
    (pki / "nodes" / "node1.crt").write_text((pki / "nodes" / "node2.crt").read_text())

    rows = role.refusal(fleet_pki_dir=str(pki))
    assert [row[:2] for row in rows] == [["node1", "certificate"]]
    assert all(re.search(r"sha256 [0-9a-f]{64}", cell) for cell in rows[0][2:])

    assert changes(role("--check", fleet_pki_dir=str(pki), node_accept_certificate=True))["node1"] == 1
    assert (pki / "nodes" / "node1.crt").read_text() != known
    assert changes(role(fleet_pki_dir=str(pki), node_accept_certificate=True)) == {"node1": 1, "node2": 0, "node3": 0}
    assert (pki / "nodes" / "node1.crt").read_text() == known
    assert set(changes(role(fleet_pki_dir=str(pki))).values()) == {0}


def test_the_controllers_key_is_made_once_and_kept_to_itself(role, tmp_path):
    pki = tmp_path / "new"
    name = "another"
    try:
        assert changes(role("-l", "node1", "--check", fleet_pki_dir=str(pki), fleet_name=name))["node1"] > 0
        assert not pki.exists()
        role("-l", "node1", fleet_pki_dir=str(pki), fleet_name=name)
        key = (pki / "controller.key").read_bytes()
        assert pki.stat().st_mode & 0o777 == 0o700
        assert (pki / "controller.key").stat().st_mode & 0o777 == 0o600
        (pki / "controller.crt").unlink()
        role("-l", "node1", fleet_pki_dir=str(pki), fleet_name=name)
        assert (pki / "controller.key").read_bytes() == key
        listed = role.lab.ssh("node1", "incus config trust list -f csv -c n").split()
        assert listed.count(f"switchyard-{name}") == 2
    finally:
        role.lab.ssh(
            "node1",
            f"incus config trust list -f csv -c nf | sed -n 's/^switchyard-{name},//p'"
            " | xargs -rn1 incus config trust remove",
        )


def test_what_was_changed_by_hand_is_brought_back(role):
    lab = role.lab
    before = role.state()
    lab.ssh("node1", "incus config set core.https_address= images.auto_update_interval=6")
    lab.ssh("node1", "incus config trust list -f csv -c f | xargs -n1 incus config trust remove")
    told = role("--check", "--diff")
    assert changes(told) == {"node1": 1, "node2": 0, "node3": 0}
    assert "config core.https_address" in told
    assert lab.ssh("node1", "incus config get core.https_address").strip() == ""
    assert changes(role()) == {"node1": 1, "node2": 0, "node3": 0}
    assert set(changes(role()).values()) == {0}
    assert role.state() == before


def test_an_engine_that_was_stopped_is_started(role):
    role.lab.ssh("node2", "systemctl stop incus.socket incus.service")
    assert changes(role("--check"))["node2"] == 1
    assert role.lab.ssh("node2", "systemctl is-active incus.service", check=False).strip() == "inactive"
    assert changes(role())["node2"] == 1
    assert set(changes(role()).values()) == {0}


def test_a_pool_is_made_once_and_never_over_another(role):
    pools = ["default", {"name": "scratch", "driver": "dir", "source": "/srv/scratch"}]
    role.lab.ssh("node1", "mkdir -p /srv/scratch")
    try:
        assert changes(role("-l", "node1", "--check", node_storage_pools=pools))["node1"] == 1
        assert changes(role("-l", "node1", node_storage_pools=pools))["node1"] == 1
        assert changes(role("-l", "node1", node_storage_pools=pools))["node1"] == 0
    finally:
        role.lab.ssh("node1", "incus storage delete scratch; rm -rf /srv/scratch")
    before = role.state()
    done = role.lab.playbook(
        role.playbook, extra={"node_storage_pools": [{"name": "default", "driver": "btrfs"}]}, check=False
    )
    assert done.returncode
    assert "storage pool default exists with driver dir, wanted is btrfs" in done.stdout
    assert role.state() == before
