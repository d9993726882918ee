# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory of a fleet as it runs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet
short_description: A fleet as it runs
version_added: "0.1.0"
description:
  - Asks the platform of a fleet which virtual servers there are, and tells each with its address, node, site, class,
    template, tenant and state.
  - The fleet is that of another inventory (O(inventory)), or a few options say where it is (O(engine), O(nodes)).
  - The file has to be called C(fleet.yml) or end in C(.fleet.yml), or C(.yaml).
  - Variables begin with C(switchyard_); C(ansible_host) is the server's first address.
  - Groups are those of O(group_prefix), and what O(groups), O(keyed_groups) and O(compose) make of the variables.
  - None of its groups is C(nodes) or C(virtual_servers), so that it may stand beside the inventory that describes the
    fleet without declaring anything.
extends_documentation_fragment:
  - constructed
  - inventory_cache
author:
  - Switchyard contributors (@switchyard)
requirements:
  - C(netaddr)
  - C(urllib3) for Incus, C(proxmoxer) and C(requests) for Proxmox VE
options:
  plugin:
    description: Must be V(switchyard.fleet.fleet), so that no other file is taken for one of this plugin.
    type: str
    required: true
    choices: [switchyard.fleet.fleet]
  inventory:
    description:
      - Inventory sources that describe the fleet, relative to this file. V(.) is the directory this file is in.
      - Everything else that says what the fleet is, is then read from there.
    type: list
    elements: str
  name:
    description: Name of the fleet, where O(inventory) is not given. Guests that bear another one's mark are strangers.
    type: str
    default: fleet
    env:
      - name: SWITCHYARD_FLEET
  engine:
    description: The platform, where O(inventory) is not given.
    type: str
    choices: [incus, proxmox]
    default: incus
    env:
      - name: SWITCHYARD_ENGINE
  nodes:
    description:
      - The nodes, where O(inventory) is not given. Of a Proxmox VE cluster, one that answers is enough to ask.
      - Name of each, and its address, or a mapping of C(address), C(port), C(fingerprint) (SHA-256 of its
        certificate), C(site) and C(failure_domain).
    type: dict
  pki_dir:
    description:
      - Directory with C(controller.crt), C(controller.key) and C(nodes/NODE.crt); for Proxmox VE with
        C(proxmox.token) or C(proxmox.password), and C(ca.crt) or C(nodes/NODE.crt).
      - Left out, that of O(inventory).
    type: path
    env:
      - name: SWITCHYARD_PKI_DIR
  certificate:
    description: The controller's certificate for Incus, PEM, instead of C(controller.crt).
    type: str
    env:
      - name: SWITCHYARD_CERTIFICATE
  key:
    description: The key of O(certificate), PEM, instead of C(controller.key).
    type: str
    env:
      - name: SWITCHYARD_KEY
  token:
    description: API token for Proxmox VE, C(USER@REALM!NAME=SECRET), instead of C(proxmox.token).
    type: str
    env:
      - name: SWITCHYARD_PROXMOX_TOKEN
  password:
    description: User and password for Proxmox VE, C(USER@REALM:PASSWORD), instead of C(proxmox.password).
    type: str
    env:
      - name: SWITCHYARD_PROXMOX_PASSWORD
  authority:
    description: Certificate authority of a Proxmox VE cluster's certificates, PEM, instead of C(ca.crt).
    type: str
    env:
      - name: SWITCHYARD_PROXMOX_CA
  include_nodes:
    description: Whether the nodes are told as well.
    type: bool
    default: true
  strangers:
    description: Whether guests that do not bear the fleet's mark are told as well.
    type: bool
    default: false
  states:
    description: Only servers in these states.
    type: list
    elements: str
    choices: [running, stopped, unknown]
    default: [running, stopped, unknown]
  statistics:
    description: Whether what servers and nodes take right now is among the variables. Incus is watched for a second.
    type: bool
    default: false
  group_prefix:
    description:
      - What the names of groups begin with; C(servers), C(nodes), C(node_NODE), C(site_SITE), C(class_CLASS),
        C(template_TEMPLATE), C(tenant_TENANT) and C(state_STATE) follow.
    type: str
    default: fleet_
"""

EXAMPLES = r"""
---
# fleet.yml in the directory of the inventory that describes the fleet: servers get the addresses they really have
plugin: switchyard.fleet.fleet
inventory: [.]
---
# acme.fleet.yml, on its own: an AWX project whose credentials are in the environment (SWITCHYARD_PROXMOX_TOKEN, …)
plugin: switchyard.fleet.fleet
name: berlin
engine: proxmox
nodes:
  pve1:
    address: 192.0.2.11
    fingerprint: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  pve2:
    address: 192.0.2.12
    fingerprint: 60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752
keyed_groups:
  - key: switchyard_tenant
    prefix: customer
