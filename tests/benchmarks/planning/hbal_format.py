# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text format of Ganeti's htools: the file that ``hbal -t FILE`` reads.

Sections divided by one empty line each: groups, nodes, instances, cluster tags, policies; fields by ``|``. The fields
are those of src/Ganeti/HTools/Backend/Text.hs of Ganeti 3.0; the last ones of a line may be missing.

What a fleet has and the format has not: a server that is pinned has ``N`` in the field auto_balance. hbal moves such
instances all the same, so whoever runs it excludes them on its command line (``hbal.py`` does).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Abilities,
    Capacity,
    Factors,
    Failover,
    Fleet,
    Node,
    Observed,
    ObservedNode,
    ObservedServer,
    Replication,
    Rule,
    Server,
    Size,
)

from .instances import FLEET, LOCAL, SHARED, SHARED_MIB, TEMPLATE, Storage

GROUP = "6f6e6520-6772-6f75-7020-6f6e6c790000"
EXCLUSION = "htools:iextags:"
"""A cluster tag of this beginning names the beginning of instance tags that no node may carry twice."""
LOCATION = "htools:nlocation:"
"""The same for node tags: nodes that share one fail together."""
APART = "apart"
EXTERNAL = frozenset({"ext", "rbd", "sharedfile", "gluster", "blockdev"})
"""Disk templates every node reaches."""
POLICY_LIMITS = "128,1,1024,1,1,1|1,1,1,1,0,1;1048576,256,16777216,16,8,4096"
"""Standard size; least and greatest: memory, cores, disk, disks, network cards, spindle use."""
NODE_DEFAULTS = ("1", "", "N", "0", "0", "1.0")
INSTANCE_DEFAULTS = ("", "1", "-", "N")
DOWN = frozenset({"ADMIN_down", "ERROR_down"})
SPINDLES = 4096
"""Room for input and output on a node: so much that it never decides anything."""


class FormatError(ValueError):
    """The file is not in the format, or says something a fleet cannot express."""


# ---------------------------------------------------------------- writing


def write(fleet: Fleet, observed: Observed) -> str:
    """The fleet as hbal reads it."""
    shared = observed.abilities.shared_pools
    replicas = {guest.name: guest.node for guest in observed.servers if guest.role == "replica"}
    tags = _tags(fleet)
    primaries = [guest for guest in observed.servers if guest.role == "primary"]
    instances = []
    for guest in primaries:
        server = fleet.servers[guest.name]
        backup = replicas.get(guest.name, "")
        template = "ext" if guest.pool in shared else "drbd" if backup else "plain"
        size, pinned = guest.size, "N" if server.node else "Y"
        fields = (
            guest.name,
            str(size.memory),
            str(size.disk),
            f"{size.cores:.0f}",
            "running",
            pinned,
            guest.node,
            backup,
            template,
            ",".join(tags.get(guest.name, ())),
            *INSTANCE_DEFAULTS[1:],
        )
        instances.append("|".join(fields))
    ratio = next(iter(fleet.nodes.values())).overcommit.cores
    sections = [
        [f"default|{GROUP}|preferred||"],
        [_node_line(node, observed) for node in observed.nodes.values()],
        instances,
        [EXCLUSION + APART],
        [f"|{POLICY_LIMITS}|ext,drbd,plain|{ratio}|32.0", f"default|{POLICY_LIMITS}|ext,drbd,plain|{ratio}|32.0"],
    ]
    return "\n".join("".join(f"{line}\n" for line in section) for section in sections)


def _node_line(node: ObservedNode, observed: Observed) -> str:
    here = [guest for guest in observed.servers if guest.node == node.name]
    memory = sum(guest.size.memory for guest in here if guest.role == "primary")
    disk = sum(guest.size.disk for guest in here if guest.pool not in observed.abilities.shared_pools)
    capacity = node.capacity
    total_disk = capacity.pools.get(LOCAL, 0)
    return (
        f"{node.name}|{capacity.memory}|0|{capacity.memory - memory}|{total_disk}|{total_disk - disk}"
        f"|{capacity.cores:.0f}|N|{GROUP}|{SPINDLES}||N|0|0|1.0"
    )


