# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A declared server as an Incus instance, and an Incus instance as what is observed."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.hardware_address import hardware_address
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import guest, recognise
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Fleet,
    Interface,
    Network,
    Node,
    Server,
    Size,
    Template,
)

NODE = Node("node1", "192.0.2.1", bridge="vmbr7")
LAN = Network("lan", "10.0.0.0/24", gateway="10.0.0.1", dns=("10.0.0.2", "10.0.0.3"))
VOICE = Network("voice", "10.1.0.0/16", gateway="10.1.0.1", bridge="vmbr1", vlan=7, mtu=1400, dns=("10.0.0.2",))
SIX = Network("six", "2001:db8::/64", gateway="2001:db8::1")
SERVER = Server(
    "pbx-01",
    Size(2, 512, 2048, io=30),
    "debian",
    class_name="small",
    tenant="acme",
    interfaces=(Interface("lan", "10.0.0.10"), Interface("voice", "10.1.0.10"), Interface("six", "2001:db8::10")),
)
FLEET = Fleet(
    "prod",
    "incus",
    {"node1": NODE},
    {"pbx-01": SERVER},
    templates={"debian": Template("debian", version="12.3"), "router": Template("router", kind="vm")},
    networks={"lan": LAN, "voice": VOICE, "six": SIX},
    ssh_keys=("ssh-ed25519 AAAA one", "ssh-ed25519 BBBB two"),
)


def running(body: dict[str, Any], status: str = "Stopped") -> dict[str, Any]:
    """What Incus tells of an instance made from that request."""
    told = {key: deepcopy(body[key]) for key in ("name", "type", "config", "devices", "profiles")}
    return told | {
        "status": status,
        "project": "default",
        "architecture": "x86_64",
        "description": "",
        "ephemeral": False,
        "stateful": False,
        "expanded_config": told["config"],
        "expanded_devices": told["devices"],
    }


def made(server: Server = SERVER, fleet: Fleet = FLEET) -> dict[str, Any]:
    return running(guest.instance(server, NODE, fleet))


def test_a_server_is_ours_from_its_first_moment() -> None:
    config = guest.instance(SERVER, NODE, FLEET)["config"]
    marks = {key.removeprefix("user.switchyard."): value for key, value in config.items() if "switchyard" in key}
    assert marks["fleet"] == "prod"
    assert marks["server"] == "pbx-01"
    assert (marks["role"], marks["generation"]) == ("primary", "1")
    assert (marks["template"], marks["template_version"]) == ("debian", "12.3")
    assert (marks["class"], marks["tenant"], marks["io"]) == ("small", "acme", "30")
    assert json.loads(marks["interfaces_spec"])[0] == ["lan", "10.0.0.10"]


def test_no_profile_adds_anything_behind_our_back() -> None:
    body = guest.instance(SERVER, NODE, FLEET)
    assert body["profiles"] == []
    assert body["devices"]["root"] == {"type": "disk", "path": "/", "pool": "default", "size": "2048MiB"}
    assert body["source"] == {"type": "image", "alias": "switchyard/debian/12.3"}


def test_cards_go_to_the_networks_bridge_or_the_nodes_own() -> None:
    devices = guest.instance(SERVER, NODE, FLEET)["devices"]
    own = [devices[card].pop("hwaddr") for card in ("eth0", "eth1")]
    assert devices["eth0"] == {"type": "nic", "nictype": "bridged", "parent": "vmbr7", "name": "eth0"}
    assert devices["eth1"] == devices["eth0"] | {"parent": "vmbr1", "vlan": "7", "mtu": "1400", "name": "eth1"}
    assert len(set(own)) == 2


def test_a_server_made_anew_has_the_hardware_address_its_neighbours_remember() -> None:
    first = hardware_address("fleet", "pbx-1", 0)
    assert first == hardware_address("fleet", "pbx-1", 0)
    assert int(first[:2], 16) & 0b11 == 0b10, "locally administered, and no multicast"
    others = {hardware_address(*other) for other in (("b", "pbx-1", 0), ("fleet", "pbx-2", 0), ("fleet", "pbx-1", 1))}
    assert len(others | {first}) == 4


def test_the_network_text_has_one_default_route_per_family() -> None:
    assert guest.interfaces_file(SERVER, FLEET) == (
        "auto lo\niface lo inet loopback\n\n"
        "auto eth0\niface eth0 inet static\n    address 10.0.0.10\n    netmask 24\n    gateway 10.0.0.1\n\n"
        "auto eth1\niface eth1 inet static\n    address 10.1.0.10\n    netmask 16\n    mtu 1400\n\n"
        "auto eth2\niface eth2 inet6 static\n    address 2001:db8::10\n    netmask 64\n    gateway 2001:db8::1\n"
    )


