# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that decides where servers may be, taken apart into facts: pins, rules, sizes, rooms, wishes.

What is broken where things stand is tolerated: a server may stay where it must not be, and a node as full as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .feasible import Bound, Fact, Item, Question
from .fit import SCOPE_WORDS, figure, some, standing
from .layout import Layout
from .model import Observed, Rule, Server, Size
from .usage import Load

WISH, ASKED, CLAIM, RULE, ROOM, PRESENCE = range(6)
"""Ranks of facts: the first are the likeliest to be what somebody got wrong."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a goal asks: that some servers are not on some nodes any more."""

    words: str
    nodes: frozenset[str]
    """Where they are not to be."""
    servers: frozenset[str] | None = None
    """``None``: all."""


def ask(
    layout: Layout, observed: Observed, moving: Iterable[str], wishes: Sequence[Wish], asked: frozenset[str]
) -> Question:
    """The question whether all of ``moving`` have a place, with everybody else left where they are.

    ``asked``: those of them it is really about. A server that is not on the layout is new.
    """
    return _Asking(layout, observed, sorted(moving), wishes, asked).question()


class _Asking:
    """A question in the making."""

    def __init__(
        self, layout: Layout, observed: Observed, moving: Sequence[str], wishes: Sequence[Wish], asked: frozenset[str]
    ) -> None:
        self.layout, self.observed, self.moving, self.wishes, self.asked = layout, observed, moving, wishes, asked
        self.fleet = layout.fleet
        self.nodes = list(self.fleet.nodes)
        self.facts: list[Fact] = []
        pools = {pool for load in layout.loads.values() for pool in (*load.limit.pools, *load.pools)}
        pools |= {self._size(name)[1] for name in moving}
        self.columns = ("cores", "memory", "io", *sorted(pools))

    def question(self) -> Question:
        """Facts and what each does."""
        room = self._rooms()
        self._wished = self._wish_bars()
        shared = self._shared_bars()
        rules = [rule for rule in self.fleet.rules if rule.hard and (rule.subjects | rule.others) & {*self.moving}]
        items = [self._item(name, shared) for name in self.moving]
        items += [self._fixture(name) for name in self._bystanders(rules)]
        index = {item.name: at for at, item in enumerate(items)}
        bounds = tuple(bound for rule in rules if (bound := self._bound(rule, items, index)))
        alone = {
            index[name]: self._fact(f"{name} wants a node to itself", CLAIM)
            for name in self.moving
            if self.fleet.servers[name].dedicated
        }
        crowd = tuple(map(self._crowd, self.nodes))
        return Question(tuple(self.facts), tuple(items), room, bounds, alone, crowd, self.columns)

    def _fact(self, words: str, rank: int, column: int = -1, amount: float = 0.0) -> int:
        self.facts.append(Fact(words, rank, column, amount))
        return len(self.facts) - 1

    # ---- servers

    def _item(self, name: str, shared: Sequence[tuple[int, frozenset[int], frozenset[str]]]) -> Item:
        """A server that may be moved, with everything that keeps it off nodes."""
        home = self.nodes.index(self.layout.where[name]) if name in self.layout.where else -1
        size, pool = self._size(name)
        takes = self._vector(size, pool)
        fact = self._fact(name, ASKED if name in self.asked else PRESENCE)
        tolerated = frozenset({home})
        bars = [(number, nodes - tolerated) for number, nodes in self._claims(self.fleet.servers[name])]
        bars += [(number, nodes - tolerated) for number, nodes, servers in shared if name in servers]
        bars += [(number, nodes) for number, nodes, servers in self._wished if name in servers]
        places = [j for j, node in enumerate(self.fleet.nodes.values()) if not node.witness]
        if home >= 0 and self._silent(self.nodes[home]):
            places = [home]
        return Item(name, fact, dict.fromkeys(places, takes), tuple(limit for limit in bars if limit[1]), home)

    def _fixture(self, name: str) -> Item:
        """A server that stays where it is, and matters for a rule alone."""
        node = self.layout.where[name]
        home = self.nodes.index(node)
        return Item(name, self._fact(f"{name} is on {node}", PRESENCE), {home: (0.0,) * len(self.columns)}, (), home)

    def _bystanders(self, rules: Sequence[Rule]) -> list[str]:
        concerned = {name for rule in rules for name in rule.subjects | rule.others}
        return sorted(name for name in concerned if name in self.layout.where and name not in self.moving)

    def _claims(self, server: Server) -> list[tuple[int, frozenset[int]]]:
        """What a server itself claims -> where that keeps it from being."""
        nodes = list(enumerate(self.fleet.nodes.values()))
        claims = []
        if server.node:
            others = frozenset(j for j, node in nodes if node.name != server.node)
            claims.append((self._fact(f"{server.name} is pinned to {server.node}", CLAIM), others))
        if server.site:
            others = frozenset(j for j, node in nodes if node.site != server.site)
            claims.append((self._fact(f"{server.name} belongs in site {server.site}", CLAIM), others))
        for device in sorted(server.devices):
            having = [node.name for _j, node in nodes if device in node.devices]
            words = f"{server.name} needs device {device}, which {some(having) if having else 'no node'} has"
            claims.append((self._fact(words, CLAIM), frozenset(j for j, node in nodes if device not in node.devices)))
        return claims

    # ---- nodes

    def _shared_bars(self) -> list[tuple[int, frozenset[int], frozenset[str]]]:
        """(fact, nodes, servers) for what keeps newcomers off nodes."""
        bars: list[tuple[int, frozenset[int], frozenset[str]]] = []
        everybody = frozenset(self.moving)
        for j, node in enumerate(self.fleet.nodes.values()):
            if node.witness:
                continue
            closed = standing(node, self.observed)
            if closed:
                bars.append((self._fact(f"{node.name} {closed}", CLAIM), frozenset({j}), everybody))
            if node.dedicated:
                words = f"{node.name} is dedicated to {some(node.dedicated)}"
                bars.append((self._fact(words, CLAIM), frozenset({j}), everybody - node.dedicated))
            holders = self.layout.dedicated.get(node.name, set()) - everybody
            if holders:
                words = f"{node.name} carries {some(holders)}, whose node carries nothing else"
                # No claim of those asked for: the holders might go elsewhere.
                bars.append((self._fact(words, RULE), frozenset({j}), everybody))
        return bars

    def _wish_bars(self) -> list[tuple[int, frozenset[int], frozenset[str]]]:
        """The same of wishes, from which nobody is excused for being there already."""
        everybody = frozenset(self.moving)
        return [
            (
                self._fact(wish.words, WISH),
                frozenset(j for j, name in enumerate(self.nodes) if name in wish.nodes),
                everybody if wish.servers is None else wish.servers,
            )
            for wish in self.wishes
        ]

    def _rooms(self) -> tuple[tuple[tuple[int, float], ...], ...]:
        """Per node and resource: the fact, and the room for everything that may move."""
        rooms = []
        for name in self.nodes:
            load = self.layout.loads[name]
            limit, taken = self._limit(load), self._load(load)
            own = [0.0] * len(self.columns)
            for other in self.moving:
                if self.layout.where.get(other) == name:
                    own = [a + b for a, b in zip(own, self._vector(*self._size(other)), strict=True)]
            columns = []
            for column, most in enumerate(limit):
                fixed = max(0.0, taken[column] - own[column])
                words = self._room_words(name, column, most, fixed)
                room = max(most - fixed, own[column])
                columns.append((self._fact(words, ROOM, column, room), room))
            rooms.append(tuple(columns))
        return tuple(rooms)

    def _room_words(self, node: str, column: int, most: float, fixed: float) -> str:
        what = self.columns[column]
        if column > 2 and what not in self.layout.loads[node].limit.pools:
            there = ", ".join(sorted(self.layout.loads[node].limit.pools))
            return f"{node} has no storage pool {what}" + (f", only {there}" if there else "")
        beside = f", {figure(fixed)} of it taken by what does not move" if fixed > 0 else ""
        return f"{node} has {measure(self.columns, column, most)}{beside}"

    def _crowd(self, node: str) -> int:
        own = sum(1 for other in self.moving if self.layout.where.get(other) == node)
        return self.layout.loads[node].servers - own

    def _silent(self, node: str) -> bool:
        seen = self.observed.nodes.get(node)
        return seen is None or seen.reach != "online"

    # ---- rules

    def _bound(self, rule: Rule, items: Sequence[Item], index: dict[str, int]) -> Bound | None:
        """A rule among items; who breaks it where things stand is let off."""
        names = [self.layout.domain(node, rule.over) for node in self.nodes]
        domains = tuple(names.index(name) for name in names)
        apart = rule.kind == "apart"
        subjects = {index[name] for name in rule.subjects if name in index}
        others = {index[name] for name in rule.others if name in index}
        excused = {
            a
            for a in subjects
            for b in others
            if a != b
            and min(items[a].home, items[b].home) >= 0
            and (domains[items[a].home] == domains[items[b].home]) == apart
        }
        subjects -= excused
        if not any(a != b for a in subjects for b in others):
            return None
        fact = self._fact(_rule_words(rule), RULE)
        return Bound(fact, apart, frozenset(subjects), frozenset(others), domains)

    # ---- sizes

    def _size(self, name: str) -> tuple[Size, str]:
        if name in self.layout.where:
            return self.layout.size_of(name)
        server = self.fleet.servers[name]
        return server.size, server.pool

    def _vector(self, size: Size, pool: str) -> tuple[float, ...]:
        disks = (float(size.disk) if pool == own else 0.0 for own in self.columns[3:])
        return (float(size.cores), float(size.memory), float(size.io), *disks)

    def _load(self, load: Load) -> list[float]:
        return [
            load.cores,
            float(load.memory),
            float(load.io),
            *(float(load.pools.get(p, 0)) for p in self.columns[3:]),
        ]

    def _limit(self, load: Load) -> list[float]:
        limit = load.limit
        io = float(limit.io) if limit.io >= 0 else float("inf")
        return [limit.cores, float(limit.memory), io, *(float(limit.pools.get(p, 0)) for p in self.columns[3:])]


def measure(columns: Sequence[str], column: int, amount: float) -> str:
    """An amount of a resource, in words."""
    if column == 0:
        return f"{figure(amount)} cores"
    if column == 1:
        return f"{figure(amount)} MiB of memory"
    pool = columns[column]
    return f"io {figure(amount)}" if pool == "io" else f"{figure(amount)} MiB of disk on pool {pool}"


def _rule_words(rule: Rule) -> str:
    """``sip1 and sip2 are kept apart (sip_routers)``."""
    label = f" ({rule.label})" if rule.label else ""
    over = "" if rule.over == "node" else f" over {SCOPE_WORDS[rule.over]}s"
    if rule.subjects == rule.others:
        verb = "are kept apart" if rule.kind == "apart" else "stay together"
        return f"{some(sorted(rule.subjects), 6)} {verb}{over}{label}"
    one = len(rule.subjects) == 1
    verb = f"{'is' if one else 'are'} kept apart from" if rule.kind == "apart" else f"stay{'s' * one} together with"
    return f"{some(sorted(rule.subjects), 6)} {verb} {some(sorted(rule.others), 6)}{over}{label}"
