# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of a fleet as it runs, as ansible-inventory itself reads it, off a double of Proxmox VE."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[4]
sys.path.insert(0, str(ROOT / "tests"))

from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox import marks  # noqa: E402
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (  # noqa: E402
    Fleet,
    Interface,
    Server,
    Size,
)
from double import Double  # noqa: E402


def plain(value: dict[str, Any]) -> Any:
    """A text without Ansible's mark that it is no template."""
    return value.get("__ansible_unsafe", value)


class Inventory:
    """A directory with the plugin's file in it."""

    def __init__(self, folder: Path, double: Double) -> None:
        self.folder = folder / "inventory"
        self.folder.mkdir()
        self.double = double
        url = next(iter(double.endpoints.values()))
        self.node = {"address": "127.0.0.1", "port": int(url.rpartition(":")[2]), "fingerprint": double.fingerprint}
        self.options: dict[str, Any] = {
            "plugin": "switchyard.fleet.fleet",
            "name": "berlin",
            "engine": "proxmox",
            "nodes": {"pve1": self.node},
            "token": double.token,
        }

    def read(self, **options: Any) -> tuple[dict[str, Any], str]:
        """What ansible-inventory lists with these options beside or instead of the usual, and what it complains of."""
        told = {**self.options, **options}
        told = {name: value for name, value in told.items() if value is not None}
        (self.folder / "fleet.yml").write_text(yaml.safe_dump(told, sort_keys=False))
        return self.list()

    def list(self, **environment: str) -> tuple[dict[str, Any], str]:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-inventory")), "-i", str(self.folder), "--list"],
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "COLUMNS": "1000", **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        listed: dict[str, Any] = json.loads(done.stdout, object_hook=plain)
        return listed, " ".join(done.stderr.split())


def add(double: Double, vmid: int, name: str, fleet: str = "berlin", running: bool = True, **facts: Any) -> None:
    server = Server(
        name, Size(0.5, 128, 1024), "debian", "small", interfaces=(Interface("lan", f"10.66.0.{vmid - 50}"),), **facts
    )
    tags = marks.write(marks.of_server(server, Fleet(fleet, "proxmox", {}, {})))
    double.add_guest(vmid, hostname=name, name=name, tags=tags, memory="128", running=running)


@pytest.fixture(scope="module")
def double() -> Iterator[Double]:
    with Double(nodes=2, latency=0.003, tls=True) as here:
        add(here, 100, "pbx01", tenant="Acme & Co {{ 6 * 7 }}")
        add(here, 101, "pbx02", running=False)
        add(here, 102, "theirs", fleet="hamburg")
        yield here


@pytest.fixture
def inventory(tmp_path: Path, double: Double) -> Inventory:
    return Inventory(tmp_path, double)


def facts_of(listed: dict[str, Any], host: str) -> dict[str, Any]:
    found: dict[str, Any] = listed["_meta"]["hostvars"][host]
    return found


def test_servers_are_told_with_their_address_and_what_they_are(inventory: Inventory) -> None:
    listed, complaints = inventory.read()
    facts = facts_of(listed, "pbx01")
    assert complaints == ""
    assert facts["ansible_host"] == "10.66.0.50"
    assert (facts["switchyard_node"], facts["switchyard_state"]) == ("pve1", "running")
    assert (facts["switchyard_cpu_cores"], facts["switchyard_memory_mib"]) == (0.5, 128)
    assert "theirs" not in listed["_meta"]["hostvars"]


def test_groups_are_by_node_site_class_template_tenant_and_state(inventory: Inventory) -> None:
    listed, _complaints = inventory.read()
    members = {name: set(group.get("hosts", ())) for name, group in listed.items() if name != "_meta"}
    both = {"pbx01", "pbx02"}
    for group in (
        "fleet_servers",
        "fleet_node_pve1",
        "fleet_site_default",
        "fleet_class_small",
        "fleet_template_debian",
    ):
        assert members[group] == both, group
    assert members["fleet_state_running"] == {"pbx01"}
    assert members["fleet_state_stopped"] == {"pbx02"}
    assert members["fleet_nodes"] == {"pve1", "pve2"}
    assert any(name.startswith("fleet_tenant_Acme") and hosts == {"pbx01"} for name, hosts in members.items())


