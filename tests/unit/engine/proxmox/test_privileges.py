# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet's role lets the engine do all it does, and not one of its privileges is there for nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError, LockRecord
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.engine import ProxmoxEngine
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.session import Credentials
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Interface, Size
from ansible_collections.switchyard.fleet.plugins.module_utils.proxmox.privileges import NEEDED, places, role
from clones import MACHINE, VM, add_template
from cluster import PBX, client_of, fleet_of, silent
from double import Double

USER = "switchyard@pve"
DOCS = Path(__file__).parents[4] / "docs" / "proxmox-nodes.md"


@pytest.fixture
def double(request: pytest.FixtureRequest) -> Iterator[Double]:
    with Double(nodes=2, version=getattr(request, "param", "9.1"), latency=0.002, tls=True, staleness=0.0) as here:
        yield here


COPY = replace(PBX, name="pbx-002", size=Size(1, 256, 2048), interfaces=(Interface("lan", "10.66.0.51"),))


def engine_with(double: Double, privileges: frozenset[str], **narrowed: tuple[str, ...]) -> ProxmoxEngine:
    """The engine, as the fleet's user with these privileges."""
    double.ask("POST", "/access/roles", roleid="Engine", privs=",".join(sorted(privileges)))
    double.ask("POST", "/access/users", userid=USER)
    for place in places(**narrowed):
        double.ask("PUT", "/access/acl", path=place.path, users=USER, roles="Engine", propagate=int(place.propagate))
    secret = double.send("POST", f"/access/users/{USER}/token/fleet", {"privsep": 0}).data["value"]
    double.add_guest(900, "pve1", name="stranger")
    add_template(double, MACHINE)
    fleet = fleet_of(double, PBX, COPY, VM)
    fleet = replace(fleet, templates={**fleet.templates, MACHINE.name: MACHINE}, ssh_keys=("ssh-ed25519 AAAA ops",))
    return ProxmoxEngine(fleet, client_of(double, Credentials(USER, token="fleet", secret=secret)))


def work(engine: ProxmoxEngine) -> None:
    """Everything an engine is asked to do, and that it saw what there is."""
    before = engine.observe(measure=True)
    assert before.quorate and all(node.capacity.memory for node in before.nodes.values())
    assert all(node.capacity.pools and node.templates for node in before.nodes.values())
    assert "stranger" in {server.name for server in before.servers}
    assert set(engine.statistics().nodes) == {"pve1", "pve2"}
    record = LockRecord("t", "ops@here", "test", "m", 1, 1.0, 1.0)
    assert engine.take_lock(record) is None and engine.renew_lock(replace(record, renewed=2.0))
    containers(engine)
    machines(engine)
    engine.release_lock("t")
    assert engine.take_lock(replace(record, token="u")) is None


def containers(engine: ProxmoxEngine) -> None:
    """A container's whole life."""
    engine.create(PBX, "pve1", silent)
    grown = replace(PBX, size=Size(1, 256, 2048, 30))
    engine.resize(grown, "pve1")
    engine.configure(replace(grown, start_order=7), "pve1")
    engine.start(PBX.name, "pve1")
    engine.copy(PBX.name, "pve1", COPY, "pve1", silent)
    engine.move(grown, "pve1", "pve2", "restart", silent)
    engine.restart(PBX.name, "pve2")
    engine.set_maintenance("pve1", True)
    seen = engine.observe()
    assert seen.nodes["pve1"].maintenance and PBX.name in {server.name for server in seen.servers if server.fleet}
    engine.set_maintenance("pve1", False)
    engine.replicate(grown, "pve2", "pve1", silent)
    engine.protect(grown, "pve2", ["pve1"])
    engine.unprotect(PBX.name, "pve2")
    engine.unreplicate(PBX.name, "pve2", "pve1")
    engine.stop(PBX.name, "pve2")
    engine.delete(PBX.name, "pve2")


def machines(engine: ProxmoxEngine) -> None:
    """A VM's."""
    engine.create(VM, "pve1", silent)
    engine.resize(replace(VM, size=Size(2, 1024, 8192)), "pve1")
    engine.start(VM.name, "pve1")
    engine.stop(VM.name, "pve1")
    engine.delete(VM.name, "pve1")


@pytest.mark.parametrize("double", ["9.1", "8.4"], indirect=True)
def test_with_it_the_engine_does_all_it_does(double: Double) -> None:
    work(engine_with(double, role(double.world.cluster.major)))


def test_it_may_be_narrowed_to_storages_and_bridges(double: Double) -> None:
    engine = engine_with(double, role(9), storages=("local", "local-zfs"), bridges=("vmbr0",))
    work(engine)
    with pytest.raises(EngineError, match=r"/storage/shared, Datastore\.AllocateSpace"):
        engine.create(replace(PBX, pool="shared"), "pve1", silent)


@pytest.mark.parametrize("missing", [each.name for each in NEEDED if 9 in each.versions])
def test_without_any_one_of_its_privileges_it_does_not(double: Double, missing: str) -> None:
    engine = engine_with(double, role(9) - {missing})
    with pytest.raises((EngineError, AssertionError)):
        work(engine)


def test_the_documentation_has_each_privilege_with_its_reason() -> None:
    rows = re.findall(r"^\| `([A-Z]\w+(?:\.\w+)+)` \| `(\S+)` \| (.+?) \|", DOCS.read_text(), re.MULTILINE)
    assert rows == [(each.name, each.area, each.why) for each in NEEDED]
