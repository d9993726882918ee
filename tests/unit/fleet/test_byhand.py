# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server described by options: read as an inventory is, and what it is not told it keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.byhand import fitting, variables, with_options
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.inventory.mistakes import InventoryError
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Interface,
    ObservedServer,
    Server,
    Size,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.spec import parse

FLEET = {
    "fleet_name": "test",
    "fleet_classes": {
        "small": {"cores": 1, "memory": 512, "disk": 1024, "io": 10},
        "big": {"cores": 4, "memory": 4096, "disk": 8192},
    },
    "fleet_templates": {"tiny": {}, "debian": {}},
    "fleet_networks": {"lan": {"cidr": "10.1.0.0/24"}, "backup": {"cidr": "10.2.0.0/24"}},
}
HOSTS = {
    "node1": {**FLEET, "node_address": "192.0.2.1"},
    "pbx01": {**FLEET, "vs_class": "small", "vs_template": "tiny", "vs_network": "lan"},
}
GROUPS = {"all": ["node1", "pbx01"], "nodes": ["node1"], "virtual_servers": ["pbx01"]}
THERE = ObservedServer(
    "byhand",
    "node1",
    "running",
    Size(2, 700, 2000, 5),
    pool="fast",
    fleet="test",
    interfaces=(Interface("lan", "10.1.0.9"),),
    class_name="small",
    template="debian",
    tenant="acme",
)
NEW = {"vs_class": "small", "vs_template": "tiny", "vs_network": "lan"}


def made(given: dict[str, Any], like: ObservedServer | None = None, name: str = "byhand") -> Server:
    return with_options(HOSTS, GROUPS, name, given, like).servers[name]


def mistakes(given: dict[str, Any], like: ObservedServer | None = None, name: str = "byhand") -> str:
    with pytest.raises(InventoryError) as error:
        made(given, like, name)
    return "\n".join(error.value.lines())


def test_a_new_one_is_what_it_is_told():
    found = made({**NEW, "vs_memory": "1GiB", "vs_tenant": "acme", "vs_address": "10.1.0.7"})
    assert (found.size, found.class_name, found.template) == (Size(1, 1024, 1024, 10), "small", "tiny")
    assert (found.tenant, found.interfaces) == ("acme", (Interface("lan", "10.1.0.7"),))


def test_the_inventorys_own_servers_stay_as_declared():
    fleet = with_options(HOSTS, GROUPS, "byhand", {**NEW, "vs_anti_affinity": ["pbx01"]}, None)
    assert fleet.servers["pbx01"].size == Size(1, 512, 1024, 10)
    assert any(rule.kind == "apart" and "byhand" in rule.subjects for rule in fleet.rules)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({**NEW, "vs_memory": "lots"}, 'byhand: memory: "lots"'),
        ({**NEW, "vs_class": "smal"}, 'byhand: class_name: "smal": no such class; accepted: small'),
        ({"vs_template": "tiny", "vs_network": "lan"}, "class_name: no class, and no cores, memory, disk either"),
        ({"vs_class": "small", "vs_network": "lan"}, "byhand: template: missing"),
        ({"vs_class": "small", "vs_template": "tiny"}, "byhand: network: missing, and several networks are declared"),
        ({**NEW, "vs_address": "10.9.9.9"}, "byhand: address:"),
        ({**NEW, "vs_checks": [{"type": "tcp"}]}, "byhand: checks[0]"),
    ],
)
def test_mistakes_are_told_in_the_words_of_the_task(given, said):
    assert said in mistakes(given)


def test_a_name_that_cannot_be_one_is_a_mistake():
    assert "not a name for a virtual server" in mistakes(NEW, name="by_hand")


def test_one_that_exists_keeps_all_it_is_not_told():
    found = made({}, THERE)
    assert (found.size, found.pool, found.interfaces) == (THERE.size, "fast", THERE.interfaces)
    assert (found.class_name, found.template, found.tenant) == ("small", "debian", "acme")


def test_one_part_of_its_size_is_changed_and_no_other():
    assert made({"vs_memory": "1GiB"}, THERE).size == Size(2, 1024, 2000, 5)


def test_another_class_is_another_size():
    found = made({"vs_class": "big", "vs_cores": 3}, THERE)
    assert (found.size, found.class_name) == (Size(3, 4096, 8192, 0), "big")


def test_another_address_on_the_network_it_is_on():
    assert made({"vs_network": "lan", "vs_address": "10.1.0.10"}, THERE).interfaces == (Interface("lan", "10.1.0.10"),)
    assert made({"vs_network": "lan"}, THERE).interfaces == THERE.interfaces
    assert made({"vs_network": "backup"}, THERE).interfaces == (Interface("backup"),)


def test_a_class_and_template_that_were_taken_out_of_the_inventory_are_kept():
    old = ObservedServer("byhand", "node1", "running", Size(1, 1, 1), class_name="gone", template="gone", fleet="test")
    found = made({}, old)
    assert (found.class_name, found.template, found.size, found.interfaces) == ("gone", "gone", Size(1, 1, 1), ())


def test_a_copy_has_its_likes_size_and_its_own_address_and_tenant():
    found = made({}, THERE, name="twin")
    assert (found.size, found.pool, found.template) == (THERE.size, "fast", "debian")
    assert (found.interfaces, found.tenant) == ((Interface("lan"),), "")


def test_a_server_of_the_inventory_may_be_told_the_same_and_nothing_else():
    assert made({"vs_memory": "512MiB", "vs_class": "small"}, name="pbx01").size.memory == 512
    said = mistakes({"vs_memory": "1GiB", "vs_class": "small"}, name="pbx01")
    assert "pbx01: memory:" in said and "change vs_memory there" in said
    assert "class_name" not in said


@pytest.mark.parametrize("given", [NEW, {**NEW, "vs_memory": "1GiB", "vs_checks": [{"type": "http"}]}])
def test_what_is_to_be_written_into_the_inventory_declares_the_same_server(given):
    found = made({**given, "vs_address": "10.1.0.7", "vs_tenant": "acme"})
    told = variables(found, given)
    fleet = with_options(HOSTS, GROUPS, "byhand", told, None)
    assert fleet.servers["byhand"] == found


def test_one_that_grew_by_hand_is_written_with_its_sizes():
    found = made({"vs_memory": "1GiB"}, THERE)
    told = variables(found, {"vs_memory": "1GiB"})
    assert (told["vs_memory"], told["vs_cores"], told["vs_address"]) == ("1024MiB", 2, "10.1.0.9")


def test_of_a_server_of_another_fleet_is_kept_what_this_one_has():
    fleet = parse(HOSTS, GROUPS)
    assert fitting(fleet, THERE) == THERE
    legs = (Interface("lan", "172.16.0.9"), Interface("dmz", "10.1.0.9"), Interface("backup", "10.2.0.3"))
    found = fitting(fleet, replace(THERE, class_name="huge", interfaces=legs))
    assert found.class_name == ""
    assert found.interfaces == (Interface("lan", ""), Interface("backup", "10.2.0.3"))
    back = made({}, found)
    assert back.interfaces == (Interface("lan", ""), Interface("backup", "10.2.0.3"))
    nowhere = fitting(fleet, replace(THERE, interfaces=(Interface("dmz", "10.9.0.9"),)))
    assert made({}, nowhere).interfaces == (Interface("lan", ""),), "a server has to be reached"
