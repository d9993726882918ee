# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers in files on real nodes: out, back as they were, and as new ones; foretold, done, and not done twice."""

from __future__ import annotations

import hashlib
import stat
from typing import Any

import pytest
from support.recorder import recorded
from support.tasks import came

pytestmark = [pytest.mark.lab, pytest.mark.long]
CHECKS = [{"type": "http", "port": 80}]


def export(foretell: bool = False, **options: Any) -> dict[str, Any]:
    return {"switchyard.fleet.virtual_server_export": options, "check_mode": foretell, "diff": True}


def server(foretell: bool = False, **options: Any) -> dict[str, Any]:
    return {"switchyard.fleet.virtual_server": options, "check_mode": foretell, "diff": True}


def fine(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for result in results:
        assert not result.get("failed"), result["msg"]
    return results


def test_out_and_back_and_a_new_one(world, tmp_path):
    first, second = world.nodes[:2]
    world.declare({"pbx01": {"vs_node": first, "vs_tenant": "acme"}})
    world.apply()
    path = tmp_path / "pbx01.tar.gz"
    foretold, did, again = fine(
        came(
            world,
            export(foretell=True, name="pbx01", dest=str(path)),
            export(name="pbx01", dest=str(path)),
            export(name="pbx01", dest=str(path)),
        )
    )
    assert (foretold["changed"], did["changed"], again["changed"]) == (True, True, False)
    assert foretold["diff"] == did["diff"]
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    assert did["checksum"] == again["checksum"] == f"sha256:{checksum}"
    assert (did["size_bytes"], did["running"]) == (path.stat().st_size, True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (tmp_path / "pbx01.tar.gz.sha256").read_text() == f"{checksum}  pbx01.tar.gz\n"
    assert list(tmp_path.glob("*.part")) == []
    assert world.running() == {"pbx01": first}

    new = {"name": "trial", "state": "started", "import_from": str(path), "checks": CHECKS, "node": second}
    foretold, made, again = fine(came(world, server(foretell=True, **new), server(**new), server(**new)))
    assert made["steps"] == ["create/trial", "start/trial"]
    assert (foretold["steps"], foretold["server"]) == (made["steps"], made["server"])
    assert not again["changed"]
    assert made["server"]["tenant"] == "" and made["server"]["memory_mib"] == 32
    assert world.running() == {"pbx01": first, "trial": second}

    there, gone, foretold, back, again = came(
        world,
        server(name="pbx01", import_from=str(path)),
        server(name="pbx01", state="absent", force=True),
        server(foretell=True, name="pbx01", state="started", import_from=str(path)),
        server(name="pbx01", state="started", import_from=str(path)),
        server(name="pbx01", state="started", import_from=str(path)),
    )
    assert "was not made from" in there["msg"] and "delete it first" in there["msg"]
    fine([gone, foretold, back, again])
    assert back["steps"] == ["create/pbx01", "start/pbx01"] == foretold["steps"]
    assert back["server"]["addresses"] == foretold["server"]["addresses"]
    assert back["server"]["tenant"] == "acme"
    assert not again["changed"]
    assert world.running() == {"pbx01": first, "trial": second}


def test_each_option_wrong(world, tmp_path):
    world.declare({"pbx01": {}, "pbx02": {"vs_state": "stopped"}})
    world.apply()
    path, other, spoiled = tmp_path / "pbx01", tmp_path / "pbx02", tmp_path / "spoiled"
    fine(came(world, export(name="pbx01", dest=str(path)), export(name="pbx02", dest=str(other), compression="xz")))
    spoiled.write_bytes(path.read_bytes()[:-9])
    (tmp_path / "other.sha256").write_text("0" * 64)
    (tmp_path / "other").write_bytes(path.read_bytes())
    before = world.lab.guests()
    asked = {
        "there is no server of ours of that name": export(name="nobody", dest=str(tmp_path / "x")),
        "is a directory: name a file": export(name="pbx01", dest=str(tmp_path)),
        "no such directory": export(name="pbx01", dest=str(tmp_path / "nowhere" / "x")),
        "with pbx02 in it": export(name="pbx01", dest=str(other)),
        "zip2": export(name="pbx01", dest=str(tmp_path / "x"), compression="zip2"),
        "damaged": export(name="pbx01", dest=str(spoiled)),
        "is not what other.sha256 says": export(name="pbx01", dest=str(tmp_path / "other")),
        "No such file": server(name="new", import_from=str(tmp_path / "x")),
        "is damaged": server(name="new", import_from=str(spoiled)),
        "made of one of both": server(name="new", import_from=str(path), copy_from="pbx01"),
        "state absent does not take": server(name="new", import_from=str(path), state="absent"),
        "on a disk of 32 MiB": server(name="new", import_from=str(path), disk="32MiB"),
        "no such node": server(name="new", import_from=str(path), node="nodee"),
        "other.sha256 says": server(name="new", import_from=str(tmp_path / "other")),
    }
    for said, result in zip(asked, came(world, *asked.values()), strict=True):
        assert result.get("failed"), (said, result)
        assert said in result["msg"], (said, result["msg"])
    assert world.lab.guests() == before
    assert not (tmp_path / "x").exists() and list(tmp_path.glob("*.part")) == []
    (forced,) = fine(came(world, export(name="pbx01", dest=str(spoiled), force=True)))
    assert forced["changed"]


def test_check_mode_writes_nothing(world, tmp_path, monkeypatch):
    world.declare({"pbx01": {}})
    world.apply()
    path = tmp_path / "there"
    fine(came(world, export(name="pbx01", dest=str(path))))
    with recorded(world) as (writes, env):
        monkeypatch.setenv(*next(iter(env.items())))
        results = came(
            world,
            export(foretell=True, name="pbx01", dest=str(tmp_path / "file")),
            server(foretell=True, name="new", state="started", import_from=str(path)),
        )
    monkeypatch.undo()
    assert all(result["changed"] for result in fine(results))
    assert writes == []
    assert not (tmp_path / "file").exists()


def test_another_fleet_takes_it_in(world, tmp_path):
    """Another site: another fleet's name, networks and classes."""
    world.declare({"pbx01": {}})
    world.apply()
    path = tmp_path / "pbx01"
    fine(came(world, export(name="pbx01", dest=str(path))))
    world.declare({})
    world.apply(apply_prune=["all"])
    ours = dict(world.fleet)
    lan = world.fleet["fleet_networks"]["lan"]
    world.fleet |= {"fleet_name": "elsewhere", "fleet_networks": {"voice": lan}, "fleet_classes": {}}
    try:
        world.declare({})
        back, again = fine(came(world, *[server(name="pbx01", state="started", import_from=str(path))] * 2))
        assert back["server"]["fleet"] == "elsewhere" and back["server"]["class_name"] == ""
        assert back["server"]["interfaces"][0]["network"] == "voice"
        assert not again["changed"]
        fine(came(world, server(name="pbx01", state="absent", force=True)))
    finally:
        world.fleet = ours


def test_a_full_disk_here_leaves_nothing(world, tmp_path):
    world.declare({"pbx01": {}})
    world.apply()
    small = tmp_path / "small"
    small.mkdir()
    mount = {"ansible.builtin.command": f"mount -t tmpfs -o size=100k none {small}"}
    unmount = {"ansible.builtin.command": f"umount {small}"}
    _mounted, full, listed, _unmounted = came(
        world,
        mount,
        export(name="pbx01", dest=str(small / "file")),
        {"ansible.builtin.find": {"paths": str(small)}},
        unmount,
    )
    assert "No space left on device" in full["msg"]
    assert listed["matched"] == 0
    left = world.lab.ssh(world.running()["pbx01"], "find", "/var/lib/incus/backups", "-type", "f")
    assert left == ""
