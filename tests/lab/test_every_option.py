# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""virtual_server and node on real nodes: every state from every other, every option, and each option wrong.

Every task is foretold in check mode, done, and done again: what came is what was foretold, and then nothing is left.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.disturb import begun, standing_still
from support.recorder import recorded
from support.tasks import came

APPLY = Path(__file__).with_name("apply.yml")
pytestmark = [pytest.mark.lab, pytest.mark.long]

TINY = {"class_name": "pbx", "template": "tiny", "checks": [{"type": "http", "port": 80}]}
NEVER = {"checks": [{"type": "sip", "timeout": "1h"}]}
"""Nothing in such a server answers this."""


def server(foretell: bool = False, **options: Any) -> dict[str, Any]:
    return {"switchyard.fleet.virtual_server": options, "check_mode": foretell, "diff": True}


def node(foretell: bool = False, **options: Any) -> dict[str, Any]:
    return {"switchyard.fleet.node": options, "check_mode": foretell, "diff": True}


def brought(world, task, *asked: dict[str, Any]) -> list[dict[str, Any]]:
    """What came of each of these, done one after the other."""
    results = came(world, *(task(foretell, **options) for options in asked for foretell in (True, False, False)))
    done = []
    for at, options in enumerate(asked):
        foretold, did, again = results[3 * at : 3 * at + 3]
        for result in (foretold, did, again):
            assert not result.get("failed"), (options, result["msg"])
        for part in ("changed", "summary", "diff", "steps", "server", "node"):
            assert foretold.get(part) == did.get(part), (options, part)
        # Restarting is something to do every time.
        assert again["changed"] is (options.get("state") == "restarted"), (options, again["summary"])
        done.append(did)
    return done


def refused(world, task, asked: dict[str, dict[str, Any]]) -> None:
    """Each is refused with these words, in check mode as well, and nothing is changed."""
    before = world.lab.guests()
    tasks = [task(foretell, **options) for options in asked.values() for foretell in (True, False)]
    results = came(world, *tasks)
    for at, (said, options) in enumerate(asked.items()):
        for result in results[2 * at : 2 * at + 2]:
            assert result.get("failed"), (options, result)
            assert said in result["msg"], (options, result["msg"])
    assert world.lab.guests() == before


# ---------------------------------------------------------------- virtual_server


def test_every_state_from_every_other(world):
    first, second = world.nodes[:2]
    refused(
        world,
        server,
        {
            "does not exist; state present or started makes it": {"name": "byhand", "state": "stopped", **TINY},
            "byhand: does not exist": {"name": "byhand", "state": "restarted", **TINY},
        },
    )
    ways = [
        ({"state": "absent"}, []),
        ({"state": "present", "node": first, **TINY}, ["create"]),
        ({"state": "stopped"}, []),
        ({"state": "present", "memory": "48MiB"}, ["resize"]),
        ({"state": "stopped", "node": second}, ["move"]),
        # One that rests is only started.
        ({"state": "started"}, ["start"]),
        ({"state": "present"}, []),
        ({"state": "started", "memory": "32MiB"}, ["resize"]),
        ({"state": "stopped", "tenant": "acme"}, ["configure", "stop"]),
        ({"state": "started", "node": first}, ["move", "start"]),
        ({"state": "restarted"}, ["restart"]),
        ({"state": "absent", "force": True}, ["stop", "delete"]),
        ({"state": "started", "node": "best", **TINY}, ["create", "start"]),
        ({"state": "stopped"}, ["stop"]),
        ({"state": "absent"}, ["delete"]),
        ({"state": "absent"}, []),
    ]
    results = brought(world, server, *({"name": "byhand", **options} for options, _steps in ways))
    for (options, steps), result in zip(ways, results, strict=True):
        assert sorted(result["steps"]) == sorted(f"{step}/byhand" for step in steps), options
    (rested, restarted) = came(
        world, server(name="byhand", **TINY), server(name="byhand", state="restarted", checks=TINY["checks"])
    )
    assert rested["server"]["state"] == "stopped" and restarted["steps"] == ["start/byhand"]
    assert set(world.running()) == {"byhand"}


