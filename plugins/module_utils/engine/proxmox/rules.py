# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the HA manager (version 9): ours and others', and which of them cannot be side by side. Pure.

``node-affinity`` says where a resource may be, in order of priority; ``resource-affinity`` which resources share a node
or never do. A resource in both may have no priorities. What Proxmox VE would refuse is found here first, in words that
name servers, since its own name only numbers.

Our rules bear the fleet's name and what they are about in their own: to write one twice makes one. Before version 9
there are groups instead of node-affinity rules, and nothing of the other kind.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_PREFIX = "sy"
_KINDS = {"together": "positive", "apart": "negative"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, or a group as the rule about nodes that it is."""

    name: str
    kind: str
    """``node-affinity`` or ``resource-affinity``."""
    resources: frozenset[str]
    """``ct:101``, ``vm:102``."""
    nodes: Mapping[str, int] = field(default_factory=dict)
    """Node -> priority."""
    strict: bool = False
    affinity: str = ""
    """``positive`` or ``negative``."""
    enabled: bool = True

    @property
    def preferences(self) -> bool:
        """It has nodes of different priorities."""
        return len(set(self.nodes.values())) > 1


def read(row: Mapping[str, Any]) -> Rule:
    """A row of /cluster/ha/rules."""
    return Rule(
        name=str(row["rule"]),
        kind=str(row["type"]),
        resources=frozenset(_parts(row.get("resources"))),
        nodes=nodes_of(row.get("nodes")),
        strict=bool(int(row.get("strict") or 0)),
        affinity=str(row.get("affinity") or ""),
        enabled=not int(row.get("disable") or 0),
    )


def read_group(row: Mapping[str, Any], resources: Iterable[str]) -> Rule:
    """A row of /cluster/ha/groups, with the resources that are in it."""
    return Rule(
        name=str(row["group"]),
        kind="node-affinity",
        resources=frozenset(resources),
        nodes=nodes_of(row.get("nodes")),
        strict=bool(int(row.get("restricted") or 0)),
    )


def nodes_of(text: Any) -> dict[str, int]:
    """``pve1:2,pve2:1``."""
    parts = (part.partition(":") for part in _parts(text))
    return {name: int(priority or 0) for name, _colon, priority in parts}


def written(nodes: Mapping[str, int]) -> str:
    """Nodes as the API takes them."""
    return ",".join(f"{name}:{priority}" if priority else name for name, priority in nodes.items())


def ranked(nodes: Sequence[str], *, flat: bool) -> dict[str, int]:
    """Priorities for nodes, the first preferred; none where there may be none."""
    return {name: 0 if flat else len(nodes) - at for at, name in enumerate(nodes)}


def order(nodes: Mapping[str, int], home: str) -> tuple[str, ...]:
    """Nodes as they are preferred; among equals the one the server is on comes first."""
    return tuple(sorted(nodes, key=lambda name: (-nodes[name], name != home, name)))


# ---------------------------------------------------------------- names


def name_of(fleet: str, server: str) -> str:
    """The rule that says where a server may be."""
    return _named("on", fleet, _escape(server))


def name_of_set(fleet: str, kind: str, servers: Collection[str]) -> str:
    """The rule that keeps servers together, or apart."""
    return _named(kind, fleet, hashlib.sha256("\n".join(sorted(servers)).encode()).hexdigest()[:16])


def kind_of_set(name: str, fleet: str) -> str:
    """``together`` or ``apart``; empty for a rule that is not one of this fleet's about several servers."""
    return next((kind for kind in _KINDS if name.startswith(_named(kind, fleet, ""))), "")


def affinity_of(kind: str) -> str:
    """As Proxmox VE calls it."""
    return _KINDS[kind]


def is_ours(name: str, fleet: str) -> bool:
    """Whether a rule is this fleet's."""
    return any(name.startswith(_named(kind, fleet, "")) for kind in ("on", *_KINDS))


def _named(kind: str, fleet: str, rest: str) -> str:
    # What is escaped holds no two underscores in a row.
    return f"{_PREFIX}__{kind}__{_escape(fleet)}__{rest}"


def _escape(text: str) -> str:
    return "".join(
        letter if re.fullmatch(r"[A-Za-z0-9-]", letter) else "".join(f"_{byte:02x}" for byte in letter.encode())
        for letter in text
    )


# ---------------------------------------------------------------- what cannot be


def conflict(rule: Rule, others: Iterable[Rule], names: Mapping[str, str], nodes: int) -> str:
    """Why a rule cannot be beside others of a cluster with so many nodes; empty where it can.

    ``names``: resource -> server, for words.
    """
    beside = [other for other in others if other.name != rule.name and other.enabled]
    if rule.kind == "node-affinity":
        return _of_nodes(rule, beside, names)
    return _of_resources(rule, beside, names, nodes)


def _of_nodes(rule: Rule, beside: Sequence[Rule], names: Mapping[str, str]) -> str:
    for other in beside:
        common = rule.resources & other.resources
        if not common:
            continue
        whom = _words(common, names)
        if other.kind == "node-affinity":
            return f"rule {other.name} says already where {whom} may be, and there can be one such rule"
        if rule.preferences:
            return f"{whom} in rule {other.name} ({other.affinity}) may have no nodes of different priorities"
        if rule.strict and other.affinity == "negative" and len(rule.nodes) < len(common):
            return f"{whom} are kept apart by rule {other.name}, and would have {len(rule.nodes)} nodes between them"
    return ""


def _of_resources(rule: Rule, beside: Sequence[Rule], names: Mapping[str, str], nodes: int) -> str:
    if len(rule.resources) < 2:
        return f"{_words(rule.resources, names) or 'nobody'} is alone in it, which rules nothing"
    if rule.affinity == "negative" and len(rule.resources) > nodes:
        return f"{_words(rule.resources, names)} are to be apart, and the cluster has {nodes} nodes"
    together = joined(rule.resources, beside) if rule.affinity == "positive" else rule.resources
    places: set[str] = set()
    bound: set[str] = set()
    for other in beside:
        common = together & other.resources
        if other.kind == "node-affinity":
            tied = rule.resources & other.resources
            if tied and other.preferences:
                return f"{_words(tied, names)} in rule {other.name} prefer some nodes to others, which rules this out"
            if tied and other.strict:
                places |= set(other.nodes)
                bound |= tied
        elif len(common) > 1 and other.affinity != rule.affinity:
            how = "apart" if other.affinity == "negative" else "together"
            return f"{_words(common, names)} are kept {how} by rule {other.name}"
    if rule.affinity == "negative" and len(places) < len(bound):
        return f"{_words(bound, names)} are to be apart, and may be on {', '.join(sorted(places))} only"
    return ""


def joined(resources: Collection[str], known: Iterable[Rule]) -> frozenset[str]:
    """These, and everything that rules bring to the same node, through others too."""
    found = frozenset(resources)
    sets = [rule.resources for rule in known if rule.affinity == "positive" and rule.enabled]
    while True:
        more = found.union(*(each for each in sets if each & found))
        if more == found:
            return found
        found = more


def _words(resources: Collection[str], names: Mapping[str, str]) -> str:
    return ", ".join(sorted(names.get(sid, sid) for sid in resources))


def _parts(text: Any) -> list[str]:
    return [part for part in re.split(r"[;,\s]+", str(text or "")) if part]
