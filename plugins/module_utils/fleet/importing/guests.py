# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who of those that are there can be a server of an inventory, and what keeps the others out. Pure."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ..inventory.reading import INSTANCE_NAME
from .existing import Card, ExistingGuest


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A guest that is not taken, why, and what to do about it."""

    guest: ExistingGuest
    why: str
    advice: str

    def __str__(self) -> str:
        return f"{self.guest.name} ({self.guest.place}): {self.why}; {self.advice}"


def chosen(guests: Iterable[ExistingGuest], patterns: Sequence[str]) -> list[ExistingGuest]:
    """Those whose names match any of these shell patterns, and none that begin with ``!``. No patterns: everybody."""
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")] or ["*"]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    return [guest for guest in guests if _matches(guest, wanted) and not _matches(guest, unwanted)]


def sort_out(
    guests: Iterable[ExistingGuest], fleet: str, nodes: Collection[str]
) -> tuple[list[ExistingGuest], list[LeftOut]]:
    """(those that can be servers of this fleet, those that cannot), both by name."""
    ordered = sorted(guests, key=lambda guest: (guest.name, guest.node, guest.number))
    names = Counter(guest.name.lower() for guest in ordered)
    homonyms = {
        name: [guest.place for guest in ordered if guest.name.lower() == name]
        for name, count in names.items()
        if count > 1
    }
    good, bad = [], []
    for guest in ordered:
        problem = _problem(guest, fleet, nodes, homonyms.get(guest.name.lower(), []))
        if problem:
            bad.append(LeftOut(guest, *problem))
        else:
            good.append(guest)
    return good, bad


def _matches(guest: ExistingGuest, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(guest.name, pattern) for pattern in patterns)


def _problem(
    guest: ExistingGuest, fleet: str, nodes: Collection[str], homonyms: Sequence[str]
) -> tuple[str, str] | None:
    """(what keeps it out, what to do); None: nothing."""
    if guest.error:
        return f"nothing could be learned of it ({guest.error})", "import again once its node answers"
    if guest.fleet and guest.fleet != fleet:
        return f"it belongs to fleet {guest.fleet}", "import it under that fleet's name, or leave it there"
    if "/" in guest.name:
        return "it is in another project", "move it to the project default, or leave it a stranger"
    if not INSTANCE_NAME.fullmatch(guest.name):
        accepted = "letters, digits and dashes, 63 at most, a letter first and no dash last"
        return "its name is none for a host", f"rename it on the platform: {accepted}"
    if guest.name in nodes:
        return "a node has the same name", "rename it on the platform"
    if homonyms:
        return f"its name is there {len(homonyms)} times ({', '.join(homonyms)})", "rename all but one on the platform"
    unlimited = [part for part in ("cores", "memory", "disk") if not getattr(guest.size, part)]
    if unlimited:
        return f"it has no limit of {', '.join(unlimited)}", "set one on the platform: a server has a size"
    if not guest.cards:
        return "it has no network card", "give it one with an address, or leave it a stranger"
    return next((problem for card in guest.cards if (problem := _card_problem(card))), None)


def _card_problem(card: Card) -> tuple[str, str] | None:
    if len(card.addresses) == 1:
        return None
    if len(card.addresses) > 1:
        several = ", ".join(card.addresses)
        return f"{card.name} has several addresses ({several})", "an inventory has one for each card: leave it one"
    had = f"; it had {', '.join(card.seen)} just now" if card.seen else ""
    how = "gets its address by DHCP" if card.dynamic else "has no address written down on the platform"
    return f"{card.name} {how}{had}", "give it a fixed address on the platform, and import again"


_STEM = re.compile(r"(.*?)[-_.]?[0-9]*")


def stem(name: str) -> str:
    """What a server's name says of its kind: ``pbx`` of ``pbx-017``."""
    found = _STEM.fullmatch(name)
    return re.sub(r"[^a-z0-9]+", "_", (found[1] if found else name).lower()).strip("_")
