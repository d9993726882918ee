# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every change to containers: what it does, that it may be asked twice, what becomes of it when things go wrong."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError, Refused, Unreachable
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox import marks
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.client import Missing
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.engine import ProxmoxEngine
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.difference import difference
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Interface, Size, Template
from cluster import PBX, client_of, engine_of, fleet_of, guest, made, server, silent
from double import Double


def test_a_created_server_is_stopped_ours_and_as_declared(double: Double) -> None:
    engine = made(double, PBX, "pve2")
    here = guest(double, PBX.name)
    assert (here.node, here.running) == ("pve2", False)
    assert here.config["cpulimit"] == "0.5" and here.config["cores"] == "1"
    found = next(each for each in engine.observe().servers if each.name == PBX.name)
    assert (found.node, found.state, found.fleet, found.size) == ("pve2", "stopped", "contract", PBX.size)
    assert (found.interfaces, found.class_name, found.tenant) == (PBX.interfaces, "small", "acme")


def test_a_disk_of_any_number_of_mebibytes_is_made_to_the_mebibyte(double: Double) -> None:
    made(double, server("pbx-002", Size(1, 128, 12345)))
    assert "size=12345M" in guest(double, "pbx-002").config["rootfs"]


def test_it_is_made_in_its_resource_pool_and_put_into_another_one(double: Double) -> None:
    for pool in ("customers", "customers/acme"):
        double.ask("POST", "/pools", poolid=pool)
    fleet = fleet_of(double, PBX)
    fleet = replace(fleet, networks={"lan": replace(fleet.networks["lan"], search=("acme.example", "example"))})
    engine = ProxmoxEngine(fleet, client_of(double))
    engine.create(replace(PBX, resource_pool="customers"), "pve1", silent)
    assert guest(double, PBX.name).config["searchdomain"] == "acme.example example"

    def pool_of() -> str | None:
        return next(each.resource_pool for each in engine.observe().servers if each.name == PBX.name)

    assert pool_of() == "customers"
    moved = replace(PBX, resource_pool="customers/acme")
    assert (
        "resource_pool"
        in difference(fleet, engine.observe(), moved, engine.observe().servers[0], restart=False).settings
    )
    for _again in range(2):
        engine.configure(moved, "pve1")
        assert pool_of() == "customers/acme"
    with pytest.raises(Refused, match=r"see that the resource pool exists \(vs_resource_pool\)"):
        engine.create(server("pbx-002", resource_pool="nowhere"), "pve1", silent)


def test_each_change_may_be_asked_for_twice(double: Double) -> None:
    engine = made(double, PBX)
    here = guest(double, PBX.name)
    before = dict(here.config)
    engine.create(PBX, "pve1", silent)
    engine.configure(PBX, "pve1")
    engine.resize(PBX, "pve1")
    assert here.config == before
    for _again in range(2):
        engine.start(PBX.name, "pve1")
        assert here.running
    engine.create(PBX, "pve1", silent)
    engine.configure(PBX, "pve1")
    engine.resize(PBX, "pve1")
    assert here.config == before
    engine.restart(PBX.name, "pve1")
    for _again in range(2):
        engine.stop(PBX.name, "pve1")
        assert not here.running
    engine.restart(PBX.name, "pve1")
    assert here.running
    engine.stop(PBX.name, "pve1")
    for _again in range(2):
        engine.delete(PBX.name, "pve1")
    assert not double.world.cluster.guests


def test_a_step_costs_no_more_calls_than_it_must(double: Double) -> None:
    engine = engine_of(double, PBX)

    def calls(change: Callable[[], None]) -> int:
        double.settle()
        before = engine.calls
        change()
        return engine.calls - before

    engine.create(server("first"), "pve1", silent)
    # POST, and two or three looks at its task; the quorum is asked every three seconds.
    assert calls(lambda: engine.create(PBX, "pve1", silent)) <= 5
    assert calls(lambda: engine.configure(PBX, "pve1")) == 1
    assert calls(lambda: engine.start(PBX.name, "pve1")) <= 5
    assert calls(lambda: engine.delete("nobody", "pve1")) <= 2


def test_twenty_made_at_once_by_two_who_do_not_know_of_each_other_all_have_numbers_of_their_own(
    double: Double,
) -> None:
    servers = [server(f"pbx-{number:03}") for number in range(20)]
    engines = [engine_of(double, *servers), engine_of(double, *servers)]

    def create(number: int) -> None:
        engines[number % 2].create(servers[number], f"pve{number % 3 + 1}", silent)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(create, range(20)))
    guests = double.world.cluster.guests
    assert len(guests) == 20 and {each.name for each in guests.values()} == {each.name for each in servers}


def test_numbers_stay_in_the_clusters_range(double: Double) -> None:
    double.send("PUT", "/cluster/options", {"next-id": "lower=7000,upper=7100"})
    made(double, PBX)
    assert guest(double, PBX.name).vmid == 7000


def test_who_was_quicker_keeps_the_number_and_the_next_one_is_taken(double: Double) -> None:
    double.faults.add("race", "POST /nodes/*/lxc")
    made(double, PBX)
    assert guest(double, PBX.name).vmid == 101
    assert guest(double, "somebody-elses").vmid == 100


