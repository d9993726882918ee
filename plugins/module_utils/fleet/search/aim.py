# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where to stop is given: the fewest moves to a balance, or the best balance for so many moves.

Annealing knows only a price for a move. For a balance that is to be reached any price below what the last moves bring
will do, as being better than that counts for nothing; and the nearer it is to that, the easier servers are let go home
again. For a number of moves the price that leads to just about that many is looked for. Either way annealing goes on
from the best there is, at another price, and what is missing at the end is added, what is too much taken back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from .anneal import Annealer, Schedule, Terms
from .board import Board
from .evenness import Evenness
from .steepest import Steepest

RUNS = 5
"""Times it is annealed."""
MOST_TRIALS = 1_250_000
"""Trials in all of them together, unless one alone is asked to take more."""
WARM, LESS = 0.15, 0.6
"""The temperature annealing begins at, in prices; and what a higher one is multiplied with from run to run."""
PART = 0.15
"""The price to reach a balance: a part of what the moves of a first descent bring on average."""
CHEAPER = 0.4
"""What it is multiplied with where the balance is not reached."""
FIRST, STEP = 0.2, 1.5
"""The same for a number of moves, and what it is multiplied with where there would be more, or divided by."""
NEARLY = 0.998
"""The part of a balance that is aimed at: what only just misses it costs a move more."""
MISSES = 12
"""How often, where a balance is reached, it may turn out that it is not with one move fewer."""
SEED = 10
"""Seeds from here on are for that."""
QUENCH = 0.1
"""Trials at the end of each run that take only what is better, as a part of the rest."""


@dataclass(frozen=True, slots=True)
class Work:
    """How it is annealed: trials in all, the temperature the first run begins at, and when it has to end."""

    trials: int
    warm: float
    in_time: Callable[[], bool]
    few: bool = False
    """Servers are so few that one move more or less is worth a search of its own."""

    @property
    def seeds(self) -> range:
        """One for each run."""
        return range(1, 1 + RUNS if self.trials else 1)

    @property
    def each(self) -> int:
        """Trials in one run."""
        return min(self.trials, max(MOST_TRIALS, self.trials) // RUNS)

    def anneal(self, board: Board, terms: Terms, seed: int) -> None:
        """One run, with what only makes it better at its end."""
        first = max(WARM, self.warm * LESS ** ((seed - 1) % SEED))
        Annealer(board, terms, Schedule(self.each, first=first, seed=seed)).run(self.in_time)
        self.quench(board, terms, seed)

    def quench(self, board: Board, terms: Terms, seed: int) -> None:
        """Only what makes it better."""
        trials = round(QUENCH * self.each)
        Annealer(board, terms, Schedule(trials, first=1e-3, last=1e-4, seed=seed)).run(self.in_time)


def arrive(board: Board, terms: Terms, usual: float, work: Work) -> None:
    """Get to ``terms.until`` with what costs least, or as near as can be. ``usual``: what moves bring on average."""
    best, places = _missed(board, terms), list(board.at)
    terms = replace(terms, relief=work.few)
    price = PART * usual
    for seed in work.seeds:
        work.anneal(board, replace(terms, price=price, until=NEARLY * terms.until), seed)
        if board.deviation() > (2 - NEARLY) * terms.until:
            price *= CHEAPER
        now = _missed(board, terms)
        if now < best:
            best, places = now, list(board.at)
        board.restore(places)
    if work.few:
        _do_without(board, terms, PART * usual, work)


def _do_without(board: Board, terms: Terms, price: float, work: Work) -> None:
    """Where a balance is reached: reach it with fewer moves, as long as that can be found.

    Whoever matters least goes home; then with no more away than are left it is annealed for what is missing.
    """
    misses, seed = 0, SEED
    while misses < MISSES and work.trials and work.in_time() and 0 < board.deviation() <= terms.until:
        paid, places = board.paid(), list(board.at)
        if not _send_home(board) or not board.moved():
            board.restore(places)
            return
        seed, most = seed + 1, board.moved()
        work.anneal(board, replace(terms, price=price, most=most, until=NEARLY * terms.until), seed)
        if board.deviation() > terms.until:
            Steepest(board).run(0.0, most, terms.until)
        if board.deviation() <= terms.until:
            _take_back(board, terms.until)
        if board.deviation() > terms.until or board.paid() >= paid:
            board.restore(places)
            misses += 1


def _send_home(board: Board) -> bool:
    """Send home again whoever matters least; whether anybody could go."""
    even, found = Evenness(board), []
    for e, item in enumerate(board.items):
        now = board.at[e]
        weight = board.weight(e, item.home) if now != item.home else None
        if weight is not None:
            found.append((even.deviation_with(weight, now, item.home), e))
    return any(board.go(e, board.items[e].home) for _then, e in sorted(found))


def spend(board: Board, terms: Terms, usual: float, work: Work) -> None:
    """Get as even as can be with ``terms.most`` servers moved, each bringing ``terms.price`` at least."""
    best, places = _value(board, terms), list(board.at)
    price = FIRST * usual
    for seed in work.seeds:
        work.anneal(board, replace(terms, price=max(price, terms.price)), seed)
        price = price * STEP if board.moved() >= terms.most else price / STEP
        Steepest(board).run(terms.price, terms.most)
        work.quench(board, terms, seed)
        now = _value(board, terms)
        if now < best:
            best, places = now, list(board.at)
        board.restore(places)


def _value(board: Board, terms: Terms) -> float:
    return board.deviation() + terms.price * board.paid()


def _missed(board: Board, terms: Terms) -> tuple[float, float, float]:
    """By how much a balance is missed, what everything costs, and how even it is: once what is missing is added, and
    what is not needed taken back."""
    if board.deviation() > terms.until:
        Steepest(board).run(0.0, terms.most, terms.until)
    if board.deviation() <= terms.until:
        _take_back(board, terms.until)
    return max(0.0, board.deviation() - terms.until), board.paid(), board.deviation()


def _take_back(board: Board, until: float) -> None:
    """Send home again whatever can go without the deviation being more than that, what matters least first."""
    even = Evenness(board)
    away = [e for e, item in enumerate(board.items) if board.at[e] != item.home]
    while away:
        found = []
        for e in away:
            home = board.items[e].home
            weight = board.weight(e, home)
            if weight is not None and (then := even.deviation_with(weight, board.at[e], home)) <= until:
                found.append((then, e))
        for _then, e in sorted(found):
            now = board.at[e]
            if board.go(e, board.items[e].home):
                even.update((now, board.at[e]))
                away.remove(e)
                break
        else:
            return