def _tags(fleet: Fleet) -> dict[str, list[str]]:
    tags: dict[str, list[str]] = {}
    for rule in fleet.rules:
        if rule.kind != "apart" or rule.over != "node" or rule.subjects != rule.others or not rule.hard:
            raise FormatError(f"rule {rule.label}: hbal knows only servers that no node may carry two of")
        for name in sorted(rule.subjects):
            tags.setdefault(name, []).append(f"{APART}:{rule.label}")
    return tags


# ---------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class _Instance:
    name: str
    size: Size
    pinned: bool
    node: str
    backup: str
    template: str
    tags: tuple[str, ...]
    down: bool
    """It does not run, though it may again: its memory is not in what its node has in use, and is set aside."""


def read(text: str) -> tuple[Fleet, Observed]:
    """The fleet in a file: instances are servers, what else a node has in use is a stranger on it.

    An instance on a local disk without a replica (``plain``) is one hbal never moves. Where others can move it is
    pinned; where none can, the fleet has local storage and every move copies a disk.
    Raises FormatError.
    """
    groups, nodes, instances, tags, policies = _sections(text)
    if len({line.split("|")[1] for line in groups}) != 1:
        raise FormatError(f"{len(groups)} node groups; hbal balances one at a time, give one")
    found = [_instance(line.split("|"), line) for line in instances]
    mobile = any(one.template in EXTERNAL or one.backup for one in found)
    ratio = _ratio(policies)
    locations = [tag.removeprefix(LOCATION) for tag in tags if tag.startswith(LOCATION)]
    declared: dict[str, Node] = {}
    seen: dict[str, ObservedNode] = {}
    strangers = []
    for line in nodes:
        fields = _filled(line, NODE_DEFAULTS, 15)
        name = fields[0]
        domain = next((tag for tag in fields[10].split(",") if tag.startswith(tuple(locations)) and tag), "")
        declared[name] = Node(
            name, "", failure_domain=domain if locations else "", overcommit=Factors(cores=ratio), concurrency=1
        )
        seen[name], stranger = _seen(fields, found)
        strangers += [stranger] if stranger else []
    servers = {one.name: _server(one, mobile) for one in found}
    external = any(one.template in EXTERNAL for one in found)
    return (
        Fleet(
            name=FLEET,
            engine="proxmox",
            nodes=declared,
            servers=servers,
            templates={TEMPLATE.name: TEMPLATE},
            rules=_rules(found, tags),
        ),
        Observed(
            seen,
            (*(guest for one in found for guest in _guests(one, servers[one.name], seen)), *strangers),
            abilities=Abilities(live=frozenset({"vm"}), shared_pools=frozenset({SHARED})) if external else Abilities(),
        ),
    )


def storage(fleet: Fleet, observed: Observed) -> Storage:
    """Which kind of storage most of a fleet's servers are on."""
    external = sum(server.pool in observed.abilities.shared_pools for server in fleet.servers.values())
    if 2 * external >= len(fleet.servers):
        return "external"
    replicated = sum(server.replication.mode != "none" for server in fleet.servers.values())
    return "replicas" if 2 * replicated >= len(fleet.servers) else "local"


def _sections(text: str) -> list[list[str]]:
    sections: list[list[str]] = [[]]
    for line in text.splitlines():
        if line:
            sections[-1].append(line)
        else:
            sections.append([])
    if len(sections) not in (4, 5):
        raise FormatError(f"{len(sections)} sections instead of 4 or 5")
    return sections + [[]] * (5 - len(sections))


def _filled(line: str, defaults: Sequence[str], count: int) -> list[str]:
    """The fields of a line, with those that are missing at its end."""
    fields = line.split("|")
    lacking = count - len(fields)
    if lacking > len(defaults):
        raise FormatError(f"{len(fields)} fields are too few: {line}")
    return fields + list(defaults[len(defaults) - lacking :] if lacking > 0 else ())


