# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""That a node is drained is a key of its own server configuration."""

from __future__ import annotations

from collections.abc import Mapping

from .client import Changed, Client
from .guests import TRIES

_YES = "true"


def key(fleet: str) -> str:
    """The configuration key a fleet keeps it under."""
    return f"user.switchyard.maintenance.{fleet}"


def is_on(config: Mapping[str, str], fleet: str) -> bool:
    """Whether a server configuration says so."""
    return config.get(key(fleet), "") == _YES


def switch(client: Client, fleet: str, *, on: bool) -> None:
    """Two requests, one if it is so already."""
    attempt = "begin maintenance" if on else "end maintenance"
    for tried in range(TRIES):
        answer = client.get("/1.0", attempt)
        if is_on(answer.metadata.get("config") or {}, fleet) == on:
            return
        try:
            client.send("PATCH", "/1.0", attempt, {"config": {key(fleet): _YES if on else ""}}, etag=answer.etag)
        except Changed:
            # Somebody set another option of this server meanwhile.
            if tried == TRIES - 1:
                raise
            continue
        return
