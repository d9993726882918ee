# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of Incus in step, from the first copy to the last: the engine, the agent's service and what Pacemaker calls,
with real Incus and real DRBD. Only Pacemaker itself is played by the test."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from machines import Machine
from two_nodes import LINES, PLACE, REPOSITORY, acknowledged, back, booted, until

pytestmark = pytest.mark.vm
AGENT = "python3 -I /run/tools/agent.py"
MARK = "user.switchyard."
BORN = {
    "fleet": "lab",
    "server": "pbx01",
    "role": "primary",
    "generation": "1",
    "template": "tiny",
    "template_version": "1",
}


class Node:
    """A machine with Incus and the agent."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.name = machine.name

    def sh(self, line: str, given: str = "") -> str:
        return self.machine.run("sh", "-c", line, given=given)

    def incus(self) -> None:
        """Incus runs."""
        self.sh(f"sh /run/tools/incus.sh 10.99.7.{self.machine.number} /run/tools/tiny.tar.gz")

    def known(self, certificates: dict[str, str]) -> None:
        """The agent's settings say who the nodes are; and its service runs."""
        settings = json.loads(self.sh("cat /etc/switchyard/agent.json"))
        for name, certificate in certificates.items():
            settings["nodes"][name]["certificate"] = certificate
        settings |= {"certificate": "/srv/disks/keys/agent.crt", "key": "/srv/disks/keys/agent.key"}
        self.sh("cat >/etc/switchyard/agent.json", json.dumps(settings))
        self.sh(f"setsid {AGENT} disks --stay 100000 >>/run/record/disks-{self.name}.log 2>&1 </dev/null &")

    def marks(self) -> dict[str, str]:
        """What is written on the server's copy here."""
        told = json.loads(self.sh("incus query /1.0/instances/pbx01"))
        marks = {key.removeprefix(MARK): value for key, value in told["config"].items() if key.startswith(MARK)}
        return marks | {"status": told["status"]}

    def device(self) -> str:
        return self.sh("grep cs: /proc/drbd || true")

    def control(self, action: str) -> str:
        return self.sh(f"python3 -I /run/tools/control.py {action}")

    def pair(self, action: str, home: str, backup: str) -> None:
        """What Pacemaker has its resource agent do."""
        self.sh(f"{AGENT} pair {action} --home {home} --backup {backup} --seconds 300")

    def refreshed(self) -> None:
        """What the agent's timer does of it: the replica here bears what its server does, and both are in step."""
        until(lambda: self.sh(f"{AGENT} refresh pbx01 2>&1 || true").startswith("replica of pbx01 as of"))

    def lines(self) -> set[int]:
        return {int(line) for line in self.sh(f"cat {LINES}").split()}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Node, dict[str, str]]]:
    """Both, and their certificates."""
    if not Path("/usr/libexec/incus/incusd").exists():
        pytest.skip("the machines have this one's programs, and Incus is not among them")
    with booted(tmp_path_factory.mktemp("incus"), memory=768) as both:
        tools = both[0].tools
        shutil.copytree(REPOSITORY / "plugins/module_utils", tools / "whole/switchyard")
        (tools / "tiny.tar.gz").write_bytes(_image())
        one, two = (Node(machine) for machine in both)
        for node in (one, two):
            node.incus()
        certificates = {node.name: node.sh("cat /srv/disks/keys/server.crt") for node in (one, two)}
        for node in (one, two):
            for other in (one, two):
                theirs = other.sh("cat /srv/disks/keys/agent.crt")
                trust = f"incus config trust add-certificate /run/{other.name}.crt --name {other.name}"
                node.sh(f"cat >/run/{other.name}.crt && {trust}", theirs)
            node.known(certificates)
        for node in (one, two):
            node.control("report")
        yield one, two, certificates


