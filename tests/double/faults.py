# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong when it is asked to: dead nodes, lost quorum, held locks, lost answers, races, half-done writes."""

from __future__ import annotations

import fnmatch
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from .clock import Wait
from .entries import Guest
from .errors import Hangup, Refusal

if TYPE_CHECKING:
    from .tasks import Task
    from .world import World

KINDS = (
    "refuse", "half", "lose-request", "lose-answer", "cut-answer", "delay", "race", "kill-node", "lose-quorum",
    "fail-task", "warn-task", "kill-task", "abort-task", "hang-task",
)  # fmt: skip


@dataclass
class Fault:
    """Something that goes wrong with the next ``times`` requests (or tasks) that match.

    do: ``refuse`` (answer ``status`` and ``text``, nothing done), ``lose-request`` (connection ends, nothing done),
    ``half`` (done, and answered as if it had failed), ``lose-answer`` (done, but the connection ends before the
    answer), ``cut-answer`` (done, but the connection ends in the middle of the answer), ``delay`` (``seconds`` later),
    ``race`` (somebody else is quicker: a create finds its id taken, a write its config changed), ``kill-node`` (the
    node in the path loses its power once it has begun), ``lose-quorum`` (right before it is done).
    With a task's type in ``on``: ``fail-task`` (it ends with ``text``, nothing done), ``warn-task`` (done, but it ends
    with a warning), ``kill-task`` (its process dies before anything is done), ``abort-task`` (a person stops it after
    ``seconds``), ``hang-task`` (it does nothing for ``seconds``, and then its work).
    """

    do: str
    on: str  # "POST /nodes/*/lxc", or a task's type
    times: int = 1
    status: int = 500
    text: str = "got timeout"
    seconds: float = 5.0
    params: dict[str, Any] = field(default_factory=dict)  # only requests with these


