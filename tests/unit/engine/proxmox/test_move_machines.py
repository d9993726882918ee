# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs on their way: they go on running, or go on where they were."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError, Refused, Unreachable
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.client import Client
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.guests import Found
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.preconditions import preconditions
from clones import CT, MACHINE, TEMPLATES, VM, add_template, engine_of, made
from cluster import guest, silent
from double import Double


def moves(double: Double, kind: str = "qmigrate") -> list[Any]:
    return [each for each in double.world.tasks.all.values() if each.type == kind]


@pytest.mark.parametrize("pool", ["local-zfs", "shared"])
def test_one_that_runs_goes_on_running_wherever_its_disks_are(double: Double, pool: str) -> None:
    wanted = replace(VM, pool=pool)
    engine = made(double, wanted, disk=f"{pool}:2")
    engine.start(VM.name, "pve1")
    here = guest(double, VM.name)
    since, order = here.since, []
    gap = engine.move(
        wanted,
        "pve1",
        "pve2",
        "live",
        silent,
        leaving=lambda: order.append(here.node),
        arrived=lambda: order.append(here.node),
    )
    assert (here.node, here.running, here.since, gap) == ("pve2", True, since, 0.0), "it was never stopped"
    assert order == ["pve1", "pve2"]
    assert engine.move(wanted, "pve1", "pve2", "live", silent) == 0.0, "asked for again"
    assert len(moves(double)) == 1


def test_a_stopped_one_arrives_stopped(double: Double) -> None:
    engine = made(double, VM)
    before = dict(guest(double, VM.name).config)
    assert engine.move(replace(VM, state="stopped"), "pve1", "pve3", "copy", silent) == 0.0
    here = guest(double, VM.name)
    assert (here.node, here.running, here.config) == ("pve3", False, before)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hostpci0": "0000:01:00.0"}, r"its hostpci0 is a device of this node \(0000:01:00.0\)"),
        ({"usb0": "host=0529:0001"}, r"its usb0 is a device of this node \(host=0529:0001\)"),
        ({"serial0": "/dev/ttyS0"}, r"its serial0 is a device of this node"),
        ({"ide0": "local:iso/debian-13.1.0-amd64-netinst.iso,media=cdrom"}, r"its drive ide0 holds an image of this n"),
        ({"scsi1": "only1:100/x.raw,size=1G"}, r"storage only1 is not available on pve2"),
        ({"lock": "backup"}, r"it is locked \(backup\), and no task works on it \(qm unlock 100"),
    ],
)
def test_what_cannot_move_is_refused_before_anything_is_touched(
    double: Double, change: dict[str, str], words: str
) -> None:
    double.add_storage("only1", nodes="pve1")
    engine = made(double, VM)
    engine.start(VM.name, "pve1")
    guest(double, VM.name).config |= change
    with pytest.raises(Refused, match=words):
        engine.move(VM, "pve1", "pve2", "live", silent, leaving=lambda: pytest.fail("it was about to leave"))
    assert not moves(double) and guest(double, VM.name).running


@pytest.mark.parametrize("wanted", [VM, CT], ids=["vm", "ct"])
def test_a_linked_clone_on_its_nodes_own_storage_stays_there(double: Double, wanted: Any) -> None:
    template = replace(TEMPLATES[wanted.template], clone="linked")
    add_template(double, template)
    engine = engine_of(double, wanted, **{template.name: template})
    engine.create(wanted, "pve1", silent)
    with pytest.raises(Refused, match=r"is a linked clone of a template's disk on this node"):
        engine.move(wanted, "pve1", "pve2", "copy", silent)


@pytest.mark.parametrize("fault", ["fail-task", "kill-task"])
def test_a_migration_that_fails_or_is_killed_leaves_it_running_and_may_be_asked_for_again(
    double: Double, fault: str
) -> None:
    engine = made(double, VM)
    engine.start(VM.name, "pve1")
    double.faults.add(fault, "qmigrate", **({"text": "migration aborted"} if fault == "fail-task" else {}))
    with pytest.raises(EngineError, match="it runs on pve1 as before"):
        engine.move(VM, "pve1", "pve2", "live", silent)
    here = guest(double, VM.name)
    assert (here.node, here.running) == ("pve1", True)
    engine.move(VM, "pve1", "pve2", "live", silent)
    assert (here.node, here.running) == ("pve2", True)


def test_a_target_that_cannot_be_logged_in_to_or_is_dead_is_told_of(double: Double) -> None:
    engine = made(double, VM)
    engine.start(VM.name, "pve1")
    double.faults.unreachable("pve2")
    with pytest.raises(Refused, match=r"migration aborted: .*; it runs on pve1 as before"):
        engine.move(VM, "pve1", "pve2", "live", silent)
    double.faults.kill("pve3")
    with pytest.raises(Unreachable, match="does not see the node"):
        engine.move(VM, "pve1", "pve3", "live", silent)
    here = guest(double, VM.name)
    assert (here.node, here.running, here.lock) == ("pve1", True, "")


