# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own life: brought up, damaged, repaired, cut off half way, and gone without a trace.

Uses labs of its own, beside whatever else runs on this machine.
"""

from __future__ import annotations

import functools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.lab import INVENTORY, ROOT, Lab

pytestmark = [pytest.mark.lab, pytest.mark.skipif(os.geteuid() != 0, reason="a lab needs root")]

NODES = 2


class Life(Lab):
    """A lab one can damage, and what is to be seen of it from outside."""

    def up(self, *arguments: str, nodes: int = NODES, **extra: Any) -> str:
        """Bring the lab up, or repair it; the playbook's output."""
        return self.playbook("lab", *arguments, extra={"lab_nodes": nodes, **extra}).stdout

    def refused(self, **extra: Any) -> str:
        """Ask for something impossible; the playbook's output."""
        done = self.playbook("lab", extra=extra, check=False)
        assert done.returncode != 0, done.stdout
        return done.stdout

    def incus(self, *arguments: str) -> str:
        """Do something behind the playbook's back."""
        environment = {**os.environ, "INCUS_SOCKET": f"{self.directory}/incus/unix.socket"}
        environment |= {"INCUS_DIR": f"{self.directory}/incus", "INCUS_CONF": f"{self.directory}/client"}
        done = subprocess.run(["incus", *arguments], env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    def booted(self, node: str) -> str:
        """What tells one boot of a node from the next."""
        return self.ssh(node, "stat", "-c", "%Y", "/proc/1")

    def kill(self) -> None:
        """End every process of the lab at once: its first one takes its whole pid name space with it."""
        shell = f"sh {self.directory}/daemon.sh run "
        (first,) = [pid for pid in all_processes() if command_line(pid).startswith(shell)]
        os.kill(first, signal.SIGKILL)
        while traces(self.name)["processes"]:
            time.sleep(0.1)


def all_processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def changed(output: str) -> int:
    """How many tasks changed something, by the play's own account."""
    return sum(int(number) for number in re.findall(r"changed=(\d+)", output))


def traces(name: str) -> dict[str, list[str]]:
    """What a lab of this name has on this machine, by kind."""

    def lines(*command: str) -> list[str]:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()

    bridge = f"sy-{name}"
    directory = f"/var/lib/switchyard/labs/{name}"
    cgroups = lines("find", "/sys/fs/cgroup", "-name", f"switchyard-lab-{name}*")
    return {
        "processes": [line for pid in all_processes() if directory in (line := command_line(pid))],
        "interfaces": [line for line in lines("ip", "-oneline", "link") if bridge in line],
        "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if directory in line],
        "firewall": [line for line in lines("nft", "list", "ruleset") if bridge in line],
        "cgroups": cgroups,
        "files": [path for path in (directory, f"/run/lxc/lock{directory}") if Path(path).exists()],
    }


@pytest.fixture(scope="module")
def life() -> Iterator[Life]:
    lab = Life("life", nodes=NODES)
    with lab:
        yield lab


def test_check_mode_makes_nothing() -> None:
    before = sorted(Path("/var/cache/switchyard").glob("*"))
    assert changed(Life("life0").up("--check")) > 0
    assert traces("life0") == {kind: [] for kind in traces("life0")}
    assert sorted(Path("/var/cache/switchyard").glob("*")) == before


def test_a_second_run_changes_nothing(life: Life) -> None:
    assert changed(life.up()) == 0


def test_nodes_know_each_other_and_the_way_out(life: Life) -> None:
    assert life.facts["nodes"]["node2"]["address"] in life.ssh("node1", "getent", "hosts", "node2")
    assert life.facts["gateway"] in life.ssh("node1", "cat", "/etc/resolv.conf")
    assert "vmbr0" in life.ssh("node1", "ip", "-4", "route", "show", "default")


def test_a_deleted_node_is_made_again_and_the_other_left_alone(life: Life) -> None:
    before = life.booted("node1")
    life.incus("delete", "--force", "node2")
    assert changed(life.up("--check")) > 0
    assert "node2" not in life.incus("list", "--format=csv"), "check mode made a node"
    assert changed(life.up()) > 0
    assert life.ssh("node2", "hostname").strip() == "node2"
    assert life.booted("node1") == before


def test_a_lost_bridge_and_lost_firewall_rules_are_made_again(life: Life) -> None:
    before = life.booted("node1")
    subprocess.run(["ip", "link", "delete", "sy-life"], check=True)
    subprocess.run(["nft", "delete", "chain", "inet", "incus", "pstrt.sy-life"], check=True)
    life.up()
    assert "masquerade" in subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    assert life.booted("node1") == before


def test_all_processes_dead(life: Life) -> None:
    life.kill()
    assert changed(life.up()) > 0
    assert life.ssh("node2", "hostname").strip() == "node2"
    assert changed(life.up()) == 0


def daemon_begins(life: Life) -> None:
    time.sleep(0.3)


def daemon_is_busy(life: Life) -> None:
    """The node is half made: only the daemon can finish it."""
    while "node2" not in life.incus("list", "--format=csv", "--columns=n"):
        time.sleep(0.05)


@pytest.mark.parametrize(("task", "moment"), [("Start the daemon", daemon_begins), ("Create node2", daemon_is_busy)])
def test_a_run_killed_half_way_goes_on(life: Life, task: str, moment: Callable[[Life], None]) -> None:
    life.playbook("lab", extra={"lab_state": "absent", "lab_keep_image": True})
    run = life.begin("lab", extra={"lab_nodes": NODES})
    assert run.stdout is not None
    for line in run.stdout:
        if task in line:
            break
    else:
        pytest.fail(f"no task {task}")
    moment(life)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    life.up()
    assert life.ssh("node2", "hostname").strip() == "node2"
    assert changed(life.up()) == 0


def test_a_node_more_and_a_node_less(life: Life) -> None:
    before = life.booted("node1")
    life.up(nodes=NODES + 1)
    assert life.ssh("node3", "hostname").strip() == "node3"
    assert life.ssh("node1", "getent", "hosts", "node3")
    assert changed(life.up(nodes=NODES + 1)) == 0
    life.up()
    assert list(life.facts["nodes"]) == ["node1", "node2"]
    assert life.booted("node1") == before


def test_power(life: Life) -> None:
    before = life.booted("node2")
    cut = {"lab_power": "cut", "lab_node": "node2"}
    assert changed(life.playbook("lab", "--check", extra=cut).stdout) == 1
    assert life.booted("node2") == before, "check mode cut the power"
    assert changed(life.playbook("lab", extra=cut).stdout) == 1
    assert "STOPPED" in life.incus("list", "--format=csv", "--columns=ns", "node2")
    assert changed(life.playbook("lab", extra=cut).stdout) == 0
    assert changed(life.playbook("lab", extra={**cut, "lab_power": "restore"}).stdout) == 1
    assert life.booted("node2") != before
    assert changed(life.playbook("lab", extra={**cut, "lab_power": "restore"}).stdout) == 0


def test_two_labs_side_by_side(life: Life) -> None:
    before = life.booted("node1")
    with Life("life2", nodes=1) as other:
        assert other.facts["subnet"] != life.facts["subnet"]
        assert other.ssh("node1", "hostname").strip() == "node1"
        assert changed(life.up()) == 0
    assert traces("life2") == {kind: [] for kind in traces("life2")}
    assert life.booted("node1") == before


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (
            {"lab_power": "cut", "lab_node": "node9"},
            "node9 is not a node of the lab life, which has node1, node2",
        ),
        ({"lab_power": "cut"}, "lab_power: cut or restore, and lab_node"),
        ({"lab_power": "cut", "lab_node": "node1", "lab_state": "absent"}, "contradict each other"),
        ({"lab_power": "off", "lab_node": "node1"}, "must be one of"),
        ({"lab_state": "gone"}, "must be one of"),
        ({"lab_nodes": 9}, "lab_nodes: 9 is not accepted; a number from 1 to 8"),
        ({"lab_nodes": "many"}, "cannot be converted to an int"),
        ({"lab_name": "Not/A/Name"}, "lab_name: Not/A/Name is not accepted"),
        ({"lab_subnet": "10.77.0.0/16"}, "is not a private IPv4 /24"),
    ],
)
def test_bad_values_are_refused(life: Life, wish: dict[str, Any], why: str) -> None:
    if "lab_subnet" in wish:
        wish = {**wish, "lab_name": "life3"}
    assert why in " ".join(life.refused(**wish).split())
    assert not traces("life3")["files"]


def test_gone_without_a_trace(life: Life) -> None:
    # Ansible keeps its SSH connections open for a while: those go as well.
    ping = [str(Path(sys.executable).with_name("ansible")), "-i", str(INVENTORY), "node1", "-m", "ansible.builtin.ping"]
    environment = {**os.environ, "SWITCHYARD_LAB": life.name, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    subprocess.run(ping, env=environment, cwd=ROOT, check=True, capture_output=True)
    assert any("[mux]" in process for process in traces("life")["processes"])
    there = traces("life")
    assert all(there[kind] for kind in ("processes", "interfaces", "firewall", "cgroups", "files")), there
    absent = functools.partial(life.playbook, "lab", extra={"lab_state": "absent", "lab_keep_image": True})
    assert changed(absent("--check").stdout) > 0
    assert traces("life")["processes"], "check mode ended the lab"
    absent()
    assert traces("life") == {kind: [] for kind in there}
    assert changed(absent().stdout) == 0
