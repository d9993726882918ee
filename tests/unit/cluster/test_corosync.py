# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Corosync's configuration, and how nodes become a cluster and stay one."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster import corosync
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster.corosync import Device, Member, Ring
from ansible_collections.switchyard.fleet.plugins.module_utils.cluster.membership import State, plan

LINKS = MappingProxyType(
    {"n1": ["10.1.0.1", "10.2.0.1"], "n2": ["10.1.0.2", "10.2.0.2"], "n3": ["10.1.0.3", "10.2.0.3"]}
)
SHIPPED = """\
totem {
    version: 2
    cluster_name: debian
}
nodelist {
    node {
        name: node1
        nodeid: 1
        ring0_addr: 127.0.0.1
    }
}
"""


def config(links=LINKS, ring=Ring(), name="berlin") -> str:  # noqa: B008 - frozen
    members = [Member(node, number, tuple(links[node])) for number, node in enumerate(links, 1)]
    return corosync.text(name, members, ring)


def member(name: str, text: str | None = None, **facts) -> State:
    known = tuple(corosync.numbers(config()))
    facts = {"key": "k", "running": True, "heard": known, **facts}
    return State(name, config() if text is None else text, **facts)


def decided(found, links=LINKS, ring=Ring(), name="berlin", key="k", **more):  # noqa: B008 - frozen
    return plan(found, name, links, ring, key, **more)


# ---------------------------------------------------------------- the text


def test_two_links_are_two_rings_and_everything_is_encrypted():
    text = config()
    assert "ring0_addr: 10.1.0.2" in text
    assert "ring1_addr: 10.2.0.2" in text
    assert "crypto_cipher: aes256" in text
    assert corosync.numbers(text) == {"n1": 1, "n2": 2, "n3": 3}


def test_the_order_of_the_inventory_changes_nothing():
    swapped = {name: LINKS[name] for name in ("n3", "n1", "n2")}
    first = decided([member(name) for name in LINKS])
    assert decided([member(name) for name in swapped], swapped).configuration == first.configuration


def test_the_packages_own_file_is_nobodys_cluster_and_any_other_is():
    assert not corosync.foreign(SHIPPED)
    assert not corosync.foreign("")
    assert not corosync.foreign(config())
    assert corosync.foreign(SHIPPED.replace("127.0.0.1", "10.9.0.1"))


def test_members_that_are_there_are_heard_by_name():
    table = (
        "nodelist.node.0.name (str) = n1\nnodelist.node.0.nodeid (u32) = 1\n"
        "nodelist.node.1.name (str) = n2\nnodelist.node.1.nodeid (u32) = 2\n"
        "runtime.members.1.status (str) = joined\nruntime.members.2.status (str) = left\n"
    )
    assert corosync.heard(table) == ["n1"]


# ---------------------------------------------------------------- who takes up what


def test_from_nothing_nobody_has_to_take_anything_up():
    made = decided([State(name) for name in LINKS])
    assert (made.refused, made.reload_on, made.restart) == ((), "", ())
    assert corosync.numbers(made.configuration) == {"n1": 1, "n2": 2, "n3": 3}


def test_what_is_as_declared_is_left_alone():
    made = decided([member(name) for name in LINKS])
    assert made.configuration == config()
    assert (made.reload_on, made.restart) == ("", ())


def test_another_token_is_taken_up_as_they_run():
    made = decided([member(name) for name in LINKS], ring=Ring(token=3000))
    assert (made.reload_on, made.restart) == ("n1", ())


@pytest.mark.parametrize("change", [{"key": "another"}, {"name": "hamburg", "former": "berlin"}])
def test_another_key_or_name_makes_all_start_anew(change):
    made = decided([member(name) for name in LINKS], **change)
    assert made.restart == ("n1", "n2", "n3")
    assert made.reload_on == ""


def test_a_node_that_runs_the_packages_own_cluster_starts_anew():
    found = [member("n1"), member("n2"), member("n3", SHIPPED, key="", heard=())]
    assert decided(found).restart == ("n3",)


def test_a_new_node_gets_a_number_of_its_own_and_the_others_are_told():
    links = {"n0": ["10.1.0.9", "10.2.0.9"], **LINKS}
    made = decided([State("n0"), *(member(name) for name in LINKS)], links)
    assert corosync.numbers(made.configuration) == {"n1": 1, "n2": 2, "n3": 3, "n0": 4}
    assert (made.reload_on, made.restart) == ("n1", ())


