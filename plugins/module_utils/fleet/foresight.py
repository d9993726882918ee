# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What will be there once steps are done, as it would be observed: for plans in two parts, and for check mode."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from .census import take_census
from .model import Fleet, Observed, ObservedServer, Step

Change = Callable[[ObservedServer, Step, Fleet], "ObservedServer | None"]


def foresee(fleet: Fleet, observed: Observed, steps: Iterable[Step]) -> Observed:
    """The platform's account after these steps; replicas and what the platform does by itself stay as they are."""
    primaries = dict(take_census(fleet, observed).primaries)
    others = [guest for guest in observed.servers if primaries.get(guest.name) != guest]
    nodes = dict(observed.nodes)
    for step in steps:
        if step.action in ("create", "copy", "import"):
            primaries[step.server] = _made(fleet, step)
        elif step.action == "maintenance":
            closed = step.changes["state"][1] == "maintenance"
            nodes[step.node] = replace(nodes[step.node], maintenance=closed)
        elif step.action == "delete" and "exists" not in step.changes:
            others = [guest for guest in others if (guest.name, guest.node) != (step.server, step.node)]
        elif step.server in primaries and step.action in _CHANGES:
            changed = _CHANGES[step.action](primaries.pop(step.server), step, fleet)
            if changed is not None:
                primaries[step.server] = changed
    guests = sorted((*primaries.values(), *others), key=lambda guest: (guest.name, guest.node))
    return replace(observed, nodes=nodes, servers=tuple(guests))


def _made(fleet: Fleet, step: Step) -> ObservedServer:
    server = fleet.servers[step.server]
    version = fleet.templates[server.template].version if server.template in fleet.templates else ""
    return ObservedServer(
        name=server.name,
        node=step.node,
        state="stopped",
        size=server.size,
        pool=server.pool,
        fleet=fleet.name,
        interfaces=server.interfaces,
        class_name=server.class_name,
        template=server.template,
        template_version=version,
        tenant=server.tenant,
        resource_pool=server.resource_pool or None,
        addresses=tuple(leg.address for leg in server.interfaces if leg.address),
    )


def _configured(guest: ObservedServer, step: Step, fleet: Fleet) -> ObservedServer:
    """What the step says it changes, and nothing else: an address may be waiting for a restart."""
    server = fleet.servers[step.server]
    if "class" in step.changes:
        guest = replace(guest, class_name=server.class_name)
    if "tenant" in step.changes:
        guest = replace(guest, tenant=server.tenant)
    if "resource_pool" in step.changes:
        guest = replace(guest, resource_pool=server.resource_pool)
    if "interfaces" in step.changes:
        addresses = tuple(leg.address for leg in server.interfaces if leg.address)
        guest = replace(guest, interfaces=server.interfaces, addresses=addresses)
    return guest


_CHANGES: dict[str, Change] = {
    "configure": _configured,
    "resize": lambda guest, step, fleet: replace(guest, size=fleet.servers[step.server].size),
    "start": lambda guest, _step, _fleet: replace(guest, state="running"),
    "restart": lambda guest, _step, _fleet: replace(guest, state="running"),
    "stop": lambda guest, _step, _fleet: replace(guest, state="stopped"),
    "move": lambda guest, step, _fleet: replace(guest, node=step.node),
    "delete": lambda _guest, _step, _fleet: None,
}
