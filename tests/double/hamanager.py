# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HA manager: a master that decides every ten seconds what becomes of the services."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from .clock import Wait
from .entries import Guest
from .ha_agent import Agent
from .ha_choice import better, choose, obstacles
from .ha_rules import Rule
from .ha_services import Resource, Service

if TYPE_CHECKING:
    from .world import World

ROUND = 10.0  # seconds between two decisions
ELECTION = 110.0  # seconds until a dead master is replaced
FENCING = 60.0  # seconds a master looks at a node it does not see before it fences it
LEASE = 120.0  # seconds a dead node keeps its lock, without which nothing is recovered


class HaManager:
    """Resources, rules, and what becomes of them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.resources: dict[str, Resource] = {}
        self.services: dict[str, Service] = {}
        self.rules: dict[str, Rule] = {}
        self.groups: dict[str, dict[str, Any]] = {}
        self.wishes: list[tuple[str, str, str]] = []  # sid, node, migrate or relocate
        self.disarmed = ""
        self.master = next(iter(world.cluster.nodes), "")
        self.words: dict[str, str] = dict.fromkeys(world.cluster.nodes, "online")
        self.dead_since: dict[str, float] = {}
        self.missed_since: dict[str, float] = {}  # seen missing, by the master there is
        self.last_round = world.cluster.now
        self.nodes = world.cluster.nodes
        self._agent = Agent(world, self)
        world.clock.spawn(self._rounds(), after=ROUND / 2)

    # ---------------------------------------------------------------- what others ask

    def sid(self, guest: Guest) -> str:
        """A guest as HA names it."""
        return f"{'ct' if guest.kind == 'lxc' else 'vm'}:{guest.vmid}"

    def guest(self, sid: str) -> Guest | None:
        """The guest of this name."""
        guest = self._world.cluster.guests.get(int(sid.partition(":")[2]))
        return guest if guest and self.sid(guest) == sid else None

    def configured(self, guest: Guest) -> bool:
        """Whether HA knows it, be it ignored."""
        return self.sid(guest) in self.resources

    manages = configured

    def managed_now(self, guest: Guest) -> bool:
        """Whether starts and moves go through the manager."""
        return self.configured(guest) and self.resources[self.sid(guest)].state != "ignored"

    def resource_state(self, guest: Guest) -> str:
        """The state lists show."""
        sid = self.sid(guest)
        return self.services[sid].state if sid in self.services else self.resources[sid].state

    def in_error(self, sid: str) -> bool:
        """Whether it must be disabled first."""
        return sid in self.services and self.services[sid].state == "error"

    def set_state(self, sid: str, state: str) -> None:
        """Wish for a state."""
        if sid in self.resources:
            self.resources[sid].state = state

    def add(self, guest: Guest) -> None:
        """Put a guest under HA."""
        sid = self.sid(guest)
        self.resources.setdefault(sid, Resource(sid))

    def remove(self, sid: str, purge: bool = True) -> None:
        """Take a resource out; what runs goes on running."""
        self.resources.pop(sid, None)
        for name, rule in list(self.rules.items()):
            if purge and sid in rule.resources:
                rule.resources.remove(sid)
                if not rule.resources:
                    del self.rules[name]

    def request_move(self, sid: str, node: str, how: str) -> None:
        """Pass a wish on to the manager, also for what must come along."""
        for each in [sid, *self.together(sid)]:
            self.wishes.append((each, node, how))

    def together(self, sid: str) -> list[str]:
        """What a positive rule moves along."""
        found = {other for rule in self.rules.values() if rule.positive and rule.enabled and sid in rule.resources
                 for other in rule.resources}  # fmt: skip
        return sorted(found - {sid})

    def blocking(self, sid: str, node: str) -> list[str]:
        """What a negative rule keeps away from this node."""
        found = {other for rule in self.rules.values() if rule.negative and rule.enabled and sid in rule.resources
                 for other in rule.resources if self.where(other) == node}  # fmt: skip
        return sorted(found - {sid})

    def rules_of(self, sid: str) -> list[Rule]:
        """The rules that bind a resource; a group of before version 9 is one about nodes."""
        found = [rule for rule in self.rules.values() if rule.enabled and sid in rule.resources]
        resource = self.resources.get(sid)
        group = self.groups.get(str(resource.options.get("group", ""))) if resource else None
        if group:
            options = {
                "nodes": group["nodes"],
                "strict": group.get("restricted", 0),
                "stay": group.get("nofailback", 0),
            }
            found.append(Rule("group", "node-affinity", [sid], options))
        return found

    def where(self, sid: str) -> str:
        """Where a service is, or will be."""
        service = self.services.get(sid)
        return (service.target or service.node) if service else ""

    def node_word(self, node: str) -> str:
        """How the manager calls the state of a node."""
        if self._world.cluster.nodes[node].maintenance and self.words.get(node) == "online":
            return "maintenance"
        return self.words.get(node, "unknown")

    def maintenance(self, node: str, on: bool) -> None:
        """Empty a node, or let things come home."""
        self._world.cluster.nodes[node].maintenance = on

    def node_changed(self) -> None:
        """A node has died or come back."""
        now = self._world.clock.now()
        for name, node in self._world.cluster.nodes.items():
            if node.online:
                self.dead_since.pop(name, None)
            else:
                self.dead_since.setdefault(name, now)

    def stamp(self, node: str) -> tuple[int, str]:
        """When a node's manager was last heard of."""
        moment = int(self.dead_since.get(node, self._world.clock.now()))
        return moment, time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(moment))

    # ---------------------------------------------------------------- the master

    def _rounds(self) -> Generator[Wait, None, None]:
        while True:
            if self._world.cluster.quorate and self._elected() and self.resources.keys() | self.services.keys():
                self._decide()
            yield ROUND

    def _elected(self) -> bool:
        cluster, latency = self._world.cluster, self._world.clock.latency
        master = cluster.nodes.get(self.master)
        if master and master.online:
            self.last_round = cluster.now
            return True
        gone = self._world.clock.now() - self.dead_since.get(self.master, 0.0)
        if gone < ELECTION * latency:
            return False
        self.master = cluster.online[0].name
        self.missed_since.clear()
        return True

    def _decide(self) -> None:
        self._look_at_nodes()
        for sid in [sid for sid in self.services if sid not in self.resources]:
            if not self.services[sid].busy:
                del self.services[sid]
        if self.disarmed:
            for service in self.services.values():
                if service.state != "error":
                    service.state = "freeze"
            return
        for sid, resource in self.resources.items():
            guest = self.guest(sid)
            if guest is None:
                continue
            if resource.state == "ignored":
                self.services.pop(sid, None)
                continue
            if sid not in self.services:
                self.services[sid] = Service(
                    sid, guest.node, "started" if resource.state == "started" else "request_stop"
                )
            self._drive(self.services[sid], resource, guest)
        self.wishes = [wish for wish in self.wishes if wish[0] in self.services and self.services[wish[0]].busy]

    def _look_at_nodes(self) -> None:
        now, latency = self._world.clock.now(), self._world.clock.latency
        for name, node in self._world.cluster.nodes.items():
            if node.online:
                self.words[name] = "online"
                self.missed_since.pop(name, None)
                continue
            missed = self.missed_since.setdefault(name, now)
            lost = [service for service in self.services.values() if service.node == name]
            here = [service for service in lost if service.state not in ("error", "recovery")]
            for service in lost:
                if service.state == "recovery":
                    self._recover(service)
            if not here or now - missed < FENCING * latency:
                self.words[name] = "unknown"
            elif self.words[name] != "fence":
                self.words[name] = "fence"
                for service in here:
                    service.state, service.busy, service.running = "fence", False, False
            elif now - self.dead_since.get(name, now) >= LEASE * latency:
                self.words[name] = "unknown"
                for service in here:
                    self._recover(service)

    def _recover(self, service: Service) -> None:
        guest = self.guest(service.sid)
        node = choose(self, service, [service.node])
        if guest is None or not node:
            service.state = "recovery"
            return
        guest.node, guest.running = node, False
        guest.config.pop("lock", None)
        self._world.cluster.observe(guest)
        service.node, service.tried, service.failed = node, 0, []
        service.state = "started" if self.resources[service.sid].state == "started" else "request_stop"

    def _drive(self, service: Service, resource: Resource, guest: Guest) -> None:
        if service.busy or not self._world.cluster.nodes[service.node].online:
            return
        if service.state == "freeze":
            service.state = "started" if resource.state == "started" else "stopped"
        if service.state == "error":
            if resource.state == "disabled":
                service.state, service.failed, service.tried = "stopped", [], 0
            return
        if resource.state in ("stopped", "disabled"):
            if service.state == "stopped":
                self._wish(service, guest)
            else:
                service.state = "request_stop"
                self._agent.carry_out(service, guest, "stop")
            return
        if service.state in ("stopped", "request_stop", "recovery"):
            service.state = "started"
        if self._wish(service, guest):
            return
        target = better(self, service)
        if target:
            self.begin_move(service, guest, target, "relocate" if guest.kind == "lxc" else "migrate")
        elif not guest.running:
            self._agent.carry_out(service, guest, "start")
        else:
            service.running = True

    def _wish(self, service: Service, guest: Guest) -> bool:
        for wish in self.wishes:
            sid, node, how = wish
            if sid != service.sid:
                continue
            self.wishes.remove(wish)
            known = self._world.cluster.nodes.get(node)
            if known and known.online and node != service.node and not obstacles(self, sid, node):
                self.begin_move(service, guest, node, how)
                return True
        return False

    def begin_move(self, service: Service, guest: Guest, target: str, how: str) -> None:
        """Let a node's manager move a service."""
        service.state, service.target = how, target
        self._agent.carry_out(service, guest, "move")
