# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an inventory plugin has a fleet from: another inventory, or a few options; and who we are to its platform."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.inventory.manager import InventoryManager
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ..module_utils.fleet.model import Fleet
from ..module_utils.fleet.spec import parse
from .fleet_action import declarations, pki_dir

_OF_NODES = {
    "address": "node_address",
    "port": "node_port",
    "fingerprint": "node_fingerprint",
    "site": "node_site",
    "failure_domain": "node_failure_domain",
}
"""What may be said of a node in a few options -> the variable that says it in an inventory."""


@dataclass(frozen=True, slots=True)
class Source:
    """A fleet, the directory of its certificates, and what is known of how to log in to its nodes."""

    fleet: Fleet
    pki_dir: str
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Node -> ``ansible_host``, where an inventory says it."""


def from_inventory(loader: Any, paths: Sequence[str]) -> Source:
    """The fleet other inventory sources describe. Raises InventoryError, AnsibleError."""
    manager = InventoryManager(loader=loader, sources=list(paths))
    hostvars = HostVars(manager, VariableManager(loader=loader, inventory=manager), loader)
    groups = {name: [host.name for host in group.get_hosts()] for name, group in manager.groups.items()}
    nodes = groups.get("nodes", [])
    if not nodes:
        raise AnsibleParserError(f"inventory: {', '.join(paths)} has no group nodes with a host in it")
    hosts = {node: str(hostvars[node]["ansible_host"]) for node in nodes if "ansible_host" in hostvars[node]}
    where = str(hostvars[nodes[0]].get("inventory_dir") or ".")
    return Source(parse(*declarations(hostvars, groups)), pki_dir(hostvars, groups, where), hosts)


def from_options(name: str, engine: str, nodes: Mapping[str, Any]) -> Source:
    """The fleet a few options describe; it declares no servers. Raises InventoryError, AnsibleParserError."""
    hosts: dict[str, dict[str, Any]] = {}
    for node, said in nodes.items():
        facts = said if isinstance(said, Mapping) else {"address": said}
        unknown = sorted(set(facts) - set(_OF_NODES))
        if unknown:
            raise AnsibleParserError(f"nodes: {node}: {', '.join(unknown)}: accepted: {', '.join(_OF_NODES)}")
        ours = {_OF_NODES[key]: value for key, value in facts.items() if value is not None}
        hosts[str(node)] = {"fleet_name": name, "fleet_engine": engine, **ours}
    return Source(parse(hosts, {"nodes": list(hosts)}), "")


@contextmanager
def credentials(texts: Mapping[str, str], directory: str) -> Iterator[str]:
    """The directory of certificates; where some are given as text, one that only this user reads and that is gone
    afterwards, with all else that ``directory`` holds."""
    given = {name: text for name, text in texts.items() if text}
    if not given:
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="switchyard-") as folder:
        for name, text in given.items():
            path = Path(folder) / name
            path.touch(mode=0o600)
            path.write_text(text.strip() + "\n", encoding="utf-8")
        for path in sorted(Path(directory).iterdir()) if directory and Path(directory).is_dir() else ():
            if path.name not in given:
                (Path(folder) / path.name).symlink_to(path.resolve())
        yield folder
