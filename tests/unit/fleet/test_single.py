# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server asked for, everybody else left as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.census import take_census
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.foresight import foresee
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Exported,
    Failover,
    Fleet,
    Interface,
    Observed,
    Plan,
    Size,
    Step,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.single import Request, single
from fleets import apart, fleet, guest, node, observed, seen, server, silent, stranger

PBX1, PBX2 = server("pbx01"), server("pbx02")
NODES = [node("node1"), node("node2"), node("node3")]
SEEN = [seen("node1"), seen("node2"), seen("node3")]


def plan(asked: Fleet, there: Observed, name: str = "pbx01", state: Any = "present", **more: Any) -> Plan:
    found = single(asked, there, Request(name, state, **more))
    assert not (found.refusals and found.steps)
    return found


def ids(found: Plan) -> list[str]:
    assert not found.refusals, found.refusals
    return [step.id for step in found.steps]


def why_not(found: Plan) -> str:
    return "; ".join(f"{refusal.subject}: {refusal.reason}" for refusal in found.refusals)


def test_a_new_one_is_made_and_rests_or_runs_as_asked():
    asked = fleet(NODES, [PBX1])
    assert ids(plan(asked, observed(SEEN))) == ["create/pbx01"]
    assert ids(plan(asked, observed(SEEN), state="started")) == ["create/pbx01", "start/pbx01"]


@pytest.mark.parametrize("state", ["stopped", "restarted"])
def test_one_that_is_not_there_cannot_be_stopped_or_restarted(state):
    assert "does not exist" in why_not(plan(fleet(NODES, [PBX1]), observed(SEEN), state=state))


@pytest.mark.parametrize(
    ("is_now", "state", "steps"),
    [
        ("running", "present", []),
        ("stopped", "present", []),
        ("running", "started", []),
        ("stopped", "started", ["start/pbx01"]),
        ("running", "stopped", ["stop/pbx01"]),
        ("stopped", "stopped", []),
        ("running", "restarted", ["restart/pbx01"]),
        ("stopped", "restarted", ["start/pbx01"]),
        ("stopped", "absent", ["delete/pbx01"]),
    ],
)
def test_every_state_from_every_state(is_now, state, steps):
    there = observed(SEEN, [guest(PBX1, "node1", state=is_now)])
    assert ids(plan(fleet(NODES, [PBX1]), there, state=state)) == steps


def test_a_running_one_is_deleted_only_by_force():
    there = observed(SEEN, [guest(PBX1, "node1")])
    asked = fleet(NODES, [PBX1])
    assert "runs on node1; stop it first, or say force: true" in why_not(plan(asked, there, state="absent"))
    assert ids(plan(asked, there, state="absent", force=True)) == ["stop/pbx01", "delete/pbx01"]


def test_one_that_is_gone_is_absent_already():
    assert ids(plan(fleet(NODES, [PBX1]), observed(SEEN), state="absent")) == []
    assert ids(plan(fleet(NODES, []), observed(SEEN), state="absent")) == []


def test_deleting_needs_no_declaration_and_deletes_nobody_else():
    there = observed(SEEN, [guest(PBX1, "node1", state="stopped"), guest(PBX2, "node1", state="stopped")])
    assert ids(plan(fleet(NODES, []), there, state="absent")) == ["delete/pbx01"]


@pytest.mark.parametrize("state", ["present", "absent", "started", "stopped", "restarted"])
def test_a_guest_that_is_not_ours_is_never_touched(state):
    for asked in (fleet(NODES, [PBX1]), fleet(NODES, [PBX1, PBX2])):
        there = observed(SEEN, [stranger("pbx01", "node2")])
        assert "the name is taken on node2 by a guest that is not ours" in why_not(
            plan(asked, there, state=state, force=True)
        )
    there = observed(SEEN, [stranger("pbx01", "node2", fleet="other")])
    assert "a server of fleet other" in why_not(plan(fleet(NODES, []), there, state="absent"))


