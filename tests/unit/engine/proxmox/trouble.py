# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes in which something goes wrong: one change to one server, planned and carried out as apply does it."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.apply import Result, Run, Watcher
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.engine import ProxmoxEngine
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import (
    ConvergeOptions,
    DrainOptions,
    MigrateOptions,
    UndrainOptions,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.registry import GOALS
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Failover,
    Interface,
    Limits,
    Plan,
    Replication,
    Server,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.steps import doer
from clones import MACHINE, VM, add_template
from cluster import PBX, Client, endpoints_of, fleet_of, silent, token_of
from double import Double

LIMITS = Limits(connect=0.5, request=1.0, operation=0.8, stop=1.0)
"""Short, so that what hangs is given up soon; the double takes milliseconds."""
NODE = "pve1"
"""Where it happens."""
STRANGERS = {900: "pve1", 901: "pve2"}


@dataclass(frozen=True)
class Scene:
    """What is there, what is wanted, and what the change looks like to Proxmox VE."""

    goal: str
    options: Any
    before: Callable[[ProxmoxEngine], None]
    wanted: Server | None
    request: str
    task: str = ""
    first: Server = PBX
    """What is declared before."""


def _made(engine: ProxmoxEngine) -> None:
    for each in engine.fleet.servers.values():
        engine.create(each, NODE, silent)


def _running(engine: ProxmoxEngine) -> None:
    _made(engine)
    for name in engine.fleet.servers:
        engine.start(name, NODE)


def _replicated(engine: ProxmoxEngine) -> None:
    _made(engine)
    engine.replicate(_COPIED, NODE, "pve2", silent)


def _protected(engine: ProxmoxEngine) -> None:
    _running(engine)
    engine.protect(_GUARDED, NODE, ["pve2"])


def _nothing(_engine: ProxmoxEngine) -> None:
    """An empty node."""


def _drained(engine: ProxmoxEngine) -> None:
    engine.set_maintenance("pve3", True)


_STOPPED = replace(PBX, state="stopped", node=NODE)
_BIGGER = replace(_STOPPED, size=replace(PBX.size, disk=2048))
_OTHER_ADDRESS = (Interface("lan", "10.66.0.51"),)
_COPIED = replace(PBX, state="stopped", replication=Replication("interval", 300))
_GUARDED = replace(PBX, failover=Failover("auto"), pool="shared")
_SHARED = replace(PBX, pool="shared")
_MACHINE = replace(VM, state="stopped")
_CONVERGE = ConvergeOptions(restart=True)
_GUEST = "/nodes/*/lxc/*"

SCENES: dict[str, Scene] = {
    "create": Scene("converge", _CONVERGE, _nothing, _STOPPED, "POST /nodes/*/lxc", "vzcreate"),
    "configure": Scene("converge", _CONVERGE, _made, replace(_STOPPED, tenant="new"), f"PUT {_GUEST}/config"),
    "resize": Scene("converge", _CONVERGE, _made, _BIGGER, f"PUT {_GUEST}/resize", "resize"),
    "start": Scene("converge", _CONVERGE, _made, replace(PBX, node=NODE), f"POST {_GUEST}/status/start", "vzstart"),
    "stop": Scene("converge", _CONVERGE, _running, _STOPPED, f"POST {_GUEST}/status/shutdown", "vzshutdown"),
    "restart": Scene(
        "converge", _CONVERGE, _running, replace(PBX, interfaces=_OTHER_ADDRESS), f"POST {_GUEST}/status/*", "vzs*"
    ),
    "delete": Scene("converge", ConvergeOptions(frozenset({"all"})), _made, None, f"DELETE {_GUEST}", "vzdestroy"),
    "move": Scene(
        "migrate", MigrateOptions((PBX.name,), "pve2"), _running, replace(PBX), f"POST {_GUEST}/migrate", "vzmigrate"
    ),
    "maintenance": Scene("drain", DrainOptions(("pve3",)), _made, _STOPPED, "POST /pools"),
    "template": Scene(
        "converge", _CONVERGE, _nothing, replace(_MACHINE, node="pve2"), "POST /nodes/*/qemu/*/clone", "qmclone", VM
    ),
    "create a VM": Scene(
        "converge", _CONVERGE, _nothing, replace(_MACHINE, node=NODE), "POST /nodes/*/qemu/*/clone", "qmclone", VM
    ),
    "start a VM": Scene(
        "converge", _CONVERGE, _made, replace(VM, node=NODE), "POST /nodes/*/qemu/*/status/start", "qmstart", VM
    ),
    "move a VM": Scene(
        "migrate", MigrateOptions((VM.name,), "pve2"), _running, VM, "POST /nodes/*/qemu/*/migrate", "qmigrate", VM
    ),
    "replicate": Scene("converge", _CONVERGE, _made, _COPIED, "POST /cluster/replication"),
    "unreplicate": Scene(
        "converge", _CONVERGE, _replicated, replace(PBX, state="stopped"), "DELETE /cluster/replication/*"
    ),
    "protect": Scene("converge", _CONVERGE, _running, _GUARDED, "POST /cluster/ha/*", first=_SHARED),
    "unprotect": Scene("converge", _CONVERGE, _protected, _SHARED, "DELETE /cluster/ha/*", first=_SHARED),
    "undrain": Scene("undrain", UndrainOptions(("pve3",)), _drained, None, "DELETE /pools/*"),
}  # fmt: skip


class Stage:
    """A scene on a double. ``again`` begins anew, as after a crash."""

    def __init__(self, double: Double, scene: Scene) -> None:
        self.double, self.scene = double, scene
        for vmid, node in STRANGERS.items():
            double.add_guest(vmid, node, running=True, hostname=f"stranger-{vmid}", onboot="1")
        self._strangers = self._of_strangers()
        if scene.first is VM:
            add_template(double, MACHINE, NODE)
        self._engine = self._new(scene.first)
        scene.before(self._engine)
        self._rest()
        self.again()
        self._tasks_before = set(double.world.tasks.all)

    def again(self) -> None:
        """Another run: nothing is remembered."""
        self._engine.close()
        self._engine = self._new(*([self.scene.wanted] if self.scene.wanted else []))

    def close(self) -> None:
        self._engine.close()

    def plan(self) -> Plan:
        return GOALS[self.scene.goal].plan(self._engine.fleet, self._engine.observe(), self.scene.options)

    def run(self, trouble: Callable[[], object] | None = None) -> Result:
        """Plan, let trouble come, carry out."""
        plan = self.plan()
        if trouble:
            trouble()
        return self.carry_out(plan)

    def carry_out(self, plan: Plan) -> Result:
        """As apply does it: what a cluster has finished by itself since the plan was made is no harm."""
        assert plan.steps and not plan.refusals, plan
        fleet = self._engine.fleet
        do = doer(fleet, self._engine, threading.Event())
        return Run(plan.steps, do, dict.fromkeys(fleet.nodes, 4), 8, Watcher())(threading.Event())

    def done(self) -> bool:
        """Whether there is nothing left to do."""
        plan = self.plan()
        return not plan.steps and not plan.refusals

    def heal(self) -> None:
        """Whatever was wrong is mended by those whose business it is, and what was going on ends."""
        double = self.double
        double.faults.clear()
        double.faults.lose_quorum(False)
        for name, node in double.world.cluster.nodes.items():
            if not node.online:
                double.faults.revive(name)
        for vmid in double.world.cluster.guests:
            if vmid not in STRANGERS:
                double.faults.deafen(vmid, False)
        self._rest()

    def unlock(self) -> list[int]:
        """What the hint of an error tells an administrator to do: half a container is removed, a lock taken off."""
        cluster = self.double.world.cluster
        locked = [vmid for vmid, guest in cluster.guests.items() if guest.lock]
        for vmid in locked:
            if cluster.guests[vmid].lock in ("create", "clone"):
                del cluster.guests[vmid]
            else:
                self.double.faults.lock_guest(vmid, "")
        self._rest()
        return locked

    def strangers_are_as_they_were(self) -> bool:
        return self._of_strangers() == self._strangers

    def copies(self) -> int:
        """Guests with the server's name."""
        return sum(guest.name == self.scene.first.name for guest in self.double.world.cluster.guests.values())

    def starts(self) -> int:
        """Times it was really started since the scene began."""
        tasks = self.double.world.tasks.all
        return sum(
            task.type in ("vzstart", "qmstart") and task.status == "OK"
            for upid, task in tasks.items()
            if upid not in self._tasks_before and task.id not in map(str, STRANGERS)
        )

    def _rest(self) -> None:
        """Tasks end, and lists tell what is so."""
        self.double.settle()
        self.double.advance(15)

    def strangers_run(self) -> bool:
        return all(self.double.world.cluster.guests[vmid].running for vmid in STRANGERS)

    def _of_strangers(self) -> dict[int, Any]:
        guests = self.double.world.cluster.guests
        return {vmid: (guests[vmid].node, copy.deepcopy(guests[vmid].config)) for vmid in STRANGERS}

    def _new(self, *servers: Server) -> ProxmoxEngine:
        fleet = fleet_of(self.double, *servers, limits=LIMITS)
        templates = {**fleet.templates, MACHINE.name: MACHINE}
        fleet = replace(fleet, servers={each.name: each for each in servers}, templates=templates)
        return ProxmoxEngine(fleet, Client(endpoints_of(self.double), token_of(self.double), LIMITS))
