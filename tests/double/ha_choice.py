# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node a service should be on: what maintenance, home and the rules say; replicas are not looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .ha_rules import Rule
from .ha_services import Service

if TYPE_CHECKING:
    from .hamanager import HaManager


def better(ha: HaManager, service: Service) -> str:
    """Where a service should rather be; nothing where it is well."""
    node = ha.nodes[service.node]
    if node.maintenance:
        target = choose(ha, service, [service.node])
        if target:
            service.home = service.home or service.node
        return target
    if service.home and service.home != service.node and not _stays(ha, service):
        home = ha.nodes[service.home]
        if home.online and not home.maintenance:
            target, service.home = service.home, ""
            return target
    for rule in ha.rules_of(service.sid):
        target = _by_rule(ha, service, rule)
        if target:
            return target
    return ""


def _stays(ha: HaManager, service: Service) -> bool:
    """Whether it stays wherever its rules allow it to be: then it does not go home after a maintenance either."""
    rules = ha.rules_of(service.sid)
    unmoved = ha.resources[service.sid].options.get("failback", 1) == 0 or any(
        rule.options.get("stay") for rule in rules
    )
    where = [rule for rule in rules if rule.type == "node-affinity" and rule.options.get("strict")]
    return unmoved and all(service.node in rule.nodes for rule in where)


def _by_rule(ha: HaManager, service: Service, rule: Rule) -> str:
    if rule.type == "node-affinity":
        allowed = preferred(ha, rule)
        stays = ha.resources[service.sid].options.get("failback", 1) == 0 or rule.options.get("stay")
        keep = stays and service.node in rule.nodes
        return choose(ha, service, [service.node]) if allowed and service.node not in allowed and not keep else ""
    if rule.negative:
        beside = [sid for sid in rule.resources if sid != service.sid and ha.where(sid) == service.node]
        return choose(ha, service, [service.node]) if beside and service.sid > min(beside) else ""
    last = max(sid for sid in rule.resources if sid in ha.services or sid == service.sid)
    where = ha.where(last)
    return where if last != service.sid and where != service.node else ""


def obstacles(ha: HaManager, sid: str, node: str) -> list[dict[str, str]]:
    """What keeps a resource from a node, as requests to move it are answered and dropped: the rules of now about nodes,
    and whoever is there that it is kept apart from. Who goes home by itself may be on the nodes it prefers only."""
    found = []
    goes_home = bool(ha.resources[sid].options.get("failback", 1)) if sid in ha.resources else False
    known = ha.nodes.get(node)
    for rule in ha.rules_of(sid) if known and known.online else ():
        if rule.type != "node-affinity" or "stay" in rule.options:
            continue
        away = bool(rule.options.get("strict")) and node not in rule.nodes
        if away or (goes_home and node not in (preferred(ha, rule) or [node])):
            found.append({"sid": sid, "cause": "node-affinity"})
    return found + [{"sid": other, "cause": "resource-affinity"} for other in ha.blocking(sid, node)]


def preferred(ha: HaManager, rule: Rule) -> list[str]:
    """The nodes of the highest priority among those in service."""
    there = {
        n: p for n, p in rule.nodes.items() if n in ha.nodes and ha.nodes[n].online and not ha.nodes[n].maintenance
    }
    return [name for name, priority in there.items() if priority == max(there.values())]


def choose(ha: HaManager, service: Service, without: list[str]) -> str:
    """The node with the fewest services of those the rules leave."""
    nodes = [n.name for n in ha.nodes.values() if n.online and not n.maintenance and n.name not in without]
    for rule in ha.rules_of(service.sid):
        if rule.type == "node-affinity":
            wanted = [name for name in preferred(ha, rule) if name in nodes]
            nodes = wanted if wanted or rule.options.get("strict") else nodes
        elif rule.negative:
            nodes = [name for name in nodes if not ha.blocking(service.sid, name)]
    count = {name: sum(other.node == name for other in ha.services.values()) for name in nodes}
    return min(nodes, key=lambda name: (count[name], name), default="")
