# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of a cluster: all of it in few requests, and stale values for what they are."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Untrusted
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox import archives, maintenance, marks
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.client import Client
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.observe import observe
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Fleet,
    Interface,
    Observed,
    ObservedServer,
    Size,
    Template,
)
from cluster import client_of, fleet_of, server
from double import Double

DEBIAN = Template("debian-13-standard", version="13.1-2")


def seen(observed: Observed, name: str) -> ObservedServer:
    found = [each for each in observed.servers if each.name == name]
    assert len(found) == 1, observed.servers
    return found[0]


def ours(double: Double, vmid: int, fleet: Fleet, name: str, **more: Any) -> None:
    tags = marks.write(marks.of_server(fleet.servers[name], fleet))
    double.add_guest(vmid, hostname=name, tags=tags, memory="128", **more)


def test_nodes_tell_their_capacity_pools_templates_and_version(client: Client, double: Double) -> None:
    observed = observe(fleet_of(double), client)
    assert observed.quorate and sorted(observed.nodes) == ["pve1", "pve2", "pve3"]
    for node in observed.nodes.values():
        assert (node.reach, node.version[:3]) == ("online", "9.1")
        assert node.capacity.cores >= 1 and 0 < node.memory_used < node.capacity.memory
        assert set(node.capacity.pools) == {"local", "local-zfs", "shared"}
        assert (DEBIAN.name, DEBIAN.version) in node.templates
    assert observed.abilities.shared_pools == {"shared"}


def test_a_server_of_ours_comes_back_as_it_was_declared(client: Client, double: Double) -> None:
    pbx = server("pbx-001", Size(0.5, 128, 1024, 30), class_name="Small_PBX", tenant="Ökostrom & Co")
    fleet = fleet_of(double, pbx)
    ours(double, 100, fleet, "pbx-001", running=True)
    found = seen(observe(fleet, client), "pbx-001")
    assert (found.node, found.state, found.fleet, found.size) == ("pve1", "running", fleet.name, pbx.size)
    assert (found.class_name, found.tenant, found.interfaces) == (pbx.class_name, pbx.tenant, pbx.interfaces)
    assert (found.template, found.template_version, found.pool) == (DEBIAN.name, DEBIAN.version, pbx.pool)


def test_a_size_changed_by_hand_is_seen(client: Client, double: Double) -> None:
    fleet = fleet_of(double, server("a", Size(1, 128, 1024)))
    ours(double, 100, fleet, "a", disk="local-zfs:3", cores="2")
    assert seen(observe(fleet, client), "a").size == Size(2, 128, 3072)


def test_strangers_are_load_and_other_fleets_are_named(client: Client, double: Double) -> None:
    double.add_guest(100, "pve2", name="mail", running=True, tags="prod")
    double.add_guest(200, "pve3", kind="qemu", name="windows", memory="4096")
    other = Fleet("other", "proxmox", {}, {"a": server("a")})
    ours(double, 300, other, "a")
    observed = observe(fleet_of(double, server("a")), client, measured=True)
    assert (seen(observed, "mail").fleet, seen(observed, "mail").size) == ("", Size(1, 64, 1024))
    assert seen(observed, "mail").use is not None
    assert seen(observed, "windows").size.memory == 4096
    assert seen(observed, "a").fleet == "other"


def test_a_dead_nodes_guests_are_unknown_whatever_the_list_says(client: Client, double: Double) -> None:
    fleet = fleet_of(double, server("a"))
    ours(double, 100, fleet, "a", node="pve3", running=True)
    double.faults.kill("pve3")
    observed = observe(fleet, client)
    assert observed.quorate and observed.nodes["pve3"].reach == "offline"
    found = seen(observed, "a")
    assert (found.node, found.state, found.fleet, found.size) == ("pve3", "unknown", fleet.name, Size(1, 128, 1024))
    assert found.addresses == ("10.66.0.50",)


