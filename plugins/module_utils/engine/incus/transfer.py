# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One copy of a guest from node to node: the target pulls it from the source, whole or only what differs.

The two nodes speak to each other; we tell the source to hand the guest out, hand its answer (where, and the secrets) to
the target, and wait for the target. Snapshots travel with their guest.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..base import EngineError, Progress, Refused
from . import operation
from .guests import INSTANCES, Guests, doubtful, path_of
from .peer import certificate

_PAUSES = (1.0, 4.0)
"""Seconds before a copy that could not begin is tried again."""
_NO_CONNECTION = "Unable to connect to"
"""What a node says that could not reach the source at all: nothing was copied."""
_TURNED_AWAY = "reading migration control source: websocket: close 1000"
"""What it says where the source handed the guest out to somebody else, or took the offer back for a change of it."""


def pull(
    source: Guests,
    target: Guests,
    name: str,
    body: dict[str, Any],
    *,
    attempt: str,
    progress: Progress,
    refresh: bool,
    running: bool,
    seconds: float,
    new_name: str = "",
    ready: Callable[[], None] | None = None,
) -> None:
    """Copy a guest to the target, as ``body`` describes it there; with ``refresh`` bring an older copy up to date,
    whose description Incus leaves as it is. Four requests.

    Where the guest is ``running`` meanwhile, files that change or vanish under the copy are no error, and what the copy
    then lacks, a later one brings. ``seconds`` is how long it may take. Raises as ``operation.wait`` does; whatever was
    raised, nothing of this copy goes on any more on a node that answers.

    With ``new_name`` another guest is made of it: without its snapshots. ``ready`` is called once the source has
    offered it; what it raises calls the copy off.
    """
    for pause in (*_PAUSES, None):
        offer, standing = _offer(source, name, attempt, running=running, alone=bool(new_name))
        offer["refresh"] = refresh
        wanted = {**body, "name": new_name or name, "source": offer}
        try:
            if ready is not None:
                ready()
            target.run("POST", INSTANCES, attempt, wanted, progress=progress, peer=source.client, seconds=seconds)
        except EngineError as error:
            if doubtful(error) and error.node == target.client.node:
                target.settle(new_name or name, attempt, progress, seconds)
            with suppress(EngineError):
                _take_back(source, standing, attempt)
            if pause is None or not (_NO_CONNECTION in error.answer or _TURNED_AWAY in error.answer):
                raise
            if _TURNED_AWAY in error.answer:
                with suppress(EngineError):
                    source.settle(name, attempt, progress, seconds)
            time.sleep(pause)
        else:
            return


def _offer(source: Guests, name: str, attempt: str, *, running: bool, alone: bool) -> tuple[dict[str, Any], str]:
    """The source is ready to hand the guest out; what the target has to know to fetch it, and the offer's own path."""
    common = {"live": False, "instance_only": alone, "allow_inconsistent": running}
    offered = source.client.send("POST", path_of(name), attempt, {"name": name, "migration": True, **common})
    offer = {
        "type": "migration",
        "mode": "pull",
        "operation": f"{source.client.url}{offered.operation}",
        "secrets": (offered.metadata or {}).get("metadata") or {},
        "certificate": certificate(source.client, attempt),
        **common,
    }
    return offer, offered.operation


def _take_back(source: Guests, offer: str, attempt: str) -> None:
    """This offer stands no more; those made to other nodes do."""
    with suppress(Refused):
        source.client.send("DELETE", offer, attempt)
    with suppress(Refused, operation.Gone):
        operation.wait(source.client, offer, attempt, source.fleet.limits.operation)


def withdraw(source: Guests, name: str, attempt: str) -> None:
    """No offer of this guest stands on the source: one nobody came for would keep it busy for half a minute."""
    operation.cancel(source.client, path_of(name), attempt, operation.MIGRATION)
    source.settle(name, attempt)
