# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes' own managers: they carry out what the master decided, as tasks of root@pam."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from .clock import Wait
from .entries import Guest
from .errors import Refusal
from .guests import PREFIX, locked
from .ha_choice import choose
from .ha_services import Service
from .move import Manner, Move
from .power import turn_down, turn_on
from .tasks import Task

if TYPE_CHECKING:
    from .hamanager import HaManager
    from .world import World

DELAY = 3.0  # seconds until a node's manager looks again


class Agent:
    """All nodes' managers in one."""

    def __init__(self, world: World, ha: HaManager) -> None:
        self._world, self._ha = world, ha

    def carry_out(self, service: Service, guest: Guest, what: str) -> None:
        service.busy = True
        self._world.clock.call_later(DELAY, lambda: self._as_task(service, guest, what))

    def _as_task(self, service: Service, guest: Guest, what: str) -> None:
        world, prefix, node = self._world, PREFIX[guest.kind], service.node
        if not world.cluster.nodes[node].online or guest.node != node:
            service.busy = False
            return
        if what == "stop" and not guest.running:
            service.state, service.busy, service.running = "stopped", False, False
            return
        shut = what == "move" and guest.kind == "lxc" and guest.running
        kind = {"start": "start", "stop": "shutdown", "move": "shutdown" if shut else "migrate"}[what]
        name = "qmigrate" if kind == "migrate" and prefix == "qm" else f"{prefix}{kind}"

        def work(task: Task) -> Generator[Wait, None, None]:
            task.log("task started by HA resource agent") if kind == "migrate" else None
            try:

                def inside() -> Generator[Wait, None, None]:
                    yield from self._work(service, guest, kind, task)

                if kind == "migrate":
                    yield from self._work(service, guest, kind, task)
                else:
                    yield from locked(world, (node, guest.kind, guest.vmid), task, inside, task.log)
            except Refusal:
                self._failed(service, what)
                raise
            else:
                self._succeeded(service, guest, what, again=shut)

        world.tasks.begin(node, name, guest.vmid, "root@pam", work)

    def _work(self, service: Service, guest: Guest, kind: str, task: Task) -> Generator[Wait, None, None]:
        if kind == "start":
            if guest.running:
                return
            yield from turn_on(self._world, guest, task)
        elif kind == "shutdown":
            guest.check_lock()
            if guest.running:
                yield from turn_down(self._world, guest, task, 60, True)
        else:
            manner = Manner(online=True, restart=True, by_manager=True, with_disks=True)
            where = (service.node, guest.kind, guest.vmid)

            def inside() -> Generator[Wait, None, None]:
                yield from Move(self._world, task, service.target, manner).run(*where)

            yield from locked(self._world, where, task, inside, task.log)

    def _succeeded(self, service: Service, guest: Guest, what: str, again: bool) -> None:
        if again:
            self._as_task(service, guest, "move")
            return
        service.busy = False
        if what == "start":
            service.running, service.tried = True, 0
        elif what == "stop":
            service.state, service.running = "stopped", False
        else:
            service.node, service.target, service.running = guest.node, "", guest.running
            service.state = "started"

    def _failed(self, service: Service, what: str) -> None:
        service.busy = False
        resource = self._ha.resources.get(service.sid)
        if resource is None:
            return
        if what == "move":
            service.state, service.target = "started", ""
            return
        if what == "stop":
            service.state = "error"
            return
        service.tried += 1
        if service.tried <= int(resource.options.get("max_restart", 1)):
            return
        service.failed.append(service.node)
        service.tried = 0
        node = choose(self._ha, service, service.failed)
        guest = self._ha.guest(service.sid)
        if len(service.failed) > int(resource.options.get("max_relocate", 1)) or not node or guest is None:
            service.state = "error"
            return
        self._ha.begin_move(service, guest, node, "relocate")