def test_a_name_server_of_two_networks_is_written_once() -> None:
    assert guest.resolv_file(SERVER, FLEET) == "nameserver 10.0.0.2\nnameserver 10.0.0.3\n"


def test_every_key_lets_its_owner_in() -> None:
    keys = guest.instance(SERVER, NODE, FLEET)["config"]["user.switchyard.ssh_keys"]
    assert keys == "ssh-ed25519 AAAA one\nssh-ed25519 BBBB two\n"


def test_a_vm_template_makes_a_virtual_machine() -> None:
    assert guest.instance(replace(SERVER, template="router"), NODE, FLEET)["type"] == "virtual-machine"
    assert guest.instance(SERVER, NODE, FLEET)["type"] == "container"


def test_earlier_start_orders_have_the_higher_priority() -> None:
    first, last = (guest.settings(replace(SERVER, start_order=order), FLEET) for order in (10, 90))
    assert int(first["boot.autostart.priority"]) > int(last["boot.autostart.priority"])


def test_what_was_created_is_recognised_as_what_was_declared() -> None:
    found = recognise.guest(made(), "node1", FLEET, 16384)
    assert found.size == SERVER.size
    assert found.interfaces == SERVER.interfaces
    assert found.addresses == ("10.0.0.10", "10.1.0.10", "2001:db8::10")
    assert (found.fleet, found.class_name, found.tenant, found.pool) == ("prod", "small", "acme", "default")


@pytest.mark.parametrize("cores", [0.25, 0.5, 0.333, 1, 1.125, 1.5, 3, 7.99, 16])
def test_any_declared_number_of_cores_is_read_back_as_declared(cores: float) -> None:
    server = replace(SERVER, size=replace(SERVER.size, cores=cores))
    fleet = replace(FLEET, servers={server.name: server})
    assert recognise.guest(made(server, fleet), "node1", fleet, 16384).size == server.size
    assert guest.resized(made(server, fleet), server) is None


def test_configuring_what_is_so_already_changes_nothing() -> None:
    assert guest.configured(made(), SERVER, NODE, FLEET) is None
    assert guest.resized(made(), SERVER) is None


def test_configuring_keeps_what_is_not_ours_to_decide() -> None:
    current = made()
    current["config"]["user.note"] = "call Bob first"
    current["config"]["volatile.eth0.hwaddr"] = "00:16:3e:00:00:01"
    current["devices"]["dongle"] = {"type": "usb", "vendorid": "1234"}
    current["devices"]["eth0"]["limits.ingress"] = "10Mbit"
    body = guest.configured(current, replace(SERVER, tenant="other", interfaces=SERVER.interfaces[:1]), NODE, FLEET)
    assert body is not None
    assert body["config"]["user.note"] == "call Bob first"
    assert body["config"]["volatile.eth0.hwaddr"] == "00:16:3e:00:00:01"
    assert sorted(body["devices"]) == ["dongle", "eth0", "root"]
    assert body["devices"]["eth0"]["limits.ingress"] == "10Mbit"
    assert body["config"]["user.switchyard.tenant"] == "other"


def test_configuring_does_not_rewrite_a_birth_mark_or_a_generation() -> None:
    current = made()
    current["config"]["user.switchyard.generation"] = "4"
    fleet = replace(FLEET, templates={"debian": Template("debian", version="13.0")})
    body = guest.configured(current, replace(SERVER, tenant="other"), NODE, fleet)
    assert body is not None
    assert body["config"]["user.switchyard.generation"] == "4"
    assert body["config"]["user.switchyard.template_version"] == "12.3"


def test_a_mark_that_is_declared_no_more_is_taken_off() -> None:
    body = guest.configured(made(), replace(SERVER, tenant=""), NODE, FLEET)
    assert body is not None
    assert "user.switchyard.tenant" not in body["config"]


def test_a_root_disk_out_of_a_profile_is_resized_on_the_guest_itself() -> None:
    current = made()
    root = current["devices"].pop("root")
    current["expanded_devices"] = {"disk0": root}
    body = guest.resized(current, replace(SERVER, size=replace(SERVER.size, disk=4096)))
    assert body is not None
    assert body["devices"]["disk0"] == root | {"size": "4096MiB"}


def test_the_same_disk_in_another_notation_is_the_same_disk() -> None:
    current = made()
    current["devices"]["root"]["size"] = "2GiB"
    assert guest.resized(current, SERVER) is None


