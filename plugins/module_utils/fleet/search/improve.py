# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Better balance for the fewest moves: a first descent, then annealing, at one price for a move.

The price decides where on the way from "nothing moved" to "perfectly even" a plan stops. Whoever gives none gets
the knee: the price is a set part of what the moves bring on average, so that a plan ends where moves bring a good
deal less than they did, whatever the size of the fleet and of its servers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from . import fewest, nearby
from .aim import WARM, Work, arrive, spend
from .anneal import Annealer, Schedule, Terms
from .board import Board
from .evenness import Evenness
from .objective import Objective
from .state import State
from .steepest import Steepest

ROUNDS = 3
"""Descents, each with the widths the one before ended with."""
NEAR = 0.3
"""What the first descent takes for the widths it will end with, as a part of those it begins with."""
KNEE, FEW_KNEE = 0.12, 0.09
"""What a move has to bring at the end, as a part of what the moves of the first descent bring on average. The second
where the servers are few: a move more is no trouble there."""
FLOOR, ENOUGH = 0.2, 0.02
"""What a move has to bring at least: the first over the number of servers, and never more than the second."""
WORTH = 0.1
"""How much better a plan has to be as a whole, as a part of what there was, where no price was given."""
TRIALS, FEW_TRIALS = 100, 2000
"""Annealing trials for each server, at the usual time limit; fewer for less time, more for more. The second where
the servers are few, up to ``FEWEST`` trials."""
FEWEST, MOST = 40_000, 800_000
"""Trials at the usual effort up to which there are so many where servers are few, and at most."""
EACH = 900
"""Trials, at most, for each server that the first descent moved: where little was to be done, as after the loss of one
node of a fleet that was balanced, little is tried. Whoever gives more time than usual is not held to it."""
FEW, SEEDS = 500, 3
"""Items below which annealing is done as often as the second says, for the best of it: chance weighs more there."""
GENEROUS, GENEROUSLY = 0.25, (0.3, 2.0)
"""The part of the price at which it is done twice more there, and from what temperatures: where nodes are so full that
only several moves together bring anything, the first of them would never be made at the whole price."""
USUAL = 5.0
"""The effort where none was asked for."""
HOT = 1.0
"""The temperature annealing first begins at where servers are few, so that each weighs more."""
PACE = 250_000
"""Trials a second that are counted on, at most."""
SLIVER = 1e-9
"""Gains below this are floating point's."""
QUENCH = 0.1
"""Trials at the end that take only what is better, as a part of the rest."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked of a balance."""

    price: float | None = None
    """What the balance has to improve by for each move; ``None``: the knee."""
    most: int | None = None
    """Servers that may be moved."""
    until: float = 0.0
    """The deviation that is good enough."""
    effort: float = USUAL
    """Seconds it may take, which sets the number of trials."""


def improve(state: State, wishes: Wishes, ignored: Collection[int], in_time: Callable[[], bool]) -> None:
    """Change the state to one that is more even, or leave it as it is where that would not pay."""
    objective = Objective(state.problem)
    board = Board(state, objective, ignored, capped=wishes.most is not None and not wishes.until)
    if not board.items or not objective.columns:
        return
    mended = [e for e, item in enumerate(board.items) if board.at[e] != item.home]
    _even_out(board, mended)
    opening = list(board.at)
    before = board.deviation()
    if before <= wishes.until:
        return
    most = len(state.at) if wishes.most is None else wishes.most
    price = _descend(board, opening, wishes, most)
    usual = (before - board.deviation()) / max(board.paid(), 1.0)
    items = len(board.items)
    work = Work(_trials(items, wishes.effort), WARM if items >= FEW else HOT, in_time, items < FEW)
    if wishes.until and not mended and fewest.available() and fewest.reach(board, wishes.until, most, in_time):
        return
    if wishes.until:
        arrive(board, Terms(price, most, wishes.until), usual, work)
        if not mended and fewest.available():
            nearby.reduce(board, wishes.until, in_time)
    elif wishes.most is not None:
        # What counts is which moves, not how many.
        spend(board, Terms(price, most), usual, work)
    elif wishes.price is None and wishes.effort > USUAL:
        # More time is for more evenness with no more moves: else it would only be another place to stop.
        _polish(board, Terms(price, most), USUAL, in_time)
        spend(board, Terms(GENEROUS * price, board.moved()), usual, work)
    else:
        _polish(board, Terms(price, most), wishes.effort, in_time)
    asked = wishes.price is not None or wishes.until or board.moved() >= most
    if not asked and before - board.deviation() < WORTH * before:
        board.restore(opening)
    _even_out(board, mended)


