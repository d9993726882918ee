# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server after the other on a double of Proxmox VE, by the playbooks a user writes: the tasks know no engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[4]
sys.path.insert(0, str(ROOT / "tests"))

from double import Double  # noqa: E402

PBX = {"class_name": "pbx", "template": "debian-13-standard", "pool": "local-zfs"}


class World:
    """An inventory of the double's nodes, and tasks on it."""

    def __init__(self, folder: Path, double: Double) -> None:
        self.folder, self.double = folder, double
        (folder / "proxmox.token").write_text(double.token)
        nodes = {
            node: {
                "node_address": f"127.0.0.{number + 1}" if number else "127.0.0.1",
                "node_port": int(url.rpartition(":")[2]),
                "node_fingerprint": double.fingerprint,
            }
            for number, (node, url) in enumerate(double.endpoints.items())
        }
        fleet = {
            "fleet_name": "berlin",
            "fleet_engine": "proxmox",
            "fleet_pki_dir": str(folder),
            "fleet_classes": {"pbx": {"cores": 1, "memory": 128, "disk": "1GiB"}},
            "fleet_templates": {"debian-13-standard": {"version": "13.1-2"}},
            "fleet_networks": {"lan": {"cidr": "10.66.0.0/24"}},
            "node_memory": "8GiB",
        }
        groups = {"nodes": {"hosts": nodes}, "virtual_servers": {"hosts": {}}}
        (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": fleet, "children": groups}}))

    def tasks(self, *tasks: dict[str, Any], check: bool = False) -> list[dict[str, Any]]:
        """What came of tasks, one after the other, whether they failed or not."""
        report = self.folder / "report.json"
        named = [
            {**task, "register": f"came{at}", "ignore_errors": True, "check_mode": check}
            for at, task in enumerate(tasks)
        ]
        names = ", ".join(f"came{at}" for at in range(len(tasks)))
        content = "{{ [" + names + "] | to_json }}"
        named.append({"ansible.builtin.copy": {"content": content, "dest": str(report)}, "check_mode": False})
        play = self.folder / "play.yml"
        play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": named}]))
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.folder / "hosts.yml"), str(play)],
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found: list[dict[str, Any]] = json.loads(report.read_text())
        return found

    def state(self) -> dict[str, tuple[str, bool]]:
        """Guest -> node, and whether it runs, as the double itself has it."""
        guests = self.double.world.cluster.guests.values()
        return {guest.name: (guest.node, guest.running) for guest in guests}


def server(**options: Any) -> dict[str, Any]:
    return {"switchyard.fleet.virtual_server": options}


def node(**options: Any) -> dict[str, Any]:
    return {"switchyard.fleet.node": options}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Double(nodes=2, latency=0.002, tls=True, staleness=1.0) as double:
        yield World(tmp_path, double)


def steps(came: list[dict[str, Any]]) -> list[Any]:
    assert not any(each.get("failed") for each in came), [each.get("msg") for each in came]
    return [each["steps"] for each in came]


def test_the_life_of_a_server(world: World) -> None:
    tasks = [
        server(name="byhand", state="started", node="pve1", tenant="acme", **PBX),
        server(name="byhand", state="started"),
        server(name="byhand", memory="256MiB", cores=2, disk="2GiB"),
        server(name="byhand", node="pve2"),
        server(name="twin", copy_from="byhand"),
        server(name="byhand", state="restarted"),
        server(name="byhand", state="stopped"),
        server(name="byhand", state="absent"),
        server(name="twin", state="absent"),
        server(name="twin", state="absent"),
    ]
    came = world.tasks(*tasks)
    assert steps(came) == [
        ["create/byhand", "start/byhand"],
        [],
        ["resize/byhand"],
        ["move/byhand"],
        ["create/twin"],
        ["restart/byhand"],
        ["stop/byhand"],
        ["delete/byhand"],
        ["delete/twin"],
        [],
    ]
    assert [each["changed"] for each in came] == [bool(each) for each in steps(came)]
    made, grown, moved, twin = came[0]["server"], came[2]["server"], came[3]["server"], came[4]["server"]
    assert (made["node"], made["tenant"], made["memory_mib"]) == ("pve1", "acme", 128)
    assert (grown["memory_mib"], grown["cpu_cores"], grown["disk_mib"]) == (256, 2, 2048)
    assert (moved["node"], moved["addresses"]) == ("pve2", made["addresses"])
    assert twin["disk_mib"] == 2048 and twin["addresses"] != made["addresses"]
    assert world.state() == {}


