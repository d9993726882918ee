# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What guests really take: CPU time between two looks at all of them, and memory at the second. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...fleet.model import Use

_MIB = 1024 * 1024
_NANOSECONDS = 1e9

Key = tuple[str, str]
"""Incus project and name of a guest."""


def key(raw: Mapping[str, Any]) -> Key:
    """Which guest an answer is about."""
    return str(raw.get("project") or "default"), str(raw["name"])


def uses(first: Iterable[Mapping[str, Any]], second: Iterable[Mapping[str, Any]], seconds: float) -> dict[Key, Use]:
    """What each guest took that ran all the time between two lists (``recursion=2``) that many seconds apart.

    A guest whose memory Incus cannot tell is left out: where the kernel keeps no account, everything reads 0.
    """
    before = {key(raw): _state(raw) for raw in first}
    found: dict[Key, Use] = {}
    for raw in second:
        now, then = _state(raw), before.get(key(raw))
        if then is None or now.get("pid", 0) <= 0 or now.get("pid") != then.get("pid"):
            continue
        memory = int((now.get("memory") or {}).get("usage") or 0)
        busy = _cpu(now) - _cpu(then)
        if memory <= 0 or busy < 0:
            continue
        found[key(raw)] = Use(cores=round(busy / _NANOSECONDS / seconds, 4), memory=-(-memory // _MIB))
    return found


def _state(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    return raw.get("state") or {}


def _cpu(state: Mapping[str, Any]) -> int:
    return int((state.get("cpu") or {}).get("usage") or 0)
