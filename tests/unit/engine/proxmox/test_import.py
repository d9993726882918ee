# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster somebody else built: written down, made ours, and then there is nothing to do."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.switchyard.fleet.plugins.module_utils.adoption import adopt
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Refused
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox import marks
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.importing.existing import Card
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Interface, Size
from cluster import PBX, engine_of, guest, server
from double import Double

ROOT = Path(__file__).parents[4]
OLD = server("pbx-001", Size(2, 512, 1024))
"""What add() adds, as an inventory declares it."""


def add(double: Double, vmid: int, name: str, node: str = "pve1", ip: str = "10.66.0.50/24", **more: Any) -> None:
    card = f"name=eth0,bridge=vmbr0,gw=10.66.0.254,hwaddr=BC:24:11:00:00:{vmid % 100:02X},ip={ip},type=veth"
    standard = {"hostname": name, "memory": "512", "cores": "2", "net0": card, "ostype": "debian"}
    double.add_guest(vmid, node, **{**standard, **more})


def add_machine(double: Double, vmid: int, name: str, node: str = "pve1", ip: str = "dhcp", **more: Any) -> None:
    standard = {
        "name": name,
        "memory": "2048",
        "cores": "2",
        "net0": f"virtio=BC:24:11:00:01:{vmid % 100:02X},bridge=vmbr0,firewall=1",
        "ipconfig0": f"ip={ip}",
    }
    double.add_guest(vmid, node, "qemu", **{**standard, **more})


def cluster_of_somebody_elses(double: Double) -> None:
    """Containers and VMs, some of which cannot be servers."""
    add(double, 101, "pbx1", "pve1", "10.66.0.101/24", running=True, tags="gold;tenant-acme")
    add(double, 102, "pbx2", "pve2", "10.66.0.102/24", running=True, tags="gold;tenant-acme")
    add(double, 103, "pbx3", "pve3", "10.66.0.103/24", tags="gold;tenant-acme")
    add_machine(double, 201, "db1", "pve2", "10.66.0.201/24,gw=10.66.0.254", running=True)
    add_machine(double, 202, "db2", "pve3")
    add(double, 301, "mail", "pve1", running=True)


def configurations(double: Double) -> dict[int, dict[str, str]]:
    return {vmid: copy.deepcopy(each.config) for vmid, each in double.world.cluster.guests.items()}


# ---------------------------------------------------------------- what the engine tells, and does


def test_a_guest_is_told_in_detail(double: Double) -> None:
    add(double, 101, "pbx", tags="gold", nameserver="10.66.0.253 9.9.9.9", startup="order=7,up=3", cpulimit="1.5")
    add_machine(
        double, 201, "vm", ip="10.66.0.7/24,ip6=auto", net1="e1000=BC:24:11:00:02:01,bridge=vmbr1,tag=5,mtu=1400"
    )
    found = {each.name: each for each in engine_of(double).describe().guests}
    pbx, machine = found["pbx"], found["vm"]
    assert (pbx.kind, pbx.size, pbx.pool, pbx.tags) == ("container", Size(1.5, 512, 1024), "local-zfs", ("gold",))
    assert (pbx.dns, pbx.start_order, pbx.system) == (("10.66.0.253", "9.9.9.9"), 7, "debian")
    assert pbx.cards == (Card("net0", "vmbr0", addresses=("10.66.0.50/24",), gateways=("10.66.0.254",)),)
    assert machine.cards[0] == Card("net0", "vmbr0", addresses=("10.66.0.7/24",), dynamic=True)
    assert machine.cards[1] == Card("net1", "vmbr1", vlan=5, mtu=1400)
    assert (machine.kind, machine.size) == ("vm", Size(2, 2048, 1024))


def test_nodes_are_told_with_address_and_fingerprint(double: Double) -> None:
    double.faults.kill("pve3")
    double.advance(10)
    nodes = engine_of(double).describe().nodes
    assert {name: node.address for name, node in nodes.items()} == {f"pve{n}": f"10.66.0.{n}" for n in (1, 2, 3)}
    assert nodes["pve2"].fingerprint == double.fingerprint
    assert nodes["pve3"].error and not nodes["pve1"].error


def test_adoption_writes_marks_and_nothing_else(double: Double) -> None:
    add(double, 101, OLD.name, running=True, tags="gold", description="by hand")
    before = configurations(double)[101]
    engine = engine_of(double, OLD)
    changes = engine.adopt(OLD, "pve1", check=True)
    assert configurations(double)[101] == before, "nothing is written to look"
    assert engine.adopt(OLD, "pve1") == changes
    after = configurations(double)[101]
    assert {key for key in after if after[key] != before.get(key)} == {"tags"}
    assert (marks.read(after["tags"]).others, marks.read(after["tags"]).fleet) == (("gold",), "contract")
    assert engine.adopt(OLD, "pve1") == {}


def test_an_adopted_guest_keeps_its_hardware_address_when_its_network_changes(double: Double) -> None:
    add(double, 101, OLD.name)
    engine = engine_of(double, OLD)
    engine.adopt(OLD, "pve1")
    engine.configure(replace(OLD, interfaces=(Interface("lan", "10.66.0.77"),)), "pve1")
    card = guest(double, OLD.name).config["net0"]
    assert "ip=10.66.0.77/24" in card and "hwaddr=BC:24:11:00:00:01" in card


