# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario files: a fleet as its inventory says it, what runs where, a goal, and what must come of it.

Keys of a file (only ``about``, ``nodes``, ``goal`` and ``expect`` are a must):

- ``about``: one sentence; ``goal`` and ``options``: as in fleet/goals/options.py.
- ``fleet``: variables of the whole fleet; ``nodes`` and ``virtual_servers``: host or range -> its variables;
  ``groups``: group -> servers.
- ``running``: node -> servers there. Of those, ``stopped`` do not run; ``measured`` is what some were seen to take.
- ``replicas``: node -> servers whose replica is there. ``stale``: node -> servers that were there before somebody else
  took over, found stopped. ``unmanaged``: node -> guests that are not ours, with a size.
- ``away``: node -> servers that were at home there until a failover brought them to where they run.
- ``offline``, ``drained``: nodes. ``used``: node -> memory measured in use. ``quorate: false``: too few answer.
- ``live: true``: servers move while they run. ``shared``: storage pools every node reaches.

A node has 4 cores (16 to promise), 8 GiB of memory and 100 GiB of disk, unless the file says otherwise; classes
are small (1 core, 1 GiB, 4 GiB of disk), medium (twice that) and large (twice that again). Servers are small.
Lists of names are written ``pbx[1:3], db1``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml
from ansible.plugins.inventory import expand_hostname_range
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet import spec
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.registry import GOALS
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.inventory.quantity import mebibytes
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Abilities,
    Capacity,
    Fleet,
    Observed,
    ObservedNode,
    ObservedServer,
    Plan,
    Server,
    Size,
    Use,
)

SCENARIOS = Path(__file__).parent / "scenarios"

CLASSES = {
    "small": {"cores": 1, "memory": "1GiB", "disk": "4GiB"},
    "medium": {"cores": 2, "memory": "2GiB", "disk": "8GiB"},
    "large": {"cores": 4, "memory": "4GiB", "disk": "16GiB"},
}
# What a cluster needs for automatic failover is an inventory's business on Incus, and not the planner's.
FLEET = {
    "fleet_engine": "proxmox",
    "fleet_pool": "default",
    "fleet_classes": CLASSES,
    "fleet_templates": {"debian": {"build": "debian"}},
}
MEASURED = Capacity(cores=4, memory=8192, pools={"default": 102400})
KEYS = {
    *(
        "about",
        "fleet",
        "nodes",
        "virtual_servers",
        "groups",
        "running",
        "stopped",
        "measured",
        "replicas",
        "stale",
        "away",
    ),
    *("away", "unmanaged", "offline", "drained", "used", "quorate", "live", "shared", "goal", "options", "expect"),
}


@dataclass(frozen=True)
class Scenario:
    """A question to the planner, with what its answer has to be."""

    fleet: Fleet
    observed: Observed
    goal: str
    options: Mapping[str, Any]
    expect: Mapping[str, Any]

    def plan(self) -> Plan:
        """The planner's answer. KeyError where nobody plans this goal yet."""
        goal = GOALS[self.goal]
        return goal.plan(self.fleet, self.observed, goal.options(**_typed(goal.options, self.options)))


def load(path: Path) -> Scenario:
    """Read a scenario file; ValueError where it says something nobody reads."""
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    if unknown := set(said) - KEYS:
        raise ValueError(f"{path}: no such key: {', '.join(sorted(unknown))}")
    fleet = _fleet(said)
    return Scenario(fleet, _observed(said, fleet), said["goal"], said.get("options") or {}, said["expect"])


def names(said: Any) -> list[str]:
    """``pbx[1:3], db1``, or a list of such, as a list of names."""
    if said is None:
        return []
    items = said.split(",") if isinstance(said, str) else [str(item) for item in said]
    return [name for item in items for name in _expanded(item.strip())]


def _expanded(item: str) -> list[str]:
    return expand_hostname_range(item) if "[" in item else [item] if item else []


