# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs: made of templates, told their addresses by cloud-init, and changed as containers are."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import unquote

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError, Refused, Unreachable
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.hardware_address import hardware_address
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox import marks
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.client import Missing
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.engine import ProxmoxEngine
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Failover,
    Interface,
    Replication,
    Server,
    Size,
    Template,
)
from clones import CONTAINER, CT, MACHINE, VM, add_template, engine_of, made, server
from cluster import guest, silent
from double import Double

KEYS = ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE+x/y= ops@example.net", "ssh-rsa AAAAB3NzaC1yc2E= two")


def test_a_vm_is_a_clone_with_its_own_name_addresses_size_and_marks(double: Double) -> None:
    add_template(double, MACHINE)
    engine = engine_of(double, VM, ssh_keys=KEYS)
    engine.create(VM, "pve1", silent)
    here = guest(double, VM.name)
    mac = hardware_address("contract", VM.name, 0).upper()
    assert (here.kind, here.node, here.running, here.lock) == ("qemu", "pve1", False, "")
    assert here.config["net0"] == f"virtio={mac},bridge=vmbr0,firewall=1", "what a template's card has besides stays"
    assert here.config["ipconfig0"] == "ip=10.66.0.60/24,gw=10.66.0.254"
    assert here.config["nameserver"] == "10.66.0.254"
    assert unquote(here.config["sshkeys"]).splitlines() == list(KEYS)
    assert here.config["ciuser"] == "root" and here.config["ciupgrade"] == "0"
    assert here.config["ide2"] == "local-zfs:vm-100-cloudinit,media=cdrom"
    assert (here.config["cores"], here.config["cpulimit"], here.config["memory"]) == ("2", "1.5", "512")
    assert "size=4G" in here.config["scsi0"] and here.config["onboot"] == "1"
    assert "description" not in here.config, "our note is gone"
    found = next(each for each in engine.observe().servers if each.name == VM.name)
    double.advance(30)
    found = next(each for each in engine.observe().servers if each.name == VM.name)
    assert (found.fleet, found.state, found.size, found.pool) == ("contract", "stopped", VM.size, "local-zfs")
    assert (found.interfaces, found.template, found.template_version) == (VM.interfaces, "debian", "13.1")


def test_each_change_may_be_asked_for_twice(double: Double) -> None:
    engine = made(double, VM)
    here = guest(double, VM.name)
    before = dict(here.config)
    for _again in range(2):
        engine.create(VM, "pve1", silent)
        engine.configure(VM, "pve1")
        engine.resize(VM, "pve1")
        assert here.config == before
    for _again in range(2):
        engine.start(VM.name, "pve1")
        assert here.running
    engine.create(VM, "pve1", silent)
    assert not engine.configure(VM, "pve1")
    assert not engine.resize(VM, "pve1")
    assert (here.config, here.pending) == (before, {})
    engine.restart(VM.name, "pve1")
    for _again in range(2):
        engine.stop(VM.name, "pve1")
        assert not here.running
    for _again in range(2):
        engine.delete(VM.name, "pve1")
    assert [each.template for each in double.world.cluster.guests.values()] == [True], "only the template is left"
    assert {each.vmid for each in double.world.cluster.volumes.values() if each.content == "images"} == {9000}


def test_a_template_with_its_own_drive_user_and_sockets_keeps_what_is_its_own(double: Double) -> None:
    template = add_template(double, MACHINE, sockets="2", balloon="256", ciuser="admin", ide2="none,media=cdrom")
    double.ask("PUT", f"/nodes/pve1/qemu/{template}/config", scsi1="local-zfs:cloudinit")
    engine = engine_of(double, VM)
    engine.create(VM, "pve1", silent)
    here = guest(double, VM.name)
    assert "sockets" not in here.config and "balloon" not in here.config, "cores are cores, memory is memory"
    assert here.config["ciuser"] == "admin" and here.config["ide2"] == "none,media=cdrom"
    assert [key for key, value in here.config.items() if "cloudinit" in value] == ["scsi1"]
    before = dict(here.config)
    engine.configure(VM, "pve1")
    engine.resize(VM, "pve1")
    assert here.config == before


