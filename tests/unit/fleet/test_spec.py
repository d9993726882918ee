# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says, as a Fleet."""

from __future__ import annotations

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Capacity,
    CapacityOverride,
    Check,
    Factors,
    Failover,
    Fence,
    Interface,
    Limits,
    Network,
    Replication,
    Rule,
    Site,
    Size,
    Template,
)
from inventory import LAN, Inventory


def server(inventory, name="a"):
    return inventory.parse().servers[name]


# ---------------------------------------------------------------- the fleet


def test_a_fleet_without_a_word_has_sensible_defaults():
    fleet = Inventory().parse()
    assert (fleet.name, fleet.engine, fleet.limits) == ("fleet", "incus", Limits())
    assert fleet.sites == {"default": Site("default")}


def test_fleet_wide_variables_come_from_the_first_node_where_nobody_collected_them():
    inventory = Inventory().server("a")
    everybodys = inventory.hosts.pop("")
    for variables in inventory.hosts.values():
        variables.update(everybodys, fleet_name="berlin")
    assert inventory.parse().name == "berlin"


def test_a_fleet_wide_variable_that_differs_on_a_host_is_a_mistake():
    inventory = Inventory().fleet(fleet_name="berlin").server("a", fleet_name="hamburg")
    assert inventory.complaints() == [
        "a: fleet_name: differs from the rest of the fleet; accepted: one value for all, in group_vars/all"
    ]


def test_variables_of_the_other_kind_are_inherited_from_all_and_nobodys_business():
    inventory = Inventory().node("n1", vs_template="gone").server("a", node_port="gone")
    assert inventory.mistakes() == ()


def test_a_template_may_say_how_it_is_cloned():
    said = {"a": {"kind": "vm", "clone": "linked"}, "b": {"kind": "vm"}}
    parsed = Inventory().fleet(fleet_templates=said).parse().templates
    assert (parsed["a"].clone, parsed["b"].clone) == ("linked", "")
    told = Inventory().fleet(fleet_templates={"a": {"clone": "half"}}).complaints()
    assert len(told) == 1 and "fleet_templates.a.clone" in told[0] and "full" in told[0]


def test_templates_know_their_kind_and_version():
    inventory = Inventory().fleet(
        fleet_templates={"tiny": {"version": 3, "packages": "jq"}, "big": {"kind": "vm"}, "d": None}
    )
    assert inventory.parse().templates == {
        "tiny": Template("tiny", version="3"),
        "big": Template("big", kind="vm"),
        "d": Template("d"),
    }


def test_a_version_like_1_10_has_to_be_in_quotes():
    told = Inventory().fleet(fleet_templates={"tiny": {"version": 1.1}}).complaints()
    assert len(told) == 1
    assert "quotes" in told[0]
    assert Inventory().fleet(fleet_templates={"tiny": {"version": "1.10"}}).parse().templates["tiny"].version == "1.10"


def test_a_network_is_normalised():
    full = {
        "cidr": "10.20.0.0/24",
        "vlan": "7",
        "mtu": 9000,
        "bridge": "vmbr1",
        "dns": "10.20.0.1",
        "reserved": "10.20.0.2",
    }
    network = Inventory().fleet(fleet_networks={"lan": full}).parse().networks["lan"]
    assert network == Network(
        "lan", "10.20.0.0/24", bridge="vmbr1", vlan=7, mtu=9000, dns=("10.20.0.1",), reserved=("10.20.0.2",)
    )


def test_timeouts_become_limits():
    timeouts = {"connect": "2s", "operation": "5m", "stop": 10}
    limits = Inventory().fleet(fleet_timeouts=timeouts, fleet_concurrency=8, fleet_lock_ttl="90s").parse().limits
    assert limits == Limits(connect=2, operation=300, stop=10, concurrency=8, lock_ttl=90)


def test_an_engine_listens_where_its_platform_does_unless_told_otherwise():
    for engine, port in (("incus", 8443), ("proxmox", 8006)):
        assert {node.port for node in Inventory().fleet(fleet_engine=engine).parse().nodes.values()} == {port}
    assert Inventory(nodes=0).fleet(fleet_engine="proxmox").node("n1", node_port=443).parse().nodes["n1"].port == 443


