# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node with room that is least burdened as a backup, found without looking at all of them every time."""

from __future__ import annotations

import heapq

from .standby import Group, Standby
from .state import NOWHERE

_SHORTLIST = 48
"""Nodes, the emptiest, that are looked at closely before all others."""


class Emptiest:
    """Remembers how burdened the candidates are while groups of one failure domain choose in a row.

    Meanwhile backups may be given, so that burdens grow; after any was taken, ``forget``.
    """

    def __init__(self, standby: Standby) -> None:
        self.standby = standby
        self._domain = NOWHERE
        """Whose groups are choosing now."""
        self._emptiest: dict[tuple[int, bool, frozenset[int] | None], list[int]] = {}
        """(home, near, allowed) -> candidates, the emptiest first."""
        self._rankings: dict[tuple[object, ...], list[tuple[float, int]]] = {}

    def scan(self, group: Group, *, near: bool) -> int:
        """The node with room that is best by ``Standby.rank``; all are looked at."""
        fitting = [b for b in self.standby.candidates(group, near=near) if self.standby.fits(group, b)]
        return min(fitting, key=lambda b: self.standby.rank(group, b), default=NOWHERE)

    def best(self, group: Group, *, near: bool) -> int:
        """As ``scan``, but among the emptiest nodes if one of these has room and preferences do not speak of it."""
        if group.soft:
            return self.scan(group, near=near)
        domain = self.standby.domains[group.home]
        if domain != self._domain:
            self._domain = domain
            self.forget()
        for most in (_SHORTLIST, len(self.standby.open)):
            best = self._next(group, self._ranking(group, most, near=near))
            if best != NOWHERE:
                return best
        return NOWHERE

    def forget(self) -> None:
        """What is known of the candidates is good no longer."""
        self._rankings.clear()
        self._emptiest.clear()

    def _next(self, group: Group, ranking: list[tuple[float, int]]) -> int:
        """The best node of a ranking that has room; those that have none leave the ranking."""
        barred = []
        best = NOWHERE
        while ranking:
            b = heapq.heappop(ranking)[1]
            if not self.standby.has_room(group, b):
                continue
            entry = (self.standby.burden(group, b), b)
            if ranking and ranking[0] < entry:
                # It has been given others since it was ranked.
                heapq.heappush(ranking, entry)
                continue
            barred.append(entry)
            if self.standby.obeyed(group, b):
                best = b
                break
        for entry in barred:
            heapq.heappush(ranking, entry)
        return best

    def _ranking(self, group: Group, most: int, *, near: bool) -> list[tuple[float, int]]:
        """A heap of (burden with a group of this size there, node)."""
        standby = self.standby
        where = (group.home, near, group.allowed)
        key = (*where, most, group.coming, group.kept)
        if key not in self._rankings:
            if where not in self._emptiest:
                bare = Group((), group.home, (0.0, 0.0, 0.0), (), group.allowed)
                candidates = standby.candidates(bare, near=near)
                ranked = sorted(zip(standby.burdens(bare, candidates), candidates, strict=True))
                self._emptiest[where] = [b for _burden, b in ranked]
            nearest = self._emptiest[where][:most]
            self._rankings[key] = list(zip(standby.burdens(group, nearest), nearest, strict=True))
            heapq.heapify(self._rankings[key])
        return self._rankings[key]
