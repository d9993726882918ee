# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guests of a node, of which nothing takes longer than there is time for.

Pacemaker kills a look that takes too long, and calls the whole pair failed: one server that hangs would take all others
along to the backup. What has not ended by then is looked at again the next time.
"""

from __future__ import annotations

from dataclasses import replace

from ..engine.incus.client import Client
from ..engine.incus.guests import Guests
from ..fleet.model import Fleet
from .launch import Deadline

_SPARE = 5.0
"""Seconds before the deadline at which an operation is waited for no longer: there is still to be said how it went."""
_LEAST = 1.0


class Hurried(Guests):
    """Every operation ends, for us, before the deadline does, however many came before it."""

    def __init__(self, fleet: Fleet, client: Client, deadline: Deadline) -> None:
        self._deadline = deadline
        super().__init__(fleet, client)

    @property
    def fleet(self) -> Fleet:
        """With the limits there are by now."""
        left = max(self._deadline.left - _SPARE, _LEAST)
        limits = self._fleet.limits
        return replace(self._fleet, limits=replace(limits, operation=min(limits.operation, left)))

    @fleet.setter
    def fleet(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def patient(self, stop: float) -> Guests:
        """See Guests; in no less of a hurry."""
        return Hurried(replace(self._fleet, limits=replace(self._fleet.limits, stop=stop)), self.client, self._deadline)