@pytest.mark.parametrize("state", ["present", "absent", "started", "stopped", "restarted"])
def test_nothing_is_begun_where_nobody_can_tell_how_it_is(state):
    asked = fleet(NODES, [PBX1])
    gone = observed([silent("node1"), *SEEN[1:]], [guest(PBX1, "node1", state="unknown")])
    assert "is on node1, which does not answer" in why_not(plan(asked, gone, state=state, force=True))
    twice = observed(SEEN, [guest(PBX1, "node1"), guest(PBX1, "node2")])
    assert "2 copies call themselves primary" in why_not(plan(asked, twice, state=state, force=True))
    nobody = observed(SEEN, [guest(PBX1, "node1")], quorate=False)
    assert "quorum" in why_not(plan(asked, nobody, state=state, force=True))


def test_everybody_else_stays_as_they_are_whatever_is_declared():
    others = [replace(PBX2, size=Size(2, 2048, 2048)), server("pbx03"), server("pbx04", state="stopped")]
    there = observed(SEEN, [guest(PBX2, "node1"), guest(server("pbx04"), "node1"), guest(server("byhand"), "node2")])
    found = plan(fleet(NODES, [PBX1, *others]), there, state="started")
    assert ids(found) == ["create/pbx01", "start/pbx01"]
    assert found.notes == ()
    assert found.placement["pbx02"] == "node1" and found.placement["byhand"] == "node2"


def test_room_and_rules_count_the_others_in():
    asked = fleet(NODES[:2], [PBX1, PBX2], [apart("pbx01", "pbx02")])
    there = observed(SEEN[:2], [guest(PBX2, "node1")])
    assert plan(asked, there).placement["pbx01"] == "node2"
    full = observed([seen("node1"), seen("node2", memory=512)], [guest(PBX2, "node1")])
    assert "anti-affinity with pbx02" in why_not(plan(asked, full))


def test_a_new_one_goes_where_it_is_asked_or_nowhere():
    asked = fleet(NODES, [PBX1])
    assert plan(asked, observed(SEEN), node="node3").placement["pbx01"] == "node3"
    assert "no such node; there is node1" in why_not(plan(asked, observed(SEEN), node="nodde1"))
    drained = observed([*SEEN[:2], seen("node3", maintenance=True)])
    assert "is drained" in why_not(plan(asked, drained, node="node3"))
    pinned = fleet(NODES, [replace(PBX1, node="node1")])
    assert "is pinned to node1 in the inventory" in why_not(plan(pinned, observed(SEEN), node="node3"))


def test_one_that_is_elsewhere_is_moved_and_then_changed():
    asked = fleet(NODES, [replace(PBX1, size=Size(2, 2048, 2048))])
    there = observed(SEEN, [guest(PBX1, "node1")])
    found = plan(asked, there, node="node2")
    assert ids(found) == ["move/pbx01", "resize/pbx01"]
    assert found.steps[1].needs == ("move/pbx01",)
    assert found.steps[1].node == "node2"
    assert ids(plan(asked, observed(SEEN, [guest(asked.servers["pbx01"], "node2")]), node="node2")) == []


def test_a_move_needs_room_for_the_size_it_is_to_have():
    there = observed([seen("node1"), seen("node2", memory=1536)], [guest(PBX1, "node1")])
    assert ids(plan(fleet(NODES[:2], [PBX1]), there, node="node2")) == ["move/pbx01"]
    bigger = fleet(NODES[:2], [replace(PBX1, size=Size(1, 2048, 1024))])
    assert "memory" in str(plan(bigger, there, node="node2").refusals)


def test_one_that_no_longer_fits_where_it_is_can_grow_by_moving():
    there = observed([seen("node1", memory=1536), seen("node2")], [guest(PBX1, "node1")])
    bigger = fleet(NODES[:2], [replace(PBX1, size=Size(1, 2048, 1024))])
    assert "cannot grow on node1" in why_not(plan(bigger, there))
    assert ids(plan(bigger, there, node="best")) == ["move/pbx01", "resize/pbx01"]


