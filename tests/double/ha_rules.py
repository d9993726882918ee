# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of HA on version 9: which of them cannot be, together with which others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Rule:
    """A node-affinity or a resource-affinity rule."""

    name: str
    type: str
    resources: list[str]
    options: dict[str, Any] = field(default_factory=dict)  # nodes, strict, affinity, comment, disable

    @property
    def enabled(self) -> bool:
        """Whether it counts."""
        return not self.options.get("disable")

    @property
    def negative(self) -> bool:
        """Keeps its resources apart."""
        return self.type == "resource-affinity" and self.options.get("affinity") == "negative"

    @property
    def positive(self) -> bool:
        """Keeps its resources together."""
        return self.type == "resource-affinity" and self.options.get("affinity") == "positive"

    @property
    def nodes(self) -> dict[str, int]:
        """Nodes and their priorities."""
        parts = (part.partition(":") for part in str(self.options.get("nodes", "")).split(",") if part)
        return {name: int(priority or 0) for name, _colon, priority in parts}


def problem(rule: Rule, rules: list[Rule], nodes: int) -> str:
    """Why a rule cannot be beside the others; nothing where it can. The words are those of Proxmox VE."""
    others = [other for other in rules if other.name != rule.name and other.enabled]
    if not rule.enabled:
        return ""
    if rule.type == "node-affinity":
        return _node_affinity(rule, others)
    return _resource_affinity(rule, others, nodes)


def _node_affinity(rule: Rule, others: list[Rule]) -> str:
    for other in others:
        if other.type == "node-affinity":
            for sid in rule.resources:
                if sid in other.resources:
                    return f"resource '{sid}' is already used in another node affinity rule"
        elif other.negative:
            bound = [sid for sid in other.resources if sid in rule.resources]
            if len(bound) > 1 and len(rule.nodes) < len(bound) and rule.options.get("strict"):
                return (
                    "at least one resource is in a negative resource affinity rule and this rule would restrict these "
                    "to less nodes than available to the resources"
                )
        elif other.positive and set(other.resources) & set(rule.resources) and len(set(rule.nodes.values())) > 1:
            what = "resources are in a resource affinity rule and cannot be used in a node affinity rule"
            return f"{what} with multiple priorities"
    return ""


def _resource_affinity(rule: Rule, others: list[Rule], nodes: int) -> str:
    if len(rule.resources) < 2:
        return "rule is ineffective as there are less than two resources"
    for other in others:
        common = set(other.resources) & set(rule.resources)
        if other.type == "node-affinity" and common and len(set(other.nodes.values())) > 1:
            return "resources are in node affinity rules with multiple priorities"
    if rule.negative and len(rule.resources) > nodes:
        return "rule defines more resources than available nodes"
    joined = _joined(rule, others) if rule.positive else set(rule.resources)
    for other in others:
        common = set(other.resources) & joined
        if len(common) > 1 and other.type == "resource-affinity" and other.negative != rule.negative:
            kind = "negative" if other.negative else "positive"
            return f"rule shares two or more resources with a {kind} resource affinity rule"
    return ""


def _joined(rule: Rule, others: list[Rule]) -> set[str]:
    together = set(rule.resources)
    grown = True
    while grown:
        grown = False
        for other in others:
            if other.positive and together & set(other.resources) and not set(other.resources) <= together:
                together |= set(other.resources)
                grown = True
    return together
