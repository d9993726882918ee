# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian becomes a Proxmox VE node: the role's own apt work, on real root file systems of Debian 12 and 13.

Proxmox' packages are empty stand-ins in a signed archive of the test's own, and nothing is booted: which kernel runs is
what the root's Python is made to say. The rest (sources, keys, checksums, conflicts, dpkg) is real.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.debian_root import DebianRoot, archive, make, package

pytestmark = pytest.mark.lab
ROOT = Path(__file__).parents[2]
NAME, ADDRESS = "pve1", "192.0.2.11"
VERSIONS = {"bookworm": "8.4.14", "trixie": "9.1.9"}
ENTERPRISE = {
    "bookworm": {
        "pve-enterprise.list": "deb https://enterprise.proxmox.com/debian/pve bookworm pve-enterprise\n",
        "ceph.list": "deb https://enterprise.proxmox.com/debian/ceph-quincy bookworm enterprise\n",
    },
    "trixie": {
        "pve-enterprise.sources": "Types: deb\nURIs: https://enterprise.proxmox.com/debian/pve\nSuites: trixie\n"
        "Components: pve-enterprise\nSigned-By: /usr/share/keyrings/proxmox-archive-keyring.gpg\n",
        "ceph.sources": "Types: deb\nURIs: https://enterprise.proxmox.com/debian/ceph-squid\nSuites: trixie\n"
        "Components: enterprise\nSigned-By: /usr/share/keyrings/proxmox-archive-keyring.gpg\n",
    },
}


