# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated annealing over placements: single moves and swaps, at a price for everything away from home.

What a first descent takes early it would not take again late: a swap with a neighbour's, another target, one big
server instead of two. Each trial is a few additions per resource; only what is about to be done is asked of the
state. The number of trials is given, not the time, so equal input gives equal plans.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .board import Board
from .evenness import Evenness

BATCH = 1000
"""Trials between two looks at the clock, with sums counted anew; as many as half the items where these are many."""
AWAY = 0.75
"""How often what is tried is something that is away from home already."""
SINGLE = 0.2
"""How often it is moved alone; else it changes places with another."""
HOMEWARD = 0.3
"""How often an item that is moved alone, and away, is sent back home."""
NEIGHBOUR, FELLOW = 0.55, 0.95
"""How often it changes places with one from where it came from; up to where, with another that is away."""
RELIEF = 0.3
"""How often one that is away goes home for another that takes its place, where that is wanted."""
RARE = 10.0
"""Temperatures that nothing is ever made worse by."""
SLACK = 0.7
"""Prices by which the quick estimate of a trial may be too high: what it puts beyond that is not looked at."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is looked for: the deviation plus ``price`` for each move's worth away from home."""

    price: float
    most: int
    """Servers that may be away from home."""
    until: float = 0.0
    """A deviation below which nothing is gained any more."""
    relief: bool = False
    """Whether one that is away may go home while another takes its place."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how hot: ``trials`` from the temperature ``first`` down to ``last``, both in prices."""

    trials: int
    first: float = 0.15
    last: float = 0.01
    seed: int = 1


WARM = 1.0
"""Over the number of items: the price temperatures are taken from at least, so that nothing is frozen by a low one."""
FEW_NODES = 16
"""Nodes up to which the quick estimate is too rough to go by: one move there is no small change."""


