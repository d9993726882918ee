# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An impossible wish answered with a smallest set of facts that cannot all hold: without any one of them, the rest can.

Divide and conquer over the facts (QuickXplain: U. Junker, AAAI 2004), which keeps what stands first in their order:
wishes and pins before sizes. Whether a set can hold is found out by search, exactly where it comes to an end in time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .facts import ASKED, CLAIM, PRESENCE, ROOM, Wish, ask, measure
from .feasible import EPSILON, Fact, Question, feasible
from .fit import some
from .layout import Layout
from .model import Observed

_EFFORT = 40_000
"""Placements tried, at most, for one conflict."""

_EACH = 8_000
"""Of these, for one set of facts."""

MOST_CHOICES = 600
"""Servers times nodes, at most, for a question in which everybody may be moved; beyond, only those asked for."""

_FEW = 4
"""Facts that are few enough not to look for fewer."""

_LISTED = 6
"""Facts of one kind, at most, that are told one by one."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Facts that cannot all hold, in words; none: nothing was found."""

    facts: tuple[str, ...] = ()
    smallest: bool = False
    """Proven that without any one of them, the rest can hold."""
    own: bool = False
    """Made of wishes and of what the servers themselves claim: wherever all others are, it is one."""
    others_fixed: bool = False
    """As long as all others stay where they are."""


def find_conflict(
    layout: Layout, observed: Observed, asked: frozenset[str], others: frozenset[str], wishes: Sequence[Wish]
) -> Conflict:
    """Why the servers asked for cannot all be placed as wished, though ``others`` may be moved to make room.

    ``layout`` is how things are. Where that is more than can be found out, the others are left where they are.
    """
    alone = [Wish(wish.words, wish.nodes, asked if wish.servers is None else asked & wish.servers) for wish in wishes]
    everybody = asked | others
    if len(everybody) * len(layout.fleet.nodes) <= MOST_CHOICES:
        for wanted in (alone, wishes):
            conflict = smallest(ask(layout, observed, everybody, wanted, asked))
            if conflict.facts:
                return conflict
    found = smallest(ask(layout, observed, asked, alone, asked))
    return replace(found, others_fixed=bool(others) and not found.own)


def smallest(question: Question) -> Conflict:
    """A smallest set of facts of a question that cannot all hold; none if they can, or nobody knows."""
    work = _Filter(question)
    found = work.run(_by_rank(question))
    if len(found) > _FEW and not work.unsure:
        again = _Filter(question)
        other = again.run(_by_size(question))
        if len(other) < len(found):
            work, found = again, other
    if not found:
        return Conflict()
    own = all(question.facts[at].rank <= CLAIM and at not in question.alone.values() for at in found)
    return Conflict(tuple(_words(question, found)), not work.unsure, own)


def minimal(question: Question, order: Sequence[int]) -> list[int]:
    """Positions of facts that cannot all hold, none of them superfluous; empty if all can."""
    return _Filter(question).run(order)


@dataclass(slots=True)
class _Filter:
    """One search for a conflict."""

    question: Question
    left: int = _EFFORT
    unsure: bool = False
    """Some set of facts may hold or not; nobody found out."""
    known: dict[frozenset[int], bool] = field(default_factory=dict)

    def run(self, order: Sequence[int]) -> list[int]:
        """The conflict among all facts, those first in ``order`` kept before others."""
        if not self._impossible(frozenset(order)):
            return []
        return sorted(self._explain(frozenset(), list(order), grown=False))

    def _explain(self, held: frozenset[int], facts: list[int], *, grown: bool) -> list[int]:
        """What of ``facts`` is needed for a conflict with ``held``; with all of them there is one."""
        if grown and self._impossible(held):
            return []
        if len(facts) == 1:
            return facts
        half = len(facts) // 2
        first, second = facts[:half], facts[half:]
        needed = self._explain(held | frozenset(first), second, grown=True)
        return [*self._explain(held | frozenset(needed), first, grown=bool(needed)), *needed]

    def _impossible(self, facts: frozenset[int]) -> bool:
        if facts not in self.known:
            answer, spent = feasible(self.question, facts, min(_EACH, self.left))
            self.left -= spent
            self.unsure |= answer is None
            self.known[facts] = answer is False
        return self.known[facts]