@pytest.mark.parametrize(
    ("pool", "clone", "linked"),
    [("local-zfs", "", False), ("local-zfs", "linked", True), ("shared", "", True), ("shared", "full", False)],
)
def test_a_disk_is_shared_where_the_server_can_still_move(double: Double, pool: str, clone: str, linked: bool) -> None:
    add_template(double, MACHINE, disk=f"{pool}:2")
    wanted = replace(VM, pool=pool)
    engine_of(double, wanted, debian=replace(MACHINE, clone=clone)).create(wanted, "pve1", silent)
    assert ("base-9000" in guest(double, VM.name).config["scsi0"]) == linked
    assert guest(double, VM.name).config["scsi0"].startswith(f"{pool}:")


def test_a_clone_on_another_storage_is_whole_and_cannot_be_otherwise(double: Double) -> None:
    add_template(double, MACHINE, disk="shared:2")
    engine_of(double, VM).create(VM, "pve1", silent)
    assert guest(double, VM.name).config["scsi0"].startswith("local-zfs:vm-")
    other = server("vm-002", MACHINE)
    with pytest.raises(Refused, match=r"a linked clone is on its template's storage \(shared\), not on local-zfs"):
        engine_of(double, other, debian=replace(MACHINE, clone="linked")).create(other, "pve1", silent)


def test_a_template_on_shared_storage_serves_every_node(double: Double) -> None:
    add_template(double, MACHINE, disk="shared:2")
    wanted = replace(VM, pool="shared")
    engine = engine_of(double, wanted)
    double.advance(30)
    seen = engine.observe().nodes
    assert all((MACHINE.name, MACHINE.version) in each.templates for each in seen.values())
    engine.create(wanted, "pve3", silent)
    assert guest(double, VM.name).node == "pve3"
    assert not [each for each in double.world.tasks.all.values() if each.type == "qmigrate"]


def test_one_of_a_shared_template_on_a_nodes_own_storage_is_brought_there(double: Double) -> None:
    add_template(double, MACHINE, disk="shared:2")
    engine_of(double, VM).create(VM, "pve3", silent)
    here = guest(double, VM.name)
    assert (here.node, here.config["scsi0"].partition(":")[0]) == ("pve3", "local-zfs")
    assert marks.read(here.config["tags"]).fleet == "contract"


def test_a_template_is_copied_to_another_node_and_found_there(double: Double) -> None:
    add_template(double, MACHINE)
    engine = engine_of(double, VM)
    with pytest.raises(Missing, match=r"no VM template debian-13.1 on this node.*convert it to a template named"):
        engine.create(VM, "pve2", silent)
    for _again in range(2):
        engine.provide_template(MACHINE, "pve2", "pve1", silent)
    double.advance(30)
    copies = [each for each in double.world.cluster.guests.values() if each.template]
    assert [(each.node, each.name) for each in copies] == [("pve1", "debian-13.1"), ("pve2", "debian-13.1")]
    assert "description" not in copies[1].config
    engine = engine_of(double, VM)
    seen = engine.observe().nodes
    assert [(MACHINE.name, MACHINE.version) in seen[node].templates for node in ("pve1", "pve2", "pve3")] == [
        True,
        True,
        False,
    ]
    engine.create(VM, "pve2", silent)
    assert guest(double, VM.name).node == "pve2"
    with pytest.raises(Missing):
        engine.provide_template(replace(MACHINE, version="14"), "pve2", "pve1", silent)


@pytest.mark.parametrize("template", [MACHINE, CONTAINER], ids=["vm", "ct"])
@pytest.mark.parametrize("step", ["clone", "migrate", "config", "template"])
def test_a_template_whose_copying_was_cut_off_is_gone_on_with(double: Double, template: Template, step: str) -> None:
    add_template(double, template)
    method = "PUT" if step == "config" else "POST"
    double.faults.add("lose-request", f"{method} /nodes/*/*/*/{step}")
    with pytest.raises(Unreachable):
        engine_of(double).provide_template(template, "pve2", "pve1", silent)
    engine_of(double).provide_template(template, "pve2", "pve1", silent)
    copies = {each.node: each for each in double.world.cluster.guests.values()}
    assert sorted(copies) == ["pve1", "pve2"] and all(each.template for each in copies.values())
    assert copies["pve2"].name == copies["pve1"].name and "description" not in copies["pve2"].config


