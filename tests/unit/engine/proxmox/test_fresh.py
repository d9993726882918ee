# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two looks right after one another: nobody plans from what a list has not learned yet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox import fresh
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.client import Client
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.engine import ProxmoxEngine
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.converge import converge
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, ObservedServer, Server, Size
from cluster import PBX, client_of, engine_of, fleet_of, guest, made
from double import Double, guests_api, resources

NEVER = 1_000_000.0
"""A list that learns nothing while a test lasts."""


@pytest.fixture(autouse=True)
def asleep(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh, "_PAUSE", 0.01)
    # What there is before the test is reported at once; nothing that comes later is.
    double.world.staleness = 0.0


def seen(double: Double, fleet: Fleet, name: str = PBX.name) -> ObservedServer:
    observed = ProxmoxEngine(fleet, client_of(double)).observe()
    found = [server for server in observed.servers if server.name == name]
    assert len(found) == 1, observed.servers
    return found[0]


def steps(double: Double, *servers: Server) -> list[str]:
    """What a run would do that looks now."""
    fleet = fleet_of(double, *servers)
    plan = converge(fleet, ProxmoxEngine(fleet, client_of(double)).observe())
    assert not plan.refusals
    return [step.id for step in plan.steps]


def test_a_server_that_was_just_made_is_not_made_again(double: Double) -> None:
    double.world.staleness = NEVER
    made(double, PBX)
    assert steps(double, replace(PBX, state="stopped")) == []


def test_a_server_that_was_just_started_is_not_started_again(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = made(double, PBX)
    monkeypatch.setattr(double.world.cluster, "seen", _older(double, monkeypatch))
    engine.start(PBX.name, "pve1")
    assert steps(double, PBX) == []


def test_a_server_that_was_just_stopped_is_not_stopped_again(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = made(double, PBX)
    engine.start(PBX.name, "pve1")
    monkeypatch.setattr(double.world.cluster, "seen", _older(double, monkeypatch))
    engine.stop(PBX.name, "pve1")
    assert steps(double, replace(PBX, state="stopped")) == []


def _older(double: Double, monkeypatch: pytest.MonkeyPatch) -> object:
    """Lists say what was so before now, for good; a guest's own node does for its first three answers."""
    original = double.world.cluster.seen
    before = {vmid: each.seen[-1][1] for vmid, each in double.world.cluster.guests.items()}
    answers = {"left": 3}

    def told(each: object, period: float) -> object:
        vmid = each.vmid  # type: ignore[attr-defined]
        if period:
            return before[vmid]
        answers["left"] -= 1
        return before[vmid] if answers["left"] >= 0 else original(each, 0.0)

    # Both lists are made anew every so often; only by their period can they be told apart here.
    monkeypatch.setattr(resources, "STATUS_PERIOD", 1.0)
    monkeypatch.setattr(guests_api, "LIST_PERIOD", 0.0)
    double.world.staleness = 1.0
    return told


def test_a_server_that_was_just_resized_is_not_resized_again(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    made(double, PBX)
    monkeypatch.setattr(double.world.cluster, "seen", _older(double, monkeypatch))
    bigger = replace(PBX, size=Size(1, 192, 2048, 30), state="stopped")
    engine_of(double, bigger).resize(bigger, "pve1")
    assert steps(double, bigger) == []


def test_a_server_that_was_switched_off_from_within_is_found_stopped(double: Double) -> None:
    """Its last task says that it was started, and nothing says that it was stopped."""
    engine = made(double, PBX)
    engine.start(PBX.name, "pve1")
    there = guest(double, PBX.name)
    there.running = False
    double.world.cluster.observe(there)
    assert steps(double, PBX) == [f"start/{PBX.name}"]


def test_a_server_that_is_just_being_made_is_waited_for_and_not_made_twice(double: Double) -> None:
    """While it is being made its configuration says nothing but that: neither name nor mark."""
    fleet = fleet_of(double, replace(PBX, state="stopped"))
    double.world.clock.latency = 0.2
    client = client_of(double)
    archive = "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"
    tags = (
        "sy+class+small;sy+fleet+contract;sy+net0+lan+10.66.0.50;sy+pool+local-zfs;sy+size+0.5+1536+30;sy+tenant+acme"
    )
    body = {"vmid": 100, "hostname": PBX.name, "ostemplate": archive, "tags": tags, "rootfs": "local-zfs:1.5"}
    client.send("POST", "/nodes/pve1/lxc", "test", body | {"memory": 128, "cores": 1, "cpulimit": 0.5})
    assert double.world.cluster.guests[100].config == {"lock": "create"}
    assert seen(double, fleet).fleet == fleet.name


def test_strangers_and_what_is_as_declared_are_not_asked(client: Client, double: Double) -> None:
    engine = made(double, replace(PBX, state="stopped"))
    double.add_guest(150, running=True)

    def requests() -> int:
        before = engine.calls
        engine.observe()
        return engine.calls - before

    few = requests()
    for vmid in range(151, 160):
        double.add_guest(vmid, "pve2")
    assert requests() == few


def test_a_server_that_went_away_meanwhile_is_not_there(double: Double) -> None:
    fleet = fleet_of(double, PBX)
    made(double, PBX)
    gone = "Configuration file 'nodes/pve1/lxc/100.conf' does not exist"
    double.faults.add("refuse", "GET /nodes/pve1/lxc/100/config", text=gone)
    observed = ProxmoxEngine(fleet, client_of(double)).observe()
    assert observed.servers == ()


def test_a_server_nobody_can_ask_is_what_the_list_says(double: Double) -> None:
    fleet = fleet_of(double, PBX)
    made(double, PBX)
    double.faults.add("refuse", "GET /nodes/pve1/lxc/100/config", text="something else")
    observed = ProxmoxEngine(fleet, client_of(double)).observe()
    assert [(each.name, each.state) for each in observed.servers] == [(PBX.name, "stopped")]
