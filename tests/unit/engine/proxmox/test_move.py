# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers on their way: they arrive as they were, or go on where they were."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError, Refused, Unreachable
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox import move
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.guests import Found, Guests
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Size
from cluster import PBX, guest, made, server, silent
from double import Double


def test_a_stopped_one_arrives_stopped_and_without_a_gap(double: Double) -> None:
    engine = made(double, PBX)
    before = dict(guest(double, PBX.name).config)
    assert engine.move(PBX, "pve1", "pve2", "copy", silent) == 0.0
    here = guest(double, PBX.name)
    assert (here.node, here.running) == ("pve2", False)
    assert {key: here.config[key] for key in before if key != "rootfs"} == {
        key: value for key, value in before.items() if key != "rootfs"
    }
    asleep = replace(PBX, state="stopped")
    assert engine.move(asleep, "pve1", "pve2", "copy", silent) == 0.0, "asked for again"
    assert not here.running


def test_one_that_runs_runs_again_and_both_words_are_asked_for(double: Double) -> None:
    engine = made(double, PBX)
    engine.start(PBX.name, "pve1")
    order: list[str] = []
    gap = engine.move(
        PBX,
        "pve1",
        "pve3",
        "copy",
        silent,
        leaving=lambda: order.append(guest(double, PBX.name).node),
        arrived=lambda: order.append(guest(double, PBX.name).node),
    )
    here = guest(double, PBX.name)
    assert (here.node, here.running, order) == ("pve3", True, ["pve1", "pve3"])
    assert gap > 0
    engine.stop(PBX.name, "pve3")


def test_who_calls_it_off_keeps_the_server_where_it_runs(double: Double) -> None:
    engine = made(double, PBX)
    engine.start(PBX.name, "pve1")

    def no() -> None:
        raise RuntimeError("called off")

    with pytest.raises(RuntimeError):
        engine.move(PBX, "pve1", "pve2", "copy", silent, leaving=no)
    here = guest(double, PBX.name)
    assert (here.node, here.running) == ("pve1", True)


def test_an_aborted_migration_leaves_it_running_where_it_was_and_says_why(double: Double) -> None:
    engine = made(double, PBX)
    engine.start(PBX.name, "pve1")
    double.faults.unreachable("pve2")
    with pytest.raises(Refused, match=r"migration aborted: .*; it runs on pve1 as before"):
        engine.move(PBX, "pve1", "pve2", "copy", silent)
    here = guest(double, PBX.name)
    assert (here.node, here.running, here.lock) == ("pve1", True, "")


def test_a_migration_that_fails_after_the_shutdown_starts_it_again(double: Double) -> None:
    engine = made(double, PBX)
    engine.start(PBX.name, "pve1")
    here = guest(double, PBX.name)

    double.faults.add("fail-task", "vzmigrate", text="migration aborted")
    with pytest.raises(Refused, match="it runs on pve1 as before"):
        engine.move(PBX, "pve1", "pve2", "copy", silent)
    assert here.running


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mp0": "/srv/data,mp=/data"}, r"its mount mp0 is a directory of this node \(/srv/data\)"),
        ({"dev0": "/dev/ttyUSB0"}, r"its dev0 is a device of this node"),
        ({"mp1": "only1:100/x.raw,mp=/x,size=1G"}, r"storage only1 is not available on pve2"),
        ({"lock": "backup"}, r"it is locked \(backup\)"),
    ],
)
def test_what_cannot_move_is_refused_before_anything_is_touched(
    double: Double, change: dict[str, str], words: str
) -> None:
    double.add_storage("only1", nodes="pve1")
    engine = made(double, PBX)
    guest(double, PBX.name).config |= change
    with pytest.raises(Refused, match=words):
        engine.move(PBX, "pve1", "pve2", "copy", silent, leaving=lambda: pytest.fail("it was about to be stopped"))
    assert not [each for each in double.world.tasks.all.values() if each.type == "vzmigrate"]


def test_a_dead_target_and_a_manner_containers_do_not_have_are_refused(double: Double) -> None:
    engine = made(double, PBX)
    with pytest.raises(Refused, match="do not move while they run"):
        engine.move(PBX, "pve1", "pve2", "live", silent)
    double.faults.kill("pve2")
    with pytest.raises(Unreachable, match="does not see the node"):
        engine.move(PBX, "pve1", "pve2", "copy", silent)
    assert guest(double, PBX.name).node == "pve1"


def test_a_lost_answer_is_found_out_about(double: Double) -> None:
    engine = made(double, PBX)
    engine.start(PBX.name, "pve1")
    double.faults.add("lose-answer", "POST /nodes/*/lxc/*/migrate")
    engine.move(PBX, "pve1", "pve2", "copy", silent)
    here = guest(double, PBX.name)
    assert (here.node, here.running, len(double.world.cluster.guests)) == ("pve2", True, 1)