def test_a_template_may_be_known_by_its_tag(double: Double) -> None:
    add_template(double, MACHINE, name="some-name", tags="sy+template+debian+13.1")
    engine_of(double, VM).create(VM, "pve1", silent)
    assert marks.read(guest(double, VM.name).config["tags"]).others == ()


@pytest.mark.parametrize("wanted", [VM, CT], ids=["vm", "ct"])
def test_a_server_is_not_protected_because_its_template_is(double: Double, wanted: Server) -> None:
    engine = made(double, wanted, protection="1", onboot="1")
    assert "protection" not in guest(double, wanted.name).config
    engine.delete(wanted.name, "pve1")


def test_a_template_bigger_than_the_server_is_refused_before_anything_is_made(double: Double) -> None:
    add_template(double, MACHINE, disk="local-zfs:8")
    with pytest.raises(Refused, match=r"the disk of debian-13.1 has 8192 MiB, vm-001 is to have 4096 MiB"):
        engine_of(double, VM).create(VM, "pve1", silent)
    assert len(double.world.cluster.guests) == 1


def test_many_vms_and_containers_of_one_template_each_have_a_number_of_their_own(double: Double) -> None:
    add_template(double, MACHINE)
    add_template(double, replace(MACHINE, name="golden", version="7", kind="container"))
    servers = [server(f"vm-{number}", MACHINE) for number in range(6)]
    servers += [replace(CT, name=f"ct-{number}") for number in range(6)]
    engines = [engine_of(double, *servers), engine_of(double, *servers)]

    def create(number: int) -> None:
        engines[number % 2].create(servers[number], "pve1", silent)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(create, range(12)))
    mine = [each for each in double.world.cluster.guests.values() if not each.template]
    assert {each.name for each in mine} == {each.name for each in servers} and len(mine) == 12
    assert all(marks.read(each.config["tags"]).fleet == "contract" and not each.lock for each in mine)


@pytest.mark.parametrize("wanted", [VM, CT], ids=["vm", "ct"])
@pytest.mark.parametrize("fault", ["race", "lose-answer", "half"])
def test_a_clone_somebody_was_quicker_with_or_nobody_saw_the_end_of(double: Double, wanted: Server, fault: str) -> None:
    more = {"status": 504, "text": "got timeout from proxy"} if fault == "half" else {}
    double.faults.add(fault, "POST /nodes/*/*/*/clone", **more)
    made(double, wanted)
    here = guest(double, wanted.name)
    assert marks.read(here.config["tags"]).fleet == "contract" and not here.lock
    assert sum(each.name == here.name for each in double.world.cluster.guests.values()) == 1


@pytest.mark.parametrize("wanted", [VM, CT], ids=["vm", "ct"])
def test_a_clone_that_was_begun_is_seen_as_ours_not_started_unfinished_and_gone_on_with(
    double: Double, wanted: Server
) -> None:
    add_template(double, MACHINE if wanted is VM else engine_of(double).fleet.templates["golden"])
    double.faults.add("lose-request", "PUT /nodes/*/*/*/config")
    engine = engine_of(double, wanted)
    with pytest.raises(Unreachable):
        engine.create(wanted, "pve1", silent)
    here = guest(double, wanted.name)
    assert "is not finished" in here.config["description"]
    double.advance(30)
    again = engine_of(double, wanted)
    found = next(each for each in again.observe().servers if each.name == here.name)
    assert (found.fleet, found.state) == ("contract", "stopped")
    again.create(wanted, "pve1", silent)
    assert "description" not in here.config and marks.read(here.config["tags"]).fleet == "contract"
    assert sum(each.name == here.name for each in double.world.cluster.guests.values()) == 1


def test_what_is_not_finished_is_finished_by_its_start_or_deleted(double: Double) -> None:
    add_template(double, MACHINE)
    for finish in (True, False):
        double.faults.add("lose-request", "PUT /nodes/*/*/*/config")
        with pytest.raises(Unreachable):
            engine_of(double, VM).create(VM, "pve1", silent)
        engine = engine_of(double, VM)
        if finish:
            engine.start(VM.name, "pve1")
            here = guest(double, VM.name)
            assert here.running and "ipconfig0" in here.config
            engine.stop(VM.name, "pve1")
        engine.delete(VM.name, "pve1")
        assert all(each.template for each in double.world.cluster.guests.values())
    double.faults.add("lose-request", "PUT /nodes/*/*/*/config")
    with pytest.raises(Unreachable):
        engine_of(double, VM).create(VM, "pve1", silent)
    with pytest.raises(Refused, match=r"the guest vm-001 \(100\) is not finished \(delete it"):
        engine_of(double).start(VM.name, "pve1")


