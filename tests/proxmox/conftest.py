# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole playbooks on the double of a Proxmox VE cluster, over HTTPS, as a user runs them: no root, no lab."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from double import Double, certificate
from double import double as doubles
from support import playbooks, simulation

LATENCY = 0.003
APPLY = Path(__file__).parents[1] / "lab" / "apply.yml"
TEMPLATE = {"debian-13-standard": {"version": "13.1-2"}}
FLEET: dict[str, Any] = {
    "fleet_name": "test",
    "fleet_engine": "proxmox",
    "fleet_networks": {"lan": {"cidr": "198.18.4.0/22", "gateway": "198.18.4.1"}},
    "fleet_templates": TEMPLATE,
    "fleet_classes": {"pbx": {"cores": 1, "memory": "64MiB", "disk": "1GiB"}},
    "fleet_overcommit": {"cores": 100},
    "fleet_timeouts": {"connect": "2s", "stop": "5s"},
    "node_concurrency": 16,
    "vs_class": "pbx",
}


class World:
    """A cluster, an inventory of it that one can change, and what is really there."""

    def __init__(self, double: Double, folder: Path) -> None:
        self.double = double
        self.fleet = dict(FLEET)
        self.inventory, self.simulation = folder / "inventory", folder / "simulation"
        self.about = {"endpoints": double.endpoints, "fingerprint": double.fingerprint, "token": double.token}
        simulation.write(self.simulation, self.about, [])
        self.declare({})

    def declare(self, servers: Mapping[str, Mapping[str, Any]], nodes: Mapping[str, Any] | None = None) -> None:
        """Write the inventory: these servers and nodes, with what each has of its own."""
        self.inventory.mkdir(exist_ok=True)
        names = nodes if nodes is not None else dict.fromkeys(self.double.world.cluster.nodes)
        groups = {"nodes": {"hosts": dict(names)}, "virtual_servers": {"hosts": dict(servers)}}
        # JSON is YAML.
        (self.inventory / "hosts.yml").write_text(json.dumps({"all": {"vars": self.fleet, "children": groups}}))

    def begin(self, playbook: str | Path, *arguments: str, **extra: Any) -> subprocess.Popen[str]:
        """A playbook on this inventory, on its way."""
        return playbooks.begin(playbook, *arguments, inventories=[self.inventory, self.simulation], extra=extra)

    def play(self, playbook: str | Path, *arguments: str, good: bool = True, **extra: Any) -> str:
        """The output of a playbook; if it is not to end well, it has to fail."""
        process = self.begin(playbook, *arguments, **extra)
        output, _nothing = process.communicate(timeout=240)
        assert (process.returncode == 0) is good, output
        return output

    def apply(self, *arguments: str, good: bool = True, **extra: Any) -> str:
        """The output of an apply (see ``play``)."""
        return self.play(APPLY, *arguments, good=good, **extra)

    def running(self) -> dict[str, str]:
        """Server -> node, of all of ours that run."""
        return {name: node for name, (node, runs) in self.there().items() if runs}

    def there(self) -> dict[str, tuple[str, bool]]:
        """Server -> its node, and whether it runs; of ours."""
        ours = [guest for guest in self.double.world.cluster.guests.values() if "sy+fleet+test" in guest.tags]
        found = {guest.name: (guest.node, guest.running) for guest in ours}
        assert len(found) == len(ours), f"something is there twice: {[guest.name for guest in ours]}"
        return found

    def writes(self) -> list[str]:
        """Requests so far that were to change something."""
        return sorted(call for call in self.double.world.calls.elements() if not call.startswith("GET "))


@pytest.fixture(scope="session", autouse=True)
def one_certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One certificate for all: to make one takes longer than a cluster."""
    made = certificate.make(tmp_path_factory.mktemp("tls"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doubles, "make", lambda _folder: made)
        yield


@pytest.fixture
def double() -> Iterator[Double]:
    with Double(nodes=3, latency=LATENCY, tls=True) as here:
        yield here


@pytest.fixture
def world(double: Double, tmp_path: Path) -> World:
    return World(double, tmp_path)


def names(first: int, last: int) -> dict[str, dict[str, Any]]:
    """pbx01, pbx02, ...: as everybody is."""
    return {f"pbx{number:02}": {} for number in range(first, last + 1)}


def changed(output: str) -> int:
    """Tasks that changed something, from the recap."""
    return sum(int(count) for count in re.findall(r"changed=(\d+)", output))


def requests(output: str) -> int:
    """How many requests an apply took."""
    found = re.search(r"requests=(\d+)", output)
    assert found, output
    return int(found.group(1))
