# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written on a copy of a server that is to be a server of its own. Pure.

The copy is ours, and the new server's, from its first moment; that it still has its source's identity inside is said by
the key ``COPIED``, until it has one of its own. Until then nobody starts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...fleet.model import Fleet, Node, Server
from . import guest
from .guest import MARK, root_of
from .safekeeping import SHARED

COPIED = f"{MARK}copy_of"
"""The server it is a copy of, as long as it is not one of its own."""
IMPORTED = f"{MARK}imported"
"""Checksum of the file a server was made from, for as long as it is there."""
_BORN = (f"{MARK}template", f"{MARK}template_version")
"""What is true of a copy because it is true of its source."""


def duplicate(raw: Mapping[str, Any], server: Server, node: Node, fleet: Fleet) -> dict[str, Any]:
    """The instance a guest is copied to. What Incus noted on the source is not passed on: the copy gets an identity of
    its own where Incus gives one (UUID, cloud-init's instance-id, generation)."""
    config = {key: value for key, value in raw["config"].items() if not key.startswith(("volatile.", MARK))}
    config.pop("boot.autostart", None)
    own = guest.birth_marks(server, fleet) | guest.settings(server, fleet) | guest.limits(server)
    own |= {key: raw["config"][key] for key in _BORN if key in raw["config"]}
    config |= own | {COPIED: str(raw["name"])}
    name, disk = root_of(dict(raw))
    root = disk | {"pool": server.pool} | {key: size for key, size in guest.root_disk(server).items() if key == "size"}
    devices = {key: device for key, device in raw["devices"].items() if not _is_card(key, device)}
    devices |= {name: root, **guest.nics(server, node, fleet)}
    unchanged = {key: raw[key] for key in ("architecture", "profiles") if key in raw}
    # What is not given, a copy on the same node takes from its source: nobody is to take it for that server's.
    not_its = {key: "" for key in SHARED if raw["config"].get(key)}
    return unchanged | {
        "type": raw.get("type", "container"),
        "config": {key: value for key, value in config.items() if value} | not_its,
        "devices": devices,
    }


def finished(raw: dict[str, Any], server: Server, node: Node, fleet: Fleet) -> dict[str, Any] | None:
    """The copy once it is a server like any other; None: it is one already.

    Of a copy on the same node Incus fills in what was not given from the source, so everything is compared once more.
    """
    now: dict[str, Any] = raw | (guest.configured(raw, server, node, fleet) or {})
    now |= guest.resized(now, server) or {}
    ours = guest.birth_marks(server, fleet) | guest.settings(server, fleet) | guest.limits(server)
    stay = {*ours, IMPORTED}
    gone = {key for key in now["config"] if key.startswith(MARK) and key not in stay} | {"boot.autostart"}
    config = {key: value for key, value in now["config"].items() if key not in gone}
    if config == raw["config"] and now["devices"] == raw["devices"]:
        return None
    kept = {key: raw[key] for key in ("architecture", "ephemeral", "profiles", "stateful") if key in raw}
    return kept | {"description": "", "config": config, "devices": now["devices"]}


def _is_card(name: str, device: Mapping[str, str]) -> bool:
    return device.get("type") == "nic" and name.startswith("eth") and name[3:].isdigit()
