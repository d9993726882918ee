# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What agents publish, and what is seen of servers together with that."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import (
    agent_report,
    protect_activate,
    safekeeping,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.agent_report import Report
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.kept import Agents, kept
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Abilities,
    Check,
    Copying,
    Failover,
    Fleet,
    Interface,
    Node,
    ObservedServer,
    Protection,
    Replication,
    Server,
    Size,
)

SIZE = Size(1, 64, 100)
PBX = Server("pbx", SIZE, "t", replication=Replication("interval", 60), failover=Failover("auto"))
FLEET = Fleet("prod", "incus", {name: Node(name, "192.0.2.1") for name in ("n1", "n2", "n3")}, {"pbx": PBX})
ALL = Report(True, True, frozenset({("n1", "n2"), ("n2", "n1")}))
PRIMARY = ObservedServer(
    "pbx", "n1", "running", SIZE, fleet="prod", protection=Protection(("n1", "n2"), strict=True, keeps="running")
)
REPLICA = ObservedServer("pbx", "n2", "stopped", SIZE, fleet="prod", role="replica", copying=Copying(60, 1.0))
MARKS = safekeeping.watched(PBX) | {safekeeping.REPLICAS: "n2"} | safekeeping.pair_mark("n1", "n2")


def agents(**reports: Report) -> Agents:
    return Agents(reports, frozenset(reports))


def look(
    *servers: ObservedServer, agents: Agents, marks: dict[tuple[str, str], dict[str, str]] | None = None
) -> list[ObservedServer]:
    known = {("pbx", "n1"): MARKS, ("pbx", "n2"): MARKS} if marks is None else marks
    return kept(FLEET, servers, known, agents, agents.abilities(Abilities()))


def test_a_report_is_read_as_it_was_written() -> None:
    for report in (
        ALL,
        replace(ALL, in_step=True),
        Report(),
        Report(True, trouble="no quorum", servers={"pbx": "does not answer"}),
    ):
        assert agent_report.read({agent_report.key("prod"): agent_report.text(report)}, "prod") == report
        assert agent_report.read({agent_report.key("other"): agent_report.text(report)}, "prod") == Report()


@pytest.mark.parametrize("spoiled", ["", "{", "7", "[]", '{"pairs": ["n1"]}', '{"pairs": 3}', '{"servers": []}'])
def test_a_spoiled_report_promises_nothing(spoiled: str) -> None:
    assert agent_report.read({agent_report.key("prod"): spoiled}, "prod") == Report()


def test_one_node_without_an_agent_and_nothing_is_promised() -> None:
    plain = Abilities()
    assert agents(n1=ALL, n2=ALL).abilities(plain).protects
    assert agents(n1=ALL, n2=ALL).abilities(plain).replicates
    only_copies = agents(n1=ALL, n2=Report(True)).abilities(plain)
    assert (only_copies.replicates, only_copies.protects, only_copies.detection) == (True, False, 0.0)
    assert agents(n1=ALL, n2=Report()).abilities(plain).replicates is False
    assert agents().abilities(plain) == plain


def test_disks_are_in_step_where_every_node_says_so_and_there_is_a_cluster() -> None:
    one = replace(ALL, in_step=True)
    assert agents(n1=one, n2=one).abilities(Abilities()).synchronous
    assert not agents(n1=one, n2=ALL).abilities(Abilities()).synchronous
    alone = replace(one, protects=False, pairs=frozenset())
    assert not agents(n1=alone, n2=alone).abilities(Abilities()).synchronous


def test_a_server_in_step_of_which_the_nodes_know_other_checks_is_not_as_declared() -> None:
    replica = replace(REPLICA, copying=Copying(0, 1.0, in_step=True))
    one = replace(ALL, in_step=True)
    known = {("pbx", node): MARKS | {safekeeping.FAILOVER: "{}"} for node in ("n1", "n2")}
    found = look(PRIMARY, replica, agents=agents(n1=one, n2=one), marks=known)
    assert all(each.copying.outdated for each in found if each.copying)
    found = look(PRIMARY, replica, agents=agents(n1=one, n2=one))
    assert [each.copying.in_step for each in found if each.copying] == [True]
    assert not any(each.copying.outdated for each in found if each.copying)


def test_a_pair_the_cluster_knows_in_one_direction_only_is_waited_for() -> None:
    half = Report(True, True, frozenset({("n1", "n2")}))
    seen = look(PRIMARY, REPLICA, agents=agents(n1=half, n2=half))[0].protection
    assert seen is not None and seen.waits
    whole = look(PRIMARY, REPLICA, agents=agents(n1=half, n2=ALL))[0].protection
    assert whole is not None and not whole.waits


def test_the_trouble_of_a_server_is_told_before_that_of_its_node() -> None:
    sick = replace(ALL, trouble="a disk fails", servers={"pbx": "no answer"})
    assert [look(PRIMARY, agents=agents(n1=sick))[0].protection] == [
        replace(PRIMARY.protection or Protection(), trouble="no answer")
    ]
    other = replace(ALL, trouble="a disk fails")
    found = look(PRIMARY, agents=agents(n1=ALL, n2=other))[0].protection
    assert found is not None and found.trouble == "", "its backup's trouble is not its own"


def test_a_replica_that_is_only_marked_is_incomplete_there() -> None:
    found = look(PRIMARY, agents=agents(n1=ALL, n2=ALL))
    assert [(each.node, each.role, each.complete) for each in found] == [
        ("n1", "primary", True),
        ("n2", "replica", False),
    ]
    assert len(look(PRIMARY, agents=agents(n1=ALL))) == 1, "of a node that does not answer nobody can tell"
    stranger = ObservedServer("pbx", "n2", "running", SIZE)
    assert len(look(PRIMARY, stranger, agents=agents(n1=ALL, n2=ALL))) == 2