def test_a_lost_answer_is_found_out_about(double: Double) -> None:
    engine = made(double, VM)
    engine.start(VM.name, "pve1")
    double.faults.add("lose-answer", "POST /nodes/*/qemu/*/migrate")
    engine.move(VM, "pve1", "pve2", "live", silent)
    here = guest(double, VM.name)
    assert (here.node, here.running) == ("pve2", True)


def test_the_ha_managers_move_is_followed_to_its_end(double: Double) -> None:
    wanted = replace(VM, pool="shared")
    engine = made(double, wanted, disk="shared:2")
    engine.start(wanted.name, "pve1")
    here = guest(double, wanted.name)
    double.ask("POST", "/cluster/ha/resources", sid=f"vm:{here.vmid}", state="started")
    double.advance(30)
    assert engine.move(wanted, "pve1", "pve2", "live", silent) == 0.0
    assert (here.node, here.running) == ("pve2", True)
    assert moves(double, "hamigrate") and moves(double)


def test_one_that_moves_to_its_replica_has_its_job_turned_round(double: Double) -> None:
    engine = made(double, VM)
    engine.start(VM.name, "pve1")
    vmid = guest(double, VM.name).vmid
    double.ask("POST", "/cluster/replication", id=f"{vmid}-0", target="pve2", type="local")
    engine.move(VM, "pve1", "pve2", "live", silent)
    jobs = double.ask("GET", "/cluster/replication").data
    assert [(each["id"], each["target"]) for each in jobs] == [(f"{vmid}-0", "pve1")]
    assert guest(double, VM.name).node == "pve2"


# ---------------------------------------------------------------- what Proxmox VE says beforehand


def said(answer: dict[str, Any] | Refused) -> tuple[list[str], list[str]]:
    """What stands in the way, and what was told, where this is the answer."""

    def get(_path: str, _attempt: str, **_more: Any) -> Any:
        if isinstance(answer, Refused):
            raise answer
        return answer

    told: list[str] = []
    client: Client = SimpleNamespace(get=get)  # type: ignore[assignment]
    return list(preconditions(client, Found("pve1", "qemu", 100, {}), "pve2", "move", told.append)), told


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"not_allowed_nodes": {"pve2": {}, "pve3": {"unavailable_storages": ["only1"]}}}, []),
        (
            {"not_allowed_nodes": {"pve2": {"unavailable_storages": ["a", "b"]}}},
            ["storage a, b is not available on pve2"],
        ),
        ({"local_resources": ["hostpci0"]}, ["it uses devices of this node (hostpci0)"]),
        (
            {"running": 1, "mapped-resource-info": {"hostpci0": {"name": "gpu"}, "hostpci1": {"live-migration": 1}}},
            ["it runs, and uses mapped devices that do not move meanwhile (hostpci0)"],
        ),
        ({"running": 0, "mapped-resource-info": {"usb0": {"name": "dongle"}}}, []),
        (
            {"not-allowed-nodes": {"pve2": {"blocking-ha-resources": [{"sid": "ct:7", "cause": "resource-affinity"}]}}},
            ["the HA manager keeps it from pve2: ct:7 (resource-affinity)"],
        ),
        (Refused("pve1", "move", "Method 'GET /nodes/{node}/lxc/{vmid}/migrate' not implemented"), []),
    ],
)
def test_what_proxmox_ve_says_stands_in_the_way_is_told(answer: Any, words: list[str]) -> None:
    assert said(answer)[0] == words


def test_who_is_brought_along_is_told_and_other_refusals_are_refusals() -> None:
    assert said({"dependent-ha-resources": ["vm:7", "ct:8"]}) == ([], ["the HA manager brings vm:7, ct:8 along"])
    with pytest.raises(Refused):
        said(Refused("pve1", "move", "permission check failed"))


def test_what_version_8_does_not_say_beforehand_keeps_nobody_from_moving() -> None:
    with Double(nodes=2, latency=0.003, tls=True, version="8.4") as double:
        engine = made(double, CT)
        engine.start(CT.name, "pve1")
        assert engine.move(CT, "pve1", "pve2", "copy", silent) > 0
        assert guest(double, CT.name).node == "pve2" and guest(double, CT.name).running


def test_no_template_is_moved(double: Double) -> None:
    add_template(double, MACHINE, name=VM.name, tags="sy+fleet+contract")
    with pytest.raises(Refused):
        engine_of(double, VM).move(VM, "pve1", "pve2", "copy", silent)
