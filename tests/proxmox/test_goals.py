# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every playbook that moves servers, as a user runs it; and the worked inventory."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from double import Double
from support import playbooks, simulation

from .conftest import World, changed, names


def test_a_node_is_drained_opened_again_and_gets_its_share_back(world: World) -> None:
    world.declare(names(1, 9))
    world.apply()
    output = world.play("drain", drain_nodes="pve2")
    assert "3 moves done" in output
    assert set(world.running().values()) == {"pve1", "pve3"}
    world.declare(names(1, 11))
    world.apply()
    assert "pve2" not in world.running().values(), "a drained node gets nothing new"
    assert changed(world.play("drain", drain_nodes="pve2")) == 0
    world.play("undrain", undrain_nodes="pve2")
    assert changed(world.play("undrain", undrain_nodes="pve2")) == 0
    world.play("balance")
    assert max(Counter(world.running().values()).values()) == 4
    assert len(world.running()) == 11
    assert changed(world.play("balance")) == 0


def test_servers_go_where_they_are_sent_and_a_node_is_kept_for_some(world: World) -> None:
    world.declare(names(1, 6))
    world.apply()
    world.play("migrate", migrate_servers="pbx01,pbx02", migrate_node="pve3")
    assert [world.running()[name] for name in ("pbx01", "pbx02")] == ["pve3", "pve3"]
    assert changed(world.play("migrate", migrate_servers="pbx01,pbx02", migrate_node="pve3")) == 0
    world.play("dedicate", dedicate_node="pve1", dedicate_servers="pbx01")
    where = world.running()
    assert {name for name, node in where.items() if node == "pve1"} == {"pbx01"}
    assert len(where) == 6


def test_a_saved_plan_is_read_first_and_carried_out_then(world: World, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    world.declare(names(1, 3))
    writes = world.writes()
    output = world.play("plan", plan_save=str(plan))
    assert "create pbx01" in output
    assert world.writes() == writes
    world.apply(apply_plan=str(plan))
    assert world.running() == json.loads(plan.read_text())["placement"]
    assert "pve2" in world.play("plan", plan_explain="pbx01")


def test_the_worked_inventory_is_sound_and_planned_on_a_cluster_of_its_size(tmp_path: Path) -> None:
    with Double(nodes=5, latency=0.003, tls=True) as double:
        about = {"endpoints": double.endpoints, "fingerprint": double.fingerprint, "token": double.token}
        simulation.write(tmp_path, about)
        plan = tmp_path / "plan.json"
        inventories = [playbooks.ROOT / "inventories" / "proxmox", tmp_path]
        run = playbooks.begin("plan", inventories=inventories, extra={"plan_save": str(plan)})
        output, _nothing = run.communicate(timeout=240)
        assert run.returncode == 0, output
        assert not [call for call in double.world.calls if not call.startswith("GET ")]
    made = json.loads(plan.read_text())
    assert Counter(step["action"] for step in made["steps"])["create"] == 304
    assert not made["violations"]["after"]
    rack = {"pve1": 1, "pve2": 1, "pve3": 1, "pve4": 2, "pve5": 2}
    assert rack[made["placement"]["sip1"]] != rack[made["placement"]["sip2"]]
    assert made["placement"]["db1"] != made["placement"]["db2"]
