# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The score a placement is compared on: hbal's own for external storage, and how full the fullest node is.

hbal's score (src/Ganeti/HTools/Cluster/MetricsComponents.hs of Ganeti 3.0) is a weighted sum of standard deviations
over the nodes that are not offline. For instances on external disks with ``--ignore-dynu`` only four of them move:
free memory and virtual cores per core, each weighing one half, and the same two again with instances that are still
to come, of which there are none. So it is the plain sum of two population standard deviations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Observed
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.usage import usable


@dataclass(frozen=True, slots=True)
class Figures:
    """How even a placement is. ``worst_node``: share of the fullest node's memory or cores, whichever is fuller;
    ``spread``: that less the same of the emptiest node."""

    worst_node: float
    spread: float
    score: float


def homes(observed: Observed) -> dict[str, str]:
    """Server -> the node it runs on, strangers left out."""
    return {guest.name: guest.node for guest in observed.servers if guest.fleet and guest.role == "primary"}


def figures(fleet: Fleet, observed: Observed, placement: Mapping[str, str]) -> Figures:
    """The figures of a placement of the fleet's servers; strangers stay where they are."""
    nodes = [node for node in observed.nodes.values() if node.reach == "online"]
    memory = {node.name: 0.0 for node in nodes}
    cores = dict(memory)
    for guest in observed.servers:
        if guest.role == "replica":
            continue
        node = placement.get(guest.name, guest.node) if guest.fleet else guest.node
        if node in memory:
            memory[node] += guest.size.memory
            cores[node] += guest.size.cores
    shares = []
    for node in nodes:
        limit = usable(fleet.nodes[node.name], node)
        shares.append(max(memory[node.name] / limit.memory, cores[node.name] / limit.cores))
    return Figures(
        worst_node=max(shares),
        spread=max(shares) - min(shares),
        score=deviation([memory[node.name] / node.capacity.memory for node in nodes])
        + deviation([cores[node.name] / node.capacity.cores for node in nodes]),
    )


def deviation(values: Sequence[float]) -> float:
    """Population standard deviation."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
