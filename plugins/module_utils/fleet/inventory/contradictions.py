# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wishes that cannot both come true, however the platform turns out to be.

Only what the inventory alone shows is found here; what depends on what runs where is the planner's.
Nothing is concluded from a value that was not accepted: that mistake is told already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..model import Fleet, Node, ObservedNode, Server
from ..usage import usable
from . import apartness, guarding, in_step
from .mistakes import Known
from .reading import Draft, Values

_UNMEASURED = ObservedNode(name="", reach="offline")


def check(draft: Draft, fleet: Fleet) -> None:
    """Note what contradicts itself."""
    carriers = [node for node in fleet.nodes.values() if not node.witness]
    if not carriers:
        problem = "no node carries servers: every one is a witness" if fleet.nodes else "no nodes: group nodes is empty"
        draft.notes(draft.fleet).missing("", problem, "at least one node in group nodes that is no witness")
        return
    _nodes(draft, fleet)
    _dedication(draft, fleet, carriers)
    places = _Places(draft, carriers)
    for server in fleet.servers.values():
        values = draft.servers[server.name]
        candidates = places.pinned(server, values) if server.node else places.free(server, values)
        if candidates:
            places.size(server, values, candidates)
        if len(carriers) == 1:
            _protection(draft, server, values, carriers[0])
    apartness.check(draft, fleet, carriers)
    guarding.check(draft, fleet, carriers)
    in_step.check(draft, fleet, carriers)


def _nodes(draft: Draft, fleet: Fleet) -> None:
    for node in fleet.nodes.values():
        if node.backup == node.name:
            draft.reject(draft.nodes[node.name], "node_backup", node.backup, "the node itself", "another node")
        elif node.backup and fleet.nodes[node.backup].witness:
            draft.reject(
                draft.nodes[node.name],
                "node_backup",
                node.backup,
                "a witness, which carries no servers",
                "another node",
            )
    if any("node_site" in values.wrong for values in draft.nodes.values()):
        return
    sites: dict[str, Node] = {}
    for node in fleet.nodes.values():
        first = sites.setdefault(node.domain, node)
        if first.site != node.site:
            values = draft.nodes[node.name]
            problem = f"a failure domain of site {first.site} ({first.name}), and this node is in site {node.site}"
            draft.notes(values).wrong("node_failure_domain", node.domain, problem, "one name per site and rack")


def _dedication(draft: Draft, fleet: Fleet, carriers: Sequence[Node]) -> None:
    wanting = [server.name for server in fleet.servers.values() if server.dedicated]
    others = len(fleet.servers) - len(wanting)
    if len(wanting) + (1 if others else 0) > len(carriers):
        beside = f" beside {others} other{'s' if others > 1 else ''}" if others else ""
        problem = f"{_count(len(wanting), 'server')} with a node to itself{beside}, on {_count(len(carriers), 'node')}"
        draft.notes(draft.fleet).missing("vs_dedicated", problem, "fewer of them, or more nodes")
        return
    pinned: dict[str, list[Server]] = {}
    for server in fleet.servers.values():
        if server.node:
            pinned.setdefault(server.node, []).append(server)
    for node, servers in pinned.items():
        alone = [server.name for server in servers if server.dedicated]
        if alone and len(servers) > 1:
            host = max(alone)
            other = min(server.name for server in servers if server.name != host)
            problem = f"nothing else is to run on {node}, and {other} is pinned there"
            draft.notes(draft.servers[host]).wrong("vs_dedicated", True, problem, "one of the two")


def _protection(draft: Draft, server: Server, values: Values, only: Node) -> None:
    problem = f"needs a second node, and {only.name} is the only one"
    if server.replication.mode != "none":
        draft.notes(values).missing("vs_replication", problem, "none, while there is one node")
    if server.failover.mode != "off" and server.failover.action == "relocate":
        draft.notes(values).missing("vs_failover", problem, "off, while there is one node")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


