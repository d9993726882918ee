# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource pool a guest is in: one at most, of a cluster's; it is made in it, and put into it later."""

from __future__ import annotations

from ..base import Refused
from .guests import Found, Guests
from .patience import patiently


def put(guests: Guests, found: Found, pool: str, attempt: str) -> None:
    """One request where it is there already; two otherwise, and it leaves the one it was in."""
    rows = guests.numbers.rows(attempt, fresh=True)
    if any(int(row["vmid"]) == found.vmid and row.get("pool") == pool for row in rows):
        return
    # In the body, not in the path: the name of a pool within another has a slash in it.
    body = {"poolid": pool, "vms": str(found.vmid), "allow-move": 1}
    client, seconds = guests.client, guests.fleet.limits.operation
    try:
        patiently(client, "/pools", attempt, seconds, lambda: client.send("PUT", "/pools", attempt, body))
    except Refused as error:
        # Somebody else was quicker.
        if "already a pool member" not in error.answer:
            raise
    finally:
        guests.numbers.forget()
