# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server at a time on real nodes: every state, and the ways between them, foretold as they come; nothing twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.recorder import recorded

pytestmark = pytest.mark.lab

PLAY = Path(__file__).with_name("server.yml")
REFUSED = Path(__file__).with_name("refused.yml")
TINY = {"class_name": "pbx", "template": "tiny", "checks": [{"type": "http", "port": 80}]}


def told(world, only_foretell=False, **options) -> dict[str, Any]:
    """What came of a task in check mode, of the task, of the task again; and what there is then."""
    report = world.inventory.parent / "report.json"
    world.play(PLAY, options=options, only_foretell=only_foretell, report=str(report))
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def done(world, **options) -> dict[str, Any]:
    """The same of a task that has to work: what check mode said is what came, and the second time nothing does."""
    found = told(world, **options)
    foretold, did, again = found["foretold"], found["did"], found["again"]
    assert not did.get("failed"), did["msg"]
    assert not foretold.get("failed"), foretold["msg"]
    for part in ("changed", "server", "steps", "diff"):
        assert foretold[part] == did[part], part
    if options.get("state") != "restarted":
        assert not again["changed"], again
    seen = {row["name"]: row for row in found["info"]["servers"]}.get(options["name"], {"state": "absent"})
    assert did["server"]["state"] == seen["state"]
    if seen["state"] != "absent":
        assert {key: seen[key] for key in did["server"]} == did["server"]
    return did


def refused(world, *asked: tuple[str, dict[str, Any]]) -> None:
    """Tasks that have to be refused, each with these words, in check mode as well; nothing is changed."""
    before = world.lab.guests()
    report = world.inventory.parent / "report.json"
    world.play(REFUSED, asked=[options for _said, options in asked], report=str(report))
    for came in json.loads(report.read_text()):
        for (said, _options), result in zip(asked, came, strict=True):
            assert result.get("failed"), result
            assert said in result["msg"]
    assert world.lab.guests() == before


def test_the_life_of_a_server_made_by_hand(world):
    first, second = world.nodes[:2]
    made = done(world, name="byhand", node=first, tenant="acme", **TINY)
    assert made["steps"] == ["create/byhand"] and made["server"]["node"] == first
    assert (made["server"]["state"], made["server"]["tenant"]) == ("stopped", "acme")
    assert any("is not in the inventory" in each for each in made["warnings"])

    started = done(world, name="byhand", state="started", checks=TINY["checks"])
    assert started["steps"] == ["start/byhand"]
    assert started["server"]["addresses"] == made["server"]["addresses"]

    grown = done(world, name="byhand", memory="48MiB", cores=2, disk="96MiB")
    assert (grown["server"]["memory_mib"], grown["server"]["cpu_cores"], grown["server"]["disk_mib"]) == (48, 2, 96)
    shrunk = done(world, name="byhand", memory="32MiB", cores=1)
    assert (shrunk["server"]["memory_mib"], shrunk["server"]["cpu_cores"]) == (32, 1)
    refused(world, ("a disk cannot shrink without losing data", {"name": "byhand", "disk": "64MiB"}))

    moved = done(world, name="byhand", node=second, checks=TINY["checks"])
    assert moved["steps"] == ["move/byhand"] and moved["server"]["node"] == second
    assert moved["server"]["addresses"] == made["server"]["addresses"]
    assert world.running() == {"byhand": second}

    assert done(world, name="byhand", state="restarted")["steps"] == ["restart/byhand"]
    refused(world, (f"runs on {second}; stop it first, or say force: true", {"name": "byhand", "state": "absent"}))
    assert done(world, name="byhand", state="stopped")["server"]["state"] == "stopped"
    assert world.running() == {}
    assert done(world, name="byhand", state="absent")["server"]["state"] == "absent"


def test_a_server_of_the_inventory_is_brought_to_it_and_no_other_is(world):
    world.declare({"pbx01": {"vs_memory": "48MiB"}, "pbx02": {}, "pbx03": {}})
    made = done(world, name="pbx02", state="started")
    assert made["steps"] == ["create/pbx02", "start/pbx02"]
    assert set(world.running()) == {"pbx02"}
    assert "warnings" not in made and "inventory" not in made
    world.declare({"pbx01": {}, "pbx02": {"vs_memory": "48MiB", "vs_tenant": "acme"}})
    assert done(world, name="pbx02")["steps"] == ["resize/pbx02", "configure/pbx02"]
    refused(world, ("change vs_memory there", {"name": "pbx02", "memory": "64MiB"}))
    removed = done(world, name="pbx02", state="absent", force=True)
    assert removed["steps"] == ["stop/pbx02", "delete/pbx02"]
    assert any("site makes it again" in each for each in removed["warnings"])