def test_each_option_is_taken_and_kept(world):
    first, second = world.nodes[:2]
    world.fleet["fleet_networks"] = {**world.fleet["fleet_networks"], "quiet": {"cidr": "10.88.0.0/24"}}
    world.fleet["node_devices"] = f"{{{{ ['dongle'] if inventory_hostname == '{second}' else [] }}}}"
    world.fleet["node_site"] = "here"
    world.declare({"pbx01": {"vs_node": first}})
    world.apply()
    address, other = f"{world.prefix}.231", f"{world.prefix}.232"
    said = {"cores": 0.5, "memory": "40MiB", "disk": "80MiB", "io": 7, "pool": "default", "template": "tiny"}
    legs = [{"network": "lan", "address": address}, {"network": "quiet"}]
    made, _same, near, far, alone = brought(
        world,
        server,
        {"name": "sized", "tenant": "acme", "site": "here", "interfaces": legs, **said},
        # What it is not told, it keeps.
        {"name": "sized"},
        {"name": "near", "affinity": ["pbx01"], "network": "quiet", **TINY},
        {"name": "far", "devices": ["dongle"], "network": "lan", **TINY},
        {"name": "alone", "anti_affinity": ["pbx01"], "network": "lan", **TINY},
    )
    row = made["server"]
    sizes = (row["cpu_cores"], row["memory_mib"], row["disk_mib"], row["io"], row["pool"], row["tenant"], row["site"])
    assert sizes == (0.5, 40, 80, 7, "default", "acme", "here")
    assert [leg["network"] for leg in row["interfaces"]] == ["lan", "quiet"] and row["addresses"][0] == address
    assert near["server"]["node"] == first and near["server"]["addresses"][0].startswith("10.88.0.")
    assert far["server"]["node"] == second
    assert alone["server"]["node"] != first

    # Another address of one that runs waits for a restart, unless it may be restarted.
    checks = TINY["checks"]
    (_running,) = brought(world, server, {"name": "far", "state": "started", "checks": checks})
    (waits,) = came(world, server(name="far", network="lan", address=other))
    assert any("restart" in note for note in waits["notes"]), waits
    (moved,) = brought(
        world, server, {"name": "far", "network": "lan", "address": other, "restart": True, "checks": checks}
    )
    assert moved["server"]["addresses"] == [other]


def test_how_long_a_task_waits(world):
    late, goes_on, unasked = came(
        world,
        server(name="byhand", state="started", wait_timeout=5, **{**TINY, **NEVER}),
        server(name="byhand", state="started", wait=False, **NEVER),
        server(name="other", state="started", wait=False, **{**TINY, **NEVER}),
    )
    assert late["failed"] and "not done within wait_timeout, 5 s" in late["msg"]
    assert not goes_on.get("failed") and not goes_on["changed"]
    assert unasked["steps"] == ["create/other", "start/other"] and not unasked["remaining"]
    assert set(world.running()) == {"byhand", "other"}


def test_a_fleet_that_somebody_holds_is_waited_for_as_long_as_is_said(world):
    world.declare({f"pbx{number:02}": {} for number in range(1, 13)})
    process, seen = begun(world, APPLY, r"\[ *2/")
    with standing_still(world.inventory):
        soon, closing, wrong = came(
            world,
            server(name="byhand", lock_timeout=1, **TINY),
            node(name=world.nodes[0], maintenance=True, lock_timeout=1),
            server(name="byhand", lock_timeout=1, break_lock="not-the-token", **TINY),
        )
    first, _nothing = process.communicate()
    assert process.returncode == 0, "".join(seen) + first
    for result in (soon, closing, wrong):
        assert result["failed"] and "fleet test is held by" in result["msg"], result["msg"]
    assert len(world.running()) == 12


