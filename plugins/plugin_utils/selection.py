# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of whom, and how much, an info module tells: options, and what they leave over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleActionFail

from ..module_utils.fleet.inventory.mistakes import Known
from ..module_utils.fleet.model import Fleet, Observed
from .host_patterns import Inventory

_LIST: dict[str, Any] = {"type": "list", "elements": "str"}
LEAST, EVERYTHING = "min", "all"


def subset_option(parts: Sequence[str], default: Sequence[str]) -> dict[str, Any]:
    """The argument specification of ``gather_subset``."""
    return {**_LIST, "choices": [LEAST, *parts, EVERYTHING], "default": list(default)}


def subset(asked: Iterable[str], parts: Sequence[str]) -> frozenset[str]:
    """The parts asked for."""
    wanted = frozenset(asked)
    return frozenset(parts) if EVERYTHING in wanted else wanted & frozenset(parts)


def filters(names: Iterable[str], choices: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The argument specification of filters: each a list, of which a row has to match one."""
    return {name: {**_LIST, **({"choices": list(choices[name])} if name in choices else {})} for name in names}


def passing(rows: Iterable[dict[str, Any]], wanted: Mapping[str, Sequence[str] | None]) -> list[dict[str, Any]]:
    """Rows that have, for every filter given, one of its values."""
    given = {name: frozenset(values) for name, values in wanted.items() if values is not None}
    return [row for row in rows if all(row[name] in values for name, values in given.items())]


def servers_named(
    patterns: Sequence[str], groups: Mapping[str, Sequence[str]], found: Iterable[str], loader: Any
) -> frozenset[str]:
    """The servers that patterns mean, those that only the platform knows among them.

    Raises AnsibleActionFail for a pattern that means nobody.
    """
    everybody = list(dict.fromkeys([*groups.get("virtual_servers", ()), *found]))
    named = {**groups, "virtual_servers": everybody, "all": [*groups.get("all", ()), *everybody]}
    return _existing(Inventory(loader, named).servers(patterns, "name"), everybody, "virtual server")


def nodes_named(
    patterns: Sequence[str], groups: Mapping[str, Sequence[str]], fleet: Fleet, observed: Observed, loader: Any
) -> frozenset[str]:
    """The nodes that patterns mean; raises AnsibleActionFail for a pattern that means nobody."""
    everybody = list(dict.fromkeys([*fleet.nodes, *observed.nodes]))
    named = {**groups, "nodes": everybody, "all": [*groups.get("all", ()), *everybody]}
    return _existing(Inventory(loader, named).nodes(patterns, "name"), everybody, "node")


def _existing(names: Iterable[str], everybody: Sequence[str], what: str) -> frozenset[str]:
    known = Known(everybody)
    for name in names:
        if name not in known:
            nearest = known.nearest(name, "none at all")
            raise AnsibleActionFail(f"name: {name}: no such {what}; there is {nearest}")
    return frozenset(names)