def test_a_new_server_keeps_away_from_whom_it_must(world):
    first, second = world.nodes[:2]
    world.declare({"pbx01": {"vs_node": first}})
    world.apply()
    assert done(world, name="byhand", anti_affinity=["pbx01"], **TINY)["server"]["node"] != first
    near = {"name": "byhand2", "node": first, "anti_affinity": ["pbx01"], **TINY}
    refused(world, ("anti-affinity with pbx01", near), ("is pinned to", {"name": "pbx01", "node": second}))


def test_best_moves_once_and_then_stays(world):
    first = world.nodes[0]
    world.declare({"pbx01": {}, "pbx02": {}}, nodes=world.nodes)
    done(world, name="pbx01", node=first)
    done(world, name="pbx02", node=first)
    moved = done(world, name="pbx02", node="best")
    assert moved["steps"] == ["move/pbx02"] and moved["server"]["node"] != first


def test_what_is_not_ours_is_never_touched(world):
    node = world.nodes[0]
    image = json.loads(world.lab.ssh(node, "incus", "image", "list", "-f", "json"))[0]["fingerprint"]
    world.lab.ssh(node, "incus", "init", image, "theirs", "--no-profiles", "-s", "default")
    try:
        said = f"the name is taken on {node}"
        asked = [(said, {"name": "theirs", "state": state, **TINY}) for state in ("present", "started", "restarted")]
        refused(world, *asked, (said, {"name": "theirs", "state": "absent", "force": True}))
    finally:
        world.lab.ssh(node, "incus", "delete", "theirs")


def test_check_mode_writes_nothing(world, monkeypatch):
    world.declare({"pbx01": {}})
    world.apply()
    with recorded(world) as (writes, env):
        monkeypatch.setenv(*next(iter(env.items())))
        foretold = [
            told(world, only_foretell=True, name="byhand", state="started", **TINY),
            told(world, only_foretell=True, name="pbx01", node=world.nodes[1], state="restarted"),
            told(world, only_foretell=True, name="pbx01", state="absent", force=True),
        ]
    monkeypatch.undo()
    assert all(each["foretold"]["changed"] for each in foretold)
    assert writes == []


def test_a_wrong_option_is_named_and_nothing_is_done(world):
    usual = {"name": "byhand", **TINY}
    refused(
        world,
        ("memory: ", {**usual, "memory": "lots"}),
        ("no such class", {**usual, "class_name": "pbxx"}),
        ("no such template", {**usual, "template": "windows"}),
        ("class_name: no class", {"name": "byhand", "template": "tiny"}),
        ("no such node", {**usual, "node": "nodee1"}),
        ("not a name for a virtual server", {**usual, "name": "by_hand"}),
        ("there is no server of ours of that name", {**usual, "copy_from": "nobody"}),
        ("does not exist", {**usual, "state": "restarted"}),
        ("force is for state absent", {**usual, "force": True}),
        ("state absent does not take", {**usual, "state": "absent"}),
        ("flying", {**usual, "state": "flying"}),
        ("wait_timeout: -1", {**usual, "wait_timeout": -1}),
        ("no such host or group", {**usual, "affinity": ["strangers"]}),
    )


def test_hosts_side_by_side_wait_for_each_other(world, tmp_path):
    world.declare({"pbx01": {}, "pbx02": {}, "pbx03": {}})
    play = tmp_path / "side.yml"
    task = {
        "switchyard.fleet.virtual_server": {"name": "{{ inventory_hostname }}", "state": "started"},
        "register": "out",
    }
    play.write_text(json.dumps([{"hosts": "virtual_servers", "gather_facts": False, "tasks": [task]}]))
    output = world.play(play, "--limit", "pbx01,pbx02", "--forks", "8")
    assert output.count("changed=1") == 2
    assert set(world.running()) == {"pbx01", "pbx02"}


def test_a_copy_is_a_server_of_its_own(world):
    world.declare({"pbx01": {"vs_tenant": "acme"}})
    world.apply()
    made = done(world, name="byhand", state="started", copy_from="pbx01", checks=TINY["checks"])
    assert made["steps"] == ["create/byhand", "start/byhand"]
    assert made["server"]["addresses"] != [] and made["server"]["tenant"] == ""
    assert set(world.running()) == {"pbx01", "byhand"}
    refused(world, ("cannot be a copy of pbx01 on a disk", {"name": "byhand2", "copy_from": "pbx01", "disk": "32MiB"}))