def _instance(fields: Sequence[str], line: str) -> _Instance:
    fields = _filled(line, INSTANCE_DEFAULTS, 13)
    name, memory, disk, cores, status, balanced, node, backup, template, tags = fields[:10]
    # What is offline has nothing set aside for it.
    offline = status == "ADMIN_offline"
    try:
        size = Size(0.0 if offline else float(cores), 0 if offline else int(memory), int(disk))
    except ValueError as error:
        raise FormatError(f"{error}: {line}") from error
    return _Instance(
        name, size, balanced == "N", node, backup, template, tuple(filter(None, tags.split(","))), status in DOWN
    )


def _ratio(policies: Iterable[str]) -> float:
    """Virtual cores a core may carry: the group's policy, else the cluster's, else Ganeti's default."""
    ratios = {fields[0]: float(fields[4]) for fields in (line.split("|") for line in policies)}
    group = [ratio for owner, ratio in ratios.items() if owner]
    return group[0] if group else ratios.get("", 4.0)


def _seen(fields: Sequence[str], found: Iterable[_Instance]) -> tuple[ObservedNode, ObservedServer | None]:
    """A node, and as a stranger on it whatever it has in use besides the instances."""
    name, offline = fields[0], fields[7] == "Y"
    if offline or "?" in fields[1:7]:
        return ObservedNode(name, "offline", error="marked offline"), None
    memory, _own, free, disk, disk_free, cores = (int(float(value)) for value in fields[1:7])
    here = [one for one in found if one.node == name]
    local = [one for one in found if name in (one.node, one.backup) and one.template not in EXTERNAL]
    rest = Size(
        cores=float(fields[13]),
        memory=max(0, memory - free - sum(one.size.memory for one in here if not one.down)),
        disk=max(0, disk - disk_free - sum(one.size.disk for one in local)),
    )
    node = ObservedNode(
        name,
        "online",
        capacity=Capacity(cores=cores * float(fields[14]), memory=memory, pools={SHARED: SHARED_MIB, LOCAL: disk}),
        templates=frozenset({(TEMPLATE.name, TEMPLATE.version)}),
    )
    if not (rest.cores or rest.memory or rest.disk):
        return node, None
    return node, ObservedServer(f"unmanaged@{name}", name, "running", rest, LOCAL)


def _server(one: _Instance, mobile: bool) -> Server:
    stuck = one.pinned or (mobile and one.template not in EXTERNAL and not one.backup)
    survives = one.template in EXTERNAL or bool(one.backup)
    return Server(
        name=one.name,
        size=one.size,
        template=TEMPLATE.name,
        pool=SHARED if one.template in EXTERNAL else LOCAL,
        node=one.node if stuck else "",
        failover=Failover("auto" if survives else "off"),
        replication=Replication("interval", 300) if one.backup else Replication(),
    )


def _guests(one: _Instance, server: Server, nodes: Mapping[str, ObservedNode]) -> list[ObservedServer]:
    if one.node not in nodes or (one.backup and one.backup not in nodes):
        raise FormatError(f"{one.name} is on {one.node}, {one.backup or 'no secondary'}: no such node")
    primary = ObservedServer(
        name=one.name,
        node=one.node,
        # Who is on a node that is offline may still run there, or may not.
        state="running" if nodes[one.node].reach == "online" else "unknown",
        size=one.size,
        pool=server.pool,
        fleet=FLEET,
        template=TEMPLATE.name,
        template_version=TEMPLATE.version,
    )
    replica = replace(primary, node=one.backup, role="replica", state="stopped")
    return [primary, replica] if one.backup else [primary]


def _rules(found: Iterable[_Instance], tags: Iterable[str]) -> tuple[Rule, ...]:
    prefixes = tuple(tag.removeprefix(EXCLUSION) for tag in tags if tag.startswith(EXCLUSION))
    prefixes = tuple(filter(None, prefixes))
    members: dict[str, set[str]] = {}
    for one in found:
        for tag in one.tags:
            if tag.startswith(prefixes):
                members.setdefault(tag, set()).add(one.name)
    groups = {tag: frozenset(names) for tag, names in members.items() if len(names) > 1}
    return tuple(Rule("apart", names, names, label=tag.removeprefix(f"{APART}:")) for tag, names in groups.items())
