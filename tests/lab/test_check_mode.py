# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode writes nothing: every playbook runs with --check while the nodes' own event streams are recorded."""

from __future__ import annotations

import pytest
from support.recorder import recorded, tree

pytestmark = pytest.mark.lab


def test_the_recorder_sees_a_write(world, monkeypatch):
    world.declare({"pbx01": {}})
    with recorded(world) as (writes, env):
        monkeypatch.setenv(*next(iter(env.items())))
        world.apply()
    monkeypatch.undo()
    assert any("instance-created" in write for write in writes)
    assert any(write.startswith("POST ") for write in writes)


@pytest.mark.parametrize("playbook", ["site", "plan"])
def test_check_mode_writes_nothing_when_there_is_much_to_do(world, playbook, monkeypatch):
    world.declare({"pbx01": {}, "pbx02": {}})
    world.apply()
    world.declare({"pbx01": {"vs_memory": "48MiB"}, "pbx03": {}, "pbx04": {"vs_state": "stopped"}})
    pki = tree(world.lab.directory / "pki")
    with recorded(world) as (writes, env):
        monkeypatch.setenv(*next(iter(env.items())))
        output = world.play(playbook, "--check", "--diff", apply_prune=["all"])
    monkeypatch.undo()
    assert writes == []
    assert tree(world.lab.directory / "pki") == pki
    for promise in ("create pbx03", "resize pbx01", "delete pbx02"):
        assert promise in output


def test_what_check_mode_says_is_what_apply_does(world):
    def ids(output):
        return sorted(line.split(" … ")[0] for line in output.splitlines() if " … ok" in line)

    world.declare({"pbx01": {}, "pbx02": {}})
    promised = world.apply("--check")
    assert "2 to create, 2 to start" in promised
    assert "changed=1" in promised
    assert len(ids(world.apply())) == 4
    assert "changed=0" in world.apply("--check")


@pytest.mark.parametrize(
    "extra", [{}, {"lab_state": "absent"}, {"lab_nodes": 4}, {"lab_power": "cut", "lab_node": "node1"}]
)
def test_the_labs_own_playbook_writes_nothing_in_check_mode(world, extra):
    before = tree(world.lab.directory / "ssh") | tree(world.lab.directory / "pki")
    nodes = world.nodes
    with recorded(world) as (writes, _env):
        world.play("lab", "--check", **{"lab_nodes": len(nodes), **extra})
    assert writes == []
    assert tree(world.lab.directory / "ssh") | tree(world.lab.directory / "pki") == before
    assert world.nodes == nodes