def _telling(question: Question) -> list[int]:
    """Facts that can be part of a conflict: not the room of nodes that everybody together would not fill."""
    columns = range(len(question.columns))
    wanted = [
        sum(max((takes[c] for takes in item.takes.values()), default=0.0) for item in question.items) for c in columns
    ]
    return [
        at for at, fact in enumerate(question.facts) if fact.rank != ROOM or fact.amount < wanted[fact.column] - EPSILON
    ]


def _by_rank(question: Question) -> list[int]:
    return sorted(_telling(question), key=lambda at: (question.facts[at].rank, at))


def _by_size(question: Question) -> list[int]:
    """Big servers before small ones: fewer of them fill a node."""
    bulk = {item.fact: -max(max(takes, default=0.0) for takes in item.takes.values()) for item in question.items}
    return sorted(_telling(question), key=lambda at: (question.facts[at].rank, bulk.get(at, 0.0), at))


# ---------------------------------------------------------------- words


def _words(question: Question, found: Sequence[int]) -> list[str]:
    """Each fact in a line; many of a kind together."""
    columns = question.columns
    facts = [question.facts[at] for at in found]
    short = sorted({fact.column for fact in facts if fact.rank == ROOM})
    plain = [fact.words for fact in facts if fact.rank not in (ASKED, PRESENCE, ROOM)]
    items = {item.fact: item for item in question.items}
    lines = list(plain)
    present = [items[at] for at in found if at in items]
    fixed = [item for item in present if question.facts[item.fact].words != item.name]
    lines += [question.facts[item.fact].words for item in fixed]
    sized = [item for item in present if item not in fixed]
    if short:
        amounts = {item.name: [next(iter(item.takes.values()))[column] for column in short] for item in sized}
        lines += _grouped(amounts, short, columns, "take", "takes")
    else:
        lines += [f"{item.name} has to be somewhere" for item in sized if not any(item.name in line for line in plain)]
    for column in short:
        rooms = [fact for fact in facts if fact.rank == ROOM and fact.column == column]
        wanted = [next(iter(item.takes.values()))[column] for item in sized]
        lines += [fact.words for fact in rooms] if len(rooms) <= _LISTED else [_rooms(rooms, wanted, columns)]
    return lines


def _rooms(rooms: Sequence[Fact], wanted: Sequence[float], columns: Sequence[str]) -> str:
    """What many nodes have of one resource: too little each, or too little all together."""
    column = rooms[0].column
    names = some([fact.words.split(" ", 1)[0] for fact in rooms], 3)
    most = max(fact.amount for fact in rooms)
    if most < min((amount for amount in wanted if amount), default=0.0):
        return f"{names} have no more than {measure(columns, column, most)} left each"
    grain = math.gcd(*map(int, wanted)) if all(amount == int(amount) for amount in wanted) else 0
    total = sum(fact.amount // grain * grain if grain else fact.amount for fact in rooms)
    counted = f", counted in pieces of {grain}" if grain > 1 else ""
    return f"{names} have {measure(columns, column, total)} together for what may move{counted}"


def _grouped(
    amounts: dict[str, list[float]], short: Sequence[int], columns: Sequence[str], many: str, one: str
) -> list[str]:
    """What each server takes of what is short; many of them together."""

    def told(values: Sequence[float]) -> str:
        return ", ".join(measure(columns, column, value) for column, value in zip(short, values, strict=True))

    if len(amounts) <= _LISTED:
        return [f"{name} {one} {told(values)}" for name, values in amounts.items()]
    totals = [sum(values) for values in zip(*amounts.values(), strict=True)]
    return [f"{some(list(amounts))} {many} {told(totals)} together"]
