# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Incus' notations for amounts of memory, disk and CPU, to and from ours (MiB and cores). Pure."""

from __future__ import annotations

import math
import re

_MIB = 1024 * 1024
_FACTORS = {"": 1, "B": 1, "K": 1000}
for _power, _letter in enumerate("kMGTPE", start=1):
    _FACTORS[f"{_letter}B"] = 1000**_power
    _FACTORS[f"{_letter.upper()}iB"] = 1024**_power

_PERIOD = 100
"""Milliseconds over which a fraction of a core is measured out (the kernel's own default)."""


def mib(text: str, whole: int = 0) -> int:
    """``512MiB``, ``1GB``, ``25%`` (of ``whole`` MiB) or plain bytes as MiB, rounded up; 0 for no limit."""
    text = text.strip()
    share = re.fullmatch(r"([0-9]+)%", text)
    if share:
        return math.ceil(whole * int(share.group(1)) / 100)
    amount = re.fullmatch(r"([0-9]+)\s*([A-Za-z]*)", text)
    if not amount or amount.group(2) not in _FACTORS:
        return 0
    return math.ceil(int(amount.group(1)) * _FACTORS[amount.group(2)] / _MIB)


def mib_text(amount: int) -> str:
    """MiB as Incus writes them; empty (no limit) for 0."""
    return f"{amount}MiB" if amount else ""


def cpu_limits(cores: float) -> dict[str, str]:
    """The two keys that limit a guest to ``cores``, to a hundredth; an empty value is the key's absence."""
    if not cores:
        return {"limits.cpu": "", "limits.cpu.allowance": ""}
    whole = math.ceil(round(cores, 2))
    if whole == round(cores, 2):
        return {"limits.cpu": str(whole), "limits.cpu.allowance": ""}
    quota = max(round(cores * _PERIOD), 1)
    return {"limits.cpu": str(whole), "limits.cpu.allowance": f"{quota}ms/{_PERIOD}ms"}


def cores(cpu: str, allowance: str) -> float:
    """Cores a guest may use at most; 0 for no limit.

    ``cpu`` is a number (``2``) or a set (``0-3,6``). An allowance in time (``50ms/100ms``) is a limit, one in
    percent only a weight against other guests.
    """
    count = 0.0
    for part in filter(None, (piece.strip() for piece in cpu.split(","))):
        span = re.fullmatch(r"([0-9]+)-([0-9]+)", part)
        if span:
            count += int(span.group(2)) - int(span.group(1)) + 1
        elif part.isdigit():
            # A lone number is how many; as one of several it names a single core.
            count += 1 if "," in cpu else int(part)
    quota = re.fullmatch(r"([0-9]+)ms/([0-9]+)ms", allowance.strip())
    if quota and int(quota.group(2)):
        limit = int(quota.group(1)) / int(quota.group(2))
        return min(count, limit) if count else limit
    return count
