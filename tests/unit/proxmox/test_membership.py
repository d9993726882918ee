# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who makes a cluster, who joins it, and when nothing is done at all."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.proxmox.membership import Plan, parse, plan, state

CONF = """logging {{
  debug: off
}}

nodelist {{
{nodes}}}

quorum {{
  provider: corosync_votequorum
}}

totem {{
  cluster_name: {name}
  config_version: 3
  interface {{
    linknumber: 0
  }}
  version: 2
}}
"""


def conf(name: str, *nodes: str) -> str:
    blocks = "".join(
        f"  node {{\n    name: {node}\n    nodeid: {number}\n    quorum_votes: 1\n"
        f"    ring0_addr: 192.0.2.{node[-1]}\n    ring1_addr: 198.51.100.{node[-1]}\n  }}\n"
        for number, node in enumerate(nodes, 1)
    )
    return CONF.format(nodes=blocks, name=name)


def alone(node: str, **more: Any) -> dict[str, Any]:
    rows = [{"type": "node", "name": node, "online": 1}]
    return {"name": node, "version": "9.1.9", "status": rows, **more}


def member(
    node: str, *nodes: str, name: str = "berlin", quorate: int = 1, online: str = "", **more: Any
) -> dict[str, Any]:
    text = conf(name, *nodes)
    up = online.split(",") if online else nodes
    rows: list[dict[str, Any]] = [{"type": "cluster", "name": name, "quorate": quorate}]
    rows += [{"type": "node", "name": each, "online": int(each in up)} for each in nodes]
    return {
        "name": node,
        "version": "9.1.9",
        "cluster_conf": text,
        "own_conf": text,
        "key": True,
        "status": rows,
        **more,
    }


def planned(*found: dict[str, Any], repair: bool = False, **links: Any) -> Plan:
    addresses = {each["name"]: [f"192.0.2.{each['name'][-1]}", f"198.51.100.{each['name'][-1]}"] for each in found}
    return plan([state(each) for each in found], "berlin", addresses | links, repair=repair)


def problems(*found: dict[str, Any], repair: bool = False, **links: Any) -> list[tuple[str, str]]:
    return [(each.node, each.found) for each in planned(*found, repair=repair, **links).problems]


def test_a_corosync_conf_is_read() -> None:
    read = parse(conf("berlin", "n1", "n2"))
    assert read.name == "berlin"
    assert read.nodes == {"n1": ("192.0.2.1", "198.51.100.1"), "n2": ("192.0.2.2", "198.51.100.2")}
    assert parse("") == parse("nonsense { }")


def test_the_first_makes_it_and_the_others_join() -> None:
    assert planned(alone("n1"), alone("n2"), alone("n3")) == Plan(create="n1", join=("n2", "n3"), peer="n1")


def test_whoever_has_guests_makes_it_as_it_keeps_them() -> None:
    assert planned(alone("n1"), alone("n2", guests=3)) == Plan(create="n2", join=("n1",), peer="n2")
    assert problems(alone("n1", guests=1), alone("n2", guests=3)) == [("n2", "3 guests of its own")]


def test_members_are_left_alone_and_newcomers_join_them() -> None:
    assert planned(member("n1", "n1", "n2"), member("n2", "n1", "n2")) == Plan(peer="n1")
    three = planned(alone("n1"), member("n2", "n2", "n3"), member("n3", "n2", "n3"))
    assert (three.create, three.join, three.peer) == ("", ("n1",), "n2")


def test_a_node_of_another_cluster_ends_it() -> None:
    found = problems(alone("n1"), member("n2", "n2", "n9", name="hamburg"))
    assert found == [("n2", "a member of cluster hamburg")]


def test_two_clusters_of_one_name_are_not_taken_for_one() -> None:
    found = problems(member("n1", "n1"), member("n2", "n2"))
    assert found[0] == ("n1", "a cluster berlin that n2 is not in, and which has one of its own")


@pytest.mark.parametrize(
    ("left", "found"),
    [
        ({"key": True}, "half joined: remains of a cluster"),
        ({"own_conf": conf("berlin", "n1", "n3")}, "half joined: remains of a cluster"),
        ({"local": True}, "half joined: remains of a cluster"),
        ({"key": True, "guests": 0, "cluster_conf": conf("berlin", "n1")}, "half joined: remains of a cluster"),
    ],
)
def test_what_a_join_left_behind_is_cleared_only_when_asked(left: dict[str, Any], found: str) -> None:
    nodes = (member("n1", "n1", "n2"), member("n2", "n1", "n2"), alone("n3", **left))
    assert problems(*nodes) == [("n3", found)]
    assert planned(*nodes, repair=True) == Plan(clear=("n3",), join=("n3",), peer="n1")


def test_one_the_others_wait_for_is_forgotten_and_joins_anew_when_asked() -> None:
    nodes = (
        member("n1", "n1", "n2", "n3", online="n1,n2"),
        member("n2", "n1", "n2", "n3", online="n1,n2"),
        alone("n3"),
    )
    assert problems(*nodes) == [("n3", "half joined: n1 takes it for a member")]
    assert planned(*nodes, repair=True) == Plan(delist=("n3",), join=("n3",), peer="n1")


def test_one_that_was_removed_and_does_not_know_is_cleared_when_asked() -> None:
    removed = member("n3", "n1", "n2", "n3", quorate=0, online="n3")
    nodes = (member("n1", "n1", "n2"), member("n2", "n1", "n2"), removed)
    assert problems(*nodes) == [("n3", "half joined: remains of a cluster")]
    assert planned(*nodes, repair=True) == Plan(clear=("n3",), join=("n3",), peer="n1")


def test_guests_on_a_half_joined_node_are_never_cleared_away() -> None:
    nodes = (member("n1", "n1"), alone("n2", key=True, guests=2))
    assert problems(*nodes, repair=True) == [("n2", "2 guests of its own")]


def test_without_a_quorum_nobody_joins() -> None:
    nodes = (member("n1", "n1", "n2", quorate=0, online="n1"), alone("n2"))
    assert ("n1", "berlin has no quorum") in problems(*nodes, repair=True)


def test_links_that_differ_are_told_and_not_changed() -> None:
    nodes = (member("n1", "n1", "n2"), member("n2", "n1", "n2"))
    assert problems(*nodes, n2=["192.0.2.99", "198.51.100.2"]) == [("n2", "links 192.0.2.2, 198.51.100.2")]
    assert problems(alone("n1"), alone("n2"), n2=["192.0.2.2"]) == [("n1", "2 links"), ("n2", "1 links")]


def test_two_versions_make_no_cluster() -> None:
    assert problems(alone("n1"), alone("n2", version="8.4.14")) == [
        ("n1", "Proxmox VE 9.1.9"),
        ("n2", "Proxmox VE 8.4.14"),
    ]
