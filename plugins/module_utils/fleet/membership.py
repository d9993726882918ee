# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One node: whether it is one of the fleet's and well, whether it may leave, and whether newcomers may come to it.

A node becomes one of the fleet's by the inventory and the playbooks that install it, and leaves by the inventory. What
is planned here never moves a server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .digest import digest
from .fit import some
from .goals.asked import quorum, unknown_nodes
from .goals.drain import drain
from .goals.options import DrainOptions, UndrainOptions
from .goals.undrain import undrain
from .layout import Layout, ours
from .model import Fleet, Observed, Plan, Refusal, Step


@dataclass(frozen=True, slots=True)
class NodeRequest:
    """What is asked of one node."""

    name: str
    state: Literal["present", "absent"] = "present"
    maintenance: bool | None = None
    """Nothing new is to come to it, or may again; ``None``: as it is."""


def membership(fleet: Fleet, observed: Observed, request: NodeRequest) -> Plan:
    """Plan it: at most one step."""
    name = request.name
    if request.state == "absent":
        return _absent(fleet, observed, name)
    unknown = _unknown(fleet, observed, name)
    if unknown:
        return _plan(fleet, observed, name, refusals=unknown)
    seen = observed.nodes.get(name)
    if seen is None or seen.reach != "online":
        why = f"does not answer ({seen.error if seen else 'not observed'}); site installs a node that never was one"
        return _plan(fleet, observed, name, refusals=[Refusal(name, why)])
    if request.maintenance is None:
        return _plan(fleet, observed, name)
    if not request.maintenance:
        return undrain(fleet, observed, UndrainOptions((name,)))
    refusals = [*quorum(fleet, observed), *unknown_nodes(fleet, [name])]
    if refusals:
        return _plan(fleet, observed, name, refusals=refusals)
    steps = []
    if not seen.maintenance:
        changes = {"state": ("active", "maintenance")}
        reason = "nothing new comes here until it is back in service"
        steps = [Step(id=f"maintenance/{name}", action="maintenance", node=name, reason=reason, changes=changes)]
    return _plan(fleet, observed, name, steps=steps, notes=_staying(fleet, observed, name))


def _absent(fleet: Fleet, observed: Observed, name: str) -> Plan:
    """Whether it is gone from the fleet, or may go: nothing of ours is on it, and nothing comes there any more."""
    if name not in fleet.nodes:
        known = name in observed.nodes
        note = f"{name} is in no inventory, but still a member of the platform's cluster"
        return _plan(fleet, observed, name, notes=[note] if known else [])
    seen = observed.nodes.get(name)
    if seen is None or seen.reach != "online":
        why = "does not answer, so nobody can tell what is on it; bring it back, or take it out of the inventory"
        return _plan(fleet, observed, name, refusals=[Refusal(name, f"{why} if it is gone for good")])
    staying = [*_ours_there(fleet, observed, name, "primary"), *_ours_there(fleet, observed, name, "replica")]
    if staying:
        why = f"still carries {some(staying, 8)}; drain it first, which moves them"
        return _plan(fleet, observed, name, refusals=[Refusal(name, why)])
    if fleet.nodes[name].witness:
        return _plan(fleet, observed, name, notes=[_leaving(name)])
    plan = drain(fleet, observed, DrainOptions((name,)))
    return _plan(fleet, observed, name, refusals=plan.refusals, steps=plan.steps, notes=[*plan.notes, _leaving(name)])


def _leaving(name: str) -> str:
    return f"nothing of this fleet is on {name}: take it out of the group nodes of the inventory, and it has left"


def _unknown(fleet: Fleet, observed: Observed, name: str) -> list[Refusal]:
    """Why a node is none of the fleet's; empty if it is."""
    if name in fleet.nodes:
        return []
    if name in observed.nodes:
        why = "is a member of the platform's cluster, but not in the inventory; add it to the group nodes, and run site"
        return [Refusal(name, why)]
    return [
        Refusal(each.subject, f"{each.reason}. A new one is added to the group nodes, and installed by site")
        for each in unknown_nodes(fleet, [name])
    ]


def _staying(fleet: Fleet, observed: Observed, name: str) -> list[str]:
    """That maintenance alone moves nobody."""
    staying = _ours_there(fleet, observed, name, "primary")
    if not staying:
        return []
    stay = "stay" if len(staying) > 1 else "stays"
    return [f"{some(staying, 8)} {stay} on {name}; drain moves them: ansible-playbook switchyard.fleet.drain"]


def _ours_there(fleet: Fleet, observed: Observed, name: str, role: str) -> list[str]:
    found = {
        guest.name for guest in observed.servers if guest.node == name and ours(fleet, guest) and guest.role == role
    }
    return sorted(found if role == "primary" else {f"a replica of {each}" for each in found})


def _plan(
    fleet: Fleet,
    observed: Observed,
    name: str,
    *,
    refusals: tuple[Refusal, ...] | list[Refusal] = (),
    steps: tuple[Step, ...] | list[Step] = (),
    notes: list[str] | None = None,
) -> Plan:
    return Plan(
        goal=name,
        steps=() if refusals else tuple(steps),
        base=digest(fleet, observed),
        placement=dict(sorted(Layout(fleet, observed).where.items())),
        refusals=tuple(refusals),
        notes=tuple(notes or ()),
    )
