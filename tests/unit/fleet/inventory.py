# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventories in a few words, for tests of the road from variables to a Fleet."""

from __future__ import annotations

from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet import spec
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.inventory.mistakes import InventoryError, Mistake
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet

LAN = {"cidr": "10.20.0.0/24", "gateway": "10.20.0.1", "reserved": ["10.20.0.2-10.20.0.99"]}


class Inventory:
    """Three nodes, one class, one template and one network, unless a test says otherwise."""

    def __init__(self, nodes: int = 3) -> None:
        self.hosts: dict[str, dict[str, Any]] = {"": {}}
        self.groups: dict[str, list[str]] = {"all": [], "nodes": [], "virtual_servers": []}
        self.fleet(
            fleet_classes={"small": {"cores": 1, "memory": "1GiB", "disk": "2GiB"}},
            fleet_templates={"tiny": {"build": "busybox"}},
            fleet_networks={"lan": LAN},
        )
        for number in range(1, nodes + 1):
            self.node(f"n{number}", ansible_host=f"10.20.0.{10 + number}")

    def fleet(self, **variables: Any) -> Inventory:
        """Declare variables of the whole fleet."""
        self.hosts[""].update(variables)
        return self

    def node(self, name: str, **variables: Any) -> Inventory:
        """Declare a node, or more about it."""
        return self._host(name, "nodes", variables)

    def server(self, name: str, *groups: str, **variables: Any) -> Inventory:
        """Declare a server of class small, or more about it."""
        self.hosts.setdefault(name, {"vs_class": "small"})
        for group in groups:
            self.groups.setdefault(group, []).append(name)
        return self._host(name, "virtual_servers", variables)

    def parse(self) -> Fleet:
        """The fleet of this inventory."""
        return spec.parse(self.hosts, self.groups)

    def mistakes(self) -> tuple[Mistake, ...]:
        """Everything wrong with this inventory."""
        try:
            self.parse()
        except InventoryError as error:
            return error.mistakes
        return ()

    def complaints(self) -> list[str]:
        """The same, as it is told."""
        return [str(mistake) for mistake in self.mistakes()]

    def _host(self, name: str, group: str, variables: dict[str, Any]) -> Inventory:
        self.hosts.setdefault(name, {}).update(variables)
        for each in ("all", group):
            if name not in self.groups[each]:
                self.groups[each].append(name)
        return self
