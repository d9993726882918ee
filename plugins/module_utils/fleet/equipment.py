# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nodes have to have before anything is made on them, templates and bridges; or else what they have instead."""

from __future__ import annotations

from collections.abc import Mapping

from .fit import some
from .model import Fleet, Observed, Refusal, Template

_SHOWN = 8


def absent(fleet: Fleet, observed: Observed, template: Template) -> str:
    """Why a template that no node has cannot be used, and what there is."""
    there = sorted({f"{name} {version}" for node in observed.nodes.values() for name, version in node.templates})
    todo = "the site playbook builds it"
    if fleet.engine == "proxmox":
        what = "a VM template of this name" if template.kind == "vm" else "an archive"
        todo = f"{what} has to be on the nodes: role proxmox_template brings it there, or pveam download"
    having = f"; there is {some(there, _SHOWN)}" if there else ""
    return f"version {template.version} is on no node that answers{having}; {todo}"


def unbridged(fleet: Fleet, observed: Observed, placed: Mapping[str, str]) -> tuple[Refusal, ...]:
    """Bridges that servers to be made need, and their nodes do not have. A node that does not tell has all."""
    lacking: dict[tuple[str, str, str], list[str]] = {}
    for name, node in sorted(placed.items()):
        seen = observed.nodes.get(node)
        if seen is None or seen.bridges is None:
            continue
        for leg in fleet.servers[name].interfaces:
            network = fleet.networks.get(leg.network)
            own = network.bridge if network else ""
            bridge = own or fleet.nodes[node].bridge
            if bridge not in seen.bridges:
                said = f"network {leg.network}" if own else "its node_bridge"
                lacking.setdefault((node, bridge, said), []).append(name)
    refusals = []
    for (node, bridge, said), names in sorted(lacking.items()):
        having = some(observed.nodes[node].bridges or (), _SHOWN) or "none"
        whom = f"{some(dict.fromkeys(names), 4)} {'need' if len(names) > 1 else 'needs'}"
        refusals.append(Refusal(node, f"has no bridge {bridge} ({said}), which {whom}; it has {having}"))
    return tuple(refusals)