def test_best_is_where_there_is_most_room_and_a_second_time_it_stays():
    others = [server(f"other{number}") for number in range(4)]
    guests = [guest(PBX1, "node1"), *(guest(each, "node1") for each in others[:3]), guest(others[3], "node2")]
    asked = fleet(NODES, [PBX1, *others])
    found = plan(asked, observed(SEEN, guests), node="best")
    assert ids(found) == ["move/pbx01"] and found.steps[0].node == "node3"
    assert ids(plan(asked, foresee(asked, observed(SEEN, guests), found.steps), node="best")) == []


def test_best_of_equals_is_where_it_is():
    assert ids(plan(fleet(NODES, [PBX1]), observed(SEEN, [guest(PBX1, "node2")]), node="best")) == []


def test_best_leaves_a_drained_node():
    there = observed([seen("node1", maintenance=True), *SEEN[1:]], [guest(PBX1, "node1")])
    assert plan(fleet(NODES, [PBX1]), there, node="best").steps[0].node == "node2"


def test_a_disk_does_not_shrink():
    there = observed(SEEN, [guest(replace(PBX1, size=Size(1, 1024, 2048)), "node1")])
    assert "a disk cannot shrink without losing data" in why_not(plan(fleet(NODES, [PBX1]), there))


def test_a_new_address_of_a_running_one_waits_unless_it_may_be_restarted():
    moved = replace(PBX1, interfaces=(Interface("lan", "10.1.9.9"),))
    there = observed(SEEN, [guest(PBX1, "node1")])
    found = plan(fleet(NODES, [moved]), there)
    assert ids(found) == [] and "needs a restart" in found.notes[0]
    assert ids(plan(fleet(NODES, [moved]), there, restart=True)) == ["configure/pbx01", "restart/pbx01"]
    assert ids(plan(fleet(NODES, [moved]), there, state="restarted")) == ["configure/pbx01", "restart/pbx01"]


def test_a_copy_is_made_of_whom_it_is_asked_without_a_template():
    bare = [replace(each, templates=frozenset()) for each in SEEN]
    there = observed(bare, [guest(PBX2, "node2")])
    found = plan(fleet(NODES, [PBX1, PBX2]), there, source="pbx02", state="started")
    assert ids(found) == ["create/pbx01", "start/pbx01"]
    step = found.steps[0]
    assert (step.action, step.source, step.servers) == ("copy", "node2", ("pbx02",))
    assert "is on no node that answers" in why_not(plan(fleet(NODES, [PBX1, PBX2]), there))


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (observed(SEEN), "there is no server of ours of that name"),
        (observed(SEEN, [stranger("pbx02", "node1")]), "there is no server of ours of that name"),
        (observed([silent("node1"), *SEEN[1:]], [guest(PBX2, "node1", state="unknown")]), "does not answer"),
        (observed(SEEN, [guest(replace(PBX2, size=Size(1, 1, 4096)), "node1")]), "on a disk of 1024 MiB"),
    ],
)
def test_a_copy_of_whom_nobody_can_copy_is_refused(there, said):
    assert said in why_not(plan(fleet(NODES, [PBX1]), there, source="pbx02"))


def test_nothing_is_copied_to_one_that_exists():
    there = observed(SEEN, [guest(PBX1, "node1"), guest(PBX2, "node2")])
    assert ids(plan(fleet(NODES, [PBX1, PBX2]), there, source="pbx02")) == []


def protected(name: str, memory: int) -> Any:
    return server(name, size=Size(1, memory, 512), failover=Failover("auto"))


def test_a_new_one_goes_where_the_fleet_still_survives():
    """The least used node is the only backup with room; on any other the new one costs nothing."""
    nodes = [node("node1"), node("node2"), node("node3")]
    big = protected("big", 6000)
    asked = fleet(nodes, [big, PBX1])
    there = observed(
        [seen("node1", memory=8192), seen("node2", memory=6500), seen("node3", memory=2048)], [guest(big, "node1")]
    )
    found = plan(asked, there)
    assert found.placement["pbx01"] in ("node1", "node3")
    assert all(proof.holds for proof in found.survival_after)