def test_check_mode_foretells_and_sends_nothing_but_questions(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [server(name="byhand", state="started", **PBX)]
    world.tasks(*made)
    before = world.state()
    trace = tmp_path / "trace"
    monkeypatch.setenv("SWITCHYARD_TRACE", str(trace))
    asked = [
        server(name="other", state="started", **PBX),
        server(name="byhand", node="best", memory="256MiB", state="restarted"),
        server(name="byhand", state="absent", force=True),
        node(name="pve1", maintenance=True),
    ]
    foretold = world.tasks(*asked, check=True)
    monkeypatch.undo()
    assert all(each["changed"] for each in foretold), foretold
    assert world.state() == before
    writes = [line for line in trace.read_text().splitlines() if not line.startswith("GET ")]
    assert [line for line in writes if "/access/ticket" not in line] == []


def test_what_is_refused_is_refused_with_its_reason(world: World) -> None:
    world.double.add_guest(100, name="theirs", hostname="theirs", running=True)
    before = world.state()
    asked = {
        "the name is taken on pve1 by a guest that is not ours": server(name="theirs", state="absent", force=True),
        'memory: "lots"': server(name="byhand", **{**PBX, "memory": "lots"}),
        "class_name: no class, and no cores, memory, disk either": server(name="byhand", template=PBX["template"]),
        "does not exist; state present or started makes it": server(name="byhand", state="stopped"),
        "no such node; there is pve1": server(name="byhand", node="pve11", **PBX),
        "pve1 is a node, not a virtual server": server(name="pve1", **PBX),
        "state absent does not take memory": server(name="theirs", state="absent", memory=1),
        "no such node": node(name="nobody", maintenance=False),
        "state absent does not take maintenance": node(name="pve1", state="absent", maintenance=True),
    }
    came = world.tasks(*asked.values())
    for said, result in zip(asked, came, strict=True):
        assert result.get("failed"), said
        assert said in result["msg"], result["msg"]
    assert world.state() == before


def test_whoever_does_not_answer_in_time_is_told_of_and_left_as_it_is(world: World) -> None:
    never = {"checks": [{"type": "sip", "timeout": "1h"}]}
    late, unasked = world.tasks(
        server(name="byhand", state="started", wait_timeout=4, **never, **PBX),
        server(name="byhand", state="started", wait=False, **never),
    )
    assert late["failed"] and "not done within wait_timeout, 4 s" in late["msg"]
    assert not unasked.get("failed"), unasked
    assert {name for name, (_node, runs) in world.state().items() if runs} == {"byhand"}


def test_maintenance_keeps_newcomers_away_until_it_is_over(world: World) -> None:
    came = world.tasks(
        node(name="pve1", maintenance=True),
        node(name="pve1", maintenance=True),
        server(name="byhand", **PBX),
        server(name="byhand2", node="pve1", **PBX),
        node(name="pve1", maintenance=False),
        node(name="pve1", maintenance=False),
        server(name="byhand2", node="pve1", **PBX),
        node(name="pve1", state="absent"),
    )
    changed = [each.get("changed", False) for each in came]
    assert changed == [True, False, True, False, True, False, True, False], [each.get("msg") for each in came]
    assert came[0]["node"]["state"] == "maintenance" and came[4]["node"]["state"] == "active"
    assert came[2]["server"]["node"] == "pve2"
    assert "is drained" in came[3]["msg"]
    assert "still carries byhand2; drain it first" in came[7]["msg"]
