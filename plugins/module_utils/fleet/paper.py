# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet as it would be seen right after its nodes are installed: empty, and as big as declared.

For check mode before the first installation. What nobody declares cannot be known yet, and is taken to be no limit.
"""

from __future__ import annotations

from .addresses import allocate
from .model import Capacity, Fleet, Observed, ObservedNode

_BOUNDLESS = 2**40
"""More MiB, cores and io than there will be."""


def on_paper(fleet: Fleet) -> tuple[Fleet, Observed]:
    """The fleet with an address on every interface, and nodes that carry nothing and have every template.

    Raises InventoryError where a network has not enough addresses.
    """
    templates = frozenset((template.name, template.version) for template in fleet.templates.values())
    pools = {server.pool for server in fleet.servers.values()}
    capacity = Capacity(cores=_BOUNDLESS, memory=_BOUNDLESS, io=0, pools=dict.fromkeys(pools, _BOUNDLESS))
    nodes = {name: ObservedNode(name, "online", capacity=capacity, templates=templates) for name in fleet.nodes}
    observed = Observed(nodes, ())
    return allocate(fleet, observed), observed
