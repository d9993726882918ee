# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""That a node is drained is a pool of its own, without members.

Proxmox VE's own maintenance mode is for its HA manager alone, and no call of its API switches it; a node that is in it
is seen as drained all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..base import EngineError
from .client import Client, Exists, Missing


def pool(fleet: str, node: str) -> str:
    """The pool that says that the node is drained."""
    return f"{_prefix(fleet)}{node}"


def nodes(pools: Iterable[Mapping[str, Any]], fleet: str) -> set[str]:
    """Nodes that are, from the answer of /pools."""
    prefix = _prefix(fleet)
    names = (str(each.get("poolid", "")) for each in pools)
    return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}


def switch(client: Client, fleet: str, node: str, *, on: bool) -> None:
    """One request; one more where nobody saw its end."""
    name, attempt = pool(fleet, node), f"{'begin' if on else 'end'} maintenance"
    try:
        if on:
            body = {"poolid": name, "comment": f"Node {node} is drained: fleet {fleet} brings nothing new to it"}
            client.send("POST", "/pools", attempt, body)
        else:
            client.send("DELETE", f"/pools/{name}", attempt)
    except (Exists, Missing):
        # It is so already.
        return
    except EngineError as error:
        if not error.unsure or (node in nodes(client.get("/pools", attempt), fleet)) != on:
            raise


def _prefix(fleet: str) -> str:
    return f"switchyard-maintenance-{fleet}-"
