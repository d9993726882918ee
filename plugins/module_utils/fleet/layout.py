# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything is: every guest on its node, and how full that makes each node.

A Layout is the planner's scratch pad. It starts as what was observed, and servers are put, taken and
moved on it while a plan is made. It knows nothing of rules; ``fit`` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace

from .model import Fleet, Interface, Node, Observed, ObservedNode, ObservedServer, Rule, Scope, Size
from .usage import Load, usable

_NOWHERE = ObservedNode(name="", reach="offline", error="not observed")


def ours(fleet: Fleet, guest: ObservedServer) -> bool:
    """Whether a guest bears this fleet's mark."""
    return bool(guest.fleet) and guest.fleet == fleet.name


@dataclass(frozen=True, slots=True)
class Bond:
    """One server's part in one rule."""

    rule: Rule
    number: int
    subject: bool
    other: bool


class Layout:
    """Guests on nodes. Only servers of this fleet have names here; strangers are load."""

    def __init__(self, fleet: Fleet, observed: Observed) -> None:
        self.fleet = fleet
        self.answering = frozenset(name for name, seen in observed.nodes.items() if seen.reach == "online")
        self.where: dict[str, str] = {}
        self.loads: dict[str, Load] = {}
        self.strangers: dict[str, int] = {}
        """Node -> number of guests there that are not ours."""
        self.dedicated: dict[str, set[str]] = {}
        """Node -> servers there that want it to themselves."""
        self._size: dict[str, tuple[Size, str]] = {}
        self._bonds: dict[str, list[Bond]] = {}
        self._members: dict[tuple[int, bool], dict[str, set[str]]] = {}
        """(rule, subjects' side or others') -> domain -> the servers of that side there."""
        self._index_rules(fleet.rules)
        for name, node in fleet.nodes.items():
            self.loads[name] = Load(limit=usable(node, observed.nodes.get(name, _NOWHERE)))
            self.strangers[name] = 0
        newest: dict[str, int] = {}
        for guest in observed.servers:
            if ours(fleet, guest) and guest.role == "primary":
                newest[guest.name] = max(guest.generation, newest.get(guest.name, 0))
        for guest in observed.servers:
            if guest.node in self.loads:
                self._admit(guest, outdated=guest.generation < newest.get(guest.name, 0))
        for name, seen in observed.nodes.items():
            if name in self.loads:
                self._count_unaccounted(fleet.nodes[name], seen, self.loads[name])

    def copy(self) -> Layout:
        """The same guests on the same nodes, to be moved about by themselves."""
        found = copy(self)
        found.where, found._size = dict(self.where), dict(self._size)
        found.loads = {name: replace(load, pools=dict(load.pools)) for name, load in self.loads.items()}
        found.strangers = dict(self.strangers)
        found.dedicated = {node: set(names) for node, names in self.dedicated.items()}
        found._members = {
            side: {domain: set(names) for domain, names in there.items()} for side, there in self._members.items()
        }
        return found

    def _index_rules(self, rules: Iterable[Rule]) -> None:
        for number, rule in enumerate(rules):
            for name in sorted(rule.subjects | rule.others):
                bond = Bond(rule, number, name in rule.subjects, name in rule.others)
                self._bonds.setdefault(name, []).append(bond)

    def _admit(self, guest: ObservedServer, *, outdated: bool) -> None:
        own = ours(self.fleet, guest)
        if own and guest.role == "primary" and not outdated and guest.name not in self.where:
            self.put(guest.name, guest.node, guest.size, guest.pool)
        elif own and (guest.role == "replica" or (outdated and guest.state == "stopped")):
            # A replica, and what a move left behind.
            self.loads[guest.node].hold(guest.size, guest.pool)
        else:
            self.loads[guest.node].add(guest.size, guest.pool)
            self.strangers[guest.node] += 1

    @staticmethod
    def _count_unaccounted(node: Node, seen: ObservedNode, load: Load) -> None:
        """What is measured in use beyond what guests were promised is somebody's, so it counts.

        Only where capacity is measured too: a declared capacity is a share of a machine whose
        measured use says nothing about that share.
        """
        if node.capacity.memory is None:
            load.memory += max(0, seen.memory_used - node.reserve.memory - load.memory)
        for pool, used in seen.pools_used.items():
            if pool in load.limit.pools and pool not in node.capacity.pools:
                promised = load.pools.get(pool, 0)
                load.pools[pool] = promised + max(0, used - node.reserve.pools.get(pool, 0) - promised)

    # ---- moving things about

    def put(self, name: str, node: str, size: Size, pool: str) -> None:
        """Count a server of ours on a node."""
        self.where[name] = node
        self._size[name] = (size, pool)
        self.loads[node].add(size, pool)
        server = self.fleet.servers.get(name)
        if server is not None and server.dedicated:
            self.dedicated.setdefault(node, set()).add(name)
        if name in self._bonds:
            for side, domain in self._sides(name, node):
                self._members.setdefault(side, {}).setdefault(domain, set()).add(name)

    def take(self, name: str) -> str:
        """Count a server out again; the node it was on."""
        node = self.where.pop(name)
        size, pool = self._size.pop(name)
        self.loads[node].add(size, pool, -1)
        self.dedicated.get(node, set()).discard(name)
        for side, domain in self._sides(name, node):
            self._members[side][domain].discard(name)
        return node

    def size_of(self, name: str) -> tuple[Size, str]:
        """Size and pool a server is counted with."""
        return self._size[name]

    # ---- questions about rules

    def domain(self, node: str, over: Scope) -> str:
        """The node, failure domain or site a node stands for."""
        if over == "node":
            return node
        declared = self.fleet.nodes[node]
        return declared.domain if over == "failure_domain" else declared.site

    def bonds(self, name: str) -> Sequence[Bond]:
        """A server's part in every rule that names it."""
        return self._bonds.get(name, ())

    def counterparts(self, server: str, bond: Bond, domain: str) -> set[str]:
        """Servers in ``domain`` that the bond's rule relates this one to."""
        found: set[str] = set()
        for side in self._facing(bond):
            found |= side.get(domain, set())
        return found - {server}

    def partner_domains(self, server: str, bond: Bond) -> set[str]:
        """Domains where servers are that the bond's rule relates this one to."""
        return {domain for side in self._facing(bond) for domain, members in side.items() if members - {server}}

    def _facing(self, bond: Bond) -> list[dict[str, set[str]]]:
        """The sides of a rule that one of its members faces: a subject the others, an other the subjects."""
        faced = ([False] if bond.subject else []) + ([True] if bond.other else [])
        return [self._members.get((bond.number, side), {}) for side in faced]

    def _sides(self, name: str, node: str) -> list[tuple[tuple[int, bool], str]]:
        """The (side, domain) pairs a server counts in while it is on ``node``."""
        sides = []
        for bond in self.bonds(name):
            domain = self.domain(node, bond.rule.over)
            sides += [
                ((bond.number, side), domain) for side, member in ((True, bond.subject), (False, bond.other)) if member
            ]
        return sides


def legs(interfaces: tuple[Interface, ...]) -> str:
    """A server's interfaces in words."""
    return ", ".join(f"{leg.network} {leg.address}" for leg in interfaces) or "no network"
