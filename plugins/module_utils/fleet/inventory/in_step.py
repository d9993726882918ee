# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``vs_replication: sync`` needs of an inventory on Incus: a place for the disks on every node that may have one.

And a cluster: where two nodes do not hear each other, one of them goes on alone only once the cluster has it recorded,
so that the other one's copy, which is older from then on, never starts.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..fit import some
from ..model import Fleet, Node
from .quantity import Unacceptable
from .reading import Draft
from .scalars import ip

_LISTED = 3


def check(draft: Draft, fleet: Fleet, carriers: Sequence[Node]) -> None:
    """Note what is missing."""
    servers = [server for server in fleet.servers.values() if server.replication.mode == "sync"]
    if fleet.engine != "incus" or not servers or len(carriers) < 2:
        return
    for server in servers:
        values = draft.servers[server.name]
        relocated = server.failover.mode == "auto" and server.failover.action == "relocate"
        if not relocated and not {"vs_failover", "vs_failover_action"} & values.wrong:
            problem = "sync, without vs_failover: auto: only the cluster knows which of two copies has every write"
            draft.notes(values).missing("vs_replication", problem, "vs_failover: auto, or an interval")
    names = some((server.name for server in servers), _LISTED)
    for node in carriers:
        if not any(server.site in ("", node.site) for server in servers):
            continue
        values = draft.nodes[node.name]
        if not node.disks and "node_sync_disks" not in values.wrong:
            problem = f"missing, and vs_replication: sync of {names} needs a place for disks on every node"
            accepted = "a volume group, or a directory; or an interval, such as vs_replication: 1m"
            draft.notes(values).missing("node_sync_disks", problem, accepted)
        if not {"node_sync_address", "node_address"} & values.wrong and not _is_address(
            node.disk_address or node.address
        ):
            problem = f"missing, and DRBD, for vs_replication: sync of {names}, takes addresses and no host names"
            draft.notes(values).missing("node_sync_address", problem, "an IPv4 or IPv6 address")


def _is_address(text: str) -> bool:
    try:
        ip(text)
    except Unacceptable:
        return False
    return True