class Faults:
    """The faults that wait for their occasion, and the switches for nodes and quorum."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.waiting: list[Fault] = []
        world.tasks.sabotage = self._sabotage

    # ---------------------------------------------------------------- requests and tasks

    def add(self, do: str, on: str, **more: Any) -> Fault:
        """Let something go wrong. See :class:`Fault`."""
        if do not in KINDS:
            raise ValueError(f"{do}: not one of {', '.join(KINDS)}")
        fault = Fault(do, on, **more)
        self.waiting.append(fault)
        return fault

    def list(self) -> list[dict[str, Any]]:
        """What still waits."""
        return [asdict(fault) for fault in self.waiting]

    def clear(self) -> None:
        """Nothing more goes wrong."""
        self.waiting.clear()

    def around(
        self, method: str, path: str, params: dict[str, Any], answer: Generator[Wait, None, Any]
    ) -> Generator[Wait, None, Any]:
        """Answer a request, as far as the faults let it be answered."""
        fault = self._next(f"{method} {path}", params)
        if fault is None:
            return (yield from answer)
        if fault.do == "refuse":
            yield fault.seconds if fault.text.endswith("timeout") else 0.0
            raise Refusal(fault.text, fault.status, empty=fault.status in (401, 595, 596))
        if fault.do == "lose-request":
            raise Hangup
        if fault.do == "delay":
            yield fault.seconds
        if fault.do == "race":
            self._race(path, params)
        if fault.do == "lose-quorum":
            self.lose_quorum()
        result = yield from answer
        if fault.do == "kill-node":
            self.kill(path.split("/")[2])
            raise Hangup
        if fault.do == "lose-answer":
            raise Hangup
        if fault.do == "cut-answer":
            result.cut = True
        if fault.do == "half":
            raise Refusal(fault.text, fault.status)
        return result

    def _next(self, request: str, params: dict[str, Any]) -> Fault | None:
        for fault in self.waiting:
            matches = not fault.do.endswith("-task") and fnmatch.fnmatchcase(request, fault.on)
            if matches and all(str(params.get(key)) == str(value) for key, value in fault.params.items()):
                return self._used(fault)
        return None

    def _sabotage(self, task: Task) -> str:
        """What a task is to fail with."""
        for fault in self.waiting:
            meant = fault.do.endswith("-task") and fnmatch.fnmatchcase(task.type, fault.on)
            if not meant or str(fault.params.get("vmid", task.id)) != task.id:
                continue
            self._used(fault)
            if fault.do == "fail-task":
                return fault.text
            if fault.do == "warn-task":
                task.warn(fault.text)
            elif fault.do == "hang-task":
                task.hangs = fault.seconds
            else:
                after = fault.seconds if fault.do == "abort-task" else 0.0
                self._world.clock.call_later(after, lambda: self._world.tasks.abort(task))
        return ""

    def _used(self, fault: Fault) -> Fault:
        fault.times -= 1
        if fault.times <= 0:
            self.waiting.remove(fault)
        return fault

    def _race(self, path: str, params: dict[str, Any]) -> None:
        cluster = self._world.cluster
        parts = path.strip("/").split("/")
        vmid = int(params.get("newid") or params.get("vmid") or (parts[3] if len(parts) > 3 else 0) or 0)
        guest = cluster.guests.get(vmid)
        if guest:
            guest.config["description"] = "changed by somebody else"
        elif vmid:
            node = cluster.online[-1].name
            cluster.guests[vmid] = Guest(
                vmid, "lxc", node, {"hostname": "somebody-elses", "memory": "128", "ostype": "debian"}
            )
            cluster.observe(cluster.guests[vmid])

    # ---------------------------------------------------------------- nodes, quorum, locks

    def kill(self, node: str, deaf: bool = False) -> None:
        """Cut a node's power. What ran on it runs no more; calls in its first seconds time out."""
        machine = self._world.cluster.nodes[node]
        machine.online, machine.deaf, machine.reachable = False, deaf, False
        machine.died = self._world.clock.now()
        self._world.tasks.lose(node)
        for guest in self._world.cluster.guests.values():
            if guest.node == node:
                guest.running = guest.paused = False  # lists go on showing what was seen last
        for path, lock in self._world.cluster.locks.items():
            if path.startswith(f"{node}:"):
                lock.release()
        self._world.ha.node_changed()
        self._world.node_changed(node)

    def revive(self, node: str) -> None:
        """Power a node on again: guests with ``onboot`` start, those under HA if HA says so."""
        cluster = self._world.cluster
        machine = cluster.nodes[node]
        machine.online, machine.deaf, machine.reachable = True, False, True
        machine.since = cluster.clock.now()
        for guest in cluster.guests.values():
            if guest.node == node:
                if guest.config.get("onboot") == "1" and not self._world.ha.manages(guest):
                    guest.running, guest.since = True, cluster.clock.now()
                cluster.observe(guest)
        self._world.ha.node_changed()
        self._world.node_changed(node)

    def lose_quorum(self, lost: bool = True) -> None:
        """All nodes are up, but do not agree."""
        self._world.cluster.quorum_lost = lost

    def unreachable(self, node: str, unreachable: bool = True) -> None:
        """A node other nodes cannot log in to: migrations to it are aborted."""
        self._world.cluster.nodes[node].reachable = not unreachable

    def hold_guest(self, vmid: int, seconds: float) -> None:
        """Something holds a guest's lock file; who waits longer than ten seconds gets a timeout."""
        guest = self._world.cluster.guests[vmid]
        self.hold_file(self._world.cluster.guest_lock(guest.kind, vmid, guest.node).path, seconds)

    def hold_file(self, path: str, seconds: float) -> None:
        """Something holds a lock file, such as ``file-user_cfg``."""
        lock = self._world.cluster.file_lock(path)

        def holder() -> Generator[Wait, None, None]:
            yield from lock.take("a fault", 3600.0)
            yield seconds
            lock.release()

        self._world.clock.spawn(holder())
        self._world.clock.catch_up()

    def lock_guest(self, vmid: int, lock: str) -> None:
        """Write a lock into a guest's config, or with an empty one remove it."""
        guest = self._world.cluster.guests[vmid]
        guest.config.pop("lock", None)
        if lock:
            guest.config["lock"] = lock
        self._world.cluster.observe(guest)

    def deafen(self, vmid: int, deaf: bool = True) -> None:
        """A guest that does not hear a shutdown."""
        self._world.cluster.guests[vmid].deaf = deaf

    def maintenance(self, node: str, on: bool) -> None:
        """``ha-manager crm-command node-maintenance enable`` (or disable): there is no call for it."""
        self._world.ha.maintenance(node, on)
