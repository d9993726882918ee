# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes the contract suite works on.

Of Incus, the real servers it may use: those of ``SWITCHYARD_ENGINE_NODES``, or the nodes of a running lab.

``SWITCHYARD_ENGINE_NODES`` is JSON::

    {"engine": "incus",
     "nodes": {"node1": {"address": "127.0.0.1", "port": 18441,
                         "shell": ["nsenter", "-t", "4711", "-m", "sh", "-c"],
                         "crash": "kill -9 4711", "revive": "/tmp/servers/up.sh"}},
     "pki": "/tmp/servers/pki",
     "bridge": "ebr0",
     "cidr": "10.231.77.0/24",
     "addresses": ["10.231.77.20", "10.231.77.21"]}

A few tests only need ``shell`` (a command whose last argument, a script, runs as root where the node's daemon lives),
``crash`` and ``revive`` (commands for this machine: the daemon dies, the daemon is there again).
"""

from __future__ import annotations

import ipaddress
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import EngineName, Network, Node

from ..support.lab import Lab


@dataclass(frozen=True)
class Bed:
    """Nodes with an engine on them, and what tests may use there."""

    engine: EngineName
    nodes: dict[str, Node]
    pki: str
    network: Network
    addresses: tuple[str, ...]
    """Free for servers of tests, at least ten."""
    pool: str = "default"
    """Where the servers' disks are."""
    shell: dict[str, list[str]] = field(default_factory=dict)
    crash: dict[str, list[str]] = field(default_factory=dict)
    revive: dict[str, list[str]] = field(default_factory=dict)


def find() -> Bed | None:
    """The Incus servers there are; None: neither the variable is set nor a lab running."""
    text = os.environ.get("SWITCHYARD_ENGINE_NODES", "")
    if text:
        return _declared(json.loads(text))
    lab = Lab(os.environ.get("SWITCHYARD_LAB", "lab"))
    if not (lab.directory / "lab.json").is_file():
        return None
    bed = _lab(lab.facts)
    if not all((Path(bed.pki) / "nodes" / f"{node}.crt").is_file() for node in bed.nodes):
        _install(lab)
    return bed


def _install(lab: Lab) -> None:
    """Make the lab's bare machines nodes, as a user does."""
    with TemporaryDirectory() as folder:
        inventory = Path(folder)
        (inventory / "lab.yml").write_text("plugin: switchyard.fleet.lab\n")
        variables = {
            "fleet_name": "contract",
            "fleet_engine": "incus",
            "fleet_pki_dir": "{{ lab_dir }}/pki",
            "fleet_networks": {"lan": {"cidr": "{{ lab_subnet }}", "gateway": "{{ lab_gateway }}"}},
            "node_min_disk": "1GiB",
        }
        groups = {"nodes": {"hosts": dict.fromkeys(lab.facts["nodes"])}, "virtual_servers": {"hosts": {}}}
        # JSON is YAML.
        (inventory / "hosts.yml").write_text(json.dumps({"all": {"vars": variables, "children": groups}}))
        lab.playbook("site", inventory=inventory)


def _declared(raw: dict[str, Any]) -> Bed:
    def command(key: str) -> dict[str, list[str]]:
        return {name: ["sh", "-c", node[key]] for name, node in raw["nodes"].items() if key in node}

    return Bed(
        engine=raw["engine"],
        nodes={
            name: Node(name, node["address"], port=node.get("port", 8443), bridge=raw["bridge"])
            for name, node in raw["nodes"].items()
        },
        pki=raw["pki"],
        network=Network("contract", raw["cidr"]),
        addresses=tuple(raw["addresses"]),
        shell={name: node["shell"] for name, node in raw["nodes"].items() if "shell" in node},
        crash=command("crash"),
        revive=command("revive"),
    )


def _lab(raw: dict[str, Any]) -> Bed:
    """The lab's first three nodes; addresses from the upper end of what its servers may have."""
    names = sorted(raw["nodes"])[:3]
    addresses = {name: raw["nodes"][name]["address"] for name in names}
    options = ["-i", raw["ssh_key"], "-o", f"UserKnownHostsFile={raw['known_hosts']}", "-o", "BatchMode=yes"]
    ssh = {name: ["ssh", "-F", "none", *options, f"root@{address}"] for name, address in addresses.items()}
    hosts = list(ipaddress.ip_network(raw["subnet"]).hosts())
    return Bed(
        engine="incus",
        nodes={name: Node(name, address) for name, address in addresses.items()},
        pki=raw["pki"],
        network=Network("contract", raw["subnet"]),
        addresses=tuple(str(address) for address in hosts[229:249]),
        shell=ssh,
        crash={name: [*command, "systemctl kill -s KILL incus"] for name, command in ssh.items()},
        revive={name: [*command, "systemctl start incus && incus info >/dev/null"] for name, command in ssh.items()},
    )