def _even_out(board: Board, away: Collection[int]) -> None:
    """Send items that have to leave home anyway to the nodes they suit best, where that costs no more."""
    even = Evenness(board)
    for _round in range(ROUNDS):
        settled = True
        for e in away:
            item, now = board.items[e], board.at[e]
            if now == item.home or item.home in [board.state.backup[i] for i in item.members]:
                # Where it went to its backup it has left its data behind as one, and no other node is as good.
                continue
            known, gains = even.deviation(), []
            for j in item.targets:
                weight = board.weight(e, j) if j not in (now, item.home) and board.surcharge(e, j) <= 0 else None
                if weight is not None:
                    gains.append((known - even.deviation_with(weight, now, j), -j))
            better = (-j for gain, j in sorted(gains, reverse=True) if gain > SLIVER)
            if any(board.go(e, j) for j in better):
                even.update((now, board.at[e]))
                settled = False
        if settled:
            return


def _descend(board: Board, opening: list[int], wishes: Wishes, most: int) -> float:
    """The best of a few descents, and the price they were made at."""
    before = board.deviation()
    usual = sum(item.price for item in board.items) / len(board.items)
    floor = min(FLOOR / len(board.items), ENOUGH) / usual
    price = floor if wishes.price is None else wishes.price
    asked = 0.0 if wishes.until else price
    knee = KNEE if len(board.items) >= FEW else FEW_KNEE
    widths = [NEAR * width for width in Evenness(board).widths()]
    best, best_places = math.inf, opening
    for _round in range(ROUNDS):
        board.restore(opening)
        Steepest(board, widths).run(asked, most, wishes.until)
        widths = Evenness(board).widths()
        paid, after = board.paid(), sum(widths)
        # Whoever says how many may move has chosen where to stop.
        if wishes.price is None and wishes.most is None and paid and not wishes.until:
            price = asked = max(floor, knee * (before - after) / paid)
        value = max(after, wishes.until) + price * paid
        if value < best:
            best, best_places = value, list(board.at)
    board.restore(best_places)
    return price


def _polish(board: Board, terms: Terms, effort: float, in_time: Callable[[], bool]) -> None:
    """Anneal, as long as the effort says, and keep the better of before and after."""
    start = best = list(board.at)
    value = _value(board, terms)
    trials = _trials(len(board.items), effort)
    if effort <= USUAL:
        trials = min(trials, max(FEWEST, EACH * board.moved()))
    runs = [(Schedule(trials, first=WARM), terms)]
    if len(board.items) < FEW:
        runs += [(Schedule(trials, first=WARM * seed**2, seed=seed), terms) for seed in range(2, 1 + SEEDS)]
        lower = replace(terms, price=GENEROUS * terms.price)
        runs += [(Schedule(trials, first=warm, seed=seed), lower) for seed, warm in enumerate(GENEROUSLY, start=1)]
    for schedule, asked in runs:
        board.restore(start)
        Annealer(board, asked, schedule).run(in_time)
        last = Schedule(round(trials * QUENCH), first=1e-3, last=1e-4, seed=schedule.seed)
        Annealer(board, terms, last).run(in_time)
        now = _value(board, terms)
        if now < value:
            value, best = now, list(board.at)
    board.restore(best)


def _value(board: Board, terms: Terms) -> float:
    return max(board.deviation(), terms.until) + terms.price * board.paid()


def _trials(items: int, effort: float) -> int:
    """Trials for a number of items: in proportion to them, and beyond the usual time with its square."""
    usual = min(MOST, max(TRIALS * items, min(FEWEST, FEW_TRIALS * items)))
    part = effort / USUAL
    return min(round(usual * (part if part < 1 else part * part)), round(PACE * effort))