def test_other_checks_than_the_nodes_know_are_not_as_declared() -> None:
    other = safekeeping.watched(replace(PBX, start_order=3))
    known = {("pbx", "n1"): MARKS | other}
    as_declared = look(PRIMARY, REPLICA, agents=agents(n1=ALL))
    assert [each.copying and each.copying.outdated for each in as_declared] == [None, ()]
    found = look(PRIMARY, REPLICA, agents=agents(n1=ALL, n2=ALL), marks=known)
    assert [each.copying and each.copying.outdated for each in found] == [None, (("vs_start_order", "3", "50"),)]
    assert found[1].copying and found[1].copying.interval == 60, "it is refreshed all the same"


def test_what_differs_is_told_in_words_and_no_url_is() -> None:
    before = safekeeping.guard_mark(
        replace(PBX, checks=(Check("http", 80),), failover=Failover("auto", "activate", "http://u:secret@peer/"))
    )
    after = replace(
        PBX, checks=(Check("tcp", 5060, timeout=5.0),), failover=Failover("auto", "activate", "http://u:other@peer/")
    )
    assert safekeeping.outdated(before, after) == (
        ("vs_checks", "http 80 / within 30 s", "tcp 5060 within 5 s"),
        ("URLs of vs_failover_action", "others", "as declared"),
    )


def test_an_address_that_was_given_and_not_declared_is_as_declared() -> None:
    legs = (Interface("lan"), Interface("lan"), Interface("back", "198.51.100.7"))
    given = (Interface("lan", "192.0.2.5"), Interface("lan", "192.0.2.6"), Interface("back", "198.51.100.7"))
    fleet = replace(FLEET, servers={"pbx": replace(PBX, interfaces=legs)})
    marks = MARKS | safekeeping.watched(replace(PBX, interfaces=given))
    known, both = {("pbx", "n1"): marks, ("pbx", "n2"): marks}, agents(n1=ALL, n2=ALL)

    def outdated(seen: tuple[Interface, ...]) -> tuple[tuple[str, str, str], ...]:
        found = kept(fleet, (replace(PRIMARY, interfaces=seen), REPLICA), known, both, both.abilities(Abilities()))
        assert found[1].copying
        return found[1].copying.outdated

    assert outdated(given) == ()
    assert outdated((*given[:2], Interface("back", "198.51.100.8"))) == (), "what is declared is known as declared"
    ((what, before, after),) = outdated((given[0], Interface("lan", "192.0.2.9"), given[2]))
    assert (what, before) == ("addresses", "192.0.2.5, 192.0.2.6, 198.51.100.7")
    assert after == "192.0.2.5, 192.0.2.9, 198.51.100.7", "it has another one by now"


def test_what_a_failover_left_behind_is_told_from_what_a_move_left() -> None:
    winner = replace(PRIMARY, node="n2", generation=1000)
    found = {each.node: each for each in look(PRIMARY, winner, agents=agents(n1=ALL, n2=ALL), marks={})}
    assert found["n1"].diverged and not found["n2"].diverged
    moved = replace(PRIMARY, node="n2", generation=2)
    assert not any(each.diverged for each in look(PRIMARY, moved, agents=agents(n1=ALL, n2=ALL), marks={}))


def test_of_a_lost_server_the_replicas_label_says_that_it_will_be_started() -> None:
    lost = replace(PRIMARY, state="unknown", protection=None)
    found = look(lost, REPLICA, agents=agents(n2=ALL), marks={("pbx", "n2"): MARKS})[0].protection
    assert found is not None and found.nodes == ("n1", "n2") and "starts it on n2" in found.waits
    unlabelled = {key: value for key, value in MARKS.items() if key != safekeeping.PAIR}
    assert look(lost, REPLICA, agents=agents(n2=ALL), marks={("pbx", "n2"): unlabelled})[0].protection is None


def test_others_guests_are_left_as_they_are() -> None:
    stranger = ObservedServer("pbx", "n3", "running", SIZE, fleet="another", generation=1)
    assert look(stranger, agents=agents(n3=ALL), marks={}) == [stranger]


def test_a_backup_that_knows_of_another_peer_is_no_protection_as_declared() -> None:
    calling = replace(PBX, failover=Failover("auto", "activate", "http://peer/take", "http://peer/back"))
    fleet = replace(FLEET, servers={"pbx": calling})
    said = protect_activate.peer(calling, "n1")
    for book, strict in (
        ({"pbx": said}, True),
        ({"pbx": replace(said, activated=5.0)}, True),
        ({"pbx": replace(said, activate_url="http://old/take")}, False),
        ({"pbx": replace(said, home="n3")}, False),
        ({}, False),
    ):
        told = replace(agents(n1=ALL, n2=ALL), books={"n2": book})
        (server,) = kept(fleet, [PRIMARY], {("pbx", "n1"): MARKS | {safekeeping.REPLICAS: ""}}, told, Abilities())
        assert server.protection is not None and server.protection.strict is strict
    # A node that does not answer tells nothing of what it knows.
    (server,) = kept(fleet, [PRIMARY], {("pbx", "n1"): MARKS | {safekeeping.REPLICAS: ""}}, agents(n1=ALL), Abilities())
    assert server.protection is not None and server.protection.strict
