# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of VMs and containers, planned and carried out on the double: a second run finds nothing to do."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.apply import Run, Watcher
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.engine import ProxmoxEngine
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.converge import converge
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import ConvergeOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Interface, Plan, Server, Size
from ansible_collections.switchyard.fleet.plugins.module_utils.steps import doer
from clones import CONTAINER, MACHINE, TEMPLATES, add_template, server
from cluster import client_of, fleet_of
from double import Double


def fleet(double: Double, *, memory: int = 512) -> Fleet:
    """Four VMs and four containers, pinned to the nodes one after the other."""
    servers: list[Server] = []
    for number in range(8):
        template = (MACHINE, CONTAINER)[number % 2]
        legs = (Interface("lan", f"10.66.0.{70 + number}"),)
        pinned = f"pve{number % 3 + 1}"
        wanted = server(f"s-{number}", template, Size(0.5, memory, 4096), interfaces=legs, node=pinned)
        servers.append(wanted)
    return replace(fleet_of(double, *servers), templates=TEMPLATES)


def carry_out(double: Double, wanted: Fleet, *, restart: bool = False) -> Plan:
    """One run: look, plan, do."""
    engine = ProxmoxEngine(wanted, client_of(double))
    plan = converge(wanted, engine.observe(), ConvergeOptions(restart=restart))
    assert not plan.refusals
    stop = threading.Event()
    result = Run(plan.steps, doer(wanted, engine, stop), dict.fromkeys(wanted.nodes, 4), 8, Watcher())(stop)
    assert result.ok, [str(each.error) for each in result.failed]
    engine.close()
    return plan


def test_vms_and_containers_are_made_and_a_second_run_finds_nothing_to_do(double: Double) -> None:
    add_template(double, MACHINE)
    add_template(double, CONTAINER, "pve2")
    double.advance(15)
    wanted = fleet(double)
    plan = carry_out(double, wanted)
    copied = {(step.template, step.node) for step in plan.steps if step.action == "template"}
    assert copied == {("debian", "pve2"), ("debian", "pve3"), ("golden", "pve1"), ("golden", "pve3")}
    guests = [each for each in double.world.cluster.guests.values() if not each.template]
    assert {each.name: each.node for each in guests} == {each.name: each.node for each in wanted.servers.values()}
    assert all(each.running for each in guests)
    double.advance(15)
    again = carry_out(double, wanted)
    assert [step.id for step in again.steps] == []


@pytest.mark.parametrize("restart", [False, True], ids=["no restart", "restart"])
def test_more_memory_comes_to_containers_at_once_and_to_vms_when_they_may_restart(
    double: Double, restart: bool
) -> None:
    add_template(double, MACHINE)
    add_template(double, CONTAINER, "pve2")
    double.advance(15)
    carry_out(double, fleet(double))
    double.advance(15)
    bigger = fleet(double, memory=1024)
    plan = carry_out(double, bigger, restart=restart)
    restarted = {step.server for step in plan.steps if step.action == "restart"}
    assert restarted == ({"s-0", "s-2", "s-4", "s-6"} if restart else set())
    for each in double.world.cluster.guests.values():
        if not each.template:
            assert each.config["memory"] == ("1024" if restart or each.kind == "lxc" else "512")
            assert each.running and not each.pending
    double.advance(15)
    again = carry_out(double, bigger, restart=restart)
    assert [step.id for step in again.steps] == []
    assert len(again.notes) == (0 if restart else 4), "what waits is told every time"
