# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contradictions between hard rules of affinity and anti-affinity, and between them and pins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from ..model import Fleet, Node, Rule, Scope, Server
from .reading import Draft

SCOPES: Final[tuple[Scope, ...]] = ("node", "failure_domain", "site")
"""From narrow to wide: who shares a node shares its failure domain, who shares that shares its site."""
_PLURAL: Final[Mapping[Scope, str]] = {"node": "nodes", "failure_domain": "failure domains", "site": "sites"}


def domain(node: Node, scope: Scope) -> str:
    """The node, failure domain or site a node is or is in."""
    return node.name if scope == "node" else node.domain if scope == "failure_domain" else node.site


def check(draft: Draft, fleet: Fleet, carriers: Sequence[Node]) -> None:
    """Note rules no placement can keep. Sites are left out while a node's site is in doubt."""
    doubtful = any("node_site" in values.wrong for values in draft.nodes.values()) or "fleet_sites" in draft.fleet.wrong
    scopes = SCOPES[:2] if doubtful else SCOPES
    together = _together(fleet.rules)
    spots = _Spots(fleet, together)
    _pins_of_groups(draft, fleet, together, scopes)
    _dedicated(draft, fleet, together["node"])
    told: set[frozenset[str]] = set()
    for rule in fleet.rules:
        if rule.kind == "apart" and rule.hard and rule.over in scopes:
            _apart_and_together(draft, rule, together[rule.over], told)
            _apart_and_pinned(draft, fleet, rule, spots, told)
            _too_many(draft, fleet, rule, carriers)


