# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory as files a person edits: one line for each server, and a comment where only a person knows. Pure.

The same inventory is the same text.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from .guests import LeftOut
from .inventory import Inventory

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*|/[A-Za-z0-9_./-]+|[0-9]+(MiB|GiB)|([0-9]+\.){3}[0-9]+(/[0-9]+)?")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""What YAML reads as something other than text."""
_SHARED = ("vs_template", "vs_network")
"""Variables that are said once for all where most servers agree."""


def files(inventory: Inventory) -> dict[str, str]:
    """Path in the inventory's directory -> its text."""
    common = {name: value for name in _SHARED if (value := _agreed(inventory.servers.values(), name))}
    if any("vs_interfaces" in said for said in inventory.servers.values()):
        # Beside vs_interfaces, which says it all, an inherited network is a mistake.
        common.pop("vs_network", None)
    own = {
        name: {key: value for key, value in said.items() if common.get(key) != value}
        for name, said in inventory.servers.items()
    }
    several = {name: said.pop("vs_interfaces") for name, said in own.items() if "vs_interfaces" in said}
    found = {
        "hosts.yml": _hosts(inventory, own),
        "group_vars/all.yml": _fleet(inventory),
        "group_vars/nodes.yml": _NODES,
        "group_vars/virtual_servers.yml": _servers(common),
    }
    for name, legs in sorted(several.items()):
        lines = ["# Several network cards, in order.", "vs_interfaces:", *(f"  - {flow(leg)}" for leg in legs)]
        found[f"host_vars/{name}.yml"] = _file(lines)
    return found


def flow(value: Any) -> str:
    """A value in YAML's flow style, in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(part)}" for key, part in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and value.lower() not in _WORDS else json.dumps(value)
    return json.dumps(value)


# ---------------------------------------------------------------- hosts.yml


def _hosts(inventory: Inventory, own: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        "# Who there is, as switchyard.fleet.import found it. From here on this file is yours: change it, and run",
        "# ansible-playbook switchyard.fleet.plan to see what that would take.",
        "",
        "nodes:",
        "  hosts:",
    ]
    for name, said in inventory.nodes.items():
        silent = inventory.silent.get(name)
        lines.append(f"    {flow(name)}: {flow(said)}{f'  # does not answer: {_line(silent)}' if silent else ''}")
    lines += ["", "virtual_servers:", "  hosts:" if own or inventory.left_out else "  hosts: {}"]
    lines += [f"    {flow(name)}: {flow(said)}" if said else f"    {flow(name)}:" for name, said in own.items()]
    if inventory.left_out:
        lines += ["", "    # Left out, and what to do about it."]
        lines += [f"    # {_line(text)}" for out in inventory.left_out for text in _outsider(out)]
    for group, members in inventory.groups.items():
        lines += ["", f"{group}:", "  hosts:", *(f"    {flow(name)}:" for name in members)]
    return _file(lines)


def _outsider(out: LeftOut) -> tuple[str, ...]:
    guest = out.guest
    size = f"{guest.size.cores:g} cores, {guest.size.memory} MiB of memory, {guest.size.disk} MiB of disk"
    where = f"{guest.kind} {guest.place}"
    return (f"{guest.name}: {where}; {size}", f"  {out.why}; {out.advice}")


# ---------------------------------------------------------------- group_vars


def _fleet(inventory: Inventory) -> str:
    said = inventory.fleet
    lines = [
        "# The fleet as a whole. Every variable there is: docs/inventory.md of the collection switchyard.fleet.",
        "",
        *(f"{name}: {flow(said[name])}" for name in ("fleet_name", "fleet_engine", "fleet_pki_dir") if name in said),
        "",
        "# One class for each size that is there. Rename them, add an io budget ({cores: 1, ..., io: 30}).",
        *_table("fleet_classes", said["fleet_classes"], _counts(inventory, "vs_class")),
        "",
        "# What servers would be created from; what those that are here were made from, no platform remembers.",
    ]
    for name in inventory.unknown_templates:
        lines.append(f"# {name}: nobody knows what. Replace it before you create servers like these.")
    lines += [
        *_table("fleet_templates", said["fleet_templates"], _counts(inventory, "vs_template")),
        "",
        "# Addresses of other machines go into reserved: [first-last, ...]; those of guests left out are there.",
        *_table("fleet_networks", said["fleet_networks"], {}),
    ]
    return _file(lines)


_NODES = """\
---
# What every node is like. No platform knows what fails together: say it here, or beside a node in hosts.yml.
# node_failure_domain: rack1
#
# What is kept free on each node for itself, and how many times it may be promised.
# node_reserve: {cores: 1, memory: 2GiB}
# node_overcommit: {cores: 4, memory: 1}
"""


def _servers(common: Mapping[str, Any]) -> str:
    lines = [
        "# What servers have in common, unless hosts.yml says otherwise of one.",
        *(f"{name}: {flow(value)}" for name, value in common.items()),
        "",
        "# Questions a server answers when it is well; switchyard.fleet.verify asks them.",
        "# vs_checks: [{type: tcp, port: 22}]",
    ]
    return _file(lines)


def _table(name: str, entries: Mapping[str, Any], counts: Mapping[str, int]) -> list[str]:
    if not entries:
        return [f"{name}: {{}}"]
    lines = [f"{name}:"]
    for key, value in entries.items():
        count = counts.get(key, 0)
        remark = f"  # {count} {'server' if count == 1 else 'servers'}" if count else ""
        lines.append(f"  {flow(key)}: {flow(value)}{remark}")
    return lines


def _counts(inventory: Inventory, variable: str) -> Counter[str]:
    return Counter(str(said[variable]) for said in inventory.servers.values() if variable in said)


def _agreed(servers: Iterable[Mapping[str, Any]], variable: str) -> str:
    """What more than half of them say; empty where there is no such thing."""
    values = [str(said.get(variable, "")) for said in servers]
    word, count = min(Counter(values).items(), key=lambda pair: (-pair[1], pair[0]), default=("", 0))
    return word if 2 * count > len(values) else ""


def _file(lines: Iterable[str]) -> str:
    return "\n".join(["---", *lines]) + "\n"


def _line(text: str) -> str:
    """Text of any origin as part of a comment."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