def test_a_guest_that_is_just_being_made_is_known_by_its_configuration(client: Client, double: Double) -> None:
    fleet = fleet_of(double, server("a"))
    double.world.staleness = 100.0
    body = {
        "vmid": 100,
        "ostemplate": f"local:vztmpl/{DEBIAN.name}_{DEBIAN.version}_amd64.tar.zst",
        "hostname": "a",
        "rootfs": "local-zfs:1",
        "tags": marks.write(marks.of_server(fleet.servers["a"], fleet)),
    }
    double.wait(client.send("POST", "/nodes/pve1/lxc", "test", body))
    found = seen(observe(fleet, client), "a")
    assert (found.fleet, found.size.disk, found.state) == (fleet.name, 1024, "stopped")
    double.wait(client.send("POST", "/nodes/pve1/lxc/100/status/start", "test"))
    # Its own node tells sooner than the list.
    double.advance(320)
    assert seen(observe(fleet, client), "a").state == "running", "although nobody has reported it yet"


def test_no_quorum_is_told_and_nobody_answering_is_no_quorum(double: Double) -> None:
    client = client_of(double)
    double.faults.lose_quorum()
    assert not observe(fleet_of(double), client).quorate
    observed = observe(fleet_of(double), client_of(double, port=1))
    assert not observed.quorate
    assert all(node.reach == "offline" and "no connection" in node.error for node in observed.nodes.values())


def test_a_declared_node_the_cluster_does_not_know_is_offline(client: Client, double: Double) -> None:
    observed = observe(fleet_of(double, extra="pve9"), client)
    assert observed.nodes["pve9"].error.startswith("the cluster has no node of this name; it has pve1, pve2")


def test_a_node_that_came_up_this_very_second_has_been_up_for_none(client: Client, double: Double) -> None:
    double.faults.kill("pve3")
    double.faults.revive("pve3")
    up = observe(fleet_of(double), client).nodes["pve3"].uptime
    assert up is not None and up < 60  # unknown, it would pass as up for long


def test_an_imposter_is_nobodys_outage(double: Double) -> None:
    with pytest.raises(Untrusted):
        observe(fleet_of(double), client_of(double, fingerprint="ab" * 32))


def test_as_many_requests_for_one_guest_as_for_fifty(client: Client, double: Double) -> None:
    fleet = fleet_of(double)

    def requests() -> int:
        before = client.calls
        observe(fleet, client)
        return client.calls - before

    double.add_guest(100)
    few = requests()
    for vmid in range(101, 150):
        double.add_guest(vmid, f"pve{vmid % 3 + 1}", running=bool(vmid % 2))
    assert requests() == few == 4 + 3 + 3 + 4


def test_a_drained_node_is_remembered_by_the_cluster_and_in_its_own_mode_as_well(
    client: Client, double: Double
) -> None:
    fleet = fleet_of(double)
    for _again in range(2):
        maintenance.switch(client, fleet.name, "pve2", on=True)
    assert [name for name, node in observe(fleet, client).nodes.items() if node.maintenance] == ["pve2"]
    for _again in range(2):
        maintenance.switch(client, fleet.name, "pve2", on=False)
    assert not any(node.maintenance for node in observe(fleet, client).nodes.values())
    double.add_guest(100)
    double.ask("POST", "/cluster/ha/resources", sid="ct:100")
    double.faults.maintenance("pve3", True)
    assert observe(fleet, client).nodes["pve3"].maintenance


@pytest.mark.parametrize("name", ["debian-13-standard_13.1-2_amd64.tar.zst", "pbx_7.tar.gz"])
def test_an_archive_is_a_template_of_a_version(name: str) -> None:
    assert archives.pair(f"local:vztmpl/{name}") is not None
    assert archives.pair("local:vztmpl/readme.txt") is None


def test_marks_are_tags_proxmox_takes_and_survive_its_ways(client: Client, double: Double) -> None:
    double.add_guest(100)
    legs = (Interface("LAN_a", "10.66.0.50"), Interface("v6", "2001:db8::1"), Interface("none"))
    words = ("F.1", "p-1", "Größe", "t+_x", "t_1", "1~2", "local-zfs")
    wanted = marks.Marks(*words, 0.25, 4096, 7, legs, others=("mine",))
    client.send("PUT", "/nodes/pve1/lxc/100/config", "test", {"tags": marks.write(wanted)})
    tags = client.get("/nodes/pve1/lxc/100/config", "test")["tags"]
    assert tags == marks.write(wanted)
    assert marks.read(tags) == wanted and marks.read(tags).others == ("mine",)


def test_spoiled_marks_are_no_marks() -> None:
    assert marks.read("sy+size+x+-3+;sy+net0+lan;sy+fleet;sy+template+only") == marks.Marks(template="only")
