# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy that lost against a newer one is put aside: under another name, with all that is in it.

It is a stranger from then on: nobody starts it, counts on it or deletes it but a person. Its network cards are taken
off, so that who looks into it does not answer at its server's address. May be cut off at any moment and done again.
"""

from __future__ import annotations

import time
from typing import Any

from ..engine.incus import safekeeping
from ..engine.incus.guest import MARK
from ..engine.incus.guests import INSTANCES, Found, Guests, path_of

_LONGEST = 63
"""Characters of a guest's name."""


def aside_name(name: str, now: float) -> str:
    """``NAME-aside-YYYYMMDD-HHMM``, in the node's time; a long name is cut off, its mark has it whole."""
    ending = time.strftime("-aside-%Y%m%d-%H%M", time.localtime(now))
    return name[: _LONGEST - len(ending)].rstrip("-") + ending


def put_aside(guests: Guests, found: Found, now: float) -> str:
    """Put a stopped copy aside; its new name. Three requests and more."""
    name = found.raw["name"]
    attempt = f"put the older copy of {name} aside"
    guests.replace(name, attempt, strange)
    return rename(guests, name, now)


def strange(raw: dict[str, Any]) -> dict[str, Any]:
    """The copy as one that is nobody's."""
    server = raw["name"]
    ours = (f"{MARK}fleet", f"{MARK}role", safekeeping.PAIR, safekeeping.REPLICAS, safekeeping.KEEPS)
    config = {key: value for key, value in raw["config"].items() if key not in ours}
    config |= {safekeeping.ASIDE: server, safekeeping.AUTOSTART: "false"}
    devices = {name: device for name, device in raw["devices"].items() if device.get("type") != "nic"}
    kept = {key: raw[key] for key in ("architecture", "description", "ephemeral", "profiles", "stateful") if key in raw}
    return kept | {"config": config, "devices": devices}


def rename(guests: Guests, name: str, now: float) -> str:
    """Give a copy that is marked as put aside its name."""
    fresh = aside_name(name, now)
    attempt = f"put the older copy of {name} aside as {fresh}"
    guests.run("POST", path_of(name), attempt, {"name": fresh})
    return fresh


def unnamed(guests: Guests, attempt: str) -> tuple[set[str], set[str]]:
    """Servers whose copies here were put aside; and those of them whose copies still bear their name."""
    listed = guests.client.get(f"{INSTANCES}?recursion=1", attempt).metadata or []
    marked = {raw["name"]: (raw.get("config") or {}).get(safekeeping.ASIDE, "") for raw in listed}
    return {server for server in marked.values() if server}, {name for name, server in marked.items() if name == server}