def test_an_inventory_without_nodes_is_a_mistake():
    assert Inventory(nodes=0).complaints() == [
        "fleet: no nodes: group nodes is empty; accepted: at least one node in group nodes that is no witness"
    ]


# ---------------------------------------------------------------- nodes


def test_a_node_is_reached_at_its_address_or_ansibles_or_its_name():
    inventory = Inventory(nodes=0).node("n1").node("n2", ansible_host="10.0.0.2").node("n3", node_address="10.0.0.3")
    inventory.node("n3", ansible_host="192.0.2.1")
    assert [node.address for node in inventory.parse().nodes.values()] == ["n1", "10.0.0.2", "10.0.0.3"]


def test_a_wrong_ansible_host_is_a_mistake_only_where_it_is_used():
    assert Inventory().node("n1", ansible_host=["10.0.0.2"]).complaints() == [
        'n1: ansible_host: ["10.0.0.2"]: not text; accepted: an IP address or a host name'
    ]
    assert Inventory().node("n1", ansible_host=["10.0.0.2"], node_address="10.0.0.2").mistakes() == ()


def test_what_a_node_declares_of_itself():
    inventory = Inventory().node(
        "n1",
        node_port="8444",
        node_failure_domain="rack1",
        node_cores=16,
        node_memory="64GiB",
        node_io="500",
        node_pools={"default": "1TiB"},
        node_devices="dongle",
        node_backup="n2",
        node_state="maintenance",
        node_concurrency=2,
        node_fence={"agent": "fence_ipmilan", "parameters": {"ip": "192.0.2.1", "lanplus": True, "timeout": 5}},
        node_fingerprint=":".join(["AB"] * 32),
        node_bridge="br0",
    )
    node = inventory.parse().nodes["n1"]
    assert node.capacity == CapacityOverride(16.0, 65536, 500, {"default": 1024**2})
    assert (node.port, node.domain, node.devices, node.backup) == (8444, "rack1", frozenset({"dongle"}), "n2")
    assert (node.state, node.concurrency, node.fingerprint, node.bridge) == ("maintenance", 2, "ab" * 32, "br0")
    assert node.fence == Fence("fence_ipmilan", {"ip": "192.0.2.1", "lanplus": "true", "timeout": "5"})


def test_reserve_and_overcommit_are_the_fleets_unless_the_node_says_otherwise_key_by_key():
    inventory = Inventory().fleet(
        fleet_reserve={"cores": 1, "memory": "2GiB"}, fleet_overcommit={"cores": 2, "memory": 1.5}
    )
    inventory.node("n1", node_reserve={"memory": "4GiB"}, node_overcommit={"cores": 1})
    nodes = inventory.parse().nodes
    assert (nodes["n1"].reserve, nodes["n2"].reserve) == (Capacity(1, 4096), Capacity(1, 2048))
    assert (nodes["n1"].overcommit, nodes["n2"].overcommit) == (Factors(1, 1.5), Factors(2, 1.5))


def test_a_node_is_dedicated_to_servers_and_to_the_members_of_groups():
    inventory = Inventory().server("a").server("b", "acme").server("c", "acme").node("n1", node_dedicated=["a", "acme"])
    assert inventory.parse().nodes["n1"].dedicated == {"a", "b", "c"}


def test_the_only_site_declared_is_every_nodes():
    inventory = Inventory().fleet(fleet_sites={"berlin": {}})
    assert {node.site for node in inventory.parse().nodes.values()} == {"berlin"}


def test_with_several_sites_every_node_has_to_say_which():
    inventory = Inventory(nodes=2).fleet(fleet_sites={"berlin": None, "hamburg": None}).node("n1", node_site="berlin")
    assert inventory.complaints() == [
        "n2: node_site: missing, and several sites are declared; accepted: berlin, hamburg"
    ]


# ---------------------------------------------------------------- servers


