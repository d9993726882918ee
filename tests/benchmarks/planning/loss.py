# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a node may die: counted again from a plan's placement and backups, to hold its own proof against."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Observed, Plan
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.usage import usable

from .score import homes


def survivable(fleet: Fleet, observed: Observed, plan: Plan) -> frozenset[str]:
    """Nodes that may die once the plan is carried out: all that fails over finds memory and cores on its backup.

    Disks are no question then: they are on the backup already, or where every node reaches them.
    """
    where = {**homes(observed), **plan.placement}
    online = [name for name, node in observed.nodes.items() if node.reach == "online"]
    memory = dict.fromkeys(observed.nodes, 0.0)
    cores = dict.fromkeys(observed.nodes, 0.0)
    size = {guest.name: guest.size for guest in observed.servers if guest.role == "primary"}
    on = {guest.name: where.get(guest.name, guest.node) for guest in observed.servers if guest.role == "primary"}
    for name, node in on.items():
        memory[node] += size[name].memory
        cores[node] += size[name].cores
    carried: dict[str, list[str]] = {name: [] for name in observed.nodes}
    for name in fleet.servers:
        if name in on and _relocates(fleet, name):
            carried[on[name]].append(name)
    limits = {name: usable(fleet.nodes[name], observed.nodes[name]) for name in online}
    found = set()
    for lost in online:
        coming: dict[str, tuple[float, float]] = {}
        backups = {name: plan.backups.get(name, "") for name in carried[lost]}
        for name, backup in backups.items():
            has = coming.get(backup, (0.0, 0.0))
            coming[backup] = (has[0] + size[name].memory, has[1] + size[name].cores)
        left = set(backups.values()) - (limits.keys() - {lost})
        if not left and all(
            memory[node] + more[0] <= limits[node].memory and cores[node] + more[1] <= limits[node].cores + 1e-9
            for node, more in coming.items()
        ):
            found.add(lost)
    return frozenset(found)


def disputed(fleet: Fleet, observed: Observed, plan: Plan) -> Mapping[str, str]:
    """Nodes whose loss the plan says is survivable, and is not; or the other way round."""
    counted = survivable(fleet, observed, plan)
    said = {proof.lost: proof.holds for proof in plan.survival_after if proof.over == "node"}
    wrong = {node: holds for node, holds in said.items() if holds != (node in counted)}
    return {
        node: f"the loss of {node} is called {'survivable' if holds else 'a gap'}, and is not"
        for node, holds in wrong.items()
        if observed.nodes[node].reach == "online"
    }


def _relocates(fleet: Fleet, name: str) -> bool:
    failover = fleet.servers[name].failover
    return failover.mode != "off" and failover.action == "relocate"