class Machine:
    """A root with an archive to install from, and the role on it."""

    def __init__(self, root: DebianRoot, release: str, folder: Path) -> None:
        self.root, self.release, self.folder = root, release, folder
        repository = root.path / "srv/archive"
        repository.mkdir(parents=True)
        made = [
            package(repository, "proxmox-default-kernel"),
            package(repository, "pve-manager", VERSIONS[release], Depends="ifupdown2"),
            package(repository, "ifupdown2", Conflicts="ifupdown", Replaces="ifupdown", Provides="ifupdown"),
            package(repository, "proxmox-ve", Depends="pve-manager, proxmox-default-kernel"),
            *(package(repository, name) for name in ("postfix", "open-iscsi", "chrony")),
        ]
        archive(repository, release, "pve-no-subscription", made)
        self.key = repository / "key.gpg"
        # The same Debian for apt, but nothing of it is needed any more: what is installed comes from the stand-ins.
        (root.path / "etc/apt/sources.list").write_text("")
        self.variables: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": root.python,
            "ansible_remote_tmp": "/tmp",
            "node_address": ADDRESS,
            "proxmox_node_mirror": "file:///srv/archive",
            "proxmox_node_key": "file:///srv/archive/key.gpg",
            "proxmox_node_key_checksum": f"sha256:{hashlib.sha256(self.key.read_bytes()).hexdigest()}",
        }

    def play(self, *arguments: str, fails: bool = False, **variables: Any) -> str:
        """What a run printed."""
        hosts = {"all": {"hosts": {NAME: {**self.variables, **variables}}}}
        play = [{"hosts": NAME, "gather_facts": False, "roles": ["switchyard.fleet.proxmox_node"]}]
        (self.folder / "hosts.json").write_text(json.dumps(hosts))
        (self.folder / "play.json").write_text(json.dumps(play))
        words = [sys.executable, "-m", "ansible.cli.playbook", "-i", str(self.folder / "hosts.json")]
        done = subprocess.run(
            [*words, *arguments, str(self.folder / "play.json")],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
            cwd=ROOT,
            # The module goes in through standard input: no file of the controller is seen in there.
            env={**os.environ, "ANSIBLE_PIPELINING": "True", "ANSIBLE_NOCOLOR": "1"},
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def state(self) -> tuple[set[str], dict[str, str]]:
        """What is installed, and where from."""
        sources = self.root.path / "etc/apt/sources.list.d"
        return self.root.packages(), {path.name: path.read_text() for path in sources.iterdir()}

    def boot(self, kernel: str) -> None:
        """From now on it says that it runs this kernel."""
        # Debian's Python has a sitecustomize of its own.
        self.root.write("usr/lib/python3/dist-packages/kernel.pth", "import kernel_that_runs\n")
        self.root.write(
            "usr/lib/python3/dist-packages/kernel_that_runs.py",
            "import os\nreal = os.uname()\n"
            f"os.uname = lambda: os.uname_result((real[0], real[1], {kernel!r}, real[3], real[4]))\n",
        )


@pytest.fixture(scope="module", params=sorted(VERSIONS))
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    missing = [name for name in ("mmdebstrap", "gpg", "dpkg-deb", "unshare") if not shutil.which(name)]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("proxmox")
    root = make(folder, request.param, NAME, ADDRESS)
    yield Machine(root, request.param, folder)
    shutil.rmtree(root.path)


def changed(output: str) -> int:
    found = re.search(r"changed=(\d+)", output)
    assert found, output
    return int(found[1])


def stand_ins(machine: Machine, *names: str) -> None:
    """Packages that are there already, empty."""
    folder = machine.root.path / "srv/extra"
    folder.mkdir(exist_ok=True)
    for name in names:
        path = package(folder, name)
        machine.root.run(f"dpkg --install /srv/extra/{path.name}")


def test_a_machine_with_another_hypervisor_is_not_touched(machine: Machine) -> None:
    stand_ins(machine, "incus-base", "os-prober", "linux-image-amd64")
    before = machine.state()
    said = machine.play(fails=True, proxmox_node_min_memory="4TiB")
    assert re.search(r"pve1 +memory .* 4194304 MiB or more", said), said
    assert re.search(r"pve1 +package +incus-base +removed: another hypervisor", said), said
    assert machine.state() == before
    machine.root.run("dpkg --purge incus-base")


def test_a_key_that_is_not_the_one_published_brings_nothing(machine: Machine) -> None:
    said = machine.play(fails=True, proxmox_node_key_checksum=f"sha256:{'0' * 64}")
    assert "checksum" in said, said
    assert not machine.root.packages() & {"proxmox-ve", "proxmox-default-kernel"}


def test_debian_becomes_a_node_and_a_second_run_changes_nothing(machine: Machine) -> None:
    for name, text in ENTERPRISE[machine.release].items():
        machine.root.write(f"etc/apt/sources.list.d/{name}", text)
    before = machine.state()
    checked = machine.play("--check", "--diff")
    assert (
        changed(checked) and "would be installed: chrony" in checked and "+Components: pve-no-subscription" in checked
    )
    assert machine.state() == before

    said = machine.play()
    packages, sources = machine.state()
    assert {"proxmox-ve", "pve-manager", "proxmox-default-kernel", "postfix", "open-iscsi", "chrony"} <= packages
    assert "ifupdown2" in packages and "ifupdown" not in packages
    assert "run again with proxmox_node_reboot=true" in " ".join(said.split())
    # Debian's kernel still runs: it stays.
    assert "linux-image-amd64" in packages and "os-prober" not in packages
    for name in ENTERPRISE[machine.release]:
        offers = (
            re.search(r"^deb ", sources[name], re.MULTILINE)
            if name.endswith(".list")
            else "Enabled: no" not in sources[name]
        )
        assert not offers, sources[name]
    assert changed(machine.play()) == 0
    assert machine.state() == (packages, sources)


def test_debians_kernel_goes_once_the_other_one_runs(machine: Machine) -> None:
    machine.boot("6.14.8-2-pve")
    assert changed(machine.play("--check"))
    assert "linux-image-amd64" in machine.root.packages()
    assert changed(machine.play())
    assert "linux-image-amd64" not in machine.root.packages() and "proxmox-ve" in machine.root.packages()
    assert changed(machine.play()) == 0


def test_a_run_cut_off_in_the_middle_of_dpkg_is_finished_by_the_next(machine: Machine) -> None:
    machine.root.run("dpkg --remove --force-depends chrony && dpkg --unpack /srv/archive/chrony_999_all.deb")
    assert changed(machine.play())
    assert "chrony" in machine.root.packages()
    assert changed(machine.play()) == 0


def test_the_enterprise_repository_replaces_the_other(machine: Machine) -> None:
    said = machine.play(
        "--check", "--diff", proxmox_node_repository="enterprise", proxmox_node_mirror="https://mirror.example/pve"
    )
    assert "+Components: pve-enterprise" in said and "-Components: pve-no-subscription" in said