def _image() -> bytes:
    spec = importlib.util.spec_from_file_location("images", REPOSITORY / "tests/engine/images.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: bytes = module.tiny("tiny", "1")
    return made


def _write(node: Node, lines: int) -> None:
    first = acknowledged(node.machine) + 1
    node.sh(
        f"setsid python3 -I /run/tools/writer.py {LINES} /run/record/acknowledged {first} >/dev/null 2>&1 </dev/null &"
    )
    until(lambda: acknowledged(node.machine) >= first + lines - 1)


def test_a_server_is_brought_into_step(nodes):
    one, two, _certificates = nodes
    options = " ".join(f"-c {MARK}{key}={value}" for key, value in BORN.items())
    one.sh(f"incus create -q tiny pbx01 {options} && incus start pbx01")
    two.sh(f"setsid sh -c 'until {AGENT} refresh pbx01; do sleep 2; done' >/run/refresh.log 2>&1 </dev/null &")
    one.control("in-step")
    assert one.marks()["status"] == "Running"
    assert one.sh(f"findmnt --noheadings --output SOURCE {PLACE}").strip() == "/dev/drbd0"
    assert "Primary/Secondary ds:UpToDate/UpToDate" in one.device()
    assert (two.marks()["role"], two.marks()["status"]) == ("replica", "Stopped")
    # What it was made from goes once both nodes have everything.
    until(lambda: not one.sh("ls /var/lib/incus/storage-pools/default/switchyard-before-sync"))


def test_after_a_power_cut_the_other_node_has_every_write_and_runs_it(nodes):
    one, two, _certificates = nodes
    one.control("protect")
    two.refreshed()
    assert two.marks()["pair"] == "node1 node2"
    _write(one, 50)
    one.machine.kill()
    last = acknowledged(two.machine)
    (two.machine.record / "members-node2").write_text("node2")
    two.pair("start", "node1", "node2")
    assert (two.marks()["role"], two.marks()["status"], two.marks()["generation"]) == ("primary", "Running", "1000")
    assert two.lines() >= set(range(1, last + 1))
    _write(two, 20)


def test_the_node_that_returns_follows_and_does_not_start_it(nodes):
    one, two, certificates = nodes
    back(one.machine)
    (two.machine.record / "members-node2").write_text("node1 node2")
    one.incus()
    one.known(certificates)
    one.sh(f"{AGENT} settle")
    one.refreshed()
    assert (one.marks()["role"], one.marks()["status"]) == ("replica", "Stopped")
    until(lambda: "Primary/Secondary ds:UpToDate/UpToDate" in two.device())
    assert not one.sh(f"findmnt {PLACE} || true")


def test_it_goes_back_in_order(nodes):
    one, two, _certificates = nodes
    two.sh("pkill -f '[w]riter.py' || true")
    lines = two.lines()
    two.pair("stop", "node2", "node1")
    assert "Secondary/Secondary" in two.device()
    one.pair("start", "node2", "node1")
    assert (one.marks()["role"], one.marks()["status"]) == ("primary", "Running")
    assert one.lines() == lines
    until(lambda: two.marks()["role"] == "replica")
    two.refreshed()


def test_it_is_taken_off_its_device_and_has_a_replica_no_more(nodes):
    one, two, _certificates = nodes
    _write(one, 3)
    one.sh("pkill -f '[w]riter.py' || true")
    lines = one.lines()
    assert "vs_replication: none" in one.sh("python3 -I /run/tools/control.py delete 2>&1 || true")
    one.control("unprotect")
    one.control("unreplicate")
    assert one.marks()["status"] == "Running"
    assert not [key for key in one.marks() if key.startswith(("sync", "pair", "replica"))]
    assert one.lines() == lines
    assert not one.sh(f"findmnt {PLACE} || true")
    assert two.sh("incus list --format=csv") == ""
    for node in (one, two):
        assert not node.device()
        assert not node.sh("ls /srv/disks | grep pbx01 || true")
    one.sh("incus restart --force pbx01")
    assert one.marks()["status"] == "Running"
