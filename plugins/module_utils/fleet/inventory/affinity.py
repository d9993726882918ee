# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers wish to be near to or away from, as written, and its few rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from ..model import Rule, Scope

Kind = Literal["together", "apart"]


@dataclass(frozen=True, slots=True)
class Wish:
    """One item of ``vs_affinity`` or ``vs_anti_affinity``: ``others`` are names of servers or groups."""

    others: tuple[str, ...]
    over: Scope = "node"
    hard: bool = True


@dataclass(frozen=True, slots=True)
class WishOf:
    """A wish with the server that has it."""

    server: str
    kind: Kind
    wish: Wish


def rules(wishes: Iterable[WishOf], members: Callable[[str], frozenset[str]]) -> tuple[Rule, ...]:
    """Few rules for many wishes: servers that wish for the same are subjects of one rule.

    ``members`` resolves a name to the servers it stands for.
    """
    subjects: dict[tuple[Kind, str, Scope, bool], set[str]] = {}
    for item in wishes:
        for other in item.wish.others:
            key = (item.kind, other, item.wish.over, item.wish.hard)
            subjects.setdefault(key, set()).add(item.server)
    made = []
    for (kind, label, over, hard), who in sorted(subjects.items()):
        others = members(label)
        if others and not (len(others) == 1 and who == others):
            made.append(Rule(kind, frozenset(who), others, over, hard, label))
    return tuple(made)
