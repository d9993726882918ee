# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is a member of a Proxmox VE cluster, who is to become one, and who was left half-way. Values in, values out.

A node that joins gives up its own /etc/pve for the cluster's. That happens in steps (the others write it into their
corosync.conf, it gets the key and that file, its cluster file system starts anew), and a run may be cut off in between.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_NODE = re.compile(r"\bnode\s*\{([^}]*)\}")
_FIELD = re.compile(r"^\s*(\w+)\s*:\s*(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Corosync:
    """What a corosync.conf says: the cluster's name, and every node's addresses, link by link."""

    name: str = ""
    nodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """A node as it was found."""

    name: str
    version: str
    cluster: Corosync
    """Of /etc/pve, which all members share."""
    own: Corosync
    """Of /etc/corosync, which is the node's own."""
    key: bool = False
    """Whether it has a key of corosync's."""
    local: bool = False
    """Whether its cluster file system runs apart from the cluster's."""
    quorate: bool = False
    online: frozenset[str] = frozenset()
    """Whom it sees."""
    guests: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """Why nothing is done: node, what was found, what is needed."""

    node: str
    found: str
    needed: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in this order. Nothing where there are problems."""

    problems: tuple[Problem, ...] = ()
    clear: tuple[str, ...] = ()
    """Nodes whose remains of a cluster are to be removed."""
    delist: tuple[str, ...] = ()
    """Nodes the cluster is to forget, because they never came."""
    create: str = ""
    join: tuple[str, ...] = ()
    peer: str = ""
    """Member the others join through; the one that is made, if one is."""


def parse(text: str) -> Corosync:
    """A corosync.conf; of an empty text nothing."""
    name = re.search(r"^\s*cluster_name\s*:\s*(\S+)", text, re.MULTILINE)
    nodes = {}
    for block in _NODE.findall(text):
        fields = dict(_FIELD.findall(block))
        links = sorted((int(key[4:-5]), value) for key, value in fields.items() if re.fullmatch(r"ring\d_addr", key))
        if "name" in fields:
            nodes[fields["name"]] = tuple(address for _number, address in links)
    return Corosync(name[1] if name else "", nodes)


def state(found: Mapping[str, Any]) -> State:
    """From what the module proxmox_member returns."""
    rows = found.get("status") or []
    clusters = [row for row in rows if row.get("type") == "cluster"]
    return State(
        name=str(found["name"]),
        version=str(found.get("version") or ""),
        cluster=parse(str(found.get("cluster_conf") or "")),
        own=parse(str(found.get("own_conf") or "")),
        key=bool(found.get("key")),
        local=bool(found.get("local")),
        quorate=bool(clusters) and all(int(row.get("quorate") or 0) for row in clusters),
        online=frozenset(str(row["name"]) for row in rows if row.get("type") == "node" and row.get("online")),
        guests=int(found.get("guests") or 0),
    )


def plan(states: Sequence[State], name: str, links: Mapping[str, Sequence[str]], *, repair: bool) -> Plan:
    """How these nodes, in this order, become the cluster ``name``. ``links``: addresses of each, link by link."""
    found = {each.name: each for each in states}
    members = [each for each in states if _is_member(each, name)]
    core = max(members, key=lambda each: (each.quorate, len(each.online & set(found))), default=None)
    strangers = _strangers(states, name)
    problems = [*strangers, *_versions(states), *_links(states, links, core)]
    joined = {each.name for each in members if core and each.name in core.cluster.nodes}
    settled = joined | {each.node for each in strangers}
    clear = [each.name for each in states if each.name not in settled and _remains(each)]
    delist = [each.name for each in states if core and each.name not in joined and each.name in core.cluster.nodes]
    missing = [each for each in states if each.name not in joined]
    if not repair:
        problems += [_half(found[each], "remains of a cluster", found) for each in clear]
        problems += [_half(found[each], f"{core.name if core else ''} takes it for a member", found)
                     for each in delist if each not in clear]  # fmt: skip
    if core and missing and not core.quorate:
        problems.append(
            Problem(core.name, f"{name} has no quorum", "more than half of its nodes up: see 'pvecm status'")
        )
    create = "" if core or not states else _first(states).name
    join = [each for each in missing if each.name != create]
    problems += [
        Problem(
            each.name, f"{each.guests} guests of its own", "none, as it gets the cluster's configuration for its own"
        )
        for each in join
        if each.guests
    ]
    if problems:
        return Plan(tuple(problems))
    peer = core.name if core else create
    return Plan((), tuple(clear), tuple(delist), create, tuple(each.name for each in join), peer)


def _first(states: Sequence[State]) -> State:
    """Who makes the cluster: whoever has guests, as it keeps them; otherwise the first."""
    return next((each for each in states if each.guests), states[0])


def _is_member(each: State, name: str) -> bool:
    return each.cluster.name == name and each.name in each.cluster.nodes and not each.local


def _remains(each: State) -> bool:
    return each.key or each.local or bool(each.own.nodes) or bool(each.cluster.nodes)


def _strangers(states: Sequence[State], name: str) -> list[Problem]:
    """Members of another cluster, and of another one of the same name."""
    problems = [
        Problem(each.name, f"a member of cluster {each.cluster.name}", f"of {name}, or of none")
        for each in states
        if each.cluster.name and each.cluster.name != name and each.name in each.cluster.nodes
    ]
    members = [each for each in states if _is_member(each, name)]
    for each in members:
        others = [other for other in members if other.quorate and other.name not in each.cluster.nodes]
        apart = [other.name for other in others if each.quorate and each.name not in other.cluster.nodes]
        if apart:
            words = f"a cluster {name} that {', '.join(apart)} is not in, and which has one of its own"
            problems.append(Problem(each.name, words, "one cluster; take one of them apart by hand"))
    return problems


def _versions(states: Sequence[State]) -> list[Problem]:
    majors = {each.version.partition(".")[0] for each in states if each.version}
    if len(majors) < 2:
        return []
    return [Problem(each.name, f"Proxmox VE {each.version}", "the same version on all nodes") for each in states]


def _links(states: Sequence[State], links: Mapping[str, Sequence[str]], core: State | None) -> list[Problem]:
    counts = {len(links[each.name]) for each in states}
    if len(counts) > 1:
        return [Problem(each.name, f"{len(links[each.name])} links", "the same number on all nodes") for each in states]
    has = core.cluster.nodes if core else {}
    return [
        Problem(
            each.name,
            f"links {', '.join(has[each.name])}",
            f"{', '.join(links[each.name])} as declared (see 'Changing links' in docs/proxmox-nodes.md)",
        )
        for each in states
        if each.name in has and tuple(links[each.name]) != tuple(has[each.name])
    ]


def _half(each: State, found: str, nodes: Mapping[str, State]) -> Problem:
    others = "" if len(nodes) < 2 else " (see 'A node that was half joined' in docs/proxmox-nodes.md)"
    guests = f", and {each.guests} guests" if each.guests else ""
    return Problem(each.name, f"half joined: {found}{guests}", f"proxmox_cluster_repair: true{others}")


# ---------------------------------------------------------------- for people


def as_table(problems: Sequence[Problem]) -> str:
    """What an operator reads."""
    rows = [("NODE", "FOUND", "NEEDED"), *((each.node, each.found, each.needed) for each in problems)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "".join(f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}\n" for row in rows)


def as_words(made: Plan, name: str) -> list[str]:
    """The plan, one line for each step."""
    return [
        *(f"{each}: clear away what is left of a cluster" for each in made.clear),
        *(f"{made.peer}: forget {each}, which never came" for each in made.delist),
        *([f"{made.create}: make the cluster {name}"] if made.create else []),
        *(f"{each}: join {name} through {made.peer}" for each in made.join),
    ]
