# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between a server as it is and as it is declared, and what of it waits while the server runs."""

from __future__ import annotations

from dataclasses import dataclass

from ..layout import legs
from ..model import Fleet, Observed, ObservedServer, Server

Changes = dict[str, tuple[object, object]]
"""Field -> (before, after)."""

_STATIC = ("cores", "memory")
"""What some kinds of servers have from their start to their end."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What to change of one server."""

    size: Changes
    settings: Changes
    restart: str = ""
    """Why it has to be restarted afterwards; empty: it need not be."""
    waits: str = ""
    """What is left as it is, because nobody allowed a restart."""


def difference(fleet: Fleet, observed: Observed, server: Server, guest: ObservedServer, *, restart: bool) -> Difference:
    """``restart``: a running server may be restarted where a change needs it."""
    has, wants = guest.size, server.size
    # The io budget is counted by the planner and by nobody else: platforms do not know it.
    pairs = {name: (getattr(has, name), getattr(wants, name)) for name in (*_STATIC, "disk")}
    size: Changes = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    settings: Changes = {}
    if guest.class_name != server.class_name:
        settings["class"] = (guest.class_name, server.class_name)
    if guest.tenant != server.tenant:
        settings["tenant"] = (guest.tenant, server.tenant)
    if server.resource_pool and guest.resource_pool not in (None, server.resource_pool):
        settings["resource_pool"] = (guest.resource_pool, server.resource_pool)
    if guest.interfaces != server.interfaces:
        settings["interfaces"] = (legs(guest.interfaces), legs(server.interfaces))
    late = [name for name in _STATIC if name in size] if _is_static(fleet, observed, server, guest) else []
    addressed = "interfaces" in settings and guest.state != "stopped"
    if restart:
        reasons = ["a new address"] * addressed + ["another number of cores or size of memory"] * bool(late)
        return Difference(size, settings, f"{', '.join(reasons)} takes effect at a start" if reasons else "")
    waiting = {name: size.pop(name) for name in late}
    if addressed:
        waiting["interfaces"] = settings.pop("interfaces")
    return Difference(size, settings, waits=", ".join(_text(name, *pair) for name, pair in waiting.items()))


def _is_static(fleet: Fleet, observed: Observed, server: Server, guest: ObservedServer) -> bool:
    """Whether it runs, goes on running, and is of a kind that keeps its cores and memory for as long as it does."""
    template = fleet.templates.get(server.template)
    kind = template.kind if template else "container"
    return (guest.state, server.state) == ("running", "running") and kind in observed.abilities.resized_at_start


def _text(name: str, before: object, after: object) -> str:
    return f"{before} → {after}" if name == "interfaces" else f"{name} {before} → {after}"
