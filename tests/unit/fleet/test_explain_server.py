# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explaining a server: where it is and why, and of every node whether it fits."""

from __future__ import annotations

import fleets as b
import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.explain_server import explain_server
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Failover, Replication, Size

NODES = [b.node(f"n{i}") for i in (1, 2, 3, 4)]
SEEN = [b.seen(f"n{i}") for i in (1, 2, 3)]


def explained(servers, guests, name, *, rules=(), nodes=None, seen=None):
    text = explain_server(b.fleet(nodes or NODES[:3], servers, rules), b.observed(seen or SEEN, guests), name)
    return text.splitlines()


def row(lines, node):
    return next(" ".join(line.split()) for line in lines if line.startswith(f"{node} "))


def test_every_node_is_told_fit_or_not_and_why():
    servers = [b.server("sip1"), b.server("sip2"), b.server("big", size=Size(1, 8000, 100))]
    guests = [b.guest(servers[0], "n1"), b.guest(servers[1], "n2"), b.guest(servers[2], "n3")]
    seen = [*SEEN, b.seen("n4", maintenance=True)]
    lines = explained(servers, guests, "sip1", rules=[b.apart("sip1", "sip2")], nodes=NODES, seen=seen)
    assert lines[0] == "sip1: 1 cores, 1024 MiB memory, 1024 MiB disk on default"
    assert lines[1] == "is on n1, the only node that fits"
    assert row(lines, "n1").startswith("n1 is here memory 12%")
    assert row(lines, "n2") == "n2 no anti-affinity with sip2"
    assert row(lines, "n3") == "n3 no memory: 1024 MiB wanted, 192 free"
    assert row(lines, "n4") == "n4 no is drained"


def test_a_better_node_is_named_with_what_it_would_bring():
    servers = [b.server("a"), b.server("c")]
    lines = explained(servers, [b.guest(s, "n1") for s in servers], "a")
    assert lines[1] == "is on n1; n2 would be better for the balance"
    assert row(lines, "n2").startswith("n2 yes memory 12% ")
    before, after = row(lines, "n2").split(" ")[4], row(lines, "n2").split(" ")[6]
    assert float(before) > float(after)


def test_where_it_is_best_it_is_said_so():
    servers = [b.server("a"), b.server("c"), b.server("d")]
    guests = [b.guest(s, node) for s, node in zip(servers, ("n1", "n2", "n3"), strict=True)]
    assert explained(servers, guests, "a")[1] == "is on n1; no other node would be better for the balance"


def test_a_pinned_server_says_so_and_a_misplaced_one_why():
    servers = [b.server("a", node="n1"), b.server("c", node="n2")]
    guests = [b.guest(s, "n1") for s in servers]
    assert explained(servers, guests, "a")[1] == "is on n1, pinned there"
    lines = explained(servers, guests, "c")
    assert lines[1] == "is on n1"
    assert lines[2] == "must not be there: c is pinned to n2"
    assert row(lines, "n2").endswith("repairs 1 violation")


def test_the_backup_and_what_would_no_longer_survive_are_told():
    kept = b.server(
        "kept", size=Size(1, 6000, 100), failover=Failover(mode="auto"), replication=Replication("interval", 60)
    )
    other = b.server("other", size=Size(1, 3000, 100))
    guests = [b.guest(kept, "n1"), b.guest(kept, "n2", role="replica", state="stopped"), b.guest(other, "n3")]
    lines = explained([kept, other], guests, "kept")
    assert "would run on n2 if its node died (its replica is there)" in lines
    lines = explained([kept, other], guests, "other")
    assert "does not run elsewhere when its node dies (vs_failover is off)" in lines
    assert row(lines, "n2") == "n2 no then the death of n1 could not be survived: n2 would be too full"


def test_servers_tied_to_it_are_named():
    servers = [b.server("web"), b.server("db")]
    lines = explained(servers, [b.guest(s, "n1") for s in servers], "web", rules=[b.together("web", "db")])
    assert "moves together with db, to which it is tied" in lines


def test_a_server_that_does_not_exist_yet_is_told_where_it_would_be_made():
    lines = explained([b.server("new")], [], "new")
    assert lines[1].startswith("does not exist yet; would be created on n1: least used of 3 nodes that fit")


def test_a_name_nobody_has_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="pbx11: no such virtual server; there is pbx1"):
        explained([b.server("pbx1")], [], "pbx11")