def test_nothing_of_it_declares_a_server_or_a_node_of_the_fleet(inventory: Inventory) -> None:
    listed, _complaints = inventory.read(statistics=True, strangers=True)
    assert not {"nodes", "virtual_servers"} & set(listed)
    told = {name for facts in listed["_meta"]["hostvars"].values() for name in facts}
    assert {name for name in told if name.startswith(("fleet_", "node_", "vs_"))} == set()


def test_what_somebody_wrote_on_the_platform_is_no_template(inventory: Inventory) -> None:
    listed, _complaints = inventory.read()
    assert facts_of(listed, "pbx01")["switchyard_tenant"] == "Acme & Co {{ 6 * 7 }}"


def test_constructed_groups_and_variables_are_made_of_the_facts(inventory: Inventory) -> None:
    listed, _complaints = inventory.read(
        compose={"ansible_user": "'ops'", "gib": "switchyard_disk_mib / 1024"},
        groups={"tiny": "switchyard_memory_mib | default(0) < 256 and switchyard_state == 'running'"},
        keyed_groups=[{"key": "switchyard_state", "prefix": "is"}],
        group_prefix="live_",
    )
    assert facts_of(listed, "pbx01")["ansible_user"] == "ops"
    assert facts_of(listed, "pbx01")["gib"] == 1.0
    assert listed["tiny"]["hosts"] == ["pbx01"]
    assert listed["is_stopped"]["hosts"] == ["pbx02"]
    assert "live_servers" in listed and "fleet_servers" not in listed


def test_filters_leave_out_states_nodes_and_strangers(inventory: Inventory) -> None:
    listed, _complaints = inventory.read(states=["running"], include_nodes=False)
    assert set(listed["_meta"]["hostvars"]) == {"pbx01"}
    listed, _complaints = inventory.read(strangers=True)
    assert facts_of(listed, "theirs")["switchyard_declared"] is False


def test_statistics_are_told_when_asked_for(inventory: Inventory) -> None:
    assert "switchyard_uptime_seconds" not in facts_of(inventory.read()[0], "pbx01")
    listed, _complaints = inventory.read(statistics=True)
    assert facts_of(listed, "pbx01")["switchyard_uptime_seconds"] > 0
    assert facts_of(listed, "pve1")["switchyard_load_1min"] >= 0


def test_credentials_come_from_the_environment(inventory: Inventory) -> None:
    listed, _complaints = inventory.read(token=None, name=None)
    assert "pbx01" not in listed["_meta"]["hostvars"]
    environment = {"SWITCHYARD_PROXMOX_TOKEN": inventory.double.token, "SWITCHYARD_FLEET": "berlin"}
    listed, complaints = inventory.list(**environment)
    assert "pbx01" in listed["_meta"]["hostvars"]
    assert complaints == ""


def test_a_directory_of_credentials_will_do(inventory: Inventory, tmp_path: Path) -> None:
    pki = tmp_path / "pki"
    pki.mkdir()
    (pki / "proxmox.token").write_text(inventory.double.token)
    listed, _complaints = inventory.read(token=None, pki_dir=str(pki))
    assert "pbx01" in listed["_meta"]["hostvars"]


