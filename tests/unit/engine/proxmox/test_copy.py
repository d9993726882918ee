# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers made from servers: what is on their disks, and nothing else that is theirs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError, Refused, Unreachable
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.hardware_address import hardware_address
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox import marks
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.engine import ProxmoxEngine
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Interface, Server, Size
from clones import CT, VM, engine_of, made
from cluster import guest, silent
from double import Double

BOTH = pytest.mark.parametrize("source", [VM, CT], ids=["vm", "ct"])


def second(source: Server, **more: Any) -> Server:
    return replace(source, name="other-002", interfaces=(Interface("lan", "10.66.0.61"),), tenant="umbrella", **more)


def ready(double: Double, source: Server, copy: Server, *, runs: bool) -> ProxmoxEngine:
    made(double, source)
    engine = engine_of(double, source, copy)
    if runs:
        engine.start(source.name, "pve1")
    return engine


@BOTH
@pytest.mark.parametrize("runs", [True, False], ids=["running", "stopped"])
@pytest.mark.parametrize("node", ["pve1", "pve2"])
def test_a_copy_is_a_server_of_its_own_and_its_source_goes_on(
    double: Double, source: Server, runs: bool, node: str
) -> None:
    copy = second(source, size=Size(1, 256, 6144))
    engine = ready(double, source, copy, runs=runs)
    there = guest(double, source.name)
    before = dict(there.config)
    for _again in range(2):
        engine.copy(source.name, "pve1", copy, node, silent)
    here = guest(double, copy.name)
    mac = hardware_address("contract", copy.name, 0).upper()
    assert (here.node, here.running, here.lock, here.kind) == (node, False, "", there.kind)
    assert mac in here.config["net0"] and "description" not in here.config
    assert "10.66.0.61/24" in (here.config["ipconfig0"] if here.kind == "qemu" else here.config["net0"])
    assert here.config["memory"] == "256" and "size=6G" in here.config["scsi0" if here.kind == "qemu" else "rootfs"]
    said = marks.read(here.config["tags"])
    assert (said.tenant, said.interfaces, said.template) == ("umbrella", copy.interfaces, source.template)
    assert (there.config, there.running, there.snapshots) == (before, runs, {}), "no snapshot is left"
    engine.start(copy.name, node)
    assert here.running and there.running == runs


@BOTH
def test_a_copy_that_was_cut_off_is_gone_on_with(double: Double, source: Server) -> None:
    copy = second(source)
    engine = ready(double, source, copy, runs=False)
    double.faults.add("lose-request", "PUT /nodes/*/*/*/config")
    with pytest.raises(Unreachable):
        engine.copy(source.name, "pve1", copy, "pve1", silent)
    here = guest(double, copy.name)
    assert marks.read(here.config["tags"]).interfaces == source.interfaces, "it still bears its source's tags"
    engine_of(double, source, copy).configure(copy, "pve1")
    assert marks.read(here.config["tags"]).interfaces == copy.interfaces and "description" not in here.config


def test_a_running_container_whose_storage_takes_no_snapshots_is_refused_and_left_alone(double: Double) -> None:
    source = replace(CT, pool="shared")
    copy = second(source)
    made(double, source, disk="shared:1")
    engine = engine_of(double, source, copy)
    engine.start(source.name, "pve1")
    with pytest.raises(Refused, match=r"ct-001 runs, and its storage takes no snapshots \(stop it for the copy, or"):
        engine.copy(source.name, "pve1", copy, "pve1", silent)
    assert guest(double, source.name).running and len(double.world.cluster.guests) == 2
    engine.stop(source.name, "pve1")
    engine.copy(source.name, "pve1", copy, "pve2", silent)
    assert guest(double, copy.name).node == "pve2"
    assert not [each for each in double.world.tasks.all.values() if each.type == "vzmigrate"], (
        "given to the node at once"
    )


def test_a_snapshot_that_was_left_is_taken_anew_and_goes(double: Double) -> None:
    copy = second(CT)
    engine = ready(double, CT, copy, runs=True)
    double.faults.add("lose-request", "POST /nodes/*/lxc/*/clone")
    double.faults.add("lose-request", "GET /nodes/*/lxc/*/snapshot", times=4)
    with pytest.raises(EngineError):
        engine.copy(CT.name, "pve1", copy, "pve1", silent)
    double.faults.clear()
    engine_of(double, CT, copy).copy(CT.name, "pve1", copy, "pve1", silent)
    assert not guest(double, CT.name).snapshots and guest(double, copy.name)


@BOTH
def test_what_cannot_be_copied_is_refused(double: Double, source: Server) -> None:
    copy = second(source, size=Size(1, 256, 2048))
    engine = ready(double, source, copy, runs=False)
    with pytest.raises(Refused, match=r"has 4096 MiB, other-002 is to have 2048 MiB"):
        engine.copy(source.name, "pve1", copy, "pve1", silent)
    double.add_guest(777, name="stranger", hostname="stranger")
    with pytest.raises(Refused, match="does not bear the mark of fleet contract"):
        engine.copy("stranger", "pve1", second(source), "pve1", silent)
    with pytest.raises(Refused, match="no guest nobody on this node"):
        engine.copy("nobody", "pve1", second(source), "pve1", silent)
    double.add_guest(778, hostname=copy.name, name=copy.name)
    with pytest.raises(Refused, match=r"other-002 \(778\) on this node does not bear the mark"):
        engine_of(double, source, copy).copy(source.name, "pve1", second(source), "pve1", silent)
    missing = replace(second(source, pool="only3"), name="third")
    double.add_storage("only3", nodes="pve3")
    with pytest.raises(Refused, match="storage only3 is not available on this node"):
        engine.copy(source.name, "pve1", missing, "pve2", silent)
    assert sorted(each.name for each in double.world.cluster.guests.values() if not each.template) == sorted(
        [source.name, "stranger", copy.name]
    )
