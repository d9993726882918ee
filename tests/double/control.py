# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/double: faults, switches and a look behind the scenes, for whoever tries things by hand.

``GET /double``: calls by endpoint, faults waiting, nodes, guests. ``POST /double/faults`` (do, on, times, status, text,
seconds; see faults.py). ``DELETE /double/faults``. ``POST /double/do`` with ``what`` one of kill, revive, lose_quorum,
unreachable, hold_guest, hold_file, lock_guest, deafen, maintenance, and that function's arguments.
"""

from __future__ import annotations

import inspect
import threading
from typing import Any

from .world import Answer, World

SWITCHES = (
    "kill", "revive", "lose_quorum", "unreachable", "hold_guest", "hold_file", "lock_guest", "deafen", "maintenance",
)  # fmt: skip


def control(world: World, ready: threading.Condition, method: str, path: str, params: dict[str, Any]) -> Answer:
    """Answer a request to the double itself."""
    with ready:
        world.clock.catch_up()
        try:
            result = _do(world, method, path.rstrip("/"), params)
        except (KeyError, TypeError, ValueError) as error:
            return Answer(400, "Bad Request", {"data": None, "message": f"{type(error).__name__}: {error}"})
        world.clock.catch_up()
        ready.notify_all()
    return Answer(200, "OK", {"data": result})


def _do(world: World, method: str, path: str, params: dict[str, Any]) -> Any:
    if path == "/double/faults" and method == "POST":
        numbers = {"times": int, "status": int, "seconds": float}
        world.faults.add(**{key: numbers[key](value) if key in numbers else value for key, value in params.items()})
    elif path == "/double/faults" and method == "DELETE":
        world.faults.clear()
    elif path == "/double/do" and method == "POST":
        what = str(params.pop("what"))
        if what not in SWITCHES:
            raise ValueError(f"what: not one of {', '.join(SWITCHES)}")
        switch = getattr(world.faults, what)
        wanted = inspect.signature(switch).parameters
        switch(**{key: _typed(str(wanted[key].annotation), value) for key, value in params.items()})
    elif path not in ("/double", "/double/faults"):
        raise ValueError(f"{method} {path}: not known")
    return {
        "calls": dict(world.calls),
        "faults": world.faults.list(),
        "quorate": int(world.cluster.quorate),
        "nodes": {name: int(node.online) for name, node in world.cluster.nodes.items()},
        "guests": {str(vmid): f"{guest.kind} on {guest.node}" for vmid, guest in sorted(world.cluster.guests.items())},
    }


def _typed(kind: str, value: Any) -> Any:
    if kind == "bool":
        return str(value) in ("1", "true", "True")
    return {"int": int, "float": float}.get(kind, str)(value)