def test_each_option_of_a_server_wrong(world):
    world.declare({"pbx01": {"vs_state": "stopped"}})
    world.apply()
    usual = {"name": "byhand", **TINY}
    sized = {"name": "byhand", "template": "tiny", "memory": "32MiB", "disk": "64MiB", "cores": 1}
    refused(
        world,
        server,
        {
            'cores: "many"': {**sized, "cores": "many"},
            "cores: 0": {**sized, "cores": 0},
            'memory: "-5"': {**sized, "memory": "-5"},
            "memory: [": {**sized, "memory": ["32MiB"]},
            'disk: "64 potatoes"': {**sized, "disk": "64 potatoes"},
            'io: "much"': {**sized, "io": "much"},
            'pool: "nowhere": no such storage pool': {**sized, "pool": "nowhere"},
            'network: "wan"': {**usual, "network": "wan"},
            'address: "192.0.2.7"': {**usual, "address": "192.0.2.7"},
            'address: "somewhere"': {**usual, "address": "somewhere"},
            'interfaces: "wan": no such network': {**usual, "interfaces": [{"network": "wan"}]},
            "tenant: [": {**usual, "tenant": ["acme"]},
            'site: "moon"': {**usual, "site": "moon"},
            'devices: "dongle": no node has this': {**usual, "devices": ["dongle"]},
            'anti_affinity: "strangers": no such host or group': {**usual, "anti_affinity": ["strangers"]},
            "beside interfaces, which says it all": {**usual, "interfaces": [{"network": "lan"}], "network": "lan"},
            "checks[0].type": {**usual, "checks": [{"type": "telepathy"}]},
            "copy_from": {"name": "byhand", "state": "absent", "copy_from": "pbx01"},
            "state absent does not take node": {"name": "byhand", "state": "absent", "node": world.nodes[0]},
            "lock_timeout: -1": {**usual, "lock_timeout": -1},
            "wait_timeout": {**usual, "wait_timeout": "soon"},
            "'wait'": {**usual, "wait": "perhaps"},
            "'restart'": {**usual, "restart": "perhaps"},
            "'force'": {**usual, "force": "perhaps"},
            "colour": {**usual, "colour": "red"},
            "is a node, not a virtual server": {**usual, "name": world.nodes[0]},
            "class_name: no class": {"name": "byhand", "cores": 1, "template": "tiny"},
            "is said otherwise by the inventory": {"name": "pbx01", "tenant": "acme"},
        },
    )


# ---------------------------------------------------------------- node


def test_every_state_of_a_node_and_its_maintenance(world):
    first, second = world.nodes[:2]
    world.declare({"pbx01": {"vs_node": first}})
    world.apply()
    there, closed, opened, leaving, back, gone = brought(
        world,
        node,
        {"name": first},
        {"name": first, "maintenance": True},
        {"name": first, "maintenance": False},
        {"name": second, "state": "absent"},
        {"name": second, "state": "present", "maintenance": False},
        {"name": "node99", "state": "absent"},
    )
    assert not there["changed"] and not gone["changed"] and gone["node"] is None
    assert [each["node"]["state"] for each in (there, closed, opened)] == ["active", "maintenance", "active"]
    assert any("pbx01 stays" in note for note in closed["notes"])
    assert leaving["changed"] and any(f"nothing of this fleet is on {second}" in note for note in leaving["notes"])
    assert back["changed"] and back["node"]["state"] == "active"
    assert world.running() == {"pbx01": first}


def test_each_option_of_a_node_wrong(world):
    first = world.nodes[0]
    world.declare({"pbx01": {"vs_node": first}})
    world.apply()
    refused(
        world,
        node,
        {
            "no such node": {"name": "node99"},
            "A new one is added to the group nodes": {"name": "node99", "maintenance": True},
            f"{first}: still carries pbx01; drain it first": {"name": first, "state": "absent"},
            "state absent does not take maintenance": {"name": first, "state": "absent", "maintenance": True},
            "'maintenance'": {"name": first, "maintenance": "perhaps"},
            "asleep": {"name": first, "state": "asleep"},
            "lock_timeout: -1": {"name": first, "maintenance": True, "lock_timeout": -1},
            "colour": {"name": first, "colour": "red"},
            "required": {"maintenance": True},
        },
    )


def test_a_node_in_check_mode_writes_nothing(world, monkeypatch):
    first, second = world.nodes[:2]
    with recorded(world) as (writes, env):
        monkeypatch.setenv(*next(iter(env.items())))
        closed, leaving = came(
            world,
            node(foretell=True, name=first, maintenance=True),
            node(foretell=True, name=second, state="absent"),
        )
    monkeypatch.undo()
    assert closed["changed"] and leaving["changed"]
    assert writes == []
