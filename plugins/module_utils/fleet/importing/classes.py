# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Classes, from the sizes of guests: one for each that is there, named after those who have it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ..model import Size
from .existing import ExistingGuest
from .guests import stem

Key = tuple[Size, str]
"""Size, storage pool."""
_GIB = 1024


def classes(guests: Iterable[ExistingGuest]) -> dict[Key, str]:
    """Size and pool -> the class's name: ``pbx`` where most guests of that size are called so, ``pbx-2c-4g-32g`` where
    there are several sizes of them, ``size-2c-4g-32g`` where they have no name in common."""
    members: dict[Key, list[str]] = {}
    for guest in guests:
        members.setdefault((guest.size, guest.pool), []).append(stem(guest.name))
    words = {key: _word(stems) for key, stems in members.items()}
    shared = Counter(words.values())
    named: dict[Key, str] = {}
    for key in sorted(members, key=lambda key: (words[key], key[0].cores, key[0].memory, key[0].disk, key[1])):
        word = words[key]
        name = word if word and shared[word] == 1 else f"{word or 'size'}-{_short(key[0])}"
        named[key] = name if name not in named.values() else f"{name}-{key[1]}"
    return named


def declared(key: Key) -> dict[str, Any]:
    """A class's entry in ``fleet_classes``."""
    size, pool = key
    said = {"cores": _number(size.cores), "memory": amount(size.memory), "disk": amount(size.disk), "pool": pool}
    return {name: value for name, value in said.items() if value}


def amount(mib: int) -> str:
    """MiB as people write it."""
    return f"{mib // _GIB}GiB" if mib >= _GIB and mib % _GIB == 0 else f"{mib}MiB"


def _word(stems: list[str]) -> str:
    """The name more than half of them have."""
    word, count = min(Counter(stems).items(), key=lambda pair: (-pair[1], pair[0]))
    return word if 2 * count > len(stems) else ""


def _short(size: Size) -> str:
    memory, disk = (
        f"{mib // _GIB}g" if mib >= _GIB and mib % _GIB == 0 else f"{mib}m" for mib in (size.memory, size.disk)
    )
    return f"{_number(size.cores)}c-{memory}-{disk}"


def _number(cores: float) -> float | int:
    return int(cores) if cores == int(cores) else cores
