# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Amounts, durations and numbers as people write them, in the fleet's units: MiB and seconds.

Every function raises ``Unacceptable`` and nothing else, whatever it is given. A boolean is never a
number. Numbers may be text, as they are in an INI inventory and after ``-e``.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any, Final

MIB_PER_UNIT: Final = {"m": 1, "g": 1024, "t": 1024**2, "p": 1024**3}
SECONDS_PER_UNIT: Final = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "min": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}

# Lengths are bounded so that a number is a number and not a way to keep the planner busy.
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,9})?")
_AMOUNT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([mgtp])(?:ib)?", re.IGNORECASE)
_DECIMAL_AMOUNT = re.compile(r"([0-9.]+) ?([kmgtp])b", re.IGNORECASE)
_DURATION = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{1,9})? ?(?:ms|s|min|m|h|d) ?)+", re.ASCII)
_DURATION_PART = re.compile(r"([0-9.]+) ?(ms|s|min|m|h|d)")


class Unacceptable(ValueError):
    """A value is not what is wanted; its text completes the sentence "this value is …"."""

    def __init__(self, problem: str, accepted: str = "") -> None:
        self.problem = problem
        self.accepted = accepted
        super().__init__(problem)


def number(value: Any, what: str = "a number") -> Fraction:
    """An exact number from an int, a float or the text of one."""
    if value is None:
        raise Unacceptable("no value (an empty field?)")
    if isinstance(value, bool):
        raise Unacceptable(f"a truth value (YAML reads on, off, yes and no as such), not {what}")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Unacceptable(f"not {what}")
        return Fraction(repr(float(value)))
    if isinstance(value, int):
        return Fraction(int(value))
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return Fraction(value.strip())
    raise Unacceptable(f"not {what}")


def whole(value: Any, what: str = "a whole number") -> int:
    """A whole number; ``4.0`` is one, ``4.5`` is not."""
    exact = number(value, what)
    if exact.denominator != 1:
        raise Unacceptable(f"not {what}")
    return int(exact)


def mebibytes(value: Any, what: str = "an amount") -> int:
    """Whole MiB from a number of MiB, or from a number with a unit: MiB, GiB, TiB, PiB.

    M, G, T and P mean the same binary units. MB and the like are refused: people mean either.
    """
    if isinstance(value, str):
        text = value.strip()
        if _DECIMAL_AMOUNT.fullmatch(text):
            raise Unacceptable("ambiguous: decimal or binary? (units are binary here: MiB, GiB, TiB)")
        if match := _AMOUNT.fullmatch(text):
            value = Fraction(match[1]) * MIB_PER_UNIT[match[2].lower()]
            if value.denominator != 1:
                raise Unacceptable("not a whole number of MiB")
            return int(value)
    exact = number(value, what)
    if exact.denominator != 1:
        raise Unacceptable("not a whole number of MiB")
    return int(exact)


def seconds(value: Any, what: str = "a duration") -> float:
    """Seconds from a number of them, or from text like ``90s``, ``5m``, ``1h30m``, ``250ms``."""
    if isinstance(value, str):
        text = value.strip()
        if _DURATION.fullmatch(text):
            try:
                parts = [Fraction(n) * SECONDS_PER_UNIT[unit] for n, unit in _DURATION_PART.findall(text)]
            except ValueError:
                raise Unacceptable(f"not {what}") from None
            return float(sum(parts))
    exact = number(value, what)
    if abs(exact) > 10**12:
        raise Unacceptable("out of range")
    return float(exact)