def test_one_begun_on_another_node_is_brought_along(double: Double) -> None:
    add_template(double, MACHINE, disk="shared:2")
    double.faults.add("lose-request", "POST /nodes/*/qemu/*/migrate")
    with pytest.raises(Unreachable):
        engine_of(double, VM).create(VM, "pve3", silent)
    assert guest(double, VM.name).node == "pve1"
    told: list[str] = []
    engine_of(double, VM).create(VM, "pve3", told.append)
    here = guest(double, VM.name)
    assert here.node == "pve3" and "description" not in here.config
    assert "going on with what was begun on pve1" in told


@pytest.mark.parametrize("wanted", [VM, CT], ids=["vm", "ct"])
def test_half_a_clone_is_not_started_and_the_way_out_is_told(double: Double, wanted: Server) -> None:
    kind, tool = ("qmclone", "qm") if wanted is VM else ("vzclone", "pct")
    double.faults.add("kill-task", kind)
    with pytest.raises(EngineError) as caught:
        made(double, wanted)
    if wanted is CT:
        assert "the creation of 100 was cut off half way" in str(caught.value)
        assert f"{tool} unlock 100" in str(caught.value)
    assert not any(each.running for each in double.world.cluster.guests.values())


def test_a_lock_that_is_held_is_waited_for_and_one_that_was_left_is_not(double: Double) -> None:
    engine = made(double, CT)
    template = double.world.cluster.guests[9000]
    template.config["lock"] = "disk"
    other = replace(CT, name="ct-002")
    with pytest.raises(Refused, match=r"CT is locked \(disk\)"):
        engine.create(other, "pve1", silent)
    del template.config["lock"]
    double.faults.add("refuse", "POST /nodes/*/lxc/*/clone", times=2, text="CT is locked (disk)")
    double.faults.add("refuse", "PUT /nodes/*/lxc/*/config", text="can't lock file '/run/lock/x' - got timeout")
    engine.create(other, "pve1", silent)
    assert not guest(double, "ct-002").lock


def test_the_network_of_one_that_runs_waits_for_its_next_start(double: Double) -> None:
    engine = made(double, VM)
    engine.start(VM.name, "pve1")
    here = guest(double, VM.name)
    other = replace(VM, tenant="umbrella", interfaces=(Interface("lan", "10.66.0.77"),))
    assert engine.configure(other, "pve1") == ("network",)
    said = marks.read(here.config["tags"])
    assert (said.tenant, said.interfaces) == ("umbrella", VM.interfaces)
    assert "10.66.0.77" not in here.config["ipconfig0"] and not here.pending
    engine.restart(VM.name, "pve1")
    assert here.running and "10.66.0.77" in here.config["ipconfig0"]
    assert marks.read(here.config["tags"]).interfaces == other.interfaces
    engine.stop(VM.name, "pve1")
    engine.configure(replace(other, interfaces=()), "pve1")
    assert not {"net0", "ipconfig0", "nameserver"} & set(here.config)


def test_cores_and_memory_of_one_that_runs_wait_and_that_is_told(double: Double) -> None:
    engine = made(double, VM)
    engine.start(VM.name, "pve1")
    here = guest(double, VM.name)
    bigger = replace(VM, size=Size(2, 1024, 5120, 60))
    assert engine.resize(bigger, "pve1") == ("cpulimit", "memory")
    assert "size=5G" in here.config["scsi0"], "a disk grows at once"
    assert marks.read(here.config["tags"]).disk == 5120
    assert not engine.resize(bigger, "pve1"), "asked for again, nothing differs"
    engine.restart(VM.name, "pve1")
    assert (here.config["cores"], here.config["memory"]) == ("2", "1024") and "cpulimit" not in here.config
    with pytest.raises(Refused, match="its disk has 5120 MiB, a smaller one"):
        engine.resize(VM, "pve1")


