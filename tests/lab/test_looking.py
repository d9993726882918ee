# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What real nodes tell of themselves and their servers, and a node in maintenance and back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.lab import ROOT
from support.tasks import came

pytestmark = pytest.mark.lab


def test_what_runs_is_told_with_what_it_takes(world):
    first = world.nodes[0]
    world.declare({"pbx01": {"vs_node": first, "vs_tenant": "acme"}, "pbx02": {"vs_state": "stopped"}})
    world.apply()
    world.declare({"pbx01": {"vs_node": first}, "pbx09": {}})
    everything, named, nodes = came(
        world,
        {"switchyard.fleet.virtual_server_info": {"gather_subset": ["all"]}},
        {"switchyard.fleet.virtual_server_info": {"name": ["pbx0*"], "state": ["running"], "gather_subset": ["min"]}},
        {"switchyard.fleet.node_info": {"name": ["nodes"]}},
    )
    rows = {row["name"]: row for row in everything["servers"]}
    states = {name: (row["state"], row["declared"]) for name, row in rows.items()}
    assert states == {"pbx01": ("running", True), "pbx02": ("stopped", False), "pbx09": ("absent", True)}
    pbx = rows["pbx01"]
    assert (pbx["node"], pbx["tenant"], pbx["memory_mib"]) == (first, "acme", 32)
    assert pbx["processes"] >= 1 and pbx["uptime_seconds"] > 0
    assert pbx["network_receive_bytes_per_second"] >= 0
    assert rows["pbx02"]["uptime_seconds"] is None
    assert [row["name"] for row in named["servers"]] == ["pbx01"]
    assert named["api_calls"] < everything["api_calls"]
    assert [row["name"] for row in nodes["nodes"]] == world.nodes
    for row in nodes["nodes"]:
        assert row["state"] == "active" and row["takes_servers"]
        assert row["load_1min"] >= 0 and row["memory_used_mib"] > 0
        assert row["network_receive_bytes_per_second"] >= 0


def test_the_requests_do_not_grow_with_the_servers(world):
    ask = {"switchyard.fleet.virtual_server_info": {"gather_subset": ["all"]}}
    world.declare({"pbx01": {}})
    world.apply()
    (few,) = came(world, ask)
    world.declare({f"pbx{number:02}": {} for number in range(1, 9)})
    world.apply()
    (many,) = came(world, ask)
    assert len(many["servers"]) == 8
    assert many["api_calls"] == few["api_calls"]


def test_maintenance_and_back(world):
    first, second = world.nodes[:2]
    world.declare({"pbx01": {"vs_node": first}})
    world.apply()
    closed, again, there, opened, unknown, leaving = came(
        world,
        {"switchyard.fleet.node": {"name": first, "maintenance": True}},
        {"switchyard.fleet.node": {"name": first, "maintenance": True}},
        {"switchyard.fleet.node_info": {"state": ["maintenance"]}},
        {"switchyard.fleet.node": {"name": first, "maintenance": False}},
        {"switchyard.fleet.node": {"name": "nobody", "maintenance": False}},
        {"switchyard.fleet.node": {"name": first, "state": "absent"}},
    )
    assert closed["changed"] and any("pbx01 stays" in note for note in closed["notes"])
    assert not again["changed"]
    assert [row["name"] for row in there["nodes"]] == [first]
    assert opened["changed"] and opened["node"]["state"] == "active"
    assert "no such node" in unknown["msg"]
    assert "still carries pbx01; drain it first" in leaving["msg"]
    assert second in world.nodes


def test_the_inventory_of_what_runs(world):
    world.declare({"pbx01": {"vs_tenant": "acme"}, "pbx02": {"vs_state": "stopped"}})
    world.apply()
    (world.inventory / "fleet.yml").write_text("plugin: switchyard.fleet.fleet\ninventory: [.]\n")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-inventory")), "-i", str(world.inventory), "--list"],
        env={**os.environ, "SWITCHYARD_LAB": world.lab.name, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    listed = json.loads(done.stdout, object_hook=lambda value: value.get("__ansible_unsafe", value))
    assert listed["fleet_state_running"]["hosts"] == ["pbx01"]
    assert listed["fleet_tenant_acme"]["hosts"] == ["pbx01"]
    assert sorted(listed["fleet_servers"]["hosts"]) == ["pbx01", "pbx02"]
    assert listed["_meta"]["hostvars"]["pbx01"]["ansible_host"].startswith(world.prefix)
    (world.inventory / "fleet.yml").unlink()