def test_what_the_fleet_no_longer_survives_is_said():
    nodes = [node("node1"), node("node2")]
    big = protected("big", 6000)
    asked = fleet(nodes, [big, replace(PBX1, node="node2")])
    there = observed([seen("node1", memory=8192), seen("node2", memory=6500)], [guest(big, "node1")])
    found = plan(asked, there, state="started")
    assert ids(found) == ["create/pbx01", "start/pbx01"]
    assert any("no longer survives the death of node1" in note for note in found.notes)


def test_foresight_sees_what_each_step_does():
    asked = fleet(NODES, [replace(PBX1, tenant="acme", size=Size(2, 2048, 2048)), PBX2])
    there = observed(SEEN, [guest(PBX1, "node1")])
    changes = {"tenant": ("", "acme")}
    steps = [
        Step("a", "stop", "node1", "pbx01"),
        Step("b", "move", "node2", "pbx01", source="node1"),
        Step("c", "resize", "node2", "pbx01"),
        Step("d", "configure", "node2", "pbx01", changes=changes),
        Step("e", "create", "node3", "pbx02"),
        Step("f", "start", "node3", "pbx02"),
        Step("g", "maintenance", "node1", changes={"state": ("active", "maintenance")}),
    ]
    after = foresee(asked, there, steps)
    found = take_census(asked, after).primaries
    one, two = found["pbx01"], found["pbx02"]
    assert (one.node, one.state, one.size, one.tenant) == ("node2", "stopped", Size(2, 2048, 2048), "acme")
    assert (two.node, two.state, two.fleet, two.interfaces) == ("node3", "running", "test", PBX2.interfaces)
    assert after.nodes["node1"].maintenance and not after.nodes["node2"].maintenance
    gone = foresee(asked, after, [Step("h", "delete", "node2", "pbx01", changes={"exists": (True, False)})])
    assert "pbx01" not in take_census(asked, gone).primaries


def test_foresight_leaves_an_address_alone_that_waits_for_a_restart():
    asked = fleet(NODES, [replace(PBX1, tenant="acme", interfaces=(Interface("lan", "10.1.9.9"),))])
    step = Step("a", "configure", "node1", "pbx01", changes={"tenant": ("", "acme")})
    (after,) = foresee(asked, observed(SEEN, [guest(PBX1, "node1")]), [step]).servers
    assert (after.tenant, after.interfaces) == ("acme", PBX1.interfaces)


def of_a_file(name: str = "pbx01", disk: int = 0) -> Exported:
    there = guest(server(name), "")
    return Exported("/srv/x.tar.gz", "c0ffee", replace(there, size=replace(there.size, disk=disk or there.size.disk)))


def test_one_made_of_a_file_needs_no_template_and_is_told_as_such():
    asked, bare = fleet(NODES, [PBX1]), [replace(each, templates=frozenset()) for each in SEEN]
    found = plan(asked, observed(bare), state="started", exported=of_a_file())
    assert [(step.id, step.action) for step in found.steps] == [("create/pbx01", "import"), ("start/pbx01", "start")]
    assert found.steps[0].changes["imported from"] == (None, "/srv/x.tar.gz")
    after = foresee(asked, observed(bare), found.steps)
    assert take_census(asked, after).primaries["pbx01"].state == "running"


def test_one_that_is_there_is_left_alone_if_it_was_made_of_this_very_file_and_refused_otherwise():
    asked, there = fleet(NODES, [PBX1]), guest(PBX1, "node1")
    made = observed(SEEN, [replace(there, imported="c0ffee")])
    assert ids(plan(asked, made, exported=of_a_file())) == []
    for other in ("", "decaf"):
        found = plan(asked, observed(SEEN, [replace(there, imported=other)]), exported=of_a_file())
        assert "was not made from /srv/x.tar.gz; delete it first" in why_not(found)


def test_no_disk_is_smaller_than_what_is_in_the_file():
    found = plan(fleet(NODES, [PBX1]), observed(SEEN), exported=of_a_file(disk=10**6))
    assert "cannot be made from /srv/x.tar.gz on a disk of" in why_not(found)
