# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there becomes an inventory without a mistake; who cannot be in it is told, with what to do."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
import yaml
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.importing.existing import (
    Card,
    Existing,
    ExistingGuest,
    ExistingNode,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.importing.guests import stem
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.importing.inventory import (
    Inventory,
    Wanted,
    take_in,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.importing.text import files, flow
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Node, Size
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.spec import parse

SMALL = Size(2, 512, 8192)
FLEET = Fleet("berlin", "proxmox", {"pve1": Node("pve1", "192.0.2.11", port=8006)}, {})
NODES = {
    name: ExistingNode(
        name, f"192.0.2.1{name[3:]}", templates=frozenset({("debian-12", "12.9"), ("debian-12", "12.10")})
    )
    for name in ("pve1", "pve2")
}


def card(address: str = "10.0.0.5/24", **more: Any) -> Card:
    return Card("net0", **{"bridge": "vmbr0", "addresses": (address,), "gateways": ("10.0.0.1",), **more})


def guest(name: str, number: int = 100, **more: Any) -> ExistingGuest:
    standard = {"size": SMALL, "pool": "zfs", "cards": (card(f"10.0.0.{number - 90}/24"),), "system": "debian"}
    return ExistingGuest(name, more.pop("node", "pve1"), f"lxc/{number}", **{**standard, **more})


def taken(*guests: ExistingGuest, **wanted: Any) -> Inventory:
    return take_in(Existing(NODES, guests), FLEET, Wanted(**wanted))


def out(inventory: Inventory) -> dict[str, str]:
    return {each.guest.place: f"{each.why}; {each.advice}" for each in inventory.left_out}


def read_back(inventory: Inventory) -> Fleet:
    """The fleet its files describe, read as Ansible reads them."""
    texts = {path: yaml.safe_load(text) or {} for path, text in files(inventory).items()}
    tree = texts.pop("hosts.yml")
    groups = {name: list(group["hosts"] or ()) for name, group in tree.items()}
    everybody = texts.pop("group_vars/all.yml")
    hosts = {"": everybody}
    for kind in ("nodes", "virtual_servers"):
        shared = texts.pop(f"group_vars/{kind}.yml")
        for name, said in (tree[kind]["hosts"] or {}).items():
            hosts[name] = {**everybody, **shared, **(said or {}), **texts.pop(f"host_vars/{name}.yml", {})}
    assert not texts
    return parse(hosts, groups)


def test_files_say_what_was_found_and_are_read_back_without_a_mistake() -> None:
    several = (card("10.0.0.60/24"), Card("net1", "vmbr1", vlan=7, addresses=("fd00::6/64",), gateways=("fd00::1",)))
    inventory = taken(
        guest("pbx01", 101, tags=("gold", "tenant-acme"), groups=("pool_west",)),
        guest("pbx02", 102, node="pve2", state="stopped", start_order=5, tags=("gold",)),
        guest("edge", 103, cards=several, size=Size(0.5, 2048, 1000), kind="vm", system=""),
    )
    fleet = read_back(inventory)
    assert fleet == inventory.parsed()
    one, two, edge = (fleet.servers[name] for name in ("pbx01", "pbx02", "edge"))
    assert (one.size, one.class_name, one.pool, one.tenant) == (SMALL, "pbx", "zfs", "acme")
    assert (two.state, two.start_order, two.node) == ("stopped", 5, "")
    assert [leg.address for leg in edge.interfaces] == ["10.0.0.60", "fd00::6"]
    assert fleet.networks["vmbr1-vlan7"].gateway == "fd00::1" and fleet.networks["vmbr1-vlan7"].vlan == 7
    assert (one.template, fleet.templates["debian-12"].version) == ("debian-12", "12.10")
    assert fleet.templates[edge.template].kind == "vm"
    assert (fleet.nodes["pve2"].address, fleet.nodes["pve2"].port) == ("192.0.2.12", 8006)
    assert inventory.groups == {"gold": ["pbx01", "pbx02"], "pool_west": ["pbx01"]}


def test_servers_are_pinned_only_if_asked() -> None:
    assert taken(guest("pbx01"), pin=True).parsed().servers["pbx01"].node == "pve1"


def test_the_same_site_is_the_same_text() -> None:
    guests = [guest(f"g{number}", number, tags=("b", "a")) for number in range(100, 130)]
    first = files(taken(*guests))
    random.Random(1).shuffle(guests)
    assert files(taken(*guests)) == first


def test_strangers_stay_out_by_pattern_and_their_addresses_are_kept_from_others() -> None:
    inventory = taken(guest("pbx01", 101), guest("mail", 102), guest("pbx02", 103), servers=("pbx*", "!pbx02"))
    assert list(inventory.servers) == ["pbx01"] and not inventory.left_out
    assert inventory.fleet["fleet_networks"]["vmbr0"]["reserved"] == ["10.0.0.12", "10.0.0.13"]


def test_a_stranger_with_a_servers_address_is_told() -> None:
    inventory = taken(guest("pbx01", 101), guest("mail", 102, cards=(card("10.0.0.11/24"),)), servers=("pbx*",))
    assert inventory.notes == ["pbx01: mail (lxc/102 on pve1), which is left out, has its address 10.0.0.11 as well"]


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (guest("Under_score"), "its name is none for a host; rename it"),
        (guest("pve1"), "a node has the same name; rename it"),
        (guest("p", cards=()), "it has no network card"),
        (guest("p", cards=(Card("net0", "vmbr0", dynamic=True),)), "net0 gets its address by DHCP; give it a fixed"),
        (guest("p", cards=(Card("net0", "vmbr0", seen=("10.0.0.9/24",)),)), "written down on the platform; it had"),
        (guest("p", cards=(Card("net0", "vmbr0", addresses=("10.0.0.9/24", "fd00::9/64")),)), "several addresses"),
        (guest("p", fleet="hamburg"), "it belongs to fleet hamburg"),
        (guest("p", size=Size(1, 512, 0)), "it has no limit of disk"),
        (guest("p", error="No route to host"), r"nothing could be learned of it (No route to host)"),
        (guest("p", cards=(card("10.0.0.1/24"),)), "vs_address: \"10.0.0.1\": the gateway of"),
        (guest("p", cards=(card("192.0.2.12/24", gateways=()),)), "already the address of node pve2"),
        (guest("p", cards=(card("10.0.0.5/16"),)), "net0 has 10.0.0.5/16 on vmbr0, where 2 others have 10.0.0.0/24"),
        (guest("p", cards=(card("10.0.0.5/24", vlan=3),)), "10.0.0.5/24 on vmbr0 VLAN 3, and 10.0.0.0/24 is on vmbr0"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)  # fmt: skip
def test_who_cannot_be_a_server_is_told_why_and_what_to_do(odd: ExistingGuest, words: str) -> None:
    inventory = taken(guest("pbx01", 101), odd, guest("pbx02", 102))
    assert words in out(inventory)[odd.place]
    assert list(read_back(inventory).servers) == ["pbx01", "pbx02"]
    assert f"# {odd.name}: container {odd.place}" in files(inventory)["hosts.yml"]


def test_names_that_are_there_twice_are_all_left_out() -> None:
    inventory = taken(guest("twin", 101), guest("TWIN", 102, node="pve2"), guest("pbx", 103))
    assert list(inventory.servers) == ["pbx"]
    assert "2 times (lxc/102 on pve2, lxc/101 on pve1); rename all but one" in out(inventory)["lxc/101 on pve1"]


def test_what_a_dead_node_carries_is_left_out_and_the_node_stays() -> None:
    dead = replace(NODES["pve2"], error="the cluster does not see it")
    lost = guest("pbx02", 102, node="pve2", error=dead.error)
    inventory = take_in(Existing({**NODES, "pve2": dead}, (guest("pbx01", 101), lost)), FLEET, Wanted())
    assert "import again once its node answers" in out(inventory)["lxc/102 on pve2"]
    assert "# does not answer: the cluster does not see it" in files(inventory)["hosts.yml"]
    assert set(read_back(inventory).nodes) == {"pve1", "pve2"}


def test_classes_are_named_after_those_who_have_them() -> None:
    big, huge = replace(SMALL, cores=4), replace(SMALL, memory=1500)
    inventory = taken(
        guest("pbx-001", 101), guest("pbx-002", 102), guest("pbx-003", 103, size=big),
        guest("mail", 104, size=huge), guest("web", 105, size=huge), guest("db1", 106, pool="slow"),
    )  # fmt: skip
    classes = {name: said.class_name for name, said in inventory.parsed().servers.items()}
    assert classes["pbx-001"] == classes["pbx-002"] == "pbx-2c-512m-8g"
    assert (classes["pbx-003"], classes["mail"], classes["db1"]) == ("pbx-4c-512m-8g", "size-2c-1500m-8g", "db")


@pytest.mark.parametrize(("name", "kind"), [("pbx-017", "pbx"), ("sip1", "sip"), ("7", ""), ("a-b-2", "a_b")])
def test_the_stem_of_a_name(name: str, kind: str) -> None:
    assert stem(name) == kind


def test_a_gateway_of_its_own_is_told_and_the_networks_is_that_of_most() -> None:
    others = [guest(f"p{number}", number) for number in (101, 102)]
    inventory = taken(*others, guest("odd", 103, cards=(card("10.0.0.13/24", gateways=("10.0.0.254",)),)))
    assert inventory.parsed().networks["vmbr0"].gateway == "10.0.0.1"
    assert inventory.notes[0].startswith("odd: its gateway is 10.0.0.254, that of network vmbr0 is 10.0.0.1; it keeps")


def test_groups_have_names_that_ansible_takes() -> None:
    inventory = taken(guest("pbx", 101, tags=("7th", "all", "pbx", "a-b", "customer-x_y")))
    assert set(inventory.groups) == {"tag_7th", "tag_all", "tag_pbx", "a_b"}
    assert inventory.servers["pbx"]["vs_tenant"] == "x_y"


def test_a_site_without_guests_is_an_inventory_too() -> None:
    assert not read_back(taken()).servers


@pytest.mark.parametrize(
    "value",
    ["no", "On", "null", "~", "1e3", "012", "10:30", "a: b", "{{ x }}", "", " a", "2026-01-01", "#x", "é\n", "1_0"],
)
def test_text_stays_text(value: str) -> None:
    assert yaml.safe_load(f"a: {flow({'k': [value]})}") == {"a": {"k": [value]}}