def test_the_inventory_that_describes_the_fleet_may_stand_beside_it(inventory: Inventory, tmp_path: Path) -> None:
    pki = tmp_path / "pki"
    pki.mkdir()
    (pki / "proxmox.token").write_text(inventory.double.token)
    facts = {"node_address": "127.0.0.1", "node_port": inventory.node["port"], "ansible_user": "root"}
    fleet = {"fleet_name": "berlin", "fleet_engine": "proxmox", "fleet_pki_dir": str(pki)}
    network = {"fleet_networks": {"lan": {"cidr": "10.66.0.0/24"}}, "fleet_templates": {"debian": {}}}
    servers = {"pbx01": {"vs_cores": 1, "vs_memory": 128, "vs_disk": 1024, "vs_note": None}, "pbx09": {}}
    servers["pbx01"].pop("vs_note")
    servers["pbx09"] = dict(servers["pbx01"])
    hosts = {
        "nodes": {"hosts": {"pve1": {**facts, "node_fingerprint": inventory.double.fingerprint}}},
        "virtual_servers": {"hosts": servers},
    }
    (inventory.folder / "hosts.yml").write_text(
        yaml.safe_dump({"all": {"vars": {**fleet, **network}, "children": hosts}})
    )
    listed, complaints = inventory.read(**dict.fromkeys(("name", "engine", "nodes", "token")), inventory=["."])
    assert complaints == ""
    assert facts_of(listed, "pbx01")["ansible_host"] == "10.66.0.50"
    assert facts_of(listed, "pbx01")["vs_memory"] == 128
    assert facts_of(listed, "pbx02")["switchyard_declared"] is False
    # Declared, and not there: it stays what the inventory made it, and gets no address.
    assert "ansible_host" not in facts_of(listed, "pbx09")
    assert set(listed["virtual_servers"]["hosts"]) == {"pbx01", "pbx09"}


def test_what_is_cached_is_not_asked_again(inventory: Inventory, tmp_path: Path) -> None:
    caching = {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(tmp_path / "cache"),
        "cache_timeout": 3600,
    }
    first, _complaints = inventory.read(**caching)
    second, complaints = inventory.read(**caching, nodes={"pve1": {**inventory.node, "port": 1}})
    assert complaints == ""
    assert facts_of(second, "pbx01") == facts_of(first, "pbx01")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"nodes": None}, "either inventory or nodes says where the fleet is"),
        ({"inventory": ["."]}, "either inventory or nodes says where the fleet is"),
        ({"nodes": {"pve1": {"adress": "127.0.0.1"}}}, "nodes: pve1: adress: accepted: address, port"),
        ({"nodes": {"pve1": "not an address"}}, "node_address"),
        ({"engine": "vmware"}, "vmware"),
        ({"token": "nonsense"}, "does not hold user@realm!name=secret"),
        ({"token": "root@pam!double=wrong"}, "does not accept who we are"),
        ({"token": None}, "neither"),
        ({"states": ["flying"]}, "flying"),
        ({"nodes": None, "inventory": ["nowhere"]}, "has no group nodes"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_listed(inventory: Inventory, options: dict[str, Any], said: str) -> None:
    listed, complaints = inventory.read(**options)
    assert said in complaints
    assert listed["_meta"]["hostvars"] == {}


def test_a_fleet_of_which_no_node_answers_is_an_error_and_not_an_empty_fleet(inventory: Inventory) -> None:
    listed, complaints = inventory.read(nodes={"pve1": {**inventory.node, "port": 1}})
    assert "no node answers: pve1" in complaints
    assert listed["_meta"]["hostvars"] == {}


@pytest.mark.parametrize("name", ["berlin.fleet.yml", "fleet.yaml"])
def test_the_files_name_tells_it_apart(inventory: Inventory, name: str) -> None:
    inventory.read()
    (inventory.folder / "fleet.yml").rename(inventory.folder / name)
    listed, _complaints = inventory.list()
    assert "pbx01" in listed["_meta"]["hostvars"]


def test_a_file_of_that_name_that_names_another_plugin_is_left_alone(inventory: Inventory) -> None:
    (inventory.folder / "fleet.yml").write_text("all: {hosts: {other: {}}}\n")
    listed, complaints = inventory.list()
    assert complaints == ""
    assert listed["ungrouped"]["hosts"] == ["other"]
