# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failover, which is Proxmox VE's own: guests under its HA manager, tied to the nodes that hold their replicas.

Left alone the manager recovers a guest onto any node, and one without the replica ends in state ``error``: the rule
about its nodes is what ties it. The manager brings nothing back by itself (no failback): when a server is to go home is
for people to say. How it starts and stops what it looks after is in ``guests``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...fleet.model import Arrangement, Server
from ..base import Refused
from . import register, rules
from .guests import Found, Guests
from .register import Register, Registered
from .rules import Rule

_RESTARTS, _RELOCATES = 3, 1
"""How often a start is tried on one node, and how often on another after that."""


class Failover:
    """What the HA manager does for one fleet."""

    def __init__(self, guests: Guests) -> None:
        self._guests = guests
        self._fleet = guests.fleet
        self._register = Register(guests.client, guests.fleet.limits.operation)

    def look_again(self) -> None:
        """A new plan is made, from what is there now."""
        self._register.forget()

    def protect(self, server: Server, node: str, backups: Sequence[str]) -> None:
        """See base.Engine.protect."""
        attempt = f"have {server.name} started on {', then '.join(backups) or 'any node'} if {node} dies"
        found = self._guests.need(server.name, node, attempt)
        sid, known = _sid(found), self._register.read(attempt)
        mine = known.resources.get(sid)
        if mine is not None and not register.is_ours(mine, self._fleet.name):
            raise self._strange(sid, mine, node, attempt)
        name = rules.name_of(self._fleet.name, server.name)
        rule = self._rule(server, sid, (node, *backups), known) if backups else None
        words = register.comment(self._fleet.name, server.name)
        if rule:
            self._admit(rule, known, node, attempt)
        grouped = rule is not None and not self._register.has_rules(attempt)
        if rule and grouped:
            self._register.put_rule(rule, known.rule(name), attempt, words)
        self._register.put_resource(sid, self._options(server, name if grouped else "", attempt), mine, attempt)
        if rule and not grouped:
            self._register.put_rule(rule, known.rule(name), attempt, words)
        if not rule and known.rule(name):
            self._register.drop_rule(name, attempt)

    def unprotect(self, name: str, node: str) -> None:
        """See base.Engine.unprotect."""
        attempt = f"take {name} out of HA"
        found = self._guests.need(name, node, attempt)
        known = self._register.read(attempt)
        mine = known.resources.get(_sid(found))
        if mine is not None and not register.is_ours(mine, self._fleet.name):
            raise self._strange(_sid(found), mine, node, attempt)
        self._withdraw(found, known, attempt)

    def forget(self, found: Found) -> None:
        """Before a server is deleted. What others set up for it goes with it, which is Proxmox VE's own doing."""
        attempt = f"take {found.name} out of HA"
        known = self._register.read(attempt)
        mine = known.resources.get(_sid(found))
        if mine is None or register.is_ours(mine, self._fleet.name):
            self._withdraw(found, known, attempt)

    def make_way(self, name: str, source: str, node: str) -> None:
        """Before a move: the node is one of those the server, and all that come along with it, may be on.

        Their rules are narrowed by the next protect. Nothing has to be waited for: in each of its rounds the HA manager
        reads the rules before it reads what it was asked.
        """
        attempt = f"let {name} go to {node}"
        known = self._register.read(attempt)
        words = self._words(known)
        mine = {sid for sid, server in words.items() if server == name}
        for sid in sorted(rules.joined(mine, known.rules)):
            server = words.get(sid, "")
            rule = known.rule(rules.name_of(self._fleet.name, server))
            if rule is not None and node not in rule.nodes and source in rule.nodes:
                wider = replace(rule, nodes={**rule.nodes, node: min(rule.nodes.values())})
                self._register.put_rule(wider, rule, attempt, register.comment(self._fleet.name, server))

    def arrange(self, arrangement: Arrangement, *, on: bool) -> None:
        """See base.Engine.arrange."""
        names = sorted(arrangement.servers)
        attempt = f"keep {', '.join(names)} {arrangement.kind}" if on else f"no longer keep {', '.join(names)} apart"
        known = self._register.read(attempt)
        sids = self._sids(arrangement, known, attempt) if on else {}
        if not on:
            for rule in known.rules:
                if rules.kind_of_set(rule.name, self._fleet.name) == arrangement.kind and arrangement.servers == {
                    *self._names(known, rule)
                }:
                    self._register.drop_rule(rule.name, attempt)
            return
        for server in sids:
            known = self._flattened(server, known, attempt)
        rule = Rule(
            rules.name_of_set(self._fleet.name, arrangement.kind, names),
            "resource-affinity",
            frozenset(sids.values()),
            affinity=rules.affinity_of(arrangement.kind),
        )
        self._admit(rule, known, "cluster", attempt)
        words = register.comment(self._fleet.name, f"{arrangement.kind}: {', '.join(names)}")[:4000]
        self._register.put_rule(rule, known.rule(rule.name), attempt, words)

    # ---- inside

    def _options(self, server: Server, group: str, attempt: str) -> dict[str, Any]:
        """Of a resource. That it goes home by itself, or is moved to even out load, is for plans."""
        version = self._register.version(attempt)
        own: dict[str, Any] = {"group": group} if group else {}
        if version >= register.RULES_SINCE:
            own["failback"] = 0
        if version >= register.REBALANCES_SINCE:
            own["auto-rebalance"] = 0
        return {
            "state": "started" if server.state == "running" else "stopped",
            "max_restart": _RESTARTS,
            "max_relocate": _RELOCATES,
            "comment": register.comment(self._fleet.name, server.name),
            **own,
        }

    def _rule(self, server: Server, sid: str, nodes: Sequence[str], known: Registered) -> Rule:
        return Rule(
            rules.name_of(self._fleet.name, server.name),
            "node-affinity",
            frozenset({sid}),
            rules.ranked(nodes, flat=self._bound(server.name, sid, known)),
            strict=server.replication.mode != "none",
        )

    def _bound(self, server: str, sid: str, known: Registered) -> bool:
        """Whether it is, or is going to be, in a rule about other servers, which leaves no preferences among nodes."""
        declared = any(rule.hard and server in rule.subjects | rule.others for rule in self._fleet.rules)
        return declared or any(rule.kind == "resource-affinity" and sid in rule.resources for rule in known.rules)

    def _flattened(self, server: str, known: Registered, attempt: str) -> Registered:
        """The rule about a server's nodes without preferences."""
        rule = known.rule(rules.name_of(self._fleet.name, server))
        if rule is None or not rule.preferences:
            return known
        flat = replace(rule, nodes=dict.fromkeys(rule.nodes, 0))
        self._register.put_rule(flat, rule, attempt, register.comment(self._fleet.name, server))
        return replace(known, rules=tuple(flat if each == rule else each for each in known.rules))

    def _admit(self, rule: Rule, known: Registered, node: str, attempt: str) -> None:
        """Raise Refused for what Proxmox VE would refuse."""
        why = rules.conflict(rule, known.rules, self._words(known), self._register.nodes(attempt))
        if why:
            advice = "change the rule named, if it is not of this fleet; otherwise vs_affinity or vs_anti_affinity"
            raise Refused(node, attempt, f"rule {rule.name} cannot be: {why}", advice)

    def _withdraw(self, found: Found, known: Registered, attempt: str) -> None:
        sid = _sid(found)
        for rule in known.rules:
            if sid not in rule.resources or not rules.kind_of_set(rule.name, self._fleet.name):
                continue
            rest = rule.resources - {sid}
            if len(rest) > 1:
                words = register.comment(self._fleet.name, f"without {found.name}")
                self._register.put_rule(replace(rule, resources=rest), rule, attempt, words)
            else:
                self._register.drop_rule(rule.name, attempt)
        own = rules.name_of(self._fleet.name, found.name)
        first = self._register.has_rules(attempt)
        if first and known.rule(own):
            self._register.drop_rule(own, attempt)
        if sid in known.resources:
            self._register.drop_resource(sid, attempt)
        if not first and known.rule(own):
            # A group goes when nobody is in it any more.
            self._register.drop_rule(own, attempt)

    def _sids(self, arrangement: Arrangement, known: Registered, attempt: str) -> dict[str, str]:
        """Server -> resource. Raises Refused for one that is not under HA: rules are about nobody else."""
        found = {name: sid for sid, name in self._words(known).items()}
        missing = sorted(arrangement.servers - set(found))
        if missing:
            raise Refused("cluster", attempt, f"{', '.join(missing)}: not under HA by this fleet", "make a new plan")
        return {name: found[name] for name in sorted(arrangement.servers)}

    def _names(self, known: Registered, rule: Rule) -> set[str]:
        words = self._words(known)
        return {words.get(sid, sid) for sid in rule.resources}

    def _words(self, known: Registered) -> dict[str, str]:
        """Resource -> server, of those that are ours."""
        prefix = register.comment(self._fleet.name, "")
        return {
            sid: str(row["comment"]).removeprefix(prefix)
            for sid, row in known.resources.items()
            if register.is_ours(row, self._fleet.name)
        }

    def _strange(self, sid: str, row: Any, node: str, attempt: str) -> Refused:
        said = f" ({row['comment']})" if row.get("comment") else ""
        advice = f"leave it to them, or on a node: ha-manager remove {sid}"
        return Refused(node, attempt, f"somebody else put {sid} under HA{said}; it was not touched", advice)


def _sid(found: Found) -> str:
    return f"{'ct' if found.kind == 'lxc' else 'vm'}:{found.vmid}"
