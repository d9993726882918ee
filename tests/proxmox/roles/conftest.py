# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole playbooks, run as an operator would, against a double: over its API, or through a stand-in for ``pvesh``."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[2]
ROOT = TESTS.parent
PLAYBOOK = (sys.executable, "-m", "ansible.cli.playbook")
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))

from double import Double  # noqa: E402


class Site:
    """Two nodes of a double, as an inventory; its playbooks run on this machine."""

    def __init__(self, double: Double, folder: Path) -> None:
        self.double, self.folder = double, folder
        self.pki = folder / "pki"
        self.etc = folder / "etc-pve"
        (self.etc / "local").mkdir(parents=True)
        pem = double.certificate.read_text()
        self.pem = ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERT") :]))
        (self.etc / "local" / "pve-ssl.pem").write_text(self.pem)
        command = folder / "bin" / "pvesh"
        command.parent.mkdir()
        command.write_text(f'#!/bin/sh\nexec {sys.executable} {TESTS}/support/pvesh.py "$@"\n')
        command.chmod(0o755)
        hosts = {
            node: {"ansible_connection": "local", "node_address": "127.0.0.1", "node_port": port}
            for node, port in zip(double.world.cluster.nodes, double.ports, strict=True)
        }
        inventory = {"all": {"children": {"nodes": {"hosts": hosts}}}}
        (folder / "hosts.json").write_text(json.dumps(inventory))
        self.variables: dict[str, Any] = {
            "fleet_name": "contract",
            "fleet_pki_dir": str(self.pki),
            "ansible_python_interpreter": sys.executable,
            "__proxmox_access_etc": str(self.etc),
        }

    @property
    def login(self) -> dict[str, Any]:
        """The API server of the first node, as root."""
        return {
            "address": "127.0.0.1",
            "port": self.double.ports[0],
            "fingerprint": self.double.fingerprint,
            "user": "root@pam",
            "password": self.double.password,
        }

    def play(self, tasks: Any, *arguments: str, check: bool = True, hosts: str = "pve1", **variables: Any) -> str:
        """What a run printed; it has to succeed, unless ``check`` is false."""
        play = {"hosts": hosts, "gather_facts": False, **tasks}
        path = self.folder / "play.json"
        path.write_text(json.dumps([play]))
        extra = json.dumps({**self.variables, **variables})
        environment = {
            **os.environ,
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "DOUBLE": next(iter(self.double.endpoints.values())),
            "DOUBLE_TOKEN": self.double.token,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "False",
        }
        environment.pop("ANSIBLE_FORCE_COLOR", None)
        done = subprocess.run(
            [*PLAYBOOK, "-i", f"{self.folder}/hosts.json", "-e", extra, *arguments, path],
            capture_output=True, text=True, env=environment, cwd=ROOT, timeout=300, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout + done.stderr
        assert check or done.returncode, done.stdout
        # Long words are folded where nobody asked for it.
        return " ".join((done.stdout + done.stderr).split())

    def role(self, name: str, *arguments: str, **variables: Any) -> str:
        """A role of the collection, on the first node or on those named."""
        return self.play({"roles": [f"switchyard.fleet.{name}"]}, *arguments, **variables)


def changed(output: str) -> int:
    """Tasks that changed something."""
    return sum(int(each) for each in re.findall(r"changed=(\d+)", output))


@pytest.fixture
def double() -> Iterator[Double]:
    with Double(nodes=2, latency=0.003, tls=True) as here:
        yield here


@pytest.fixture
def site(double: Double, tmp_path: Path) -> Site:
    return Site(double, tmp_path)
