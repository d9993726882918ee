# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill on paper says of every node and failure domain what failover says of it, and how long it takes."""

from __future__ import annotations

import json

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.drill import drill_text, rehearse
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.failover import failover
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import FailoverOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Abilities,
    Copying,
    Failover,
    Observed,
    Replication,
    Server,
)
from fleets import fleet, guest, node, observed, seen, server

AUTO = {"failover": Failover("auto"), "replication": Replication("interval", 300)}
MANUAL = {"failover": Failover("manual"), "replication": Replication("interval", 300)}
ABLE = Abilities(replicates=True, promotes=True, protects=True, start=2.0, detection=5.0)


def there(homes: dict[Server, str], replicas: dict[Server, str]) -> Observed:
    guests = [guest(its, on) for its, on in homes.items()]
    guests += [
        guest(its, on, role="replica", state="stopped", copying=Copying(300, 990.0)) for its, on in replicas.items()
    ]
    return observed([seen(name) for name in "abc"], guests, abilities=ABLE, at=1000.0)


def test_of_every_loss_who_goes_where_when_and_with_what() -> None:
    db, pbx, bare = server("db", start_order=10, start_delay=3, **AUTO), server("pbx", **AUTO), server("bare")
    other = server("other", **MANUAL)
    found = there({db: "a", pbx: "a", bare: "a", other: "b"}, {db: "b", pbx: "b", other: "c"})
    racks = [node("a", failure_domain="r1"), node("b", failure_domain="r1"), node("c", failure_domain="r2")]
    first, second, rack = rehearse(fleet(racks, [db, pbx, bare, other]), found)
    assert (first.lost, second.lost, rack.lost, rack.over) == ("a", "b", "r1", "failure_domain")
    assert [(each.server, each.to, each.seconds, each.age) for each in first.revivals] == [
        ("db", "b", 7.0, 10.0),
        ("pbx", "b", 12.0, 10.0),
    ]
    assert first.resting == {"bare": "failover is off"}
    assert [(each.server, each.by_hand, each.seconds) for each in second.revivals] == [("other", True, 2.0)]
    assert {each.server for each in rack.revivals} == {"other"}
    assert rack.down == dict.fromkeys(("db", "pbx"), "its backup b is dead too")


def test_a_node_starts_as_many_side_by_side_as_it_may() -> None:
    servers = [server(f"s{number}", **AUTO) for number in range(5)]
    found = there(dict.fromkeys(servers, "a"), dict.fromkeys(servers, "b"))
    nodes = [node(name, concurrency=2) for name in "abc"]
    (rehearsal,) = rehearse(fleet(nodes, servers), found, ["a"])
    assert [each.seconds for each in rehearsal.revivals] == [7.0, 7.0, 9.0, 9.0, 11.0]


def test_it_says_what_failover_says() -> None:
    servers = [server("s", **MANUAL), server("t", **MANUAL), server("u", **AUTO)]
    found = there(dict.fromkeys(servers, "a"), {servers[0]: "b", servers[1]: "c", servers[2]: "b"})
    whole = fleet([node(name) for name in "abc"], servers)
    plan = failover(whole, found, FailoverOptions(("a",)))
    (rehearsal,) = rehearse(whole, found, ["a"])
    assert {each.server: each.to for each in rehearsal.revivals} == {
        step.server: step.node for step in plan.steps if step.action == "start"
    }


def test_it_is_read_as_a_table_and_as_json() -> None:
    pbx, lost = server("pbx", **AUTO), server("lost", failover=Failover("auto"))
    found = there({pbx: "a", lost: "a"}, {pbx: "b"})
    (rehearsal,) = rehearse(fleet([node("a", backup="a"), node("b"), node("c")], [pbx, lost]), found)
    text = drill_text([rehearsal], each=True)
    assert "pbx" in text
    assert "a → b" in text
    assert "7.0" in text
    document = json.loads(json.dumps(rehearsal.document()))
    assert document["revivals"][0]["server"] in {"pbx", "lost"}
    assert drill_text([], each=True) == "nothing runs that a failure could stop"