def _fleet(said: Mapping[str, Any]) -> Fleet:
    hosts: dict[str, dict[str, Any]] = {"": {**FLEET, **(said.get("fleet") or {})}}
    groups = {group: names(members) for group, members in (said.get("groups") or {}).items()}
    for group, key, defaults in (("nodes", "nodes", {}), ("virtual_servers", "virtual_servers", {"vs_class": "small"})):
        groups[group] = []
        for pattern, variables in (said.get(key) or {}).items():
            for name in names(pattern):
                hosts[name] = {**hosts.get(name, defaults), **(variables or {})}
                if name not in groups[group]:
                    groups[group].append(name)
    groups["all"] = [*groups["nodes"], *groups["virtual_servers"]]
    return spec.parse(hosts, groups)


def _observed(said: Mapping[str, Any], fleet: Fleet) -> Observed:
    offline, drained, used = names(said.get("offline")), names(said.get("drained")), said.get("used") or {}
    templates = frozenset((item.name, item.version) for item in fleet.templates.values())
    nodes = {}
    for name, node in fleet.nodes.items():
        if name in offline:
            nodes[name] = ObservedNode(name, "offline", error="no route to host")
        else:
            nodes[name] = ObservedNode(
                name,
                "online",
                capacity=Capacity(MEASURED.cores, MEASURED.memory, pools={**MEASURED.pools, **node.capacity.pools}),
                memory_used=mebibytes(used.get(name, 0)),
                templates=templates,
                maintenance=name in drained,
            )
    kinds = frozenset({"container", "vm"})
    return Observed(
        nodes=nodes,
        servers=tuple(_guests(said, fleet, offline)),
        quorate=said.get("quorate", True),
        abilities=Abilities(
            live=kinds if said.get("live") else frozenset(), shared_pools=frozenset(names(said.get("shared")))
        ),
    )


def _guests(said: Mapping[str, Any], fleet: Fleet, offline: Iterable[str]) -> Iterable[ObservedServer]:
    stopped, measured = names(said.get("stopped")), said.get("measured") or {}
    home = {name: node for node, servers in (said.get("away") or {}).items() for name in names(servers)}
    use = {
        name: Use(taken["cores"], mebibytes(taken["memory"])) for key, taken in measured.items() for name in names(key)
    }
    for node, servers in (said.get("running") or {}).items():
        for name in names(servers):
            at_rest = name in stopped or (name in fleet.servers and fleet.servers[name].state == "stopped")
            state = "unknown" if node in offline else "stopped" if at_rest else "running"
            yield _guest(fleet, name, node, state=state, generation=2, use=use.get(name), home=home.get(name, ""))
    for node, servers in (said.get("stale") or {}).items():
        for name in names(servers):
            yield _guest(fleet, name, node, state="stopped", generation=1)
    for node, servers in (said.get("replicas") or {}).items():
        for name in names(servers):
            yield _guest(fleet, name, node, state="stopped", role="replica", generation=2)
    for node, strangers in (said.get("unmanaged") or {}).items():
        for name, size in strangers.items():
            yield ObservedServer(name=name, node=node, state="running", size=_size(size))


def _guest(fleet: Fleet, name: str, node: str, **facts: Any) -> ObservedServer:
    server = fleet.servers.get(name) or Server(name, Size(1, 1024, 4096), "debian")
    return ObservedServer(
        name=name,
        node=node,
        size=server.size,
        pool=server.pool,
        fleet=fleet.name,
        interfaces=server.interfaces,
        class_name=server.class_name,
        template=server.template,
        tenant=server.tenant,
        **facts,
    )


def _size(said: Mapping[str, Any]) -> Size:
    return Size(
        said.get("cores", 1), mebibytes(said.get("memory", 0)), mebibytes(said.get("disk", 0)), said.get("io", 0)
    )


def _typed(options: type[Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Options as their dataclass wants them: sets and tuples of names from lists."""
    kinds = {field.name: str(field.type) for field in fields(options)}
    if unknown := set(said) - set(kinds):
        raise ValueError(f"no such option: {', '.join(sorted(unknown))}")
    typed: dict[str, Any] = {}
    for name, value in said.items():
        if kinds[name].startswith("frozenset"):
            typed[name] = frozenset(names(value))
        else:
            typed[name] = tuple(names(value)) if kinds[name].startswith("tuple") else value
    return typed