def test_from_a_fraction_to_whole_cores_the_allowance_goes() -> None:
    half = replace(SERVER, size=replace(SERVER.size, cores=0.5))
    body = guest.resized(made(half), SERVER)
    assert body is not None
    assert "limits.cpu.allowance" not in body["config"]
    assert body["config"]["limits.cpu"] == "2"


# ---------------------------------------------------------------- strangers


def stranger(**more: Any) -> dict[str, Any]:
    return {"name": "vm9", "type": "container", "status": "Running", "project": "default", "config": {}} | more


def test_a_guest_without_a_mark_is_load_and_nobodys() -> None:
    found = recognise.guest(
        stranger(
            expanded_config={"limits.cpu": "0-3", "limits.memory": "50%"},
            expanded_devices={
                "root": {"type": "disk", "path": "/", "pool": "fast", "size": "10GB"},
                "eth0": {"type": "nic", "ipv4.address": "10.0.0.77"},
            },
        ),
        "node1",
        FLEET,
        8192,
    )
    assert found.fleet == ""
    assert found.size == Size(4, 4096, 9537)
    assert found.pool == "fast"
    assert found.addresses == ("10.0.0.77",)


def test_a_guest_of_another_project_is_a_stranger_even_with_our_mark() -> None:
    config = {"user.switchyard.fleet": "prod"}
    found = recognise.guest(stranger(project="lab", config=config, name="pbx-01"), "node1", FLEET, 8192)
    assert (found.name, found.fleet) == ("lab/pbx-01", "")


def test_a_virtual_machine_without_limits_has_those_incus_gives_it() -> None:
    found = recognise.guest(stranger(type="virtual-machine"), "node1", FLEET, 8192)
    assert found.size == Size(1, 1024, 10240)


def test_a_spoiled_mark_does_not_stop_the_observation() -> None:
    config = {
        "user.switchyard.fleet": "prod",
        "user.switchyard.interfaces_spec": "{nonsense",
        "user.switchyard.generation": "x",
        "user.switchyard.role": "king",
    }
    found = recognise.guest(stranger(config=config), "node1", FLEET, 8192)
    assert (found.interfaces, found.generation, found.role) == ((), 1, "primary")


@pytest.mark.parametrize(
    ("status", "state"),
    [("Running", "running"), ("Frozen", "running"), ("Stopped", "stopped"), ("Error", "unknown"), ("", "unknown")],
)
def test_states_are_told_in_three_words(status: str, state: str) -> None:
    assert recognise.guest(stranger(status=status), "node1", FLEET, 0).state == state


CLOUD_V1 = """
version: 1
config:
  - type: physical
    name: eth0
    subnets:
      - type: static
        address: 192.0.2.10
        gateway: 192.0.2.1
"""
CLOUD_V2 = """
version: 2
ethernets:
  eth0:
    addresses:
      - 192.0.2.20/24
      - "2001:db8::20/64"
    routes:
      - to: 198.51.100.0/24
        via: 192.0.2.254
    nameservers:
      addresses: [192.0.2.53]
"""


@pytest.mark.parametrize(
    ("text", "addresses"), [(CLOUD_V1, ("192.0.2.10",)), (CLOUD_V2, ("192.0.2.20", "2001:db8::20"))]
)
def test_a_strangers_cloud_init_tells_its_addresses_not_its_neighbours(text: str, addresses: tuple[str, ...]) -> None:
    found = recognise.guest(stranger(config={"cloud-init.network-config": text}), "node1", FLEET, 0)
    assert found.addresses == addresses


# ---------------------------------------------------------------- nodes


def test_an_image_without_its_alias_is_no_template_yet() -> None:
    properties = {"switchyard.template": "debian", "switchyard.version": "12.3"}
    images = [
        {"properties": properties, "aliases": []},
        {"properties": {"os": "debian"}, "aliases": [{"name": "switchyard/debian/9"}]},
        {"properties": properties | {"switchyard.version": "11"}, "aliases": [{"name": "switchyard/debian/11"}]},
    ]
    account = recognise.Account({}, {}, {}, [], images)
    assert recognise.node("node1", account).templates == {("debian", "11")}


def test_a_node_tells_mib_and_load() -> None:
    account = recognise.Account(
        {"environment": {"server_version": "6.0.4"}},
        {
            "cpu": {"total": 8},
            "memory": {"total": 17179869184, "used": 1073741824},
            "load": {"Average1Min": 0.5},
        },
        {"default": {"space": {"total": 107374182400, "used": 1048576}}, "empty": {}},
        [],
    )
    found = recognise.node("node1", account)
    assert (found.capacity.cores, found.capacity.memory, found.memory_used, found.load) == (8.0, 16384, 1024, 0.5)
    assert found.capacity.pools == {"default": 102400, "empty": 0}
    assert found.pools_used["default"] == 1
