# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers tied to one failure domain, or to one site, that have to leave it: all of them go to another one.

One by one none of them may: the rule that ties them would be broken by the first. So a set is given a domain to go to,
and the rule is left out of account until all of them are there; from then on it holds again. Only those are sent that
find no way otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..fit import SCOPE_WORDS, some
from ..layout import Bond
from ..model import Scope
from ..search.problem import CORES, MEMORY, Problem
from ..search.resettle import Outcome
from .moving import Undertaking

_ROUNDS = 8
"""How often it is tried with other domains for those that found no way."""

Home = tuple[Scope, int]
"""A failure domain, or a site, by its number."""


@dataclass(frozen=True, slots=True)
class TiedSet:
    """Servers that share a domain by hard rules, directly or through others."""

    members: tuple[int, ...]
    over: Scope

    def inside(self, problem: Problem) -> frozenset[int]:
        """The numbers of the domains its members are in as things are."""
        return frozenset(problem.domains[self.over][problem.start[i]] for i in self.members)


def send_sets(
    work: Undertaking, leaving: Sequence[int], outcome: Outcome, begin: Callable[[Problem], object]
) -> Outcome:
    """Try again with whole sets for those who are stuck; what came of it, or ``outcome`` where it helps nobody.

    ``begin`` takes the undertaking back to where its moves begin, on the problem it is given.
    """
    start = work.state.problem
    stuck = _members(start, outcome.stuck)
    waiting = [each for each in tied_sets(start) if stuck & {*each.members} and len(each.inside(start)) == 1]
    choices = {each: _choices(start, each) for each in waiting}
    sent, fewest, tried = dict[TiedSet, Home](), len(outcome.stuck), False
    for _round in range(_ROUNDS):
        waiting = [each for each in waiting if each not in sent and choices[each]]
        if not waiting:
            break
        trial, tried = _assigned(start, sent, waiting, choices), True
        went = _try(work, leaving, trial, begin, start)
        still = _members(start, went.stuck)
        if len(went.stuck) < fewest:
            sent, fewest = {each: home for each, home in trial.items() if not still & {*each.members}}, len(went.stuck)
    if not tried:
        return outcome
    # The last trial left the state as it was at its own end.
    outcome = _try(work, leaving, sent, begin, start)
    work.notes += [_told(start, each, home) for each, home in sent.items()]
    for each in sent:
        gone = [i for i in each.members if i in leaving]
        words = f"goes with {some([start.servers[i] for i in gone])}, to which it is tied"
        work.because.update({i: words for i in each.members if i not in gone})
    return outcome


def tied_sets(problem: Problem) -> list[TiedSet]:
    """Every set of servers that hard rules hold in one failure domain, or in one site; the biggest first."""
    found: list[TiedSet] = []
    scopes: tuple[Scope, ...] = ("failure_domain", "site")
    for over in scopes:
        near: dict[int, set[int]] = {}
        for i, bonds in enumerate(problem.bonds):
            for bond in bonds:
                if _ties(bond) and bond.rule.over == over:
                    names = bond.rule.subjects | bond.rule.others
                    tied = (problem.server_index[name] for name in names if name in problem.server_index)
                    near.setdefault(i, set()).update(tied)
        found += [TiedSet(members, over) for members in _components(near, problem.units) if len(members) > 1]
    return sorted(found, key=lambda each: (-sum(problem.demand[i][MEMORY] for i in each.members), each.members))


# ---------------------------------------------------------------- inside


def _ties(bond: Bond) -> bool:
    rule = bond.rule
    return rule.kind == "together" and rule.hard and bool(rule.subjects and rule.others)