@pytest.mark.parametrize("fault", ["lose-answer", "half"])
def test_a_creation_nobody_saw_the_end_of_is_found(double: Double, fault: str) -> None:
    if fault == "half":
        double.faults.add(fault, "POST /nodes/*/lxc", status=504, text="got timeout from proxy")
    else:
        double.faults.add(fault, "POST /nodes/*/lxc")
    made(double, PBX).create(PBX, "pve1", silent)
    assert not guest(double, PBX.name).lock


def test_a_failed_creation_is_an_error_and_leaves_room_for_the_next(double: Double) -> None:
    double.faults.add("fail-task", "vzcreate", text="zfs error: out of space")
    engine = engine_of(double, PBX)
    with pytest.raises(Refused, match=r"pve1: create pbx-001: zfs error: out of space \(the storage on this node is"):
        engine.create(PBX, "pve1", silent)
    engine.create(PBX, "pve1", silent)
    assert guest(double, PBX.name)


def test_half_a_container_is_not_started_and_the_way_out_is_told(double: Double) -> None:
    double.faults.add("kill-task", "vzcreate")
    with pytest.raises(Refused, match=r"the creation of 100 was cut off half way.*pct unlock 100"):
        made(double, PBX)


def test_who_may_set_tags_only_afterwards_does_so_and_is_known_meanwhile(double: Double) -> None:
    text = "Permission check failed (/vms/100, VM.Config.Options)"
    double.faults.add("refuse", "POST /nodes/*/lxc", status=403, text=text)
    double.faults.add("lose-request", "PUT /nodes/*/lxc/*/config")
    with pytest.raises(Unreachable):
        made(double, PBX)
    here = guest(double, PBX.name)
    assert "tags" not in here.config and "is not finished" in here.config["description"]
    engine = engine_of(double, PBX)
    engine.create(PBX, "pve1", silent)
    assert marks.read(here.config["tags"]).fleet == "contract" and "description" not in here.config
    assert (here.config["unprivileged"], here.config["features"]) == ("1", "nesting=1")


def test_a_missing_template_says_which_archive(double: Double) -> None:
    engine = ProxmoxEngine(replace(fleet_of(double, PBX), templates={}), client_of(double))
    with pytest.raises(Missing, match=r"debian-13-standard_1_amd64.tar.zst.*content vztmpl.*\(download"):
        engine.create(PBX, "pve1", silent)
    with pytest.raises(Missing):
        engine.provide_template(Template("other"), "pve1", "pve2", silent)


def test_what_differs_is_changed_and_nothing_else(double: Double) -> None:
    engine = made(double, PBX)
    here = guest(double, PBX.name)
    here.config["tags"] += ";mine"
    here.config["net0"] += ",firewall=1"
    here.config["description"] = "by hand"
    other = replace(PBX, tenant="umbrella", interfaces=(Interface("lan", "10.66.0.77"),), start_order=3)
    engine.configure(other, "pve1")
    said = marks.read(here.config["tags"])
    assert (said.tenant, said.interfaces, said.others) == ("umbrella", other.interfaces, ("mine",))
    assert "ip=10.66.0.77/24" in here.config["net0"] and "firewall=1" in here.config["net0"]
    assert here.config["startup"] == "order=3" and here.config["description"].strip() == "by hand"
    before = dict(here.config)
    engine.configure(other, "pve1")
    assert here.config == before
    engine.configure(replace(other, interfaces=()), "pve1")
    assert "net0" not in here.config and "nameserver" not in here.config


def test_the_network_of_one_that_runs_waits_for_its_next_start(double: Double) -> None:
    engine = made(double, PBX)
    engine.start(PBX.name, "pve1")
    here = guest(double, PBX.name)
    other = replace(PBX, tenant="umbrella", interfaces=(Interface("lan", "10.66.0.77"),))
    engine.configure(other, "pve1")
    said = marks.read(here.config["tags"])
    assert (said.tenant, said.interfaces) == ("umbrella", PBX.interfaces)
    assert "10.66.0.77" not in here.config["net0"]
    engine.restart(PBX.name, "pve1")
    assert here.running and "10.66.0.77" in here.config["net0"]
    assert marks.read(here.config["tags"]).interfaces == other.interfaces


def test_it_grows_and_does_not_shrink(double: Double) -> None:
    engine = made(double, PBX)
    bigger = replace(PBX, size=Size(2, 256, 2048, 60))
    engine.resize(bigger, "pve1")
    found = next(each for each in engine.observe().servers if each.name == PBX.name)
    double.advance(30)
    found = next(each for each in engine.observe().servers if each.name == PBX.name)
    assert found.size == bigger.size
    assert "cpulimit" not in guest(double, PBX.name).config
    with pytest.raises(Refused, match="its disk has 2048 MiB"):
        engine.resize(PBX, "pve1")


