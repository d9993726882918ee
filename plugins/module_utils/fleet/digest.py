# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest of what a plan was made from: the fleet's intent and what was observed.

Figures that move by themselves (load, memory in use, when a replica was last refreshed) are left out, so that a plan
stays good until something it rests on has really changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Set
from dataclasses import fields, is_dataclass, replace
from operator import attrgetter
from typing import Any

from .model import Fleet, Observed, ObservedServer


def digest(fleet: Fleet, observed: Observed) -> str:
    """SHA-256, hex, of everything the planner looks at."""
    steady = replace(
        observed,
        at=0.0,
        nodes={
            name: replace(node, memory_used=0, load=None, pools_used={}, error="", uptime=None)
            for name, node in observed.nodes.items()
        },
        servers=tuple(_steady(server) for server in observed.servers),
    )
    return hashlib.sha256(_text([fleet, steady]).encode()).hexdigest()


def _steady(server: ObservedServer) -> ObservedServer:
    """A guest without what moves by itself; of its replica only whether there is a complete one."""
    copying, protection = server.copying, server.protection
    if server.use is None and copying is None and protection is None:
        return server
    if copying is not None:
        steady = replace(copying, refreshed=float(copying.refreshed > 0), failures=0, failure="", took=0.0, tried=0.0)
        copying = replace(steady, changing=None)
    if protection is not None:
        protection = replace(protection, state="", waits="")
    return replace(server, use=None, copying=copying, protection=protection)


_Told = Callable[[Any], tuple[Any, ...]]

_TELLERS: dict[type[Any], _Told | None] = {}


def _text(value: Any) -> str:
    """A dataclass tree as JSON; equal values have one text. There are no circles in it to look out for."""
    return json.dumps(value, default=_plain, sort_keys=True, separators=(",", ":"), check_circular=False)


def _plain(value: Any) -> Any:
    """What JSON does not know by itself, one level of it; the encoder sees to the rest, faster than we could."""
    tell = _teller(type(value))
    if tell is not None:
        return tell(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Set):
        return sorted(map(_text, value))
    raise TypeError(f"{type(value).__name__} has no place in a fleet")


def _teller(kind: type[Any]) -> _Told | None:
    """What tells a dataclass's fields; ``None`` for any other type. Asked of every value of a fleet, so remembered."""
    if kind not in _TELLERS:
        _TELLERS[kind] = _fields_told(kind) if is_dataclass(kind) else None
    return _TELLERS[kind]


def _fields_told(kind: type[Any]) -> _Told:
    # Without their names: what a place holds is told by the place, and names would be most of the text.
    names = tuple(field.name for field in fields(kind))
    if len(names) < 2:
        return lambda value: tuple(getattr(value, name) for name in names)
    values: _Told = attrgetter(*names)
    return values
