# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory of a lab: where its nodes are and how to log in to them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: lab
short_description: Nodes of a Switchyard lab
version_added: "0.1.0"
description:
  - Tells where the nodes of a lab are, which a fleet's inventory otherwise describes in full.
  - Reads the description the role P(switchyard.fleet.lab#role) keeps of the lab it brought up.
  - Puts the nodes into the group V(nodes) with their address, the lab's SSH key and its known host keys, and sets
    C(lab_name), C(lab_subnet), C(lab_gateway) and C(lab_dir) for all hosts.
  - A lab that does not exist yields nothing.
  - Give this file beside a static inventory, for example in one directory with it.
author:
  - Switchyard contributors (@switchyard)
options:
  plugin:
    description: Must be V(switchyard.fleet.lab), so that no other file is taken for one of this plugin.
    type: str
    required: true
    choices: [switchyard.fleet.lab]
  name:
    description: Name of the lab.
    type: str
    default: lab
    env:
      - name: SWITCHYARD_LAB
  directory:
    description: Where this machine keeps its labs.
    type: path
    default: /var/lib/switchyard/labs
"""

EXAMPLES = r"""
---
# inventories/lab/lab.yml
plugin: switchyard.fleet.lab
---
# A second lab, brought up with -e lab_name=other
plugin: switchyard.fleet.lab
name: other
"""

import json
import re
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

NAMES_PLUGIN = re.compile(r"""^plugin:\s*["']?switchyard\.fleet\.lab["']?\s*(#.*)?$""", re.MULTILINE)


def node_variables(lab: dict[str, Any], directory: Path, node: str) -> dict[str, str]:
    """How Ansible reaches one node: pinned host key, the lab's own SSH key, nothing of the user's SSH configuration."""
    arguments = [
        "-F none",
        "-o IdentitiesOnly=yes",
        "-o StrictHostKeyChecking=yes",
        f"-o UserKnownHostsFile={lab['known_hosts']}",
        f"-o ControlPath={directory}/ssh/%C",
    ]
    return {
        "ansible_host": lab["nodes"][node]["address"],
        "ansible_user": "root",
        "ansible_ssh_private_key_file": lab["ssh_key"],
        "ansible_ssh_common_args": " ".join(arguments),
    }


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc]
    """Reads a lab's ``lab.json``."""

    NAME = "switchyard.fleet.lab"

    def verify_file(self, path: str) -> bool:
        """Only a file that names this plugin: a playbook may be called lab.yml as well."""
        if not super().verify_file(path) or not path.endswith(("lab.yml", "lab.yaml")):
            return False
        try:
            return NAMES_PLUGIN.search(Path(path).read_text(encoding="utf-8")) is not None
        except (OSError, UnicodeDecodeError):
            return False

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add what the lab has; nothing where there is no lab."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        directory = Path(self.get_option("directory")) / (self.get_option("name") or "lab")
        lab = self._read(directory / "lab.json")
        if lab is None:
            return
        try:
            self._add(lab, directory)
        except (KeyError, TypeError, AttributeError) as error:
            raise AnsibleParserError(f"{directory}/lab.json is not the description of a lab: {error!r}") from error

    def _read(self, path: Path) -> Any:
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except PermissionError:
            self.display.warning(f"{path} cannot be read: the lab's nodes are known to root only")
            return None
        except (OSError, ValueError) as error:
            raise AnsibleParserError(f"{path} is not the description of a lab: {error}") from error

    def _add(self, lab: dict[str, Any], directory: Path) -> None:
        group = self.inventory.add_group("nodes")
        for node in lab["nodes"]:
            self.inventory.add_host(node, group=group)
            for name, value in node_variables(lab, directory, node).items():
                self.inventory.set_variable(node, name, value)
        values = {
            "name": lab["name"],
            "subnet": lab["subnet"],
            "inventory_subnet": lab["subnet"],  # tells the role this subnet from one a person asks for
            "gateway": lab["gateway"],
            "dir": str(directory),
        }
        for name, value in values.items():
            self.inventory.set_variable("all", f"lab_{name}", value)
