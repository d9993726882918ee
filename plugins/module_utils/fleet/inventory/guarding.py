# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What automatic failover needs of an inventory, where it is ours to bring about: on Incus.

Nothing may start on a backup before the node it ran on is known to be dead, and Pacemaker starts nothing at all while
there is a dead member whose power it cannot cut: each node has to be one that can be fenced, a witness as well. And the
nodes have to be able to tell who of them is cut off.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..fit import some
from ..model import Fleet, Node
from .reading import Draft

LEAST = 3
"""Votes in a cluster, at least: of two that lose each other, neither can know that it is not the one cut off."""
_LISTED = 3


def check(draft: Draft, fleet: Fleet, carriers: Sequence[Node]) -> None:
    """Note what is missing."""
    _links(draft, fleet)
    _device(draft, fleet)
    guarded = [
        server
        for server in fleet.servers.values()
        # A VIP that moves by itself asks nobody.
        if server.failover.mode == "auto" and server.failover.action != "none"
    ]
    if fleet.engine != "incus" or not guarded or len(carriers) < 2:
        return
    names = some((server.name for server in guarded), _LISTED)
    votes = len(fleet.nodes) + (fleet.quorum_device is not None)
    if votes < LEAST and "fleet_quorum_device" not in draft.fleet.wrong:
        problem = f"vs_failover: auto of {names} needs {LEAST} that vote, and there are {votes}"
        accepted = "a third node with node_witness: true, or fleet_quorum_device, or vs_failover: manual"
        draft.notes(draft.fleet).missing("node_witness", problem, accepted)
    for node in fleet.nodes.values():
        values = draft.nodes[node.name]
        if node.fence is not None or "node_fence" in values.wrong:
            continue
        # A pinned server may run elsewhere, too, once its node is dead; its backup may die as well.
        carries = not node.witness and any(server.site in ("", node.site) for server in guarded)
        why = "needs a sure way to switch the node off" if carries else "would wait for it, dead, to be switched off"
        accepted = "a fence agent with its parameters, or agent: watchdog; or vs_failover: manual"
        draft.notes(values).missing("node_fence", f"missing, and vs_failover: auto of {names} {why}", accepted)


def _device(draft: Draft, fleet: Fleet) -> None:
    """Whoever gives the vote is nobody who may die together with a node of the fleet, or votes already."""
    device = fleet.quorum_device
    if device is None:
        return
    problem = ""
    if device.host in fleet.nodes or any(device.host in node.links for node in fleet.nodes.values()):
        problem = "a node, which votes already"
    elif device.host in fleet.servers:
        problem = "a virtual server, which dies with its node"
    if problem:
        accepted = "a host that is neither"
        draft.notes(draft.fleet).wrong("fleet_quorum_device", device.host, problem, accepted)


def _links(draft: Draft, fleet: Fleet) -> None:
    """Every node hears the others on as many links as they have. A Proxmox VE cluster has seen to its own."""
    said = "node_cluster_addresses"
    if fleet.engine != "incus" or any(said in values.wrong for values in draft.nodes.values()):
        return
    if not any(draft.nodes[name][said] for name in fleet.nodes):
        # Their own addresses then, and of those others see to it that they differ.
        return
    most = max((len(node.links) for node in fleet.nodes.values()), default=0)
    taken: dict[str, str] = {}
    for node in fleet.nodes.values():
        values = draft.nodes[node.name]
        if len(node.links) != most:
            problem = f"{len(node.links)}, and other nodes have {most}"
            draft.notes(values).missing("node_cluster_addresses", problem, "one address per link, on every node")
        for address in node.links:
            if address in taken:
                draft.reject(values, "node_cluster_addresses", address, f"{taken[address]}'s already", "its own")
            taken[address] = node.name