def test_nobodys_answer_to_an_adoption_is_found_out(double: Double) -> None:
    add(double, 101, OLD.name)
    double.faults.add("lose-answer", "PUT /nodes/*/lxc/*/config")
    engine_of(double, OLD).adopt(OLD, "pve1")
    assert marks.read(guest(double, OLD.name).config["tags"]).fleet == "contract"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"tags": "sy+fleet+other"}, "belongs to fleet other"),
        ({"lock": "backup"}, r"locked \(backup\)"),
        ({"template": "1"}, "it is a template"),
    ],
)
def test_who_cannot_be_adopted_is_refused_and_stays_as_it_is(double: Double, more: dict[str, str], words: str) -> None:
    add(double, 101, OLD.name, **more)
    before = configurations(double)
    with pytest.raises(Refused, match=words):
        engine_of(double, OLD).adopt(OLD, "pve1")
    assert configurations(double) == before


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (replace(OLD, interfaces=(Interface("lan", "10.66.0.51"),)), "net0 has 10.66.0.50, and 10.66.0.51 is declared"),
        (replace(OLD, interfaces=()), "1 network cards, and 0 are declared"),
        (replace(OLD, name="nobody"), "no guest has its name"),
    ],
)
def test_marks_never_say_what_is_not_so(double: Double, declared: Any, words: str) -> None:
    add(double, 101, OLD.name)
    before = configurations(double)
    engine = engine_of(double, declared)
    assert words in adopt(engine.fleet, engine, [declared.name], check=False).refused[declared.name]
    assert configurations(double) == before


def test_a_name_that_is_there_twice_is_not_adopted(double: Double) -> None:
    add(double, 101, PBX.name)
    add(double, 102, PBX.name, "pve2")
    engine = engine_of(double, PBX)
    assert "it is there 2 times" in adopt(engine.fleet, engine, [PBX.name], check=False).refused[PBX.name]
    with pytest.raises(Refused, match="several guests have that name: 101 on pve1, 102 on pve2"):
        engine.adopt(PBX, "pve1")


# ---------------------------------------------------------------- the whole way, by playbook


def play(name: str, inventory: Path, *flags: str, works: bool = True, **extra: Any) -> str:
    command = [sys.executable, "-m", "ansible.cli.playbook", "-i", str(inventory), f"switchyard.fleet.{name}", *flags]
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        [*command, "-e", json.dumps(extra)], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode == 0) == works, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def first(double: Double, tmp_path: Path) -> Path:
    """What somebody writes who has nothing yet: the nodes, and how to get at them."""
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "proxmox.token").write_text(double.token)
    nodes = {
        node: {"node_address": "127.0.0.1", "node_port": port}
        for node, port in zip(double.endpoints, double.ports, strict=True)
    }
    fleet = {"fleet_name": "berlin", "fleet_engine": "proxmox", "fleet_pki_dir": str(tmp_path / "pki")}
    fingerprint = {"node_fingerprint": double.fingerprint.replace(":", "").lower()}
    path = tmp_path / "first.yml"
    path.write_text(yaml.safe_dump({"nodes": {"hosts": nodes, "vars": {**fleet, **fingerprint}}}))
    return path


def test_from_a_cluster_of_somebody_elses_to_a_plan_with_nothing_to_do(
    double: Double, first: Path, tmp_path: Path
) -> None:
    cluster_of_somebody_elses(double)
    before, home, wanted = configurations(double), tmp_path / "berlin", {"import_servers": ["pbx*", "db*"]}
    shown = play("import", first, "--check", "--diff", import_directory=str(home), **wanted)
    assert "+    pbx1: {vs_class: pbx, vs_address: 10.66.0.101, vs_tenant: acme}" in shown and not home.exists()

    told = play("import", first, import_directory=str(home), **wanted)
    assert "db2 (qemu/202 on pve3): net0 gets its address by DHCP; give it a fixed" in told
    assert configurations(double) == before, "an import changes nothing on the platform"
    assert set(declared(home)) == {"pbx1", "pbx2", "pbx3", "db1"}

    planned = play("plan", home, works=False)
    assert "pbx1" in planned, "as long as they are nobody's, servers of these names cannot be made"

    shown = play("import", home, "--check", "--diff", import_adopt=True)
    assert "sy+fleet+berlin" in shown and configurations(double) == before
    play("import", home, import_adopt=True, import_servers="pbx1")
    assert marks_of(double) == {101: "berlin"}
    play("import", home, import_adopt=True)
    assert marks_of(double) == dict.fromkeys((101, 102, 103, 201), "berlin")
    after = configurations(double)
    assert {vmid: {**each, "tags": ""} for vmid, each in after.items()} == {
        vmid: {**each, "tags": ""} for vmid, each in before.items()
    }

    double.advance(20)
    play("plan", home, plan_save=str(tmp_path / "plan.json"))
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert plan["steps"] == [] and not plan["refusals"]


def test_files_of_somebody_are_not_overwritten_unless_forced(double: Double, first: Path, tmp_path: Path) -> None:
    add(double, 101, "pbx1")
    home = tmp_path / "berlin"
    play("import", first, import_directory=str(home))
    assert "changed=0" in play("import", first, import_directory=str(home)), "the same site is the same text"
    (home / "hosts.yml").write_text("mine")
    (home / "group_vars" / "all.yml").unlink()
    told = play("import", first, import_directory=str(home), works=False)
    assert "hosts.yml: there already" in told and not (home / "group_vars" / "all.yml").exists()
    assert (home / "hosts.yml").read_text() == "mine"
    play("import", first, import_directory=str(home), import_force=True)
    assert set(declared(home)) == {"pbx1"}


def declared(home: Path) -> Mapping[str, Any]:
    hosts: Mapping[str, Any] = yaml.safe_load((home / "hosts.yml").read_text())["virtual_servers"]["hosts"]
    return hosts


def marks_of(double: Double) -> dict[int, str]:
    read = {vmid: marks.read(each.config.get("tags", "")) for vmid, each in double.world.cluster.guests.items()}
    return {vmid: each.fleet for vmid, each in read.items() if each.fleet}
