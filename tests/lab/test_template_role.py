# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates built on real nodes, and what servers made from them by hand are like."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.lab

PLAYBOOK = """
- hosts: nodes
  gather_facts: false
  roles:
    - switchyard.fleet.template
"""
NETWORK = """auto lo
iface lo inet loopback

auto eth0
iface eth0 inet static
    address {address}/24
    gateway {gateway}
"""


# What servers of the inventory are made from; whoever declares something else declares it beside these.
DECLARED = {"tiny": {"build": "busybox", "version": 1}, "debian": {"build": "debian", "version": 1}}


class TemplateRole:
    """The role, applied to the lab's nodes as a user would; everything of version "test" is gone afterwards."""

    def __init__(self, lab, folder):
        self.lab = lab
        self.playbook = folder / "templates.yml"
        self.playbook.write_text(PLAYBOOK)

    def __call__(self, *arguments, **templates):
        """Nodes that changed; the run has to succeed."""
        output = self.lab.playbook(self.playbook, *arguments, extra=self.extra(templates)).stdout
        return re.findall(r"^(\w+)\s+: ok=\d+\s+changed=[1-9]", output, re.MULTILINE)

    def refusal(self, **templates):
        """What a run that has to fail says, in one line."""
        done = self.lab.playbook(self.playbook, extra=self.extra(templates), check=False)
        assert done.returncode, done.stdout
        assert not re.search(r"changed=[1-9]", done.stdout), done.stdout
        return " ".join(done.stdout.split())

    @staticmethod
    def extra(templates):
        """Variables of a run."""
        return {"fleet_templates": DECLARED | templates, "template_names": []} if templates else {}

    def images(self):
        """Aliases on every node."""
        return {
            (node, alias)
            for node in self.lab.facts["nodes"]
            for alias in self.lab.ssh(node, "incus image alias list -f csv | cut -d, -f1").split()
        }


@pytest.fixture(scope="module")
def built(installed, tmp_path_factory):
    """Both templates of the lab's own inventory are there."""
    role = TemplateRole(installed, tmp_path_factory.mktemp("templates"))
    role()
    return role


@pytest.fixture
def role(built):
    yield built
    for node, alias in built.images():
        if alias.endswith("/test"):
            built.lab.ssh(node, "incus", "image", "delete", alias)


@pytest.fixture
def server(role):
    """Makes servers by hand, where their template is; takes them away again."""
    made = []
    lab = role.lab

    def make(name, template, last, **config):
        gateway = lab.facts["gateway"]
        address = f"{gateway.rsplit('.', 1)[0]}.{last}"
        settings = {
            "network": NETWORK.format(address=address, gateway=gateway),
            "resolv": "nameserver 192.0.2.53\n",
        } | config
        options = [f"-c user.switchyard.{key}={shlex.quote(value)}" for key, value in settings.items()]
        node = min(node for node, alias in role.images() if alias == template)
        made.append((node, name))
        lab.ssh(node, f"incus init -q {template} {name} --no-profiles -s default {' '.join(options)} < /dev/null 2>&1")
        lab.ssh(node, f"incus config device add {name} eth0 nic nictype=bridged parent=vmbr0")
        lab.ssh(node, f"incus start {name}")
        return node, address

    yield make
    for node, name in made:
        lab.ssh(node, f"incus delete -f {name} 2>/dev/null || true")