def test_one_somebody_is_moving_already_is_waited_for(double: Double) -> None:
    engine = made(double, PBX)
    engine.start(PBX.name, "pve1")
    vmid = guest(double, PBX.name).vmid
    double.ask("POST", f"/nodes/pve1/lxc/{vmid}/migrate", target="pve2", restart=1)
    engine.move(PBX, "pve1", "pve2", "copy", silent)
    here = guest(double, PBX.name)
    assert (here.node, here.running) == ("pve2", True)


def test_one_that_arrives_between_two_questions_is_there(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = made(double, PBX)
    engine.start(PBX.name, "pve1")
    vmid = guest(double, PBX.name).vmid
    runs = Guests.runs

    def late(self: Guests, found: Found, attempt: str) -> bool:
        if found.node == "pve1":
            double.ask("POST", f"/nodes/pve1/lxc/{vmid}/migrate", target="pve2", restart=1)
            while guest(double, PBX.name).node != "pve2":
                double.advance(1)
        return runs(self, found, attempt)

    monkeypatch.setattr(Guests, "runs", late)
    engine.move(PBX, "pve1", "pve2", "copy", silent)
    here = guest(double, PBX.name)
    assert (here.node, here.running) == ("pve2", True)


def test_a_source_that_dies_on_the_way_is_told_of(double: Double) -> None:
    pbx = server("big", Size(1, 128, 30_000))
    engine = made(double, pbx)
    double.faults.add("fail-task", "vzmigrate", text="never", params={"vmid": 1})
    threading.Timer(0.1, lambda: double.faults.kill("pve1")).start()
    with pytest.raises(EngineError) as caught:
        for target, source in (("pve2", "pve1"), ("pve1", "pve2")) * 50:
            engine.move(pbx, source, target, "copy", silent)
    assert isinstance(caught.value, Unreachable), caught.value


def test_the_ha_managers_move_is_followed_to_its_end(double: Double) -> None:
    pbx = replace(PBX, pool="shared")
    engine = made(double, pbx)
    engine.start(pbx.name, "pve1")
    here = guest(double, pbx.name)
    double.ask("POST", "/cluster/ha/resources", sid=f"ct:{here.vmid}", state="started")
    double.advance(30)
    gap = engine.move(pbx, "pve1", "pve2", "shared", silent)
    assert (here.node, here.running) == ("pve2", True) and gap > 0
    types = [each.type for each in double.world.tasks.all.values()]
    assert "hamigrate" in types and "vzmigrate" in types


def test_an_ha_manager_that_forgot_what_it_was_asked_is_asked_again(
    double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = made(double, PBX)
    engine.start(PBX.name, "pve1")
    double.ask("POST", "/cluster/ha/resources", sid="ct:100")
    double.advance(30)
    pass_on, asked = double.world.ha.request_move, []

    def forgetful(sid: str, node: str, how: str) -> None:
        asked.append(sid)
        if len(asked) > 1:
            pass_on(sid, node, how)

    monkeypatch.setattr(double.world.ha, "request_move", forgetful)
    monkeypatch.setattr(move, "_UNHEARD", 0.2)
    engine.move(PBX, "pve1", "pve2", "offline", silent)
    assert (guest(double, PBX.name).node, guest(double, PBX.name).running) == ("pve2", True)
    assert len(asked) > 1


def test_a_node_its_rule_rules_out_is_refused_before_anything_is_asked(double: Double) -> None:
    engine = made(double, PBX)
    engine.start(PBX.name, "pve1")
    double.ask("POST", "/cluster/ha/resources", sid="ct:100", failback=0)
    double.ask(
        "POST",
        "/cluster/ha/rules",
        rule="theirs",
        type="node-affinity",
        resources="ct:100",
        nodes="pve1,pve3",
        strict=1,
    )
    with pytest.raises(Refused, match=r"the HA manager keeps it from pve2: ct:100 \(node-affinity\)"):
        engine.move(PBX, "pve1", "pve2", "offline", silent)
    assert guest(double, PBX.name).node == "pve1"


def test_the_ha_managers_failure_is_told_in_the_words_of_the_task_it_began(double: Double) -> None:
    pbx = replace(PBX, pool="shared")
    engine = made(double, pbx)
    engine.start(pbx.name, "pve1")
    here = guest(double, pbx.name)
    double.ask("POST", "/cluster/ha/resources", sid=f"ct:{here.vmid}", state="started")
    double.advance(30)
    double.faults.unreachable("pve2")
    with pytest.raises(Refused, match=r"migration aborted: .*; it runs on pve1 as before"):
        engine.move(pbx, "pve1", "pve2", "shared", silent)
    assert here.node == "pve1"