def test_a_number_stays_with_its_node_when_another_leaves():
    links = {name: LINKS[name] for name in ("n2", "n3")} | {"n4": ["10.1.0.4", "10.2.0.4"]}
    found = [member(name, heard=("n2", "n3")) for name in ("n2", "n3")]
    numbers = corosync.numbers(decided([*found, State("n4")], links).configuration)
    assert numbers == {"n2": 2, "n3": 3, "n4": 4}


def test_a_node_that_was_not_looked_at_stays_a_member():
    made = decided([member("n1"), member("n2")])
    assert corosync.numbers(made.configuration) == {"n1": 1, "n2": 2, "n3": 3}


# ---------------------------------------------------------------- a vote outside

TWO = MappingProxyType({name: LINKS[name] for name in ("n1", "n2")})
VOTE = Device("10.9.0.1")


def running(text: str, names=TWO) -> list[State]:
    return [member(name, text, heard=tuple(names)) for name in names]


def test_two_with_a_vote_outside_are_a_cluster():
    made = decided([State(name) for name in TWO], TWO, device=VOTE)
    assert made.refused == ()
    assert made.asks_device
    assert "host: 10.9.0.1" in made.configuration
    assert "algorithm: ffsplit" in made.configuration
    assert "tls: required" in made.configuration
    # The members are still found, and nothing but them.
    assert corosync.numbers(made.configuration) == {"n1": 1, "n2": 2}


def test_without_a_certificate_is_said_and_never_fallen_back_to():
    assert "tls: off" in decided([], TWO, device=Device("10.9.0.1", tls=False)).configuration


def test_three_are_an_odd_number_without_it():
    made = decided([member(name) for name in LINKS], device=VOTE)
    assert made.configuration == config()
    assert not made.asks_device


def test_one_node_is_no_cluster_with_it_either():
    links = {"n1": LINKS["n1"]}
    assert "fleet_quorum_device" in "\n".join(decided([], links, device=VOTE).refused)


def test_members_that_run_take_the_vote_up_as_they_run():
    before = decided([State("n1"), State("n2")], TWO, ring=Ring(token=3000), device=VOTE).configuration
    same = decided(running(before), TWO, ring=Ring(token=3000), device=VOTE)
    assert (same.reload_on, same.restart, same.ask_anew) == ("", (), ())
    another = decided(running(before), TWO, device=VOTE)
    assert (another.reload_on, another.restart, another.ask_anew) == ("n1", (), ())


def test_another_host_is_asked_anew():
    before = decided([State("n1"), State("n2")], TWO, device=VOTE).configuration
    made = decided(running(before), TWO, device=Device("10.9.0.2"))
    assert (made.reload_on, made.restart, made.ask_anew) == ("n1", (), ("n1", "n2"))


def test_a_third_member_takes_its_place():
    before = decided([State("n1"), State("n2")], TWO, device=VOTE).configuration
    made = decided([*running(before), State("n3")], device=VOTE)
    assert (made.reload_on, made.restart, made.asks_device) == ("n1", (), False)
    assert "device" not in made.configuration


# ---------------------------------------------------------------- refused


def refused(found, links=LINKS) -> str:
    return "\n".join(decided(found, links).refused)


def test_two_cannot_tell_who_is_cut_off():
    links = {name: LINKS[name] for name in ("n1", "n2")}
    assert "node_witness" in refused([State("n1"), State("n2")], links)


def test_somebody_elses_cluster_is_not_touched():
    theirs = SHIPPED.replace("127.0.0.1", "10.9.0.1")
    assert "n2 is a member of a cluster" in refused([State("n1"), State("n2", theirs), State("n3")])


def test_another_fleets_cluster_is_not_touched():
    found = [member(name) for name in LINKS]
    said = decided(found, name="hamburg", key="another").refused
    assert len(said) == 3
    assert "n1 is a member of the cluster of fleet berlin" in said[0]
    assert "failover_former_fleet=berlin" in said[0]
    assert decided(found, name="hamburg", former="bremen").refused == said


def test_what_another_fleets_cluster_left_on_a_node_hinders_nobody():
    found = [member(name, running=False, heard=()) for name in LINKS]
    assert decided(found, name="hamburg").refused == ()


def test_a_node_that_left_the_inventory_has_to_be_stopped_first():
    found = [replace(member(name), heard=("n1", "n2", "n3", "n4")) for name in LINKS]
    assert "n4 is no longer in the inventory" in refused(found)


def test_each_node_is_heard_on_every_link():
    assert "n2: node_cluster_addresses" in refused([], {**LINKS, "n2": ["10.1.0.2"]})


def test_two_nodes_have_no_address_in_common():
    assert "10.1.0.1 is n1's already" in refused([], {**LINKS, "n2": ["10.1.0.1", "10.2.0.2"]})
