# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mistakes of an inventory: values with a place, gathered and told all at once."""

from __future__ import annotations

import datetime
import difflib
import json
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

SHOWN: Final = 60
"""Characters of a wrong value that are shown."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands where a variable's value would be, had it been possible to template it."""

    reason: str


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing wrong with an inventory. ``host`` is empty where it is the whole fleet's."""

    host: str
    variable: str
    value: str
    """The value as a person may see it; empty where it must not be shown or says nothing."""
    problem: str
    accepted: str = ""

    def __str__(self) -> str:
        return f"{one_line(self.host) or 'fleet'}: {self.complaint}"

    @property
    def complaint(self) -> str:
        """The mistake without its host: the same words for every host that inherits it."""
        text = f"{self.variable}: " if self.variable else ""
        text += f"{self.value}: " if self.value else ""
        text += self.problem
        return one_line(f"{text}; accepted: {self.accepted}" if self.accepted else text)


class InventoryError(Exception):
    """The inventory cannot be what is meant. Carries every mistake found in it, sorted."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes: tuple[Mistake, ...] = tuple(sorted(set(mistakes)))
        super().__init__(self.mistakes)

    def __str__(self) -> str:
        count = len(self.mistakes)
        head = "1 mistake in the inventory:" if count == 1 else f"{count} mistakes in the inventory:"
        return "\n".join([head, *(f"  {line}" for line in self.lines())])

    def lines(self) -> list[str]:
        """One line per mistake; hosts that share one, as members of a group do, share its line."""
        hosts: dict[str, list[str]] = {}
        for mistake in self.mistakes:
            hosts.setdefault(mistake.complaint, []).append(one_line(mistake.host) or "fleet")
        return [f"{_some(names)}: {complaint}" for complaint, names in hosts.items()]


def _some(names: list[str], most: int = 3) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


class Notes:
    """Where the mistakes of one host are written down."""

    __slots__ = ("_mistakes", "host", "secret")

    def __init__(self, host: str, mistakes: list[Mistake], *, secret: bool = False) -> None:
        self.host = host
        self.secret = secret
        self._mistakes = mistakes

    def wrong(self, variable: str, value: Any, problem: str, accepted: str = "") -> None:
        """Note a value that is not accepted."""
        if isinstance(value, Unreadable):
            self.missing(variable, "could not be templated" if self.secret else one_line(value.reason), accepted)
        else:
            shown = "" if self.secret else show(value)
            self._mistakes.append(Mistake(self.host, variable, shown, problem, accepted))

    def missing(self, variable: str, problem: str, accepted: str = "") -> None:
        """Note a mistake that has no value worth showing."""
        self._mistakes.append(Mistake(self.host, variable, "", problem, accepted))


def show(value: Any) -> str:
    """A value of any type in one short line, as it would be written in YAML's flow style."""
    text = one_line(_flow(value, 2))
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _flow(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return json.dumps(str(value[: 2 * SHOWN]), ensure_ascii=not value.isprintable())
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return str(int(value)) if abs(value) < 10**20 else f"a number of {value.bit_length()} bits"
    if isinstance(value, (float, datetime.date)):
        return str(value)
    if isinstance(value, Mapping):
        shown = [f"{_key(key)}: {_flow(part, depth - 1)}" for key, part in islice(value.items(), 8) if depth]
        return "{" + (", ".join(shown) if depth or not value else "…") + "}"
    if isinstance(value, (list, tuple, set, frozenset)):
        shown = [_flow(part, depth - 1) for part in islice(value, 8) if depth]
        return "[" + (", ".join(shown) if depth or not value else "…") + "]"
    return reprlib.repr(value)


def _key(key: Any) -> str:
    return str(key) if isinstance(key, str) and key.isidentifier() else _flow(key, 0)


def name(value: Any) -> str:
    """A name without quotes where it is a plain one, any other value as ``show`` has it."""
    return str(value) if isinstance(value, str) and value.isprintable() and 0 < len(value) <= SHOWN else show(value)


def one_line(text: str) -> str:
    """Text of any origin without line ends or control characters."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


class Known:
    """Names that exist, and the nearest of them to one that does not."""

    __slots__ = ("_answers", "names")

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)
        self._answers: dict[str, str] = {}

    def __contains__(self, word: object) -> bool:
        return word in self.names

    def nearest(self, word: str, otherwise: str = "") -> str:
        """What was probably meant, or else what there is to choose from; ``otherwise`` where that is nothing."""
        if not self.names:
            return otherwise
        if word not in self._answers:
            # Comparing names is slow: of many unknown ones only the first are looked for, nobody reads further.
            search = len(self._answers) < (200 if len(self.names) <= 500 else 20)
            close = difflib.get_close_matches(word[:100], self._like(word), n=1, cutoff=0.6) if search else []
            self._answers[word] = f"{close[0]} (the nearest name)" if close else self._some()
        return self._answers[word]

    def _like(self, word: str) -> list[str]:
        """Candidates; of very many names only those of about the same length."""
        return sorted(n for n in self.names if len(self.names) <= 500 or abs(len(n) - len(word)) <= 2)

    def _some(self, most: int = 8) -> str:
        if len(self.names) > 500:
            return "a name that exists"
        names = sorted(self.names)
        return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
