# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refusals for servers that find no way: every node and why not there, and a smallest set of facts in conflict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..conflict import Conflict, find_conflict
from ..facts import Wish
from ..fit import some
from ..model import Refusal
from ..search.hindrance import Hindrances, loss_words
from ..search.picture import picture
from ..search.relocate import Relocation
from ..search.resettle import Outcome, resettle
from ..search.state import State
from .moving import Undertaking

_EXPLAINED = 3
"""Servers whose conflict is looked for among all there are; what is in the way of the next ones is mostly the same."""

_TOLD = 24
"""Servers that are told node by node, and of which it is asked whether they themselves claim what cannot be."""


def no_way(
    work: Undertaking, outcome: Outcome, leaving: Sequence[int], nodes: Iterable[int], wishes: Sequence[Wish]
) -> list[Refusal]:
    """A refusal for each unit nobody could help.

    ``leaving``: everybody who had to go; ``nodes``: those in question; ``wishes``: what was asked, in words.
    """
    problem = work.problem
    view = Hindrances(work.state)
    names = {problem.nodes[j] for j in nodes if not problem.node(j).witness}
    refusals: list[Refusal] = []
    for leader in outcome.stuck[:_TOLD]:
        members = [problem.servers[i] for i in problem.units[leader]]
        conflict = _conflict(work, leader, leaving, wishes, alone=len(refusals) >= _EXPLAINED)
        tied = f" with {some(members[1:])}, to which it is tied" if len(members) > 1 else ""
        reason = f"fits nowhere{tied}; {_node_by_node(view, leader, names)}"
        if conflict.facts and conflict.others_fixed:
            reason += "; no way to move others aside was found, so the conflict takes them as they are"
        elif conflict.facts and not conflict.smallest:
            reason += "; the conflict is the smallest found in time"
        elif not outcome.proven and not conflict.facts:
            reason += "; no order of moves was found in time that makes room"
        refusals.append(Refusal(members[0], reason, conflict.facts))
    more = [problem.servers[leader] for leader in outcome.stuck[_TOLD:]]
    if more:
        refusals.append(Refusal(some(more, 8), "likewise: nothing was found for them"))
    return refusals


def _node_by_node(view: Hindrances, leader: int, names: set[str]) -> str:
    if not names:
        return "there is no other node than those to be drained"
    here = {view.state.problem.nodes[view.state.at[i]] for i in view.state.problem.units[leader]}
    if len(here) == 1:
        names = names - here
    if not names:
        return "there is no other node"
    by_reason: dict[str, list[str]] = {}
    for name, why in view.everywhere(leader).items():
        if name in names:
            by_reason.setdefault(why, []).append(name)
    if not by_reason:
        return "there is room, but no order of moves leads there"
    return "; ".join(f"{some(found, 8)}: {why}" for why, found in by_reason.items())


def _conflict(
    work: Undertaking, leader: int, leaving: Sequence[int], wishes: Sequence[Wish], *, alone: bool
) -> Conflict:
    """What is in a unit's way; ``alone``: only if that is what it claims itself, which is found out soon."""
    problem = work.problem
    members = frozenset(problem.servers[i] for i in problem.units[leader])
    layout = picture(State(problem))
    own = find_conflict(layout, problem.observed, members, frozenset(), wishes)
    if own.own or alone:
        return own if own.own else Conflict()
    found = find_conflict(layout, problem.observed, members, frozenset(problem.servers) - members, wishes)
    return found if found.facts else _with_failures(work, leader, leaving, wishes)


def _with_failures(work: Undertaking, leader: int, leaving: Sequence[int], wishes: Sequence[Wish]) -> Conflict:
    """The failures that have to stay survivable, where that alone is in the way."""
    state = work.start()
    if work.yielding or not state.protected:
        # Where failures may be given up, that has been tried.
        return Conflict()
    relocation = Relocation(state, work.backups)
    outcome = resettle(relocation, leaving, yielding=True)
    if leader in outcome.stuck or not outcome.forsaken:
        return Conflict()
    members = {state.problem.servers[i] for i in state.problem.units[leader]}
    asked = [wish.words for wish in wishes if wish.servers is None or wish.servers & members]
    losses = [f"{loss_words(state.problem, loss)} has to stay survivable" for loss in outcome.forsaken]
    return Conflict((*asked, *losses), len(losses) == 1)