class Groups:
    """Servers tied to each other, directly or through others (a union-find forest)."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def root(self, name: str) -> str | None:
        """The name that stands for the group; None for a server that is tied to nobody."""
        if name not in self._parent:
            return None
        while (parent := self._parent[name]) != name:
            self._parent[name] = self._parent[parent]
            name = parent
        return name

    def tie(self, names: Iterable[str]) -> None:
        """Put all of them into one group."""
        first: str | None = None
        for name in names:
            self._parent.setdefault(name, name)
            root = self.root(name)
            if first is None:
                first = root
            elif root is not None and root != first:
                self._parent[root] = first

    def all(self) -> list[list[str]]:
        """Every group, sorted."""
        found: dict[str | None, list[str]] = {}
        for name in sorted(self._parent):
            found.setdefault(self.root(name), []).append(name)
        return list(found.values())


def _together(rules: Iterable[Rule]) -> dict[Scope, Groups]:
    """Per scope, who has to share it; what is tied at a narrow scope is tied at every wider one."""
    groups = {scope: Groups() for scope in SCOPES}
    for rule in rules:
        if rule.kind == "together" and rule.hard:
            for scope in SCOPES[SCOPES.index(rule.over) :]:
                groups[scope].tie(sorted(rule.subjects | rule.others))
    return groups


class _Spots:
    """Where a server has to be: because it is pinned, or is tied to one that is."""

    def __init__(self, fleet: Fleet, together: Mapping[Scope, Groups]) -> None:
        self._fleet = fleet
        self._by_group: dict[Scope, dict[str, str]] = {scope: {} for scope in SCOPES}
        self._groups = together
        for server in fleet.servers.values():
            for scope in SCOPES:
                root = together[scope].root(server.name)
                place = own_place(fleet, server, scope)
                if root is not None and place:
                    self._by_group[scope].setdefault(root, place)

    def of(self, name: str, scope: Scope) -> str:
        """The node, failure domain or site; empty where it is open."""
        own = own_place(self._fleet, self._fleet.servers[name], scope)
        root = self._groups[scope].root(name)
        return own or (self._by_group[scope].get(root, "") if root is not None else "")


def own_place(fleet: Fleet, server: Server, scope: Scope) -> str:
    """Where a server has to be by its own words; empty where they leave it open."""
    if server.node:
        return domain(fleet.nodes[server.node], scope)
    return server.site if scope == "site" else ""


def _pins_of_groups(draft: Draft, fleet: Fleet, together: Mapping[Scope, Groups], scopes: Sequence[Scope]) -> None:
    """Servers that are to be together, and are held in different places."""
    told: set[str] = set()
    for scope in scopes:
        for group in together[scope].all():
            held = [(name, place) for name in group if (place := own_place(fleet, fleet.servers[name], scope))]
            for name, place in held[1:]:
                if place != held[0][1] and name not in told:
                    told.add(name)
                    variable = "vs_node" if fleet.servers[name].node else "vs_site"
                    problem = f"together with {held[0][0]}, which is held in {_PLURAL[scope][:-1]} {held[0][1]}"
                    draft.notes(draft.servers[name]).wrong(variable, draft.servers[name][variable], problem, held[0][1])


def _dedicated(draft: Draft, fleet: Fleet, together: Groups) -> None:
    for group in together.all():
        alone = [name for name in group if fleet.servers[name].dedicated]
        if alone and len(group) > 1:
            other = next(name for name in group if name != alone[0])
            problem = f"nothing else is to run on its node, and it is to be together with {other}"
            draft.notes(draft.servers[alone[0]]).wrong("vs_dedicated", True, problem, "one of the two")


def _apart_and_together(draft: Draft, rule: Rule, together: Groups, told: set[frozenset[str]]) -> None:
    problem = (
        f"apart over {_PLURAL[rule.over]}, and together at the same time (vs_affinity, directly or through others)"
    )
    for pair in _meetings(rule, lambda name: together.root(name) or ""):
        _tell(draft, rule, pair, variable="vs_anti_affinity", problem=problem, told=told)


def _apart_and_pinned(draft: Draft, fleet: Fleet, rule: Rule, spots: _Spots, told: set[frozenset[str]]) -> None:
    for pair in _meetings(rule, lambda name: spots.of(name, rule.over)):
        where = f"{_PLURAL[rule.over][:-1]} {spots.of(pair[0], rule.over)}"
        problem = f"apart over {_PLURAL[rule.over]}, and both are held in {where}"
        variable = "vs_node" if fleet.servers[pair[0]].node else "vs_anti_affinity"
        _tell(draft, rule, pair, variable=variable, problem=problem, told=told)


def _meetings(rule: Rule, place: Callable[[str], str]) -> Iterable[tuple[str, str]]:
    """Each subject that meets one of the others, with the first it meets; a pair once."""
    present: dict[str, list[str]] = {}
    for name in sorted(rule.others):
        if where := place(name):
            present.setdefault(where, []).append(name)
    if not present:
        return
    for name in sorted(rule.subjects):
        met = next((other for other in present.get(place(name), ())[:2] if other != name), "")
        mutual = met in rule.subjects and name in rule.others
        if met and not (mutual and name < met):
            yield name, met


def _tell(
    draft: Draft, rule: Rule, pair: tuple[str, str], *, variable: str, problem: str, told: set[frozenset[str]]
) -> None:
    """Note a pair that cannot be, once, whichever of the two wished for it."""
    server, other = pair
    if frozenset(pair) not in told:
        told.add(frozenset(pair))
        values = draft.servers[server]
        value = values[variable] if variable == "vs_node" else rule.label
        draft.notes(values).wrong(variable, value, f"{server} and {other}: {problem}", "one of the two")


def _too_many(draft: Draft, fleet: Fleet, rule: Rule, carriers: Sequence[Node]) -> None:
    """More servers that are all apart from each other than there are places for them."""
    mutual = rule.subjects & rule.others
    if len(mutual) < 2:
        return
    nodes = [node for node in carriers if not node.dedicated or node.dedicated & mutual]
    told = _crowded(draft, rule, mutual, {domain(node, rule.over) for node in nodes}, "")
    sites = {site for name in mutual if (site := own_place(fleet, fleet.servers[name], "site"))}
    for site in sorted(sites) if not told and rule.over != "site" else ():
        here = frozenset(name for name in mutual if own_place(fleet, fleet.servers[name], "site") == site)
        _crowded(
            draft, rule, here, {domain(node, rule.over) for node in nodes if node.site == site}, f" in site {site}"
        )


def _crowded(draft: Draft, rule: Rule, mutual: frozenset[str], places: set[str], where: str) -> bool:
    if len(mutual) <= len(places):
        return False
    first = min(mutual)
    count = f"{len(places)} {_PLURAL[rule.over] if len(places) != 1 else _PLURAL[rule.over][:-1]}"
    problem = f"{len(mutual)} servers apart from each other over {_PLURAL[rule.over]}{where}, and {count} for them"
    accepted = "hard: false, fewer servers, a narrower `over`, or more nodes"
    draft.notes(draft.servers[first]).wrong("vs_anti_affinity", rule.label, problem, accepted)
    return True
