# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's network put into use on trial, with the real ifupdown2: kept where the controller comes in by it, otherwise
taken back by the node itself.

The node is a root file system of Debian 13 in a network name space of its own; the controller is another one at the
other end of a cable. What Ansible starts on the node comes in by that cable, or not at all.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.debian_root import DebianRoot, make

pytestmark = pytest.mark.lab
ROOT = Path(__file__).parents[2]
ADDRESS, PEER = "192.0.2.11", "192.0.2.1"
PACKAGES = "python3,iproute2,ifupdown2,procps,systemd,systemd-sysv"
FIRST = f"auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet static\n\taddress {ADDRESS}/24\n"
BRIDGE = {"name": "vmbr0", "ports": ["eth0"], "addresses": [f"{ADDRESS}/24"], "gateway": PEER}
PYTHON = """#!/bin/sh
# The node's Python, for those who reach the node.
{knock} || exit 1
exec nsenter --target {node} --net --mount --pid --uts env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \\
    HOME=/root SYSTEMD_OFFLINE=1 chroot {root} python3 "$@"
"""


# Whoever is within reach refuses, as nobody listens on that port; nobody at all says nothing.
KNOCK = f"""
import socket, sys
try:
    socket.create_connection(('{ADDRESS}', 9), 2)
except ConnectionRefusedError:
    sys.exit(0)
except OSError:
    sys.exit(1)
"""


SILENT = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)


