# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers made from servers: what is on their disks, and nothing else that is theirs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Engine, Refused
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Server, Size

from .conftest import World, seen, silent
from .platform import FLEET

BOTH_WAYS = pytest.mark.parametrize("away", [False, True], ids=["same node", "other node"])
NOTE = "/srv/note"


def prepared(world: World, *, runs: bool, **changes: object) -> tuple[Engine, Server, Server, str]:
    """A server with something on its disk, what is to be copied of it, and the node it is on."""
    source = replace(world.server("source"), tenant="acme")
    copy = replace(world.server("copy"), tenant="umbrella", **changes)
    engine = world.engine(world.fleet(source, copy))
    node = world.nodes[0]
    engine.create(source, node, silent)
    world.platform.write(node, source.name, NOTE, "precious")
    if runs:
        engine.start(source.name, node)
    return engine, source, copy, node


@BOTH_WAYS
@pytest.mark.parametrize("runs", [False, True], ids=["stopped", "running"])
def test_a_copy_has_what_was_on_the_disk_and_a_name_addresses_and_marks_of_its_own(
    world: World, away: bool, runs: bool
) -> None:
    engine, source, copy, node = prepared(world, runs=runs)
    target = world.nodes[1] if away else node
    before = world.platform.guest(node, source.name)
    for _again in range(2):
        engine.copy(source.name, node, copy, target, silent)
    assert world.platform.read(target, copy.name, NOTE) == "precious"
    assert world.platform.guest(node, source.name) == before, "its source goes on as it was"
    found = seen(engine.observe(), copy.name)
    assert found is not None
    assert (found.node, found.state, found.fleet, found.tenant) == (target, "stopped", engine.fleet.name, "umbrella")
    assert (found.interfaces, found.size, found.role) == (copy.interfaces, copy.size, "primary")
    assert not engine.configure(copy, target), "nothing is left to do"
    engine.start(copy.name, target)
    original = seen(engine.observe(), source.name)
    assert original is not None
    assert (original.interfaces, original.state) == (source.interfaces, "running" if runs else "stopped")


@BOTH_WAYS
def test_a_copy_has_no_hardware_address_of_its_source_and_is_another_machine(world: World, away: bool) -> None:
    engine, source, copy, node = prepared(world, runs=False)
    target = world.nodes[1] if away else node
    world.platform.write(node, source.name, "/etc/machine-id", "0123456789abcdef0123456789abcdef")
    engine.copy(source.name, node, copy, target, silent)
    assert world.platform.hardware(node, source.name).isdisjoint(world.platform.hardware(target, copy.name))
    assert world.platform.read(target, copy.name, "/etc/machine-id") == ""
    assert world.platform.read(node, source.name, "/etc/machine-id").startswith("0123")


def test_a_copy_may_be_bigger_but_its_disk_not_smaller(world: World) -> None:
    engine, source, copy, node = prepared(world, runs=False, size=Size(2, 128, 150))
    engine.copy(source.name, node, copy, node, silent)
    found = seen(engine.observe(), copy.name)
    assert found is not None
    assert found.size == copy.size
    engine.delete(copy.name, node)
    with pytest.raises(Refused, match=r"disks only grow"):
        engine.copy(source.name, node, replace(copy, size=Size(1, 64, 50)), node, silent)
    assert copy.name not in world.platform.names(node)


def test_nobody_elses_guest_is_copied_or_copied_over(world: World) -> None:
    engine, source, copy, node = prepared(world, runs=False)
    world.platform.stranger(node, copy.name)
    before = world.platform.guest(node, copy.name)
    with pytest.raises(Refused, match="does not bear the mark"):
        engine.copy(source.name, node, copy, node, silent)
    assert world.platform.guest(node, copy.name) == before
    world.platform.stranger(node, f"{FLEET}-somebody")
    with pytest.raises(Refused, match="does not bear the mark"):
        engine.copy(f"{FLEET}-somebody", node, replace(copy, name="contract-new"), node, silent)
    with pytest.raises(Refused, match="no guest nobody on this node"):
        engine.copy("nobody", node, replace(copy, name="contract-new"), node, silent)
    assert "contract-new" not in world.platform.names(node)


def test_a_copy_is_without_its_sources_snapshots(world: World) -> None:
    engine, source, copy, node = prepared(world, runs=False)
    world.platform.snapshot(node, source.name, "before")
    engine.copy(source.name, node, copy, node, silent)
    assert world.platform.snapshots(node, copy.name) == []
    assert world.platform.snapshots(node, source.name) == ["before"]
