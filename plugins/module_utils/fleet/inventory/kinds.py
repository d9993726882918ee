# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of values a variable may have: each reads any value, normalises it, or notes what is wrong."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from .mistakes import Known, Notes, name
from .quantity import Unacceptable


class Wrong(Enum):
    """The type of WRONG, the one value no kind ever reads."""

    WRONG = "wrong"


WRONG: Final = Wrong.WRONG
"""Stands for a value that was not accepted; why has been noted."""


class Kind(ABC):
    """How one kind of value is read, and how it is described."""

    label: str
    """The kind in a word or two, for the reference: "duration"."""
    accepted: str
    """What is accepted, for people, with units and range."""
    unit: str = ""

    @abstractmethod
    def read(self, value: Any, at: str, notes: Notes) -> Any:
        """The normalised value, or WRONG once what is wrong has been noted under the name ``at``."""


@dataclass(frozen=True)
class Scalar(Kind):
    """A single value: ``convert`` normalises it or raises Unacceptable."""

    label: str
    accepted: str
    convert: Callable[[Any], Any]
    unit: str = ""

    def read(self, value: Any, at: str, notes: Notes) -> Any:
        try:
            return self.convert(value)
        except Unacceptable as no:
            notes.wrong(at, value, no.problem, no.accepted or self.accepted)
            return WRONG


@dataclass(frozen=True)
class ListOf(Kind):
    """A list, or one item alone. Read as a tuple; empty text is an empty one."""

    item: Kind
    label: str = ""
    most: int = 1000

    @property
    def accepted(self) -> str:  # type: ignore[override]
        return f"a list, each item {self.item.accepted}; or one item alone"

    def read(self, value: Any, at: str, notes: Notes) -> Any:
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            if value == "":
                return ()
            item = self.item.read(value, at, notes)
            return WRONG if item is WRONG else (item,)
        if len(value) > self.most:
            notes.wrong(at, value, f"more than {self.most} items", self.accepted)
            return WRONG
        items = tuple(self.item.read(item, f"{at}[{index}]", notes) for index, item in enumerate(value))
        return WRONG if WRONG in items else items


@dataclass(frozen=True)
class Field:
    """One key of a Record."""

    kind: Kind
    description: str
    required: bool = False


@dataclass(frozen=True)
class Record(Kind):
    """A mapping with known keys. Read as a dict of the keys that were there, given to ``make``.

    With ``shorthand``, a value that is no mapping stands for that key alone.
    """

    label: str
    fields: Mapping[str, Field]
    make: Callable[[dict[str, Any]], Any] = dict
    shorthand: str = ""
    may_be_empty: bool = False
    """An empty field (YAML's null) is an empty mapping."""

    @property
    def accepted(self) -> str:  # type: ignore[override]
        keys = ", ".join(key + (" (required)" if f.required else "") for key, f in self.fields.items())
        text = f"a mapping with {keys}" if keys else "an empty mapping"
        return f"{text}; or {self.fields[self.shorthand].kind.accepted}" if self.shorthand else text

    def read(self, value: Any, at: str, notes: Notes) -> Any:
        if not isinstance(value, Mapping):
            if value is None and self.may_be_empty:
                value = {}
            elif self.shorthand and not isinstance(value, (list, tuple)):
                return self._short(value, at, notes)
            else:
                notes.wrong(at, value, "not a mapping", self.accepted)
                return WRONG
        read: dict[str, Any] = {}
        meant: set[str] = set()
        for key, part in value.items():
            known = self.fields.get(key) if isinstance(key, str) else None
            if known is None:
                accepted = Known(self.fields).nearest(name(key), "no key at all")
                notes.missing(at, f"unknown key {name(key)}", accepted)
                meant.add(accepted.partition(" ")[0])
                read[""] = WRONG
            else:
                read[str(key)] = known.kind.read(part, f"{at}.{key}", notes)
        lacking = [key for key, known in self.fields.items() if known.required and key not in read]
        for key in set(lacking) - meant:
            notes.missing(f"{at}.{key}", "missing", self.fields[key].kind.accepted)
        return WRONG if lacking or WRONG in read.values() else self._made(read, value, at, notes)

    def _short(self, value: Any, at: str, notes: Notes) -> Any:
        part = self.fields[self.shorthand].kind.read(value, at, notes)
        return WRONG if part is WRONG else self._made({self.shorthand: part}, value, at, notes)

    def _made(self, read: dict[str, Any], value: Any, at: str, notes: Notes) -> Any:
        try:
            return self.make(read)
        except Unacceptable as no:
            notes.wrong(at, value, no.problem, no.accepted or self.accepted)
            return WRONG


@dataclass(frozen=True)
class Table(Kind):
    """A mapping from names of the inventory's own to values of one kind.

    A name whose value is wrong stays in the table as WRONG: it exists, so references to it are no mistakes.
    """

    label: str
    value: Kind
    pattern: re.Pattern[str] = field(default=re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"))
    names: str = "1 to 63 letters, digits, dashes, dots and underscores"
    strict: bool = False
    """One wrong value spoils the whole table: nothing refers to its names."""

    @property
    def accepted(self) -> str:  # type: ignore[override]
        return f"a mapping from names to {self.value.accepted}"

    def read(self, value: Any, at: str, notes: Notes) -> Any:
        if not isinstance(value, Mapping):
            notes.wrong(at, value, "not a mapping", self.accepted)
            return WRONG
        table: dict[str, Any] = {}
        spoilt = False
        for key, part in value.items():
            if isinstance(key, str) and self.pattern.fullmatch(key):
                table[str(key)] = self.value.read(part, f"{at}.{key}", notes)
            else:
                notes.missing(
                    at, f"{name(key)} is not a name", self.names + ("" if isinstance(key, str) else " (quoted)")
                )
                spoilt = True
        return WRONG if self.strict and (spoilt or WRONG in table.values()) else table
