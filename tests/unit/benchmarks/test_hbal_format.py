# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets as hbal reads them, there and back."""

from __future__ import annotations

import pytest
from planning import hbal_format
from planning.instances import SHAPES, Shape, Storage, instance
from planning.score import figures, homes

NODES = "alpha|1000|100|400|0|0|10|N|g\nbeta|1000|0|1000|0|0|10|N|g\n"
ONE = "one|300|10|4|running|Y|alpha||ext|role:db"


def cluster(*instances: str, nodes: str = NODES, tags: str = "", policies: str = "") -> str:
    """A file of two nodes."""
    return "\n".join(("g|g|preferred|\n", nodes, "".join(f"{line}\n" for line in instances), tags, policies))


@pytest.mark.parametrize("storage", ["external", "local", "replicas"])
@pytest.mark.parametrize("shape", [SHAPES["10x200"], SHAPES["tight"], Shape(5, 60)])
def test_what_was_written_is_read_back(shape: Shape, storage: Storage) -> None:
    fleet, observed = instance(shape, 7, storage)
    text = hbal_format.write(fleet, observed)
    fleet_read, observed_read = hbal_format.read(text)
    assert hbal_format.write(fleet_read, observed_read) == text
    assert figures(fleet_read, observed_read, homes(observed_read)) == figures(fleet, observed, homes(observed))
    assert {name: server.node for name, server in fleet_read.servers.items()} == {
        name: server.node for name, server in fleet.servers.items()
    }
    assert {rule.subjects for rule in fleet_read.rules} == {rule.subjects for rule in fleet.rules}
    assert hbal_format.storage(fleet_read, observed_read) == storage


def test_what_a_node_uses_itself_is_a_stranger_on_it() -> None:
    _fleet, observed = hbal_format.read(cluster(ONE))
    strangers = [guest for guest in observed.servers if not guest.fleet]
    assert [(guest.node, guest.size.memory) for guest in strangers] == [("alpha", 300)]


def test_instances_with_one_exclusion_tag_are_kept_apart() -> None:
    lines = [f"{name}|10|0|1|running|Y|beta||ext|{tag}" for name, tag in (("a", "db:x"), ("b", "db:x"), ("c", "web:x"))]
    fleet, _observed = hbal_format.read(cluster(*lines, tags="htools:iextags:db\n"))
    assert [(rule.kind, rule.subjects) for rule in fleet.rules] == [("apart", frozenset({"a", "b"}))]


def test_nodes_that_share_a_location_fail_together() -> None:
    nodes = "".join(f"{name}|1000|0|1000|0|0|4|N|g|1|{tag}\n" for name, tag in (("a", "rack:1"), ("b", "rack:2,x")))
    fleet, _observed = hbal_format.read(cluster(nodes=nodes, tags="htools:nlocation:rack\n"))
    assert {name: node.domain for name, node in fleet.nodes.items()} == {"a": "rack:1", "b": "rack:2"}


def test_what_hbal_never_moves_is_pinned_where_it_moves_others() -> None:
    plain = "two|300|10|4|running|Y|beta||plain|"
    fleet, _observed = hbal_format.read(cluster(ONE, plain))
    assert {name: server.node for name, server in fleet.servers.items()} == {"one": "", "two": "beta"}
    fleet, _observed = hbal_format.read(cluster(plain))
    assert fleet.servers["two"].node == ""


def test_an_instance_out_of_balancing_is_pinned() -> None:
    fleet, _observed = hbal_format.read(cluster(ONE.replace("|Y|", "|N|")))
    assert fleet.servers["one"].node == "alpha"


def test_a_replica_is_on_its_secondary_node() -> None:
    fleet, observed = hbal_format.read(cluster("one|300|10|4|running|Y|alpha|beta|drbd|"))
    copies = [(guest.role, guest.node) for guest in observed.servers if guest.name == "one"]
    assert copies == [("primary", "alpha"), ("replica", "beta")]
    assert fleet.servers["one"].replication.mode == "interval"


def test_the_groups_policy_says_how_many_virtual_cores_a_core_carries() -> None:
    policies = "|s|m;m|ext|8.0|32.0\ng|s|m;m|ext|2.5|32.0\n"
    fleet, _observed = hbal_format.read(cluster(ONE, policies=policies))
    assert {node.overcommit.cores for node in fleet.nodes.values()} == {2.5}
    assert {node.overcommit.cores for node in hbal_format.read(cluster(ONE))[0].nodes.values()} == {4.0}


def test_memory_is_set_aside_for_what_is_down() -> None:
    fleet, observed = hbal_format.read(cluster(ONE.replace("running", "ADMIN_down")))
    # 600 of 1000 are in use without it, and it would take 300.
    assert figures(fleet, observed, homes(observed)).worst_node == pytest.approx(0.9)
    fleet, observed = hbal_format.read(cluster(ONE))
    assert figures(fleet, observed, homes(observed)).worst_node == pytest.approx(0.6)


def test_who_is_on_an_offline_node_may_run_or_not() -> None:
    nodes = NODES.replace("alpha|1000|100|400|0|0|10|N", "alpha|1000|100|400|0|0|10|Y")
    _fleet, observed = hbal_format.read(cluster(ONE, nodes=nodes))
    assert [guest.state for guest in observed.servers] == ["unknown"]


def test_a_node_that_is_offline_has_nothing() -> None:
    _fleet, observed = hbal_format.read(cluster(ONE, nodes=NODES + "gone|?|?|?|?|?|?|Y|g\n"))
    assert [name for name, node in observed.nodes.items() if node.reach == "offline"] == ["gone"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nonsense", "1 sections"),
        (cluster("one|300"), "too few"),
        (cluster(ONE.replace("300", "much")), "much"),
        (cluster(ONE.replace("alpha", "omega")), "no such node"),
        (cluster(ONE).replace("g|g|preferred|\n", "g|g|preferred|\nh|h|preferred|\n"), "2 node groups"),
    ],
)
def test_a_file_that_is_none_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(hbal_format.FormatError, match=complaint):
        hbal_format.read(text)
