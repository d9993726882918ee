# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HA manager's maintenance mode: switched where HA is in use, on the nodes meant, and said where it cannot be."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from .conftest import ROOT, Site, changed

COMMAND = """\
import sys, ssl, urllib.parse, urllib.request
_crm_command, _node_maintenance, mode, node = sys.argv[1:]
body = urllib.parse.urlencode({"what": "maintenance", "node": node, "on": int(mode == "enable")})
urllib.request.urlopen("%s/double/do", body.encode(), context=ssl._create_unverified_context())
"""


@pytest.fixture
def managed(site: Site) -> Site:
    """A site whose nodes have the command, with a guest under HA on the first."""
    command = site.folder / "bin" / "ha-manager"
    text = COMMAND % next(iter(site.double.endpoints.values()))
    command.write_text(f"#!{sys.executable}\n{text}")
    command.chmod(0o755)
    site.double.add_guest(100, "pve2", running=True)
    site.double.ask("POST", "/cluster/ha/resources", sid="ct:100")
    site.variables["fleet_engine"] = "proxmox"
    declare(site, "auto")
    return site


def declare(site: Site, failover: str) -> None:
    """The inventory with one server, and what becomes of it when its node dies."""
    path = site.folder / "hosts.json"
    inventory = json.loads(path.read_text())
    inventory["all"]["children"]["virtual_servers"] = {"hosts": {"pbx": {"vs_failover": failover}}}
    path.write_text(json.dumps(inventory))


def play_of(name: str) -> dict[str, Any]:
    """The playbook's play on the nodes, with its tasks' files found."""
    play = yaml.safe_load((ROOT / "playbooks" / f"{name}.yml").read_text())[1]
    for task in play["tasks"]:
        task["ansible.builtin.include_tasks"] = str(ROOT / "playbooks" / task["ansible.builtin.include_tasks"])
    return {"tasks": play["tasks"]}


def drain(site: Site, name: str = "drain", **variables: Any) -> str:
    asked = variables or {f"{name}_nodes": "pve1"}
    return site.play(play_of(name), hosts="nodes", **asked)


def modes(site: Site) -> list[bool]:
    return [node.maintenance for node in site.double.world.cluster.nodes.values()]


def until(site: Site, true: Callable[[dict[str, Any]], object]) -> None:
    """Wait for what the HA manager has to say in the end."""
    deadline = time.monotonic() + 60
    while not true(site.double.ask("GET", "/cluster/ha/status/manager_status").data["manager_status"]):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_drained_node_alone_is_put_into_it_once_and_taken_out_once(managed: Site) -> None:
    until(managed, lambda said: "ct:100" in said["service_status"])
    assert changed(drain(managed)) == 1
    assert modes(managed) == [True, False]
    until(managed, lambda said: said["node_status"]["pve1"] == "maintenance")
    assert changed(drain(managed)) == 0
    assert changed(drain(managed, "undrain")) == 1
    assert modes(managed) == [False, False]


def test_where_nothing_is_under_ha_nothing_is_switched(managed: Site) -> None:
    managed.double.ask("DELETE", "/cluster/ha/resources/ct:100")
    until(managed, lambda said: not said["service_status"])
    assert changed(drain(managed)) == 0
    assert modes(managed) == [False, False]


@pytest.mark.parametrize("asked", [{"drain_failure_domain": "rack9"}, {"drain_nodes": "pve1", "drain_ha": False}])
def test_who_is_not_asked_for_is_left_alone(managed: Site, asked: dict[str, Any]) -> None:
    until(managed, lambda said: "ct:100" in said["service_status"])
    assert changed(drain(managed, **asked)) == 0
    assert modes(managed) == [False, False]


def test_where_none_of_ours_is_under_ha_nobody_logs_in(managed: Site) -> None:
    declare(managed, "manual")
    (managed.folder / "bin" / "pvesh").write_text("#!/bin/sh\nexit 2\n")
    assert changed(drain(managed)) == 0
    assert modes(managed) == [False, False]


def test_a_node_without_the_command_is_told_of_with_what_to_do(managed: Site) -> None:
    (managed.folder / "bin" / "pvesh").write_text("#!/bin/sh\necho nothing here >&2; exit 2\n")
    words = managed.play(play_of("drain"), hosts="nodes", check=False, drain_nodes="pve1")
    assert "pve1 is drained, but the HA manager was not told" in words
    assert "nothing here" in words
    assert "ha-manager crm-command node-maintenance enable pve1" in words
