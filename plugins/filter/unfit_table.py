# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table an operator reads when nodes are unfit."""

from __future__ import annotations

DOCUMENTATION = r"""
name: unfit_table
short_description: What is wrong with which node, as a table
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - From what M(switchyard.fleet.node_probe) or M(switchyard.fleet.proxmox_probe) said of each node, one table of all
    that is wrong, how far the nodes' clocks are apart among it.
options:
  _input:
    description: Results of the module, by the name of the node.
    type: dict
    required: true
"""

EXAMPLES = r"""
# {'node1': {'unfit': [{'check': 'cores', 'found': '2', 'needed': '4 or more'}], 'clock': {...}}}
table: "{{ dict(ansible_play_hosts | zip(probes)) | switchyard.fleet.unfit_table }}"
"""

RETURN = r"""
_value:
  description: The table, empty where every node is fit.
  type: str
"""

from collections.abc import Callable, Mapping
from typing import Any

HEAD = ("NODE", "CHECK", "FOUND", "NEEDED")


def unfit_table(probes: Mapping[str, Mapping[str, Any]]) -> str:
    """One line for each thing that is wrong; empty: nothing is."""
    rows = [
        (name, row["check"], row["found"], row["needed"])
        for name, probe in probes.items()
        for row in probe.get("unfit", ())
    ]
    rows += clocks(probes)
    if not rows:
        return ""
    table = [HEAD, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEAD) - 1)] + [0]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table)
    return "\n".join(lines) + "\n"


def clocks(probes: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, str, str]]:
    """The two nodes whose clocks are furthest apart, where that is too far."""
    timed = {name: probe["clock"] for name, probe in probes.items() if "limit" in probe.get("clock", {})}
    if not timed:
        return []
    limit = min(float(clock["limit"]) for clock in timed.values())
    ordered = sorted(timed, key=lambda name: float(timed[name]["ahead"]))
    apart = float(timed[ordered[-1]]["ahead"]) - float(timed[ordered[0]]["ahead"])
    if apart <= limit:
        return []
    return [(f"{ordered[0]}, {ordered[-1]}", "clock", f"{apart:.2f} s apart", f"{limit:g} s at most")]


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The one filter of this file."""
        return {"unfit_table": unfit_table}
