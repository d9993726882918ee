# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/inventory.md from the table the inventory is checked by: python tests/tools/inventory_reference.py"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "docs" / "inventory.md"
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.inventory.kinds import (  # noqa: E402
    Kind,
    ListOf,
    Record,
    Table,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.inventory.vocabulary import (  # noqa: E402
    VARIABLES,
    Variable,
)

HEAD = """\
<!-- Written by tests/tools/inventory_reference.py from fleet/inventory/vocabulary/. Change it there. -->
# The inventory

A fleet is described by an ordinary Ansible inventory. Hosts of group `nodes` are the machines that carry virtual
servers; hosts of group `virtual_servers` are the servers. Ranges, child groups, `group_vars`, vault and templates work
as everywhere in Ansible. [inventories/lab](../inventories/lab) is a small one to begin with.

Every variable that begins with `fleet_`, `node_` or `vs_` is one of those below; any other is a mistake, and so is
every value that does not fit. All mistakes are told at once, each with its host, before anything is contacted.

- **Memory and disk** are MiB, or have a unit: `512MiB`, `2GiB`, `1TiB`. `M`, `G` and `T` mean the same binary units;
  `MB`, `GB` and `TB` are refused, as people mean either.
- **Durations** are seconds, or have units: `90s`, `5m`, `1h30m`, `250ms`.
- **Lists** may be one item alone: `vs_devices: dongle-1` is `vs_devices: [dongle-1]`.
- **Numbers** may be text, as they are in an INI inventory and after `-e`.
- YAML reads `on`, `off`, `yes` and `no` as truth values. `vs_failover: off` is understood all the same.
"""

CHAPTERS = {
    "fleet": (
        "The fleet",
        "Of the whole fleet, the same on every host: they belong in `group_vars/all.yml`.",
    ),
    "node": ("Nodes", "Of each node: in `host_vars`, or in the `group_vars` of `nodes` or of its racks and sites."),
    "server": (
        "Virtual servers",
        "Of each virtual server. A server needs a class or a size, and a template; everything else has a default.",
    ),
}


def reference() -> str:
    """The whole page."""
    parts = [HEAD]
    for scope, (title, words) in CHAPTERS.items():
        parts += [f"## {title}", "", words, ""]
        for variable in VARIABLES.values():
            if variable.scope == scope:
                parts += [*entry(variable), ""]
    return "\n".join(parts).rstrip() + "\n"


def entry(variable: Variable) -> Iterator[str]:
    """One variable."""
    yield f"### {variable.name}"
    yield ""
    yield variable.description
    yield ""
    yield f"- Accepted: {accepted(variable.kind)}."
    yield from keys(variable.kind, 1)
    if variable.kind.unit:
        yield f"- Unit: {variable.kind.unit}."
    if default(variable):
        yield f"- Default: {default(variable)}."
    if variable.secret:
        yield "- Its value is never shown, not even when it is wrong."
    if variable.effect != "now":
        yield f"- **{variable.effect[0].upper()}{variable.effect[1:]}**"
    yield f"- Example: `{variable.name}: {variable.example}`"


def accepted(kind: Kind) -> str:
    """What is accepted; keys of mappings are listed below it."""
    if isinstance(kind, Table):
        return "a mapping from names to " + ("mappings with these keys" if record(kind.value) else kind.value.accepted)
    if isinstance(kind, ListOf):
        of = kind.item
        return f"a list of {of.label}s; or one alone" if record(of) else kind.accepted
    if isinstance(kind, Record) and kind.fields:
        return "a mapping with these keys"
    return kind.accepted


def record(kind: Kind) -> Record | None:
    """The record whose keys are to be listed."""
    if isinstance(kind, Table):
        kind = kind.value
    elif isinstance(kind, ListOf):
        kind = kind.item
    return kind if isinstance(kind, Record) and kind.fields else None


def keys(kind: Kind, depth: int) -> Iterator[str]:
    """The keys of a mapping, one line each."""
    found = record(kind)
    for key, field in found.fields.items() if found else ():
        marks = ["required"] if field.required else []
        marks += ["may stand alone, without a mapping"] if found and found.shorthand == key else []
        marked = f" ({', '.join(marks)})" if marks else ""
        yield f"{'  ' * depth}- `{key}`{marked}: {field.description}. Accepted: {accepted(field.kind)}."


def default(variable: Variable) -> str:
    """The default as it would be written."""
    if variable.default_text:
        return variable.default_text
    value = variable.default
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (dict, tuple)):
        return "none"
    unit = {"MiB": "MiB", "s": "s"}.get(variable.kind.unit, "")
    return f"`{value:g}{unit}`" if isinstance(value, (int, float)) else f"`{value}`"


if __name__ == "__main__":
    (Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET).write_text(reference(), encoding="utf-8")