@pytest.mark.parametrize(
    ("more", "onboot"),
    [
        ({}, True),
        ({"state": "stopped"}, False),
        ({"replication": Replication("interval", 60)}, False),
        ({"failover": Failover("auto")}, False),
    ],
)
@pytest.mark.parametrize("wanted", [VM, CT], ids=["vm", "ct"])
def test_who_has_a_replica_or_is_started_elsewhere_does_not_start_by_itself(
    double: Double, wanted: Server, more: dict[str, object], onboot: bool
) -> None:
    made(double, replace(wanted, **more))
    assert ("onboot" in guest(double, wanted.name).config) == onboot


def test_a_change_somebody_made_in_between_is_not_lost(double: Double) -> None:
    engine = made(double, VM)
    double.faults.add("race", "PUT /nodes/*/qemu/*/config")
    engine.configure(replace(VM, tenant="umbrella"), "pve1")
    here = guest(double, VM.name)
    assert here.config["description"] == "changed by somebody else"
    assert marks.read(here.config["tags"]).tenant == "umbrella"


def test_one_that_does_not_listen_is_cut_off_and_one_that_runs_is_not_deleted(double: Double) -> None:
    engine = made(double, VM)
    engine.start(VM.name, "pve1")
    here = guest(double, VM.name)
    with pytest.raises(Refused, match=r"VM 100 is running - destroy failed \(stop it first\)"):
        engine.delete(VM.name, "pve1")
    here.deaf = True
    engine.stop(VM.name, "pve1")
    assert not here.running


def test_a_server_on_a_node_long_dead_is_known_by_its_mark_and_nobody_waits_for_the_node(double: Double) -> None:
    add_template(double, MACHINE)
    lost = replace(CT, name="pbx-lost")
    add_template(double, replace(MACHINE, name="golden", version="7", kind="container"), "pve2")
    engine_of(double, lost).create(lost, "pve2", silent)
    double.add_guest(777, "pve2", name="stranger")
    double.faults.kill("pve2")
    double.advance(330)
    rows = {row["vmid"]: row for row in double.ask("GET", "/cluster/resources", via="pve1", type="vm").data}
    assert "name" not in rows[777] and rows[777]["status"] == "unknown"
    engine = engine_of(double, VM, lost)
    found = next(each for each in engine.observe().servers if each.name == lost.name)
    assert (found.node, found.state, found.size) == ("pve2", "unknown", lost.size)
    engine.create(VM, "pve1", silent)
    assert guest(double, VM.name).node == "pve1"
    with pytest.raises(Unreachable):
        engine.create(lost, "pve1", silent)
    assert guest(double, lost.name).node == "pve2", "there is one of it"


CHANGES: dict[str, Callable[[ProxmoxEngine], object]] = {
    "create": lambda engine: engine.create(VM, "pve1", silent),
    "configure": lambda engine: engine.configure(VM, "pve1"),
    "resize": lambda engine: engine.resize(VM, "pve1"),
    "start": lambda engine: engine.start(VM.name, "pve1"),
    "stop": lambda engine: engine.stop(VM.name, "pve1"),
    "restart": lambda engine: engine.restart(VM.name, "pve1"),
    "delete": lambda engine: engine.delete(VM.name, "pve1"),
    "move": lambda engine: engine.move(VM, "pve1", "pve2", "live", silent),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("tags", ["", "sy+fleet+other"])
def test_a_vm_that_is_not_ours_is_refused_and_stays_as_it_is(double: Double, change: str, tags: str) -> None:
    double.add_guest(100, kind="qemu", name=VM.name, tags=tags, running=True)
    before = dict(guest(double, VM.name).config)
    with pytest.raises(Refused, match=r"vm-001 \(100\) on this node (belongs to fleet other|does not bear the mark)"):
        CHANGES[change](engine_of(double, VM))
    here = guest(double, VM.name)
    assert (here.config, here.running, here.node) == (before, True, "pve1")


def test_a_template_that_bears_a_servers_name_and_our_mark_is_no_server(double: Double) -> None:
    add_template(double, MACHINE, name=VM.name, tags="sy+fleet+contract")
    with pytest.raises(Refused):
        engine_of(double, VM).start(VM.name, "pve1")
