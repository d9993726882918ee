# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of a lab, as ansible-inventory itself reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[4]

LAB = {
    "name": "try",
    "subnet": "10.1.2.0/24",
    "gateway": "10.1.2.1",
    "bridge": "sy-try",
    "nodes": {"node1": {"address": "10.1.2.11"}, "node4": {"address": "10.1.2.14"}},
    "ssh_key": "/labs/try/ssh/id_ed25519",
    "known_hosts": "/labs/try/ssh/known_hosts",
    "pki": "/labs/try/pki",
}


def plain(value: dict[str, Any]) -> Any:
    """A text without Ansible's mark that it is no template."""
    return value.get("__ansible_unsafe", value)


class Inventory:
    """A directory with a static inventory and the lab's own file beside it."""

    def __init__(self, folder: Path) -> None:
        self.labs = folder / "labs"
        self.directory = folder / "inventory"
        self.directory.mkdir()
        (self.directory / "hosts.yml").write_text("nodes: {hosts: {node1: {node_cores: 8}, node2: {}}}\n")
        self.write_source()

    def write_source(self, text: str = "plugin: switchyard.fleet.lab\n", name: str = "lab.yml") -> None:
        (self.directory / name).write_text(f"{text}directory: {self.labs}\n")

    def write_lab(self, content: str, name: str = "lab") -> None:
        (self.labs / name).mkdir(parents=True)
        (self.labs / name / "lab.json").write_text(content)

    def read(self, **environment: str) -> tuple[dict[str, Any], str]:
        """What ansible-inventory lists, and what it complains about."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-inventory")), "-i", str(self.directory), "--list"],
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "SWITCHYARD_LAB": "", **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        listed: dict[str, Any] = json.loads(done.stdout, object_hook=plain)
        return listed, done.stderr


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return Inventory(tmp_path)


def test_the_nodes_of_the_lab_are_told_apart_from_those_only_declared(inventory: Inventory) -> None:
    inventory.write_lab(json.dumps(LAB))
    listed, complaints = inventory.read()
    facts = listed["_meta"]["hostvars"]
    assert complaints == ""
    assert sorted(listed["nodes"]["hosts"]) == ["node1", "node2", "node4"]
    assert facts["node1"]["ansible_host"] == "10.1.2.11"
    assert facts["node1"]["node_cores"] == 8
    assert facts["node4"]["ansible_user"] == "root"
    assert "ansible_host" not in facts["node2"]


def test_only_the_host_keys_of_the_lab_are_trusted(inventory: Inventory) -> None:
    inventory.write_lab(json.dumps(LAB))
    facts = inventory.read()[0]["_meta"]["hostvars"]["node1"]
    assert facts["ansible_ssh_private_key_file"] == "/labs/try/ssh/id_ed25519"
    assert "-o StrictHostKeyChecking=yes" in facts["ansible_ssh_common_args"]
    assert "-o UserKnownHostsFile=/labs/try/ssh/known_hosts" in facts["ansible_ssh_common_args"]


def test_every_host_knows_the_network_of_the_lab(inventory: Inventory) -> None:
    inventory.write_lab(json.dumps(LAB))
    facts = inventory.read()[0]["_meta"]["hostvars"]["node2"]
    assert (facts["lab_name"], facts["lab_subnet"], facts["lab_gateway"]) == ("try", "10.1.2.0/24", "10.1.2.1")
    assert facts["lab_dir"] == str(inventory.labs / "lab")


def test_a_lab_that_does_not_exist_yields_nothing(inventory: Inventory) -> None:
    listed, complaints = inventory.read()
    assert complaints == ""
    assert listed["nodes"]["hosts"] == ["node1", "node2"]
    assert "ansible_host" not in str(listed)
    assert "lab_subnet" not in str(listed)


def test_the_environment_names_another_lab(inventory: Inventory) -> None:
    inventory.write_lab(json.dumps(LAB), name="other")
    assert "ansible_host" not in str(inventory.read()[0])
    assert "ansible_host" in str(inventory.read(SWITCHYARD_LAB="other")[0])


def test_the_file_names_another_lab(inventory: Inventory) -> None:
    inventory.write_source("plugin: switchyard.fleet.lab\nname: other\n")
    inventory.write_lab(json.dumps(LAB), name="other")
    assert "ansible_host" in str(inventory.read()[0])


@pytest.mark.parametrize("content", ["", "[]", "{", '{"nodes": {"node1": {}}}', '{"nodes": 3}'])
def test_a_damaged_lab_is_named(inventory: Inventory, content: str) -> None:
    inventory.write_lab(content)
    complaints = inventory.read()[1]
    assert "lab.json is not the description of a lab" in complaints


def test_a_playbook_called_lab_is_not_taken_for_an_inventory(inventory: Inventory) -> None:
    inventory.write_lab(json.dumps(LAB))
    (inventory.directory / "lab.yml").unlink()
    (inventory.directory / "lab.yaml").write_text((ROOT / "playbooks/lab.yml").read_text())
    listed, complaints = inventory.read(ANSIBLE_INVENTORY_ENABLED="switchyard.fleet.lab,yaml")
    assert "ansible_host" not in str(listed)
    assert "lab plugin" not in complaints