@dataclass
class _Places:
    """Which nodes a server may run on, by its own words and the nodes'."""

    draft: Draft
    carriers: Sequence[Node]
    _too_big: dict[tuple[object, ...], tuple[str, str, str] | None] = field(default_factory=dict)
    _found: dict[tuple[object, ...], list[Node]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wrong = {variable for values in self.draft.nodes.values() for variable in values.wrong} | self.draft.fleet.wrong
        self._sites_known = not wrong & {"node_site", "fleet_sites"}
        self._devices_known = "node_devices" not in wrong
        self._dedication_known = "node_dedicated" not in wrong
        self._promises_known = not wrong & {"node_overcommit", "fleet_overcommit"}
        self._pools_known = not wrong & {"node_pools", "node_storage_pools"}
        self._limits = {node.name: usable(node, _UNMEASURED) for node in self.carriers}
        self._pools = {node.name: self._pools_of(node) for node in self.carriers}
        self._all_pools = Known(pool for pools in self._pools.values() for pool in pools or ())
        if not self._pools_known or any(pools is None for pools in self._pools.values()):
            self._all_pools = Known(())
        self._reserved_nodes = [node for node in self.carriers if node.dedicated]

    def pinned(self, server: Server, values: Values) -> list[Node]:
        """The node a server is pinned to, if it may run there."""
        node = next((each for each in self.carriers if each.name == server.node), None)
        problem = accepted = ""
        if node is None:
            problem, accepted = "a witness, which carries no servers", "another node"
        elif self._sites_known and server.site and node.site != server.site:
            problem = f"in site {node.site}, and vs_site is {server.site}"
            accepted = self._names(each for each in self.carriers if each.site == server.site)
        elif self._devices_known and (lacking := sorted(server.devices - node.devices)):
            problem = f"without the device {', '.join(lacking)} of vs_devices"
            accepted = self._names(each for each in self.carriers if server.devices <= each.devices)
        elif node.dedicated and server.name not in node.dedicated:
            problem = "kept for others (its node_dedicated)"
            accepted = self._names(e for e in self.carriers if not e.dedicated or server.name in e.dedicated)
        elif self._lacks_pool(node, server, values):
            problem = f"without the storage pool {server.pool}"
            accepted = self._names(each for each in self.carriers if server.pool in (self._pools[each.name] or ()))
        if problem or node is None:
            self.draft.reject(values, "vs_node", server.node, problem, accepted)
            return []
        return [node]

    def free(self, server: Server, values: Values) -> list[Node]:
        """The nodes a server that is not pinned may run on; where there is none, that is noted."""
        mine = frozenset(node.name for node in self._reserved_nodes if server.name in node.dedicated)
        key = (server.site, server.devices, mine)
        if key not in self._found:
            self._found[key] = [
                node
                for node in self.carriers
                if (not server.site or node.site == server.site)
                and server.devices <= node.devices
                and (not node.dedicated or node.name in mine)
            ]
        found = self._found[key]
        if not found:
            self._nowhere(server, values)
        return found

    def _nowhere(self, server: Server, values: Values) -> None:
        """Say which wish leaves no node; the first that does, by itself or on top of the one before."""
        here = [node for node in self.carriers if not server.site or node.site == server.site]
        where = f" in site {server.site}" if server.site else ""
        if not here:
            if self._sites_known:
                sites = Known(node.site for node in self.carriers)
                self.draft.reject(values, "vs_site", server.site, "no node is in this site", sites.nearest(server.site))
        elif not any(server.devices <= node.devices for node in here):
            if self._devices_known and self._sites_known:
                devices = Known(device for node in here for device in node.devices)
                named = ", ".join(sorted(server.devices))
                accepted = devices.nearest(named, f"none: no node{where} declares node_devices")
                self.draft.reject(values, "vs_devices", named, f"no node{where} has this", accepted)
        elif self._dedication_known and self._devices_known and self._sites_known:
            with_devices = " with its devices" if server.devices else ""
            problem = f"every node{where}{with_devices} is kept for others (node_dedicated)"
            self.draft.notes(values).missing("", problem, "a node that is not, or this server in its node_dedicated")

    def size(self, server: Server, values: Values, candidates: list[Node]) -> None:
        """Note a server that is larger than each of its candidates is declared to be."""
        if "size" in values.wrong or not self._promises_known or not self._pools_known:
            return
        if self._all_pools.names and server.pool not in self._all_pools:
            nowhere_named = not {"vs_pool", "vs_class"} & values.wrong and not values["vs_pool"]
            if server.pool == self.draft.default_pool and nowhere_named:
                self._no_default_pool(server, values)
            return
        key = (server.size, server.pool, id(candidates) if not server.node else server.node)
        if key not in self._too_big:
            self._too_big[key] = self._shortage(server, candidates)
        if short := self._too_big[key]:
            resource, wanted, problem = short
            variable = f"vs_{resource}" if f"vs_{resource}" in values or not server.class_name else "vs_class"
            value = f"{resource} {wanted}" if variable == "vs_class" else wanted
            self.draft.notes(values).wrong(variable, value, problem, "a smaller size, or a larger node")

    def _no_default_pool(self, server: Server, values: Values) -> None:
        class_ = self.draft.fleet["fleet_classes"].get(server.class_name)
        if not (isinstance(class_, dict) and class_.get("pool")):
            pool = self.draft.default_pool
            problem = f"missing, and no node has a storage pool {pool}"
            self.draft.notes(values).missing("vs_pool", problem, self._all_pools.nearest(pool))

    def _shortage(self, server: Server, candidates: list[Node]) -> tuple[str, str, str] | None:
        """Resource, amount wanted, and what is wrong with it; None if one candidate may be large enough."""
        short: dict[str, list[tuple[float, str]]] = {}
        for node in candidates:
            lacking = list(self._lacking(node, server))
            if not lacking:
                return None
            for resource, most in lacking:
                short.setdefault(resource, []).append((most, node.name))
        resource, found = max(short.items(), key=lambda item: len(item[1]))
        most, name = max(found)
        unit = " MiB" if resource in ("memory", "disk") else ""
        wanted = (
            f"{getattr(server.size, resource):g}{unit}"
            if resource == "cores"
            else f"{getattr(server.size, resource)}{unit}"
        )
        many = "the node it is pinned to" if server.node else "the largest node it may run on"
        problem = f"larger than {many}: {name} may promise {most:g}{unit}"
        if len(found) < len(candidates):
            problem = f"no node has room for all of it: {name}, for one, may promise {resource} {most:g}{unit}"
        return resource, wanted, problem

    def _lacking(self, node: Node, server: Server) -> Iterable[tuple[str, float]]:
        limit, declared, size = self._limits[node.name], node.capacity, server.size
        if declared.cores is not None and size.cores > limit.cores:
            yield "cores", limit.cores
        if declared.memory is not None and size.memory > limit.memory:
            yield "memory", float(limit.memory)
        if declared.io is not None and size.io > limit.io:
            yield "io", float(limit.io)
        if server.pool in declared.pools and size.disk > limit.pools[server.pool]:
            yield "disk", float(limit.pools[server.pool])
        elif (pools := self._pools[node.name]) is not None and server.pool not in pools:
            yield "disk", 0.0

    def _pools_of(self, node: Node) -> set[str] | None:
        """Pools of a node, None where it leaves that to be measured."""
        made = {pool["name"] for pool in self.draft.nodes[node.name]["node_storage_pools"]}
        return {*node.capacity.pools, *made} if node.capacity.pools else None

    def _lacks_pool(self, node: Node, server: Server, values: Values) -> bool:
        pools = self._pools[node.name]
        if pools is None or not self._pools_known or "vs_pool" in values.wrong or server.pool in pools:
            return False
        return not self._all_pools.names or server.pool in self._all_pools

    @staticmethod
    def _names(nodes: Iterable[Node]) -> str:
        names = [node.name for node in nodes]
        return ", ".join(names[:8]) + (" …" if len(names) > 8 else "") if names else "none: no node is like that"
