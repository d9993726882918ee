# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole playbooks on real nodes: the lab SWITCHYARD_LAB names, which `make lab` brings up and takes down."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import small_fleet
from support.lab import Lab

APPLY = Path(__file__).with_name("apply.yml")


class World:
    """An inventory one can change, and the nodes it is about."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.inventory = folder / "inventory"
        self.fleet = dict(small_fleet.FLEET)
        self.declare()

    @property
    def nodes(self) -> list[str]:
        """Names of the lab's nodes."""
        return list(self.lab.facts["nodes"])

    @property
    def prefix(self) -> str:
        """First three numbers of the lab's addresses."""
        return str(self.lab.facts["gateway"]).rsplit(".", 1)[0]

    def declare(self, servers: Mapping[str, Mapping[str, Any]] | None = None, nodes: list[str] | None = None) -> None:
        """Write the inventory: these servers, with what differs from SERVER."""
        small_fleet.write(self.inventory, self.fleet, nodes or self.nodes, servers or {})

    def play(self, playbook: str | Path, *arguments: str, check: bool = True, **extra: Any) -> str:
        """The output of a playbook on this inventory. With ``check`` False it has to fail."""
        done = self.lab.playbook(playbook, *arguments, inventory=self.inventory, extra=extra, check=check)
        if not check:
            assert done.returncode, done.stdout
        return done.stdout

    def apply(self, *arguments: str, check: bool = True, **extra: Any) -> str:
        """The output of an apply (see ``play``)."""
        return self.play(APPLY, *arguments, check=check, **extra)

    def running(self) -> dict[str, str]:
        """Server -> node, of all that run; each at most once."""
        found = [(name, node) for name, node, state in self.lab.guests() if state == "Running"]
        assert len(dict(found)) == len(found), f"something runs twice: {found}"
        return dict(found)


@pytest.fixture(scope="session")
def lab() -> Lab:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    found = Lab(os.environ.get("SWITCHYARD_LAB", "lab"))
    if not (found.directory / "lab.json").exists():
        pytest.skip(f"lab {found.name} is not up; make lab brings one up, runs these, and takes it down")
    return found


@pytest.fixture(scope="session")
def installed(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The lab with its nodes installed and the template built."""
    World(lab, tmp_path_factory.mktemp("installed")).play("site")
    return lab


@pytest.fixture
def world(installed: Lab, tmp_path: Path) -> Iterator[World]:
    """An empty fleet before and after."""
    world = World(installed, tmp_path)
    yield world
    world.fleet = dict(small_fleet.FLEET)
    world.declare()
    world.apply(apply_prune=["all"])
    assert [guest for guest in installed.guests() if not guest[0].startswith("switchyard-contract")] == []
