# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes become one cluster, one after the other: whole runs of the role, with stand-ins for pvecm and pvesh."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.proxmox.membership import parse

from .conftest import PLAYBOOK, ROOT, TESTS, changed

COMMANDS = ("pvecm", "pvesh", "systemctl", "pmxcfs", "killall", "pidof", "pgrep")
PASSWORD = "a root password"
PEM = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"
FINGERPRINT = "2C:F2:4D:BA:5F:B0:A3:0E:26:E8:3B:2A:C5:B9:E2:9E:1B:16:1E:5C:1F:A7:42:5E:73:04:33:62:93:8B:98:24"


class Cluster:
    """Nodes in a folder."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder, self.names = folder, names
        self.world = folder / "world"
        commands = folder / "bin"
        commands.mkdir()
        for command in COMMANDS:
            path = commands / command
            path.write_text(f'#!/bin/sh\nexec {sys.executable} {TESTS}/support/corosync_commands.py "$0" "$@"\n')
            path.chmod(0o755)
        hosts: dict[str, Any] = {}
        for number, name in enumerate(names, 1):
            here = self.world / name / "etc/pve/nodes" / name
            here.mkdir(parents=True)
            (here / "pve-ssl.pem").write_text(PEM)
            python = folder / f"python-{name}"
            settings = f"WORLD={self.world} NODE={name} FINGERPRINT={FINGERPRINT} PATH={commands}:$PATH"
            python.write_text(f'#!/bin/sh\nexec env {settings} {sys.executable} "$@"\n')
            python.chmod(0o755)
            hosts[name] = {
                "ansible_connection": "local",
                "ansible_python_interpreter": str(python),
                "node_address": f"192.0.2.{number}",
                "__proxmox_cluster_root": str(self.world / name),
            }
        (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))

    def run(self, *arguments: str, fails: bool = False, **variables: Any) -> str:
        """What the role said."""
        play = [{"hosts": "all", "gather_facts": False, "roles": ["switchyard.fleet.proxmox_cluster"]}]
        (self.folder / "play.json").write_text(json.dumps(play))
        given = {"proxmox_cluster_name": "berlin", "proxmox_cluster_password": PASSWORD, "proxmox_cluster_timeout": 4}
        words = ["-i", f"{self.folder}/hosts.json", "-e", json.dumps(given | variables), *arguments]
        done = subprocess.run(
            [*PLAYBOOK, *words, str(self.folder / "play.json")],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            timeout=300,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return " ".join((done.stdout + done.stderr).split())

    def members(self, node: str) -> dict[str, tuple[str, ...]]:
        """Whom a node has in its corosync.conf."""
        path = self.world / node / "etc/pve/corosync.conf"
        return dict(parse(path.read_text()).nodes) if path.exists() else {}

    def calls(self) -> list[str]:
        """Commands that change something."""
        lines = (self.world / "calls").read_text().splitlines()
        return [line for line in lines if not line.split()[1].startswith(("pvesh", "pgrep", "pidof"))]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path, "pve1", "pve2", "pve3")


def test_three_nodes_become_one_and_a_second_run_changes_nothing(cluster: Cluster) -> None:
    said = cluster.run("--check")
    assert "pve1: make the cluster berlin" in said and "pve3: join berlin through pve1" in said
    assert changed(said) and cluster.calls() == []
    cluster.run()
    assert all(set(cluster.members(name)) == {"pve1", "pve2", "pve3"} for name in cluster.names)
    made = cluster.calls()
    assert [line.split(" ")[:3] for line in made] == [
        ["pve1", "pvecm", "create"],
        ["pve2", "pvecm", "add"],
        ["pve3", "pvecm", "add"],
    ]
    assert not any(PASSWORD in line for line in made)
    assert changed(cluster.run()) == 0 and cluster.calls() == made
    said = cluster.run("--check", fails=True, proxmox_cluster_name="hamburg")
    assert "pve2 a member of cluster berlin of hamburg, or of none" in said


def test_a_join_that_was_cut_off_is_told_and_finished_when_asked(cluster: Cluster) -> None:
    # The others have been told of pve3, it has not: as where the machine that runs the playbook goes away.
    (cluster.world / "cut-pve3").touch()
    said = cluster.run(fails=True)
    assert "pvecm add 192.0.2.1: exit code 1" in said
    assert "pve3" in cluster.members("pve1") and not cluster.members("pve3")
    said = cluster.run(fails=True)
    assert "pve3 half joined: pve1 takes it for a member" in said and "proxmox_cluster_repair: true" in said
    cluster.run(proxmox_cluster_repair=True)
    assert all(set(cluster.members(name)) == {"pve1", "pve2", "pve3"} for name in cluster.names)
    assert "pve1 pvecm delnode pve3" in cluster.calls()
    assert changed(cluster.run()) == 0


def test_what_is_left_of_a_cluster_is_cleared_away_when_asked(cluster: Cluster) -> None:
    left = cluster.world / "pve2/etc/corosync"
    left.mkdir()
    (left / "authkey").touch()
    said = cluster.run(fails=True)
    assert "pve2 half joined: remains of a cluster" in said
    assert cluster.calls() == []
    cluster.run(proxmox_cluster_repair=True)
    assert set(cluster.members("pve2")) == {"pve1", "pve2", "pve3"}
    assert "pve2 systemctl stop pve-cluster corosync" in cluster.calls()


def test_a_wrong_password_ends_it_and_is_not_told(cluster: Cluster) -> None:
    said = cluster.run(fails=True, proxmox_cluster_password="something else")
    assert "401 authentication failure" in said and "something else" not in said
    assert set(cluster.members("pve1")) == {"pve1"} and not cluster.members("pve3")