def _components(near: Mapping[int, set[int]], units: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    found, seen = [], set[int]()
    for first in sorted(near):
        if first in seen:
            continue
        members, waiting = set[int](), [first]
        while waiting:
            i = waiting.pop()
            if i not in members:
                members.add(i)
                waiting += [*near.get(i, ()), *units[i]]
        seen |= members
        found.append(tuple(sorted(members)))
    return found


def _members(problem: Problem, leaders: Sequence[int]) -> set[int]:
    return {member for leader in leaders for member in problem.units[leader]}


def _choices(problem: Problem, each: TiedSet) -> list[Home]:
    """Domains, other than its own, with a node for every member by all that does not depend on who else is there."""
    domains, here = problem.domains[each.over], each.inside(problem)

    def admits(i: int, domain: int) -> bool:
        allowed = problem.allowed[i]
        return any(
            domains[j] == domain and not closed and (allowed is None or j in allowed)
            for j, closed in enumerate(problem.closed)
        )

    return [
        (each.over, domain)
        for domain in sorted({*domains} - here)
        if all(admits(i, domain) and not problem.stuck[i] for i in each.members)
    ]


def _assigned(
    problem: Problem, sent: Mapping[TiedSet, Home], waiting: Sequence[TiedSet], choices: Mapping[TiedSet, list[Home]]
) -> dict[TiedSet, Home]:
    """Who is sent already, and everybody who waits to the domain that has most room for it; that choice is used up."""
    free, trial = _room(problem), dict(sent)
    for each, home in sent.items():
        _take(problem, each, free[home])
    for each in waiting:
        home = max(choices[each], key=lambda home: _left(problem, each, free[home]))
        choices[each].remove(home)
        trial[each] = home
        _take(problem, each, free[home])
    return trial


def _room(problem: Problem) -> dict[Home, list[float]]:
    """Cores and memory that are free on each domain's open nodes, as things are."""
    free = [[problem.limit[j][c] - problem.base[j][c] for c in (CORES, MEMORY)] for j in range(len(problem.nodes))]
    for i, j in enumerate(problem.start):
        free[j] = [left - problem.demand[i][c] for left, c in zip(free[j], (CORES, MEMORY), strict=True)]
    found: dict[Home, list[float]] = {}
    for over, domains in problem.domains.items():
        for j, domain in enumerate(domains):
            room = found.setdefault((over, domain), [0.0, 0.0])
            if not problem.closed[j]:
                room[:] = [a + b for a, b in zip(room, free[j], strict=True)]
    return found


def _need(problem: Problem, each: TiedSet) -> list[float]:
    return [sum(problem.demand[i][c] for i in each.members) for c in (CORES, MEMORY)]


def _take(problem: Problem, each: TiedSet, room: list[float]) -> None:
    room[:] = [free - need for free, need in zip(room, _need(problem, each), strict=True)]


def _left(problem: Problem, each: TiedSet, room: Sequence[float]) -> float:
    """The part of a domain's room that is left once a set is there, in the resource that is scarcest."""
    needs = zip(room, _need(problem, each), strict=True)
    return min((free - need) / free if free > 0 else -math.inf for free, need in needs)


def _try(
    work: Undertaking,
    leaving: Sequence[int],
    sent: Mapping[TiedSet, Home],
    begin: Callable[[Problem], object],
    start: Problem,
) -> Outcome:
    """Settle everybody, with these sets on their way to these domains."""
    allowed, bonds = list(start.allowed), list(start.bonds)
    for each, (over, domain) in sent.items():
        there = frozenset(j for j, number in enumerate(start.domains[over]) if number == domain)
        for i in each.members:
            before = allowed[i]
            allowed[i] = there if before is None else before & there
            bonds[i] = tuple(bond for bond in bonds[i] if not (_ties(bond) and bond.rule.over == over))
    begin(replace(start, allowed=tuple(allowed), bonds=tuple(bonds)))
    along = {i for each in sent for i in each.members} - {*leaving}
    return work.settle([*leaving, *sorted(along)])


def _told(problem: Problem, each: TiedSet, home: Home) -> str:
    over, domain = home
    node = problem.node(problem.domains[over].index(domain))
    place, word = node.domain if over == "failure_domain" else node.site, SCOPE_WORDS[over]
    names = some([problem.servers[i] for i in each.members], 8)
    return f"{names}: tied to one {word}, so all of them go to {place}; on their way they are in two"
