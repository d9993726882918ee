# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a platform that starts servers elsewhere by itself has to know of the inventory's rules.

Platforms keep whole sets of servers together, or apart node by node, and move them where that is broken. So a rule is
handed over as sets, only as far as the platform protects the servers, and only once it holds: whoever has to be moved
first is moved by a plan. What holds where everybody is cannot contradict itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from .fit import some
from .model import Arrangement, Fleet, Rule

MOST_PAIRS = 64
"""Pairs one rule may be taken apart into; beyond, the platform is not told of it."""


@dataclass(frozen=True, slots=True)
class Arrangements:
    """What to hand over, and what cannot be, in words."""

    wanted: frozenset[Arrangement]
    notes: tuple[str, ...]


def arrangements(fleet: Fleet, where: Mapping[str, str], protected: Collection[str]) -> Arrangements:
    """The hard rules as sets of protected servers; ``where`` says on which node each is."""
    notes: list[str] = []
    apart = [each for rule in fleet.rules for each in _apart(rule, frozenset(protected), notes)]
    together = _joined(_tied(rule, frozenset(protected)) for rule in fleet.rules)
    kept_apart = {each for each in apart if not any(each < other for other in apart)}
    wanted = []
    for servers in sorted(kept_apart, key=sorted):
        clash = [
            f"{first} and {second} are both on {where[first]}"
            for first, second in combinations(sorted(servers), 2)
            if where[first] == where[second]
        ]
        if clash:
            notes.append(f"{some(servers)}: the platform is not told to keep them apart yet, as {clash[0]}")
        else:
            wanted.append(Arrangement("apart", servers))
    for servers in together:
        nodes = {where[name] for name in servers}
        if len(nodes) > 1:
            notes.append(
                f"{some(servers)}: the platform is not told to keep them together yet, as they are on {some(nodes)}"
            )
        else:
            wanted.append(Arrangement("together", servers))
    return Arrangements(frozenset(wanted), tuple(notes))


def _apart(rule: Rule, protected: frozenset[str], notes: list[str]) -> list[frozenset[str]]:
    """Sets of servers no two of which may share a node. To share no failure domain is to share no node, too."""
    if rule.kind != "apart" or not rule.hard:
        return []
    subjects, others = rule.subjects & protected, rule.others & protected
    if subjects == others:
        return [subjects] if len(subjects) > 1 else []
    pairs = {frozenset({first, second}) for first in subjects for second in others if first != second}
    if len(pairs) > MOST_PAIRS:
        notes.append(
            f"anti-affinity {rule.label or some(rule.subjects)}: {len(pairs)} pairs are more than the platform is told "
            f"of ({MOST_PAIRS}); plans keep to it, a failover may not"
        )
        return []
    return sorted(pairs, key=sorted)


def _tied(rule: Rule, protected: frozenset[str]) -> frozenset[str]:
    """Servers that have to share one node."""
    if rule.kind != "together" or not rule.hard or rule.over != "node" or not (rule.subjects and rule.others):
        return frozenset()
    return (rule.subjects | rule.others) & protected


def _joined(sets: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    """Sets that have a member in common are one."""
    found: list[frozenset[str]] = []
    for each in sets:
        if len(each) > 1:
            meeting = [other for other in found if other & each]
            found = [other for other in found if not other & each] + [each.union(*meeting)]
    return sorted(found, key=sorted)
