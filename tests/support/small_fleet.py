# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of tests and benchmarks: tiny servers with a web page, on the nodes of a lab."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

FLEET: dict[str, Any] = {
    "fleet_name": "test",
    "fleet_engine": "incus",
    "fleet_pki_dir": "{{ lab_dir }}/pki",
    "fleet_networks": {
        "lan": {
            "cidr": "{{ lab_subnet }}",
            "gateway": "{{ lab_gateway }}",
            "reserved": ["{{ lab_gateway | regex_replace('1$', '2') }}-{{ lab_gateway | regex_replace('1$', '19') }}"],
        }
    },
    "fleet_templates": {"tiny": {"build": "busybox"}},
    "fleet_classes": {"pbx": {"cores": 1, "memory": "32MiB", "disk": "64MiB"}},
    "fleet_timeouts": {"connect": "2s", "stop": "5s"},
    "node_cores": 128,
    "node_memory": "8GiB",
    "node_pools": {"default": "8GiB"},
    "node_min_disk": "1GiB",
    "node_fence": {
        "agent": "fence_switchyard_lab",
        "parameters": {"ip": "{{ lab_gateway }}", "plug": "{{ inventory_hostname }}"},
    },
}
SERVER: dict[str, Any] = {
    "vs_class": "pbx",
    "vs_template": "tiny",
    "vs_network": "lan",
    "vs_checks": [{"type": "http", "port": 80}],
}


def write(
    folder: Path,
    fleet: Mapping[str, Any],
    nodes: Iterable[str] | Mapping[str, Mapping[str, Any]],
    servers: Mapping[str, Mapping[str, Any]],
) -> None:
    """An inventory directory of these nodes and servers; each server is SERVER but for what is said of it."""
    folder.mkdir(exist_ok=True)
    (folder / "lab.yml").write_text("plugin: switchyard.fleet.lab\n")
    groups = {
        "nodes": {"hosts": dict(nodes) if isinstance(nodes, Mapping) else dict.fromkeys(nodes)},
        "virtual_servers": {"hosts": {name: {**SERVER, **facts} for name, facts in servers.items()}},
    }
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": dict(fleet), "children": groups}}))