class Node:
    """The node, and the cable to it."""

    def __init__(self, root: DebianRoot, folder: Path) -> None:
        self.root, self.folder = root, folder
        remote = folder / "remote"
        for place in (remote, root.path / str(remote).lstrip("/")):
            place.mkdir(parents=True)
        mounts = (
            f"mount -t proc proc {root.path}/proc; mount -t sysfs sysfs {root.path}/sys; "
            f"mount --bind /dev {root.path}/dev; mount --bind {remote} "
            f"{root.path}{remote}; ip link set lo up; exec sleep infinity"
        )
        spaces = ["unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--propagation", "private"]
        self.holders = [
            subprocess.Popen(words, start_new_session=True, **SILENT)
            for words in ([*spaces, "sh", "-c", mounts], ["unshare", "--net", "sleep", "infinity"])
        ]
        try:
            self._lay_the_cable()
        except BaseException:
            self.close()
            raise
        self._play_it(remote)

    def _lay_the_cable(self) -> None:
        """Both ends up, and the node with its first network."""
        root = self.root
        self.inside, self.controller = self._child(self.holders[0]), self.holders[1].pid
        self._ready(self.controller)
        cable = ["ip", "link", "add", "eth0", "netns", str(self.inside), "type", "veth", "peer", "name", "peer0"]
        subprocess.run([*cable, "netns", str(self.controller)], check=True)
        enter = ["nsenter", f"--net=/proc/{self.controller}/ns/net"]
        subprocess.run([*enter, "ip", "address", "add", f"{PEER}/24", "dev", "peer0"], check=True)
        subprocess.run([*enter, "ip", "link", "set", "peer0", "up"], check=True)
        self.interfaces.write_text(FIRST)
        (root.path / "etc/network/interfaces.d").mkdir(exist_ok=True)
        # Where its lock is; a boot makes it.
        (root.path / "run/network").mkdir(exist_ok=True)
        self.run("ifreload -a")

    def _play_it(self, remote: Path) -> None:
        """An inventory and a playbook."""
        root, folder = self.root, self.folder
        python = folder / "python"
        knock = shlex.join(self.knock)
        python.write_text(PYTHON.format(knock=knock, node=self.inside, root=root.path))
        python.chmod(0o755)
        host = {
            "ansible_connection": "local",
            "ansible_python_interpreter": str(python),
            "ansible_remote_tmp": str(remote),
            "node_address": ADDRESS,
        }
        (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": {"pve1": host}}}))
        play = [{"hosts": "all", "gather_facts": False, "roles": ["switchyard.fleet.proxmox_network"]}]
        (folder / "play.json").write_text(json.dumps(play))

    @property
    def knock(self) -> list[str]:
        """Ask whether the node is within the controller's reach."""
        return ["nsenter", f"--net=/proc/{self.controller}/ns/net", sys.executable, "-c", KNOCK]

    @property
    def interfaces(self) -> Path:
        return self.root.path / "etc/network/interfaces"

    def _child(self, holder: subprocess.Popen[bytes]) -> int:
        """The process unshare has started, once it is in its own name spaces."""
        children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children")
        while not (text := children.read_text().split()):
            assert holder.poll() is None
        self._ready(int(text[0]))
        return int(text[0])

    def _ready(self, pid: int) -> None:
        ours = Path("/proc/self/ns/net").readlink()
        while (
            Path(f"/proc/{pid}/ns/net").readlink() == ours or b"sleep" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        ):
            assert Path(f"/proc/{pid}").exists()

    def run(self, program: str) -> str:
        """What a shell on the node prints, by its console."""
        spaces = ["nsenter", "--target", str(self.inside), "--net", "--mount", "--pid", "--uts"]
        words = [*spaces, "chroot", str(self.root.path), "sh", "-c", program]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, (program, done.stdout, done.stderr)
        return done.stdout

    def play(self, *devices: dict[str, Any], arguments: tuple[str, ...] = (), fails: bool = False) -> str:
        """What the role says."""
        extra = json.dumps({"proxmox_network_devices": devices, "proxmox_network_trial": 20})
        words = [sys.executable, "-m", "ansible.cli.playbook", "-i", str(self.folder / "hosts.json"), "-e", extra]
        done = subprocess.run(
            [*words, *arguments, str(self.folder / "play.json")],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_PIPELINING": "True", "ANSIBLE_NOCOLOR": "1"},
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout

    def reachable(self) -> bool:
        """From the other end of the cable."""
        return subprocess.run(self.knock, check=False).returncode == 0

    def close(self) -> None:
        for holder in self.holders:
            holder.kill()
            holder.wait()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    missing = [name for name in ("mmdebstrap", "nsenter", "ip") if not shutil.which(name)]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("network")
    here = Node(make(folder, "trixie", "pve1", ADDRESS, PACKAGES), folder)
    yield here
    here.close()


def changed(output: str) -> int:
    found = re.search(r"changed=(\d+)", output)
    assert found, output
    return int(found[1])


def test_an_address_moves_to_a_bridge_and_the_node_stays_within_reach(node: Node) -> None:
    assert node.reachable()
    said = node.play(BRIDGE, arguments=("--check", "--diff"))
    assert changed(said) and "bridge-ports eth0" in said
    assert node.interfaces.read_text() == FIRST
    node.play(BRIDGE)
    assert "iface vmbr0 inet static" in node.interfaces.read_text()
    assert node.reachable()
    assert f"{ADDRESS}/24" in node.run("ip address show dev vmbr0")
    assert f"{ADDRESS}/24" not in node.run("ip address show dev eth0")
    assert changed(node.play(BRIDGE)) == 0


def test_a_network_that_cuts_the_node_off_is_taken_back_by_the_node(node: Node) -> None:
    before = node.interfaces.read_text()
    # A bridge without the cable: nothing that could be seen in it alone.
    said = node.play({**BRIDGE, "ports": []}, fails=True)
    assert "taken back: nobody came in by it" in said
    assert node.interfaces.read_text() == before and node.reachable()


def test_a_network_that_ifreload_refuses_is_not_kept(node: Node) -> None:
    before = node.interfaces.read_text()
    said = node.play(BRIDGE, {"name": "nosuch0", "kind": "vlan", "device": "nosuch1", "tag": 5}, fails=True)
    assert "refused by ifreload" in said
    assert node.interfaces.read_text() == before and node.reachable()


def test_a_trial_that_a_restart_cuts_off_is_taken_back_at_boot(node: Node) -> None:
    before = node.interfaces.read_text()
    state = node.root.path / "var/lib/switchyard/network"
    (state / "after").write_text(FIRST)
    # Whoever comes in before the new network is in use has proved nothing.
    node.run("cd /var/lib/switchyard/network && rm -f outcome && : >pending && ! switchyard-network confirm")
    assert not (state / "confirmed").exists()
    (state / "pending").unlink()
    node.run("switchyard-network start 600; while [ ! -e /var/lib/switchyard/network/pending ]; do sleep 0.1; done")
    # Not the shell that says so.
    trial = "[s]witchyard-network apply"
    node.run(f"pkill -KILL -f '{trial}'; while pgrep -f '{trial}' >/dev/null; do sleep 0.1; done")
    node.run("switchyard-network restore")
    assert node.interfaces.read_text() == before
    assert (state / "outcome").read_text() == "taken back: the node was restarted in the middle of it\n"
    unit = "etc/systemd/system/networking.service.wants/switchyard-network.service"
    assert (node.root.path / unit).is_symlink()


def test_changes_staged_in_the_web_interface_are_not_lost(node: Node) -> None:
    staged = node.root.path / "etc/network/interfaces.new"
    staged.write_text("# by hand\n")
    said = node.play({**BRIDGE, "comment": "other"}, fails=True)
    assert "staged in the web interface" in " ".join(said.split())
    staged.unlink()