def test_a_class_gives_the_size_and_the_servers_own_words_come_first():
    classes = {"small": {"cores": 0.5, "memory": "1GiB", "disk": "2GiB", "io": 20, "pool": "fast"}}
    inventory = Inventory().fleet(fleet_classes=classes).server("a").server("b", vs_memory="3GiB", vs_pool="default")
    a, b = server(inventory, "a"), server(inventory, "b")
    assert (a.size, a.pool, a.class_name) == (Size(0.5, 1024, 2048, 20), "fast", "small")
    assert (b.size, b.pool) == (Size(0.5, 3072, 2048, 20), "default")


@pytest.mark.parametrize(("engine", "usual"), [("incus", "default"), ("proxmox", "local-zfs")])
def test_a_root_disk_is_where_the_server_the_class_the_fleet_or_the_platform_says(engine, usual):
    classes = {
        "plain": {"cores": 1, "memory": "1GiB", "disk": "2GiB"},
        "quick": {"cores": 1, "memory": "1GiB", "disk": "2GiB", "pool": "fast"},
    }

    def pools(**fleet):
        inventory = Inventory().fleet(fleet_engine=engine, fleet_classes=classes, **fleet)
        inventory.server("a", vs_class="quick").server("b", vs_class="plain").server("c", vs_class="quick", vs_pool="z")
        return [server(inventory, name).pool for name in "abc"]

    assert pools() == ["fast", usual, "z"]
    assert pools(fleet_pool="tank") == ["fast", "tank", "z"]


def test_a_server_may_do_without_a_class():
    inventory = Inventory().server("a", vs_class="", vs_cores="2", vs_memory=512, vs_disk="1GiB")
    assert server(inventory).size == Size(2.0, 512, 1024)


def test_a_server_with_neither_class_nor_whole_size_is_a_mistake():
    assert Inventory().server("a", vs_class="", vs_cores=1).complaints() == [
        "a: vs_class: no class, and no vs_memory, vs_disk either; "
        "accepted: a class of fleet_classes, or vs_cores, vs_memory and vs_disk"
    ]


def test_the_only_template_need_not_be_named_one_of_several_must():
    inventory = Inventory().server("a")
    assert server(inventory).template == "tiny"
    inventory.fleet(fleet_templates={"tiny": {}, "debian": {}})
    assert inventory.complaints() == ["a: vs_template: missing; accepted: debian, tiny"]


def test_the_only_network_need_not_be_named_one_of_several_must():
    inventory = Inventory().server("a", vs_address="10.20.0.100")
    assert server(inventory).interfaces == (Interface("lan", "10.20.0.100"),)
    inventory.fleet(fleet_networks={"lan": LAN, "wan": {"cidr": "192.0.2.0/24"}})
    assert inventory.complaints() == ["a: vs_network: missing, and several networks are declared; accepted: lan, wan"]
    assert server(inventory.server("a", vs_network="lan")).interfaces == (Interface("lan", "10.20.0.100"),)


def test_without_networks_a_server_has_no_interface_and_may_have_no_address():
    inventory = Inventory().fleet(fleet_networks={}).server("a")
    assert server(inventory).interfaces == ()
    told = inventory.server("a", vs_address="10.20.0.100").complaints()
    assert told == ['a: vs_address: "10.20.0.100": an address without a network; accepted: a network in fleet_networks']


def test_interfaces_are_networks_with_or_without_an_address():
    inventory = Inventory().fleet(fleet_networks={"lan": LAN, "wan": {"cidr": "2001:db8::/64"}})
    inventory.server("a", vs_interfaces=["lan", {"network": "wan", "address": "2001:DB8:0::5"}])
    assert server(inventory).interfaces == (Interface("lan"), Interface("wan", "2001:db8::5"))
    assert server(inventory.server("b", vs_interfaces=[]), "b").interfaces == ()


def test_the_long_form_beside_the_short_one_is_a_mistake():
    told = Inventory().server("a", vs_interfaces=["lan"], vs_address="10.20.0.100").complaints()
    assert told == ['a: vs_address: "10.20.0.100": beside vs_interfaces, which says it all; accepted: one of them']


def test_checks_have_the_usual_ports():
    checks = [{"type": "http"}, {"type": "sip"}, {"type": "tcp", "port": "22", "timeout": "1m"}]
    inventory = Inventory().server("a", vs_checks=checks)
    assert server(inventory).checks == (Check("http", 80), Check("sip", 5060), Check("tcp", 22, timeout=60.0))


