# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One quick look at all pairs of nodes in this one's care: is everything as it was?

Pacemaker asks for every pair every few seconds, and nearly always all is well. So this loads next to nothing, asks
Incus once, over its socket, for all pairs together, and notes when that was: the resource agent asks nobody for the
pairs whose turn comes right after. Whatever is not exactly as remembered is a matter for ``watch``.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

WELL, LOOK = 0, 100
"""Exit status: all is well with this pair; it wants a thorough look."""
FOLDER, SEEN, ACTIVATED = "/run/switchyard/pairs", "/run/switchyard/well", "/run/switchyard/activated"
_SOCKET = "/var/lib/incus/unix.socket"
_MARK = "user.switchyard."
_PATIENCE = 10.0


def main() -> int:
    """``HOME BACKUP``: the exit status for that pair."""
    home, backup = sys.argv[-2:]
    try:
        well = look(f"{home}:{backup}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return LOOK
    return WELL if well else LOOK


def look(pair: str) -> bool:
    """Whether all is well with a pair, named as its file is; noted, where it is with all others, too."""
    if os.path.exists(ACTIVATED):  # noqa: PTH110 - pathlib takes longer to load than all this takes
        return False
    pairs = {name: _remembered(name) for name in os.listdir(FOLDER) if not name.startswith(".")}  # noqa: PTH208
    if pairs[pair]["calm"] is None:
        return False
    began = time.time()
    guests = _guests()
    same = {name for name, remembered in pairs.items() if _same(name, remembered, guests)}
    if pair not in same:
        return False
    silent = _silent(guests, {server: name for name in same for server in pairs[name]["calm"]})
    if len(same) == len(pairs) and not silent:
        with open(f"{SEEN}.new", "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(f"{int(began)}\n")
        os.replace(f"{SEEN}.new", SEEN)  # noqa: PTH105
    return pair not in silent


def _remembered(name: str) -> dict[str, Any]:
    with open(f"{FOLDER}/{name}", encoding="utf-8") as file:  # noqa: PTH123
        return dict(json.load(file))


def _guests() -> dict[str, dict[str, Any]]:
    """This node's guests, by name."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE)
        connection.connect(_SOCKET)
        # HTTP 1.0: the answer ends with the connection, and comes in one piece.
        connection.sendall(b"GET /1.0/instances?recursion=1 HTTP/1.0\r\nHost: incus\r\n\r\n")
        pieces = []
        while piece := connection.recv(1 << 20):
            pieces.append(piece)
    _head, _blank, body = b"".join(pieces).partition(b"\r\n\r\n")
    return {guest["name"]: guest for guest in json.loads(body)["metadata"] or ()}


def _same(name: str, remembered: Mapping[str, Any], guests: Mapping[str, dict[str, Any]]) -> bool:
    """Whether exactly the servers that were well are to run, and do."""
    label = name.replace(":", " ")
    if any(_waits(guest.get("config") or {}, label, remembered["fleet"]) for guest in guests.values()):
        return False
    kept = {
        guest["name"]: guest["status"]
        for guest in guests.values()
        if _is_kept(guest.get("config") or {}, label, remembered["fleet"])
    }
    return remembered["calm"] == sorted(kept) and all(status in ("Running", "Ready") for status in kept.values())


def _waits(config: Mapping[str, str], label: str, fleet: str) -> bool:
    """A replica of a pair that is here, on its backup, then: its server was not started, or came to the home since."""
    ours = config.get(f"{_MARK}pair") == label and config.get(f"{_MARK}fleet") == fleet
    return ours and config.get(f"{_MARK}role") == "replica"


def _is_kept(config: Mapping[str, str], label: str, fleet: str) -> bool:
    return (
        config.get(f"{_MARK}pair") == label
        and config.get(f"{_MARK}fleet") == fleet
        and config.get(f"{_MARK}role") != "replica"
        and config.get(f"{_MARK}keeps") == "running"
        and not config.get(f"{_MARK}move")
    )


def _silent(guests: Mapping[str, dict[str, Any]], of: Mapping[str, str]) -> set[str]:
    """Pairs with a server that does not answer one of its checks well. ``of``: server -> its pair."""
    silent: set[str] = set()
    asking = []
    for server, name in of.items():
        told = json.loads(guests[server]["config"].get(f"{_MARK}failover") or "{}")
        if told.get("checks"):
            address = (told.get("addresses") or [""])[0]
            asking.append(threading.Thread(target=_ask, args=(told["checks"], address, name, silent), daemon=True))
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    return silent


def _ask(checks: Iterable[dict[str, Any]], address: str, name: str, silent: set[str]) -> None:
    from ..readiness import ask  # noqa: PLC0415 - not needed where nothing is declared

    for check in checks:
        if ask(SimpleNamespace(**check), address):  # type: ignore[arg-type]
            silent.add(name)