def test_a_change_that_was_refused_but_written_is_taken_back(double: Double) -> None:
    engine = made(double, PBX)
    here = guest(double, PBX.name)
    before = dict(here.config)
    fleet = replace(engine.fleet, networks={"lan": replace(engine.fleet.networks["lan"], bridge="vmbr99")})
    with pytest.raises(Refused, match=r"bridge 'vmbr99' does not exist; it was written all the same, and has been tak"):
        ProxmoxEngine(fleet, client_of(double)).configure(replace(PBX, tenant="x"), "pve1")
    assert here.config == before


def test_somebody_elses_change_in_between_is_not_lost(double: Double) -> None:
    engine = made(double, PBX)
    double.faults.add("race", "PUT /nodes/*/lxc/*/config")
    engine.create(PBX, "pve1", silent)
    before = engine.calls
    engine.configure(replace(PBX, tenant="umbrella"), "pve1")
    assert engine.calls - before >= 4, "it was read, refused, read and written again"
    here = guest(double, PBX.name)
    assert here.config["description"] == "changed by somebody else"
    assert marks.read(here.config["tags"]).tenant == "umbrella"


def test_one_that_does_not_listen_is_cut_off(double: Double) -> None:
    engine = made(double, PBX)
    engine.start(PBX.name, "pve1")
    here = guest(double, PBX.name)
    here.deaf = True
    engine.stop(PBX.name, "pve1")
    assert not here.running


def test_one_that_runs_is_not_deleted(double: Double) -> None:
    engine = made(double, PBX)
    engine.start(PBX.name, "pve1")
    with pytest.raises(Refused, match=r"container is running \(stop it first\)"):
        engine.delete(PBX.name, "pve1")
    assert guest(double, PBX.name).running


def test_delete_takes_jobs_and_ha_resources_with_it(double: Double) -> None:
    engine = made(double, PBX)
    vmid = guest(double, PBX.name).vmid
    double.ask("POST", "/cluster/ha/resources", sid=f"ct:{vmid}", state="disabled")
    double.advance(20)
    engine.delete(PBX.name, "pve1")
    assert not double.world.cluster.guests
    assert double.ask("GET", "/cluster/ha/resources").data == []


def test_the_ha_manager_is_asked_and_waited_for(double: Double) -> None:
    engine = made(double, PBX)
    here = guest(double, PBX.name)
    double.ask("POST", "/cluster/ha/resources", sid=f"ct:{here.vmid}", state="stopped")
    double.advance(30)
    engine.start(PBX.name, "pve1")
    assert here.running
    engine.stop(PBX.name, "pve1")
    assert not here.running


@pytest.mark.parametrize("action", ["start", "shutdown"])
def test_an_action_nobody_saw_the_answer_of_counts_if_it_happened(double: Double, action: str) -> None:
    engine = made(double, PBX)
    here = guest(double, PBX.name)
    if action == "shutdown":
        engine.start(PBX.name, "pve1")
    double.faults.add("lose-answer", f"POST /nodes/*/lxc/*/status/{action}")
    (engine.start if action == "start" else engine.stop)(PBX.name, "pve1")
    assert here.running == (action == "start")


CHANGES: dict[str, Callable[[ProxmoxEngine], None]] = {
    "create": lambda engine: engine.create(PBX, "pve1", silent),
    "configure": lambda engine: engine.configure(PBX, "pve1"),
    "resize": lambda engine: engine.resize(PBX, "pve1"),
    "start": lambda engine: engine.start(PBX.name, "pve1"),
    "stop": lambda engine: engine.stop(PBX.name, "pve1"),
    "restart": lambda engine: engine.restart(PBX.name, "pve1"),
    "delete": lambda engine: engine.delete(PBX.name, "pve1"),
    "move": lambda engine: [engine.move(PBX, "pve1", "pve2", "copy", silent)][0] and None,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("tags", ["", "sy+fleet+other"])
def test_a_guest_that_is_not_ours_is_refused_and_stays_as_it_is(double: Double, change: str, tags: str) -> None:
    double.add_guest(100, hostname=PBX.name, tags=tags, running=True)
    before = dict(guest(double, PBX.name).config)
    with pytest.raises(Refused, match=r"pbx-001 \(100\) on this node (belongs to fleet other|does not bear the mark)"):
        CHANGES[change](engine_of(double, PBX))
    here = guest(double, PBX.name)
    assert (here.config, here.running, here.node) == (before, True, "pve1")


@pytest.mark.parametrize("change", [each for each in CHANGES if each not in ("create", "delete")])
def test_one_that_is_gone_is_refused(double: Double, change: str) -> None:
    with pytest.raises(Refused, match=r"no guest pbx-001 on this node|not there any more"):
        CHANGES[change](engine_of(double, PBX))


@pytest.mark.parametrize("change", CHANGES)
def test_a_dead_node_is_unreachable_and_nothing_is_done_twice(double: Double, change: str) -> None:
    engine = made(double, PBX) if change != "create" else engine_of(double, PBX)
    double.faults.kill("pve1")
    with pytest.raises(EngineError) as caught:
        CHANGES[change](engine)
    assert isinstance(caught.value, (Unreachable, Missing)), caught.value