class Annealer:
    """One board, improved trial by trial."""

    def __init__(self, board: Board, terms: Terms, schedule: Schedule) -> None:
        self.board, self.terms, self.schedule = board, terms, schedule
        self.even = Evenness(board)
        self.chance = random.Random(schedule.seed).random  # noqa: S311
        # Nearly all may be anywhere: one set for each answer there is, not for each item.
        reachable = {number: frozenset(targets) for number, targets in enumerate(board.reaches)}
        self._reachable = [reachable[number] for number in board.reach]
        self._homes = [item.home for item in board.items]
        self._neighbours: dict[int, list[int]] = {}
        for e, home in enumerate(self._homes):
            self._neighbours.setdefault(home, []).append(e)
        self._slack = math.inf if len(board.taken) <= FEW_NODES else terms.price * SLACK
        self._away: list[int] = []
        self._place: dict[int, int] = {}
        """Item -> where in ``_away`` it is."""
        self._servers = 0
        self._value = 0.0
        self._leeway = 0.0
        """By how much the quick estimate may be above what is bearable."""
        self._shelters = [item.shelter for item in board.items] if board.sheltered else []

    def run(self, in_time: Callable[[], bool]) -> None:
        """Improve the board until all trials are made, or it is no longer in time."""
        trials, unit = self.schedule.trials, max(self.terms.price, 1e-9)
        if not self.terms.until:
            unit = max(unit, WARM / max(1, len(self._homes)))
        if not self._homes or not self.board.objective.columns or trials < 1:
            return
        warmth = self.schedule.first * unit
        batch = max(BATCH, len(self._homes) // 2)
        batches = -(-trials // batch)
        relieving = self.terms.relief
        cooling = (self.schedule.last / self.schedule.first) ** (1 / batches)
        for _batch in range(batches):
            if not in_time():
                return
            self._begin()
            for _trial in range(batch):
                e = self._pick()
                if relieving and self.chance() < RELIEF:
                    self._try_relief(e, warmth)
                elif self.chance() < SINGLE:
                    self._try_move(e, warmth)
                else:
                    self._try_swap(e, warmth)
            warmth *= cooling

    def _begin(self) -> None:
        """Everything counted anew, rid of what floating point has gathered."""
        board = self.board
        self.even.refresh()
        self._worth()
        self._away = [e for e, home in enumerate(self._homes) if board.at[e] != home]
        self._place = {e: place for place, e in enumerate(self._away)}
        self._servers = board.moved()

    def _pick(self) -> int:
        away, chance = self._away, self.chance
        if away and chance() < AWAY:
            return away[int(chance() * len(away))]
        return int(chance() * len(self._homes))

    def _try_move(self, e: int, warmth: float) -> None:
        board, chance = self.board, self.chance
        a, home = board.at[e], self._homes[e]
        b = home if a != home and chance() < HOMEWARD else int(chance() * len(board.taken))
        if b == a or b not in self._reachable[e]:
            return
        weight = board.weight(e, b)
        if weight is None:
            return
        cost = self.terms.price * board.surcharge(e, b)
        about = cost + self.even.estimate(weight, a, b) - self._leeway
        if about > RARE * warmth:
            return
        bearable = self._bearable(warmth)
        if about > bearable:
            return
        more = ((b != home) - (a != home)) * len(board.items[e].members)
        if self._accepts(weight, a, b, cost=cost, bearable=bearable, more=more) and board.go(e, b):
            self._done((a, b), more)
            self._note(e)

    def _try_swap(self, e: int, warmth: float) -> None:
        board, homes = self.board, self._homes
        a, home = board.at[e], homes[e]
        f = self._partner(a, home)
        b = board.at[f]
        if b == a:
            return
        shelters = self._shelters
        if shelters and (shelters[e] in (a, b) or shelters[f] in (a, b)):
            out, back = board.weight(e, b), board.weight(f, a)
            if out is None or back is None:
                return
            cost = self.terms.price * (board.surcharge(e, b) + board.surcharge(f, a))
        else:
            # The same, without asking: this is where the time goes.
            out, back, prices, other = board.weights[e], board.weights[f], board.prices, homes[f]
            cost = self.terms.price * (
                prices[e] * ((b != home) - (a != home)) + prices[f] * ((a != other) - (b != other))
            )
        if out == back and cost >= 0:
            return
        weight = tuple([x - y for x, y in zip(out, back, strict=False)])
        about = cost + self.even.estimate(weight, a, b) - self._leeway
        if about > RARE * warmth:
            return
        bearable = self._bearable(warmth)
        if about > bearable:
            return
        if b not in self._reachable[e] or a not in self._reachable[f]:
            return
        more = ((b != home) - (a != home)) * len(board.items[e].members)
        more += ((a != homes[f]) - (b != homes[f])) * len(board.items[f].members)
        if self._accepts(weight, a, b, cost=cost, bearable=bearable, more=more) and board.swap(e, f):
            self._done((a, b), more)
            self._note(e)
            self._note(f)

    def _try_relief(self, e: int, warmth: float) -> None:
        """Somebody who is away goes home, and somebody else takes the place."""
        board, even, homes = self.board, self.even, self._homes
        b, home = board.at[e], homes[e]
        f = int(self.chance() * len(homes))
        a = homes[f]
        if b == home or board.at[f] != a or a in (b, home) or b not in self._reachable[f]:
            return
        back, out = board.weight(e, home), board.weight(f, b)
        if back is None or out is None:
            return
        rest = tuple([x - y for x, y in zip(out, back, strict=True)])
        cost = self.terms.price * (board.surcharge(e, home) + board.surcharge(f, b))
        about = cost - self._leeway
        about += even.arriving_at(back, home) + even.leaving(out, a) + even.arriving_at(rest, b)
        if about > RARE * warmth:
            return
        bearable = self._bearable(warmth)
        if about > bearable:
            return
        more = len(board.items[f].members) - len(board.items[e].members)
        if more > 0 and self._servers + more > self.terms.most:
            return
        new = even.deviation_after(((home, back), (b, rest), (a, [-x for x in out])))
        gain = max(self._value, self.terms.until) - max(new, self.terms.until)
        if (cost - gain < bearable if bearable > 0 else cost - gain < 0) and board.relieve(e, f):
            self._done((home, b, a), more)
            self._note(e)
            self._note(f)

    def _partner(self, a: int, home: int) -> int:
        """Whom to swap with: most often one from where an item came from, or another that is away."""
        chance = self.chance
        dice = chance()
        if dice < NEIGHBOUR and a != home:
            return self._neighbours[home][int(chance() * len(self._neighbours[home]))]
        if dice < FELLOW and self._away:
            return self._away[int(chance() * len(self._away))]
        return int(chance() * len(self._homes))

    def _bearable(self, warmth: float) -> float:
        """How much worse this trial may make it."""
        return -warmth * math.log(1.0 - self.chance())

    def _accepts(self, weight: Sequence[float], a: int, b: int, *, cost: float, bearable: float, more: int) -> bool:
        """Whether the true change is bearable, and not more are moved than may be."""
        if more > 0 and self._servers + more > self.terms.most:
            return False
        new, old, until = self.even.deviation_with(weight, a, b), self._value, self.terms.until
        gain = max(old, until) - max(new, until)
        return cost - gain < bearable if bearable > 0 else cost - gain < 0

    def _done(self, nodes: tuple[int, ...], more: int) -> None:
        self.even.update(nodes)
        self._worth()
        self._servers += more

    def _worth(self) -> None:
        self._value = self.even.deviation()
        self._leeway = self._slack + max(0.0, self.terms.until - self._value)

    def _note(self, e: int) -> None:
        """Keep track of who is away from home."""
        away, place = self._away, self._place
        if self.board.at[e] == self._homes[e]:
            hole = place.pop(e, None)
            if hole is not None:
                last = away.pop()
                if last != e:
                    away[hole] = last
                    place[last] = hole
        elif e not in place:
            place[e] = len(away)
            away.append(e)
