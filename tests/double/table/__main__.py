# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m double.table apidoc.json 9``: write the table of version 9 from an official description of the API.

Only what is checked is kept: types, ranges, formats, rights; no prose.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ..endpoints import ROUTES

KEPT = (
    "type", "optional", "enum", "minimum", "maximum", "minLength", "maxLength", "pattern", "requires",
    "default_key", "alias", "keyAlias",
)  # fmt: skip
# Version 9.1 says otherwise than the description, which is of 9.2.
OTHERWISE: dict[str, dict[str, Any]] = {}


def described(tree: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every endpoint of a description."""
    found: dict[str, dict[str, Any]] = {}
    for branch in tree:
        for method, what in (branch.get("info") or {}).items():
            found[f"{method} {branch['path']}"] = what
        found |= described(branch.get("children") or [])
    return found


def compact(rule: dict[str, Any]) -> dict[str, Any]:
    """A parameter's rule without its prose."""
    kept = {
        key: rule[key]
        for key in KEPT
        if rule.get(key) not in (None, 0, "") or (key in ("minimum", "maximum") and key in rule)
    }
    form = rule.get("format")
    if isinstance(form, dict):
        kept["format"] = {name: compact(each) for name, each in sorted(form.items())}
    elif form:
        kept["format"] = form
    return kept


def entry(what: dict[str, Any]) -> dict[str, Any]:
    """An endpoint as the table has it."""
    properties = (what.get("parameters") or {}).get("properties") or {}
    kept: dict[str, Any] = {"parameters": {name: compact(rule) for name, rule in sorted(properties.items())}}
    permissions = what.get("permissions") or {}
    kept["permissions"] = {key: permissions[key] for key in ("check", "user") if key in permissions}
    if what.get("proxyto") == "node":
        kept["proxy"] = 1
    if not what.get("allowtoken", 1):
        kept["allowtoken"] = 0
    return kept


def main() -> None:
    """Write the table."""
    source, major = sys.argv[1:3]
    all_of_them = described(json.loads(Path(source).read_text()))
    served = {name: entry(all_of_them[name]) for name in sorted(ROUTES) if name in all_of_them}
    lines = [f"{json.dumps(name)}: {json.dumps(what, sort_keys=True)}" for name, what in served.items()]
    (Path(__file__).parent / f"{major}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(len(served), "endpoints; not described:", sorted(set(ROUTES) - set(all_of_them)))


if __name__ == "__main__":
    main()
