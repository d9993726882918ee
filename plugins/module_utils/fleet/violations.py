# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules and limits that are broken where things stand, in words."""

from __future__ import annotations

from .fit import forbidden
from .layout import Layout


def violations(layout: Layout) -> tuple[str, ...]:
    """Every server of ours that may not be where it is, and every node that promised too much.

    Works on the layout in place and leaves it as it was: a server is in nobody's way but, where it wants its node to
    itself, its own.
    """
    # How much a node has that does not answer, nobody knows: it is not nothing.
    found = [
        f"{name}: promised more than it has: {over}"
        for name, load in layout.loads.items()
        if name in layout.answering and (over := load.overfull())
    ]
    for name in sorted(layout.where):
        server = layout.fleet.servers.get(name)
        if server is None:
            continue
        node = layout.where[name]
        if server.dedicated:
            size, pool = layout.size_of(name)
            layout.take(name)
            why = forbidden(server, layout.fleet.nodes[node], layout)
            layout.put(name, node, size, pool)
        else:
            why = forbidden(server, layout.fleet.nodes[node], layout)
        if why:
            found.append(f"{name} on {node}: {why}")
    return tuple(found)