@pytest.mark.parametrize("check", [{"type": "tcp"}, {"type": "sip", "path": "/"}, {"type": "icmp"}, {"port": 80}])
def test_a_check_that_cannot_be_asked_is_a_mistake(check):
    told = Inventory().server("a", vs_checks=[check]).mistakes()
    assert [(m.host, m.variable.partition("[")[0]) for m in told] == [("a", "vs_checks")]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("none", Replication()),
        (False, Replication()),
        ("off", Replication()),
        ("5m", Replication("interval", 300)),
        (90, Replication("interval", 90)),
    ],
)
def test_replication_is_none_or_an_interval(written, meant):
    assert server(Inventory().server("a", vs_replication=written)).replication == meant


def test_replication_in_step_is_sync():
    proxmox = Inventory().fleet(fleet_engine="proxmox")
    assert server(proxmox.server("a", vs_replication="sync")).replication == Replication("sync")


@pytest.mark.parametrize("written", [True, "1s", "often", 0, None, "30d", 10.5])
def test_replication_every_now_and_then_is_a_mistake(written):
    assert [m.variable for m in Inventory().server("a", vs_replication=written).mistakes()] == ["vs_replication"]


def test_failover_off_is_a_truth_value_in_yaml_and_meant_all_the_same():
    assert server(Inventory().server("a", vs_failover=False)).failover.mode == "off"
    assert server(Inventory().server("a", vs_state=False)).state == "stopped"
    assert server(Inventory().server("a", vs_state=True)).state == "running"


def test_failover_on_does_not_say_how():
    assert Inventory().server("a", vs_failover=True).complaints() == [
        "a: vs_failover: true: a truth value (YAML reads on, off, yes and no as such); accepted: auto, manual or off"
    ]


def test_failover_may_ask_a_peer_to_take_over():
    action = {"action": "activate", "activate_url": "http://peer/on", "deactivate_url": "http://peer/off"}
    inventory = Inventory().server("a", vs_failover="auto", vs_failover_action=action)
    for node in ("n1", "n2", "n3"):
        inventory.node(node, node_fence={"agent": "fence_ipmilan"})
    assert server(inventory).failover == Failover("auto", "activate", "http://peer/on", "http://peer/off")
    assert server(Inventory().server("a", vs_failover_action="none")).failover.action == "none"


def test_numbers_may_be_text_as_after_dash_e():
    inventory = Inventory().server("a", vs_cores="0.5", vs_io="20", vs_start_order="7", vs_dedicated="yes")
    a = server(inventory)
    assert (a.size.cores, a.size.io, a.start_order, a.dedicated) == (0.5, 20, 7, True)


# ---------------------------------------------------------------- rules


def test_servers_that_wish_for_the_same_share_one_rule():
    inventory = Inventory()
    names = [f"pbx-{number}" for number in range(50)]
    for name in names:
        inventory.server(name, "pbxs", vs_anti_affinity="sips")
    inventory.server("sip1", "sips").server("sip2", "sips")
    assert inventory.parse().rules == (Rule("apart", frozenset(names), frozenset({"sip1", "sip2"}), label="sips"),)


def test_a_group_a_server_is_in_itself_means_all_members_mutually():
    inventory = (
        Inventory().server("sip1", "sips", vs_anti_affinity="sips").server("sip2", "sips", vs_anti_affinity="sips")
    )
    both = frozenset({"sip1", "sip2"})
    assert inventory.parse().rules == (Rule("apart", both, both, label="sips"),)


def test_a_wish_may_be_a_preference_over_a_wider_scope():
    inventory = Inventory().server("db").server("a", vs_affinity=[{"with": "db", "over": "site", "hard": False}])
    assert inventory.parse().rules == (
        Rule("together", frozenset("a"), frozenset({"db"}), over="site", hard=False, label="db"),
    )


def test_a_group_of_one_makes_no_rule():
    assert Inventory().server("a", "solo", vs_anti_affinity="solo").parse().rules == ()


def test_the_least_of_a_range_is_in_it() -> None:
    assert server(Inventory().server("a", vs_cores=0.1)).size.cores == 0.1
