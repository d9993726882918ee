# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill on paper: any node or failure domain dies, and who runs again where, in which order, when, with what data.

Times are estimates, by the rates an engine tells (``Abilities``). What the platform starts by itself is counted from
the death; what a person starts, from the moment ``failover`` begins to.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from .backups import choose_backups
from .explain import table
from .fit import SCOPE_WORDS, some
from .model import Fleet, Observed, Scope
from .rescue import Coming, Rescue
from .search.problem import Loss, Problem, formulate
from .search.state import State

_NAMED = 8


@dataclass(frozen=True, slots=True)
class Revival:
    """A server that would run again."""

    server: str
    node: str
    """The one that dies."""
    to: str
    order: int
    by_hand: bool
    seconds: float
    """Until it serves again, about."""
    age: float | None
    """Seconds its data would be old; ``None``: nobody tells."""
    replica: bool
    """Whether it has what it would start from; otherwise it is counted as if it had."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What one loss would come to."""

    lost: str
    over: Scope
    revivals: tuple[Revival, ...]
    """In the order they would start."""
    down: dict[str, str]
    """Server that would stay down although it should run -> why."""
    resting: dict[str, str]
    """Server that nothing starts elsewhere, by its own declaration -> which."""

    @property
    def name(self) -> str:
        """``node1``; ``failure domain rack1``."""
        return self.lost if self.over == "node" else f"{SCOPE_WORDS[self.over]} {self.lost}"

    @property
    def staying(self) -> dict[str, str]:
        """Everybody who would stay down -> why."""
        return {**self.down, **self.resting}

    def document(self) -> dict[str, Any]:
        """As JSON types."""
        return {**asdict(self), "revivals": [asdict(each) for each in self.revivals]}


def rehearse(fleet: Fleet, observed: Observed, nodes: Collection[str] = ()) -> tuple[Rehearsal, ...]:
    """Every loss of a node or failure domain that carries something; with ``nodes``, of these nodes alone."""
    problem = formulate(fleet, observed)
    before = State(problem)
    choose_backups(before)
    found = []
    for loss in problem.losses:
        if nodes and not (loss.over == "node" and loss.name in nodes):
            continue
        rescue = Rescue(problem, before, loss.nodes)
        if rescue.hit():
            found.append(_rehearsal(problem, loss, rescue))
    return tuple(found)


def _rehearsal(problem: Problem, loss: Loss, rescue: Rescue) -> Rehearsal:
    names = problem.servers
    seconds = _times(problem, rescue.coming)
    revivals = [
        Revival(
            server=names[coming.i],
            node=problem.nodes[coming.home],
            to=problem.nodes[coming.to],
            order=problem.server(coming.i).start_order,
            by_hand=_by_hand(problem, coming.i),
            seconds=round(seconds[coming.i], 1),
            age=None if (age := rescue.age(coming.i)) is None else round(age, 1),
            replica=not rescue.has_no_copy(coming.i),
        )
        for coming in rescue.coming
    ]
    return Rehearsal(
        loss.name,
        loss.over,
        tuple(sorted(revivals, key=lambda each: (each.by_hand, each.order, each.seconds, each.server))),
        {names[i]: why for i, why in rescue.lost.items()},
        {names[i]: why for i, why in rescue.resting.items()},
    )


def _by_hand(problem: Problem, i: int) -> bool:
    return problem.server(i).failover.mode == "manual" or not problem.observed.abilities.protects


def _times(problem: Problem, coming: Iterable[Coming]) -> dict[int, float]:
    """Server -> when it serves: start order after start order, on each node as many side by side as it may."""
    abilities = problem.observed.abilities
    found: dict[int, float] = {}
    everybody = list(coming)
    for by_hand in (False, True):
        mine = [each for each in everybody if _by_hand(problem, each.i) == by_hand]
        clock = 0.0 if by_hand else abilities.detection
        for order in sorted({problem.server(each.i).start_order for each in mine}):
            begun: dict[int, int] = {}
            now = [each for each in mine if problem.server(each.i).start_order == order]
            for each in now:
                begun[each.to] = begun.get(each.to, 0) + 1
                turn = math.ceil(begun[each.to] / problem.node(each.to).concurrency)
                found[each.i] = clock + turn * abilities.start
            clock = max(found[each.i] for each in now) + max(problem.server(each.i).start_delay for each in now)
    return found


# ---------------------------------------------------------------- words


def drill_text(rehearsals: Iterable[Rehearsal], *, each: bool) -> str:
    """A line per loss, and what would stay down; with ``each``, a line per server as well."""
    found = list(rehearsals)
    if not found:
        return "nothing runs that a failure could stop"
    lines = table(
        ("dies", "carries", "start again", "by hand", "after, s", "data old, s", "stay down"),
        [_row(rehearsal) for rehearsal in found],
    )
    for rehearsal in found:
        for why, names in _by_reason(rehearsal.down).items():
            lines.append(f"  {rehearsal.name}: {some(names, _NAMED)} would stay down: {why}")
        unmade = [revival.server for revival in rehearsal.revivals if not revival.replica]
        if unmade:
            lines.append(
                f"  {rehearsal.name}: {some(unmade, _NAMED)}: no complete replica yet, counted as if there were"
            )
    for rehearsal in found if each else ():
        rows = [
            (
                str(revival.order),
                revival.server,
                f"{revival.node} → {revival.to}",
                f"{'run + ' if revival.by_hand else ''}{revival.seconds:.1f}",
                "?" if revival.age is None else f"{revival.age:.0f}",
            )
            for revival in rehearsal.revivals
        ]
        rows += [
            ("", name, rehearsal.lost, "down", why) for name, why in {**rehearsal.down, **rehearsal.resting}.items()
        ]
        lines += ["", f"{rehearsal.name} dies:", *table(("order", "server", "node", "after, s", "data old, s"), rows)]
    return "\n".join(lines)


def _row(rehearsal: Rehearsal) -> tuple[str, ...]:
    revivals = rehearsal.revivals
    by_hand = [revival for revival in revivals if revival.by_hand]
    alone = [revival.seconds for revival in revivals if not revival.by_hand]
    ages = [revival.age for revival in revivals if revival.age is not None]
    after = [f"{max(alone):.1f}"] if alone else []
    after += [f"run + {max(revival.seconds for revival in by_hand):.1f}"] if by_hand else []
    return (
        rehearsal.name,
        str(len(revivals) + len(rehearsal.staying)),
        str(len(revivals)),
        str(len(by_hand)),
        ", ".join(after) or "-",
        f"{max(ages):.0f}" if ages else "?",
        str(len(rehearsal.staying)),
    )


def _by_reason(reasons: dict[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, why in sorted(reasons.items()):
        found.setdefault(why, []).append(name)
    return found