def page(address, seconds=30.0):
    """What a server's web page says, as soon as it says anything."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}/", timeout=1) as answer:
                return answer.read().decode().strip()
        except (urllib.error.URLError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def test_what_is_there_is_not_built_again(role):
    before = role.images()
    assert role() == []
    assert role("--check") == []
    assert role.images() == before


def test_one_node_builds_and_a_check_builds_nothing(role):
    small = {"build": "busybox", "version": "test"}
    before = role.images()
    assert len(role("--check", small=small)) == 1
    assert role.images() == before
    builders = role(small=small)
    assert len(builders) == 1
    assert role.images() - before == {(builders[0], "switchyard/small/test")}
    assert role(small=small) == []


def test_what_cannot_be_built_is_refused_all_at_once(role):
    before = role.images()
    said = role.refusal(
        big={"kind": "vm"},
        odd={"build": "nonsuch"},
        plain=None,
        small={"build": "busybox", "packages": ["jq"]},
        orphan={"base": "nosuch"},
        taken={"from": "pbx01", "files": []},
        lost={"files": [{"path": "/etc/motd", "src": "nosuch/motd"}, {"path": "etc/motd", "content": ""}]},
    )
    for words in (
        'fleet_templates.odd.build: "nonsuch": not one of the words accepted; accepted: busybox or debian',
        "build busybox takes no packages",
        "taken from a server, and so not built: no files",
        'fleet_templates.lost.files[1].path: "etc/motd": not an absolute path',
        'fleet_templates.orphan.base: "nosuch": no such template',
        'fleet_templates.big.kind: "vm": only containers can be built so far; accepted: container',
    ):
        assert words in said
    assert role.images() == before
    said = role.refusal(lost={"files": {"path": "/etc/motd", "src": "nosuch/motd"}})
    assert 'fleet_templates.lost.files[0].src: "nosuch/motd": No such file or directory' in said


def test_a_build_that_was_cut_off_is_done_again(role):
    small = {"build": "busybox", "version": "test"}
    run = role.lab.begin(role.playbook, extra=role.extra({"small": small}))
    for line in run.stdout:
        if "Build switchyard/small/test" in line:
            time.sleep(0.3)
            os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    # What a builder may have left mounted there is let go of, not removed.
    node, below = next(iter(role.lab.facts["nodes"])), "/var/lib/switchyard/templates/build/rootfs/sys"
    role.lab.ssh(node, f"mkdir -p {below} && mount --bind /sys {below}")
    role(small=small)
    assert "kernel" in role.lab.ssh(node, "ls /sys").split()
    assert below not in role.lab.ssh(node, "cat /proc/mounts")
    made = [(node, alias) for node, alias in role.images() if alias == "switchyard/small/test"]
    assert len(made) == 1
    assert role.lab.ssh(made[0][0], "ls /var/lib/switchyard/templates").split() == ["lock", "log"]


def test_an_image_that_lost_its_name_gets_it_back(role):
    small = {"build": "busybox", "version": "test"}
    [node] = role(small=small)
    before = role.lab.ssh(node, "incus image list -f csv -c f switchyard.version=test")
    role.lab.ssh(node, "incus image alias delete switchyard/small/test")
    assert role("-l", node, small=small) == [node]
    assert role.lab.ssh(node, "incus image list -f csv -c f switchyard.version=test") == before


def test_a_package_that_does_not_exist_is_named(role):
    assert "Unable to locate package nonsuch-x" in role.refusal(odd={"version": "test", "packages": ["nonsuch-x"]})


def test_another_content_needs_another_version(role):
    first = {"build": "debian", "base": "debian", "version": "test", "files": {"path": "/etc/motd", "content": "one"}}
    role(house=first)
    said = role.refusal(house={**first, "files": {"path": "/etc/motd", "content": "two"}})
    assert "switchyard/house/test was made of something else than is declared now. Give it another version" in said
    assert role(house=first) == []


def test_a_tiny_server_answers_with_its_name_at_the_address_it_has_now(role, server):
    lab = role.lab
    node, address = server("role-t", "switchyard/tiny/1", 241)
    assert page(address) == "role-t"
    lab.ssh(node, "incus exec role-t -- grep -q 192.0.2.53 /etc/resolv.conf")
    # Without force: it goes because it was asked to, or this fails.
    lab.ssh(node, "incus stop role-t --timeout 30")
    gateway = lab.facts["gateway"]
    other = f"{gateway.rsplit('.', 1)[0]}.242"
    network = NETWORK.format(address=other, gateway=gateway)
    lab.ssh(node, f"incus config set role-t user.switchyard.network={shlex.quote(network)} && incus start role-t")
    assert page(other) == "role-t"


def test_a_server_made_anew_tells_its_neighbours_who_has_the_address_now(role, server):
    for _time in range(2):
        node, address = server("role-t", "switchyard/tiny/1", 241)
        # Nobody asked it anything yet: what is known of the old one is only put right by the new one itself.
        known = hardware_address(address, wanted=card(role.lab, node, "role-t"))
        assert known in ("", card(role.lab, node, "role-t"))
        assert page(address) == "role-t"
        role.lab.ssh(node, "incus delete -f role-t")


def card(lab, node, name):
    return lab.ssh(node, f"incus config get {name} volatile.eth0.hwaddr").strip()


def hardware_address(address, wanted, seconds=30.0):
    """Who has an address, as far as this machine knows: as soon as it is ``wanted``, or after that time."""
    end = time.monotonic() + seconds
    while True:
        words = subprocess.run(["ip", "neigh", "show", address], capture_output=True, text=True, check=True).stdout
        known = words.partition(" lladdr ")[2].partition(" ")[0]
        if known in ("", wanted) or time.monotonic() > end:
            return known
        time.sleep(0.1)


def test_two_debian_servers_let_the_key_in_and_share_nothing(role, server):
    lab = role.lab
    public = subprocess.run(
        ["ssh-keygen", "-y", "-f", lab.facts["ssh_key"]], capture_output=True, text=True, check=True
    )
    seen = []
    for number in (1, 2):
        node, address = server(f"role-d{number}", "switchyard/debian/1", 242 + number, ssh_keys=public.stdout)
        seen.append(ssh_facts(address, lab.facts["ssh_key"]))
    assert [facts["name"] for facts in seen] == ["role-d1", "role-d2"]
    assert seen[0]["machine"] != seen[1]["machine"]
    assert seen[0]["hostkey"] != seen[1]["hostkey"]
    lab.ssh(node, "incus stop role-d1 --timeout 60")


def ssh_facts(address, key, seconds=30.0):
    """Asked over SSH, as root, with the key: who are you?"""
    options = [
        "-F",
        "none",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "ConnectTimeout=2",
    ]
    ask = "hostname; cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub; python3 -c 'print(1)'; passwd -S root"
    end = time.monotonic() + seconds
    while True:
        done = subprocess.run(
            ["ssh", *options, "-i", key, f"root@{address}", ask], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            name, machine, hostkey, python, password = done.stdout.splitlines()
            assert python == "1"
            assert password.split()[1] == "L"
            return {"name": name, "machine": machine, "hostkey": hostkey}
        assert time.monotonic() < end, done.stderr
        time.sleep(0.2)