compose:
  ansible_user: "'root'"
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: /tmp/fleet-cache
cache_timeout: 60
"""

import re
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.connect import connect
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.inventory.mistakes import InventoryError
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Statistics
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.report.nodes import nodes as node_rows
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.report.servers import servers as server_rows
from ansible_collections.switchyard.fleet.plugins.plugin_utils.sources import (
    Source,
    credentials,
    from_inventory,
    from_options,
)

NAMES_PLUGIN = re.compile(r"""^plugin:\s*["']?switchyard\.fleet\.fleet["']?\s*(#.*)?$""", re.MULTILINE)
_NAMES = re.compile(r"(.*\.)?fleet\.ya?ml")
_PREFIX = "switchyard_"
_TEXTS = {
    "controller.crt": "certificate",
    "controller.key": "key",
    "proxmox.token": "token",
    "proxmox.password": "password",
    "ca.crt": "authority",
}
_GROUPED = {"node": "node", "site": "site", "class": "class_name", "template": "template", "tenant": "tenant"}
"""What groups are called after -> which fact of a server names one."""
_UNTOLD = ("name", "fleet")
"""Facts of a row that say nothing about the one host it is made of."""

Rows = Mapping[str, list[dict[str, Any]]]
"""``nodes`` and ``servers``, as the info modules tell them; JSON types, so that they can be cached."""


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):  # type: ignore[misc]
    """Asks a fleet's platform."""

    NAME = "switchyard.fleet.fleet"
    _reading: ClassVar[bool] = False
    """An inventory that describes the fleet is being read: this file, should it be part of it, has nothing to add."""

    def verify_file(self, path: str) -> bool:
        """Only a file that names this plugin."""
        if not super().verify_file(path) or not _NAMES.fullmatch(Path(path).name):
            return False
        try:
            return NAMES_PLUGIN.search(Path(path).read_text(encoding="utf-8")) is not None
        except (OSError, UnicodeDecodeError):
            return False

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add what runs."""
        super().parse(inventory, loader, path, cache)
        if InventoryModule._reading:
            return
        self._read_config_data(path)
        for row in self._rows(path, cache)["servers"]:
            self._add_server(row)
        if self.get_option("include_nodes"):
            for row in self._rows(path, cache)["nodes"]:
                self._add_node(row)

    # ---- asking

    def _rows(self, path: str, cache: bool) -> Rows:
        """What there is: from the cache where that may be used and holds it, else from the platform."""
        key = self.get_cache_key(path)
        if getattr(self, "_known", None) is None:
            caching = self.get_option("cache")
            found = self.cache.get(key) if caching and cache and key in self.cache else None
            self._known: Rows = found or self._asked(path)
            if caching and not found:
                self.cache[key] = self._known
        return self._known

    def _asked(self, path: str) -> Rows:
        texts = {name: str(self.get_option(option) or "") for name, option in _TEXTS.items()}
        try:
            source = self._source(path)
            with (
                credentials(texts, self.get_option("pki_dir") or source.pki_dir) as directory,
                closing(connect(source.fleet, directory)) as engine,
            ):
                observed = engine.observe()
                asked = self.get_option("statistics")
                statistics = engine.statistics() if asked else Statistics()
        except InventoryError as error:
            raise AnsibleParserError(f"{path}: {error}") from None
        except EngineError as error:
            raise AnsibleParserError(f"{path}: {error}") from None
        parts = ("usage", "throughput") if self.get_option("statistics") else ()
        servers = server_rows(
            source.fleet, observed, statistics, parts, now=time.time(), strangers=self.get_option("strangers")
        )
        nodes = node_rows(source.fleet, observed, statistics, parts, now=time.time())
        silent = [f"{row['name']} ({row['error']})" for row in nodes if row["state"] == "offline"]
        if len(silent) == len(nodes):
            raise AnsibleParserError(f"{path}: no node answers: {', '.join(silent)}")
        if silent:
            self.display.warning(f"{path}: does not answer, and what it carries may be missing: {', '.join(silent)}")
        for row in nodes:
            row["host"] = source.hosts.get(row["name"], row["address"])
        return {"servers": [row for row in servers if row["state"] != "absent"], "nodes": nodes}

    def _source(self, path: str) -> Source:
        folder = Path(path).absolute().parent
        paths = self.get_option("inventory")
        nodes = self.get_option("nodes")
        if bool(paths) == bool(nodes):
            raise AnsibleParserError(
                f"{path}: either inventory or nodes says where the fleet is, not both, not neither"
            )
        if nodes:
            return from_options(self.get_option("name"), self.get_option("engine"), nodes)
        InventoryModule._reading = True
        try:
            return from_inventory(self.loader, [str(folder / each) for each in paths])
        finally:
            InventoryModule._reading = False

    # ---- telling

    def _add_server(self, row: dict[str, Any]) -> None:
        if row["state"] not in self.get_option("states"):
            return
        groups = [f"{kind}_{row[fact]}" for kind, fact in _GROUPED.items() if row[fact]]
        address = row["addresses"][0] if row["addresses"] else ""
        self._add(row, address, ["servers", f"state_{row['state']}", *groups])

    def _add_node(self, row: dict[str, Any]) -> None:
        self._add(
            {key: value for key, value in row.items() if key != "host"}, row.get("host") or row["address"], ["nodes"]
        )

    def _add(self, row: dict[str, Any], address: str, groups: list[str]) -> None:
        host = self.inventory.add_host(row["name"])
        for group in groups:
            name = self.inventory.add_group(self._sanitize_group_name(self.get_option("group_prefix") + group))
            self.inventory.add_host(host, group=name)
        facts = {f"{_PREFIX}{key}": value for key, value in row.items() if key not in _UNTOLD}
        if address:
            facts["ansible_host"] = address
        # What others wrote on the platform is data, and no template.
        facts = {key: wrap_var(value) for key, value in facts.items()}
        for key, value in facts.items():
            self.inventory.set_variable(host, key, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), facts, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), facts, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), facts, host, strict=strict)
