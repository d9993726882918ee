# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is where: the one copy of each server that counts, and what stands in the way of telling.

Of several copies that call themselves primary the highest generation is right. Where two share the
highest, nobody can tell, and neither is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .layout import ours
from .model import Fleet, Observed, ObservedServer, Refusal


@dataclass(frozen=True, slots=True)
class Census:
    """The guests of this fleet, sorted out."""

    primaries: Mapping[str, ObservedServer]
    """Server -> its one right copy, in state ``unknown`` on a node that does not answer."""
    unclear: Mapping[str, str]
    """Server -> why its right copy cannot be told; left alone."""
    taken: tuple[Refusal, ...]
    """Declared names a guest bears that is not ours."""


def take_census(fleet: Fleet, observed: Observed) -> Census:
    """Sort the observed guests into ours, unclear and strangers in our place."""
    copies: dict[str, list[ObservedServer]] = {}
    taken = []
    for guest in observed.servers:
        if ours(fleet, guest):
            if guest.role == "primary":
                copies.setdefault(guest.name, []).append(guest)
        elif guest.name in fleet.servers:
            owner = f"a server of fleet {guest.fleet}" if guest.fleet else "a guest that is not ours"
            taken.append(Refusal(guest.name, f"the name is taken on {guest.node} by {owner}; rename one of the two"))
    primaries: dict[str, ObservedServer] = {}
    unclear: dict[str, str] = {}
    for name, found in copies.items():
        newest = max(guest.generation for guest in found)
        right = [guest for guest in found if guest.generation == newest]
        if len(right) == 1:
            primaries[name] = right[0]
        else:
            places = ", ".join(sorted(guest.node for guest in right))
            unclear[name] = f"{len(right)} copies call themselves primary, generation {newest}: on {places}"
    return Census(primaries, unclear, tuple(sorted(taken, key=lambda refusal: refusal.subject)))
