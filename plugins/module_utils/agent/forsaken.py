# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replicas here whose server is no more: it was deleted while this node did not answer.

Their labels say that the cluster starts them once the server's node is dead, and a customer's server would be back who
has long gone. The replica itself stays: whoever deleted a server by mistake finds it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..engine.incus import handover, safekeeping
from ..engine.incus.guests import Found, Guests


def labelled(found: Mapping[str, Found]) -> list[str]:
    """The replicas here that the cluster would start."""
    return sorted(name for name, copy in found.items() if _would_start(copy))


def forsaken(
    found: Mapping[str, Found], copies: Mapping[str, Mapping[str, Found]], others: Collection[str]
) -> list[str]:
    """Those whose server nobody has, nor is about to have. ``copies``: node -> name -> copy, of the nodes that
    answered, of ``others``: one that is silent may have any. Pure."""
    if set(others) - copies.keys():
        return []
    served = {name for there in copies.values() for name, copy in there.items() if _is_server(copy)}
    return [name for name in labelled(found) if name not in served]


def unlabel(here: Guests, name: str) -> None:
    """Nobody starts it by himself any more. Should its server be back, the next refresh labels it again. Raises
    EngineError."""

    def keys(now: Found) -> dict[str, str]:
        return {safekeeping.PAIR: ""} if _would_start(now) else {}

    here.mark(name, f"have nobody start the replica of {name}", keys)


def _would_start(copy: Found) -> bool:
    moves = handover.other_node(copy.config)
    return copy.replica and not moves and safekeeping.pair(copy.config) is not None


def _is_server(copy: Found) -> bool:
    """Of a server that moves, each of the two copies may be the server in a moment."""
    return not copy.replica or bool(handover.other_node(copy.config))
