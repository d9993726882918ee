# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's nodes as members of a cluster, and nothing else: what the role ``failover`` makes of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.switchyard.fleet.plugins.inventory.lab import node_variables

from . import small_fleet
from .lab import Lab
from .outside import Outside
from .playbooks import ROOT

PLAYBOOK = ROOT / "tests" / "lab" / "cluster.yml"
UNITS = ("corosync.service", "pacemaker.service")
LEAVE = (
    "systemctl disable --now corosync-qdevice pacemaker corosync corosync-qnetd;"
    " rm -rf /var/lib/pacemaker/cib/* /etc/corosync/corosync.conf"
)


class Cluster:
    """The lab's nodes as members, with an inventory of nothing but them."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.outside = Outside(lab)
        self.inventory = folder / "inventory"
        self.nodes = list(lab.facts["nodes"])
        self.declare(self.nodes)

    def declare(self, nodes: list[str]) -> None:
        """Have these in the inventory."""
        small_fleet.write(self.inventory, small_fleet.FLEET, nodes, {})

    def declare_two(self, **fleet: Any) -> None:
        """Have node1 and node2 as nodes; node3 is a host of the inventory, and none of them."""
        self.declare(self.nodes)
        lab = self.lab.facts
        # Not by the lab's own inventory, for which all of them are nodes.
        (self.inventory / "lab.yml").unlink()
        values = {"lab_subnet": lab["subnet"], "lab_gateway": lab["gateway"], "lab_dir": str(self.lab.directory)}
        hosts = {node: node_variables(lab, self.lab.directory, node) for node in self.nodes}
        groups = {"nodes": {"hosts": dict.fromkeys(("node1", "node2"))}, "voters": {"hosts": {"node3": None}}}
        said = {"all": {"vars": {**small_fleet.FLEET, **values, **fleet}, "hosts": hosts, "children": groups}}
        (self.inventory / "hosts.yml").write_text(yaml.safe_dump(said))

    def up(self, *arguments: str, check: bool = True, **extra: Any) -> str:
        """The output of the role."""
        told = {"failover_cluster": "always", **extra}
        done = self.lab.playbook(PLAYBOOK, *arguments, inventory=self.inventory, extra=told, check=check)
        assert check or done.returncode, done.stdout
        return done.stdout

    def members(self, node: str = "node1") -> set[str]:
        """Members that are there, as Corosync on a node hears them."""
        listed = self.lab.ssh(node, "timeout", "10", "corosync-quorumtool", "-l", check=False)
        # Between votes and name there is what each knows of a quorum device, where they have one.
        return set(re.findall(r"^\s+\d+\s+\d+\s+(?:[A-Z,]+\s+)?(node\d+)", listed, re.MULTILINE))

    def quorate(self, node: str = "node1") -> bool:
        """Whether a node is of the majority."""
        told = self.lab.ssh(node, "timeout", "10", "corosync-quorumtool", "-s", check=False)
        return re.search(r"Quorate:\s+Yes", told) is not None

    def configuration(self, node: str = "node1") -> str:
        """Pacemaker's whole configuration, but for its state."""
        return self.lab.ssh(node, "timeout 20 cibadmin --query --scope configuration")

    def started(self) -> dict[str, str]:
        """When what runs on each node was started."""
        show = f"systemctl show --property=ActiveEnterTimestampMonotonic,MainPID {' '.join(UNITS)}"
        return {node: self.lab.ssh(node, show) for node in self.nodes}


def changed(output: str) -> int:
    """How many tasks changed something, on all nodes."""
    return sum(map(int, re.findall(r"changed=(\d+)", output)))
