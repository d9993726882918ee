# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written on the two copies of a server while it moves from node to node. Pure.

Who is right is said by two marks: the role, and the generation, which rises at every promotion; of two primaries the
higher generation is right. A third, ``move``, is written on a copy for as long as a move may still take it back or
throw it away: ``to NODE running`` (or ``stopped``) on the one that leaves, ``from NODE`` on the one that is to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...fleet.model import Fleet, Node
from .guest import MARK, root_of
from .safekeeping import ALONE, AUTOSTART, OWN

Config = dict[str, str]

_ROLE, _GENERATION, _MOVE = f"{MARK}role", f"{MARK}generation", f"{MARK}move"
IDENTITY = ("volatile.base_image", "volatile.cloud-init.instance-id", "volatile.uuid", "volatile.uuid.generation")
"""What Incus notes on a guest that is the guest's own and not its node's. Cloud-init, which takes a new instance-id
for a new machine, would set up the moved server anew."""

STAYS: Config = {_MOVE: ""}
"""The copy takes part in no move any more."""


def other_node(config: Mapping[str, str]) -> str:
    """The other node of the move a copy takes part in; empty: none."""
    words = config.get(_MOVE, "").split()
    return words[1] if len(words) > 1 else ""


def ran(config: Mapping[str, str]) -> bool:
    """Whether the server ran when it began to leave."""
    return config.get(_MOVE, "").endswith(" running")


def leaving(target: str, *, running: bool) -> Config:
    """The keys of a copy that is about to be left behind."""
    return {_MOVE: f"to {target} {'running' if running else 'stopped'}"}


def promoted(generation: int, autostart: str = "") -> Config:
    """The keys of a copy that is the server from now on; ``autostart`` is what the server had there."""
    return dict.fromkeys(ALONE, "") | {
        _ROLE: "primary",
        _GENERATION: str(generation),
        _MOVE: "",
        AUTOSTART: autostart,
    }


def autostart(config: Mapping[str, str]) -> str:
    """Whether somebody wants the server started at boot whatever was before; empty: Incus' own ways."""
    return config.get(AUTOSTART, "")


def demoted(generation: int, move: str = "") -> Config:
    """The keys of a copy that only keeps the data."""
    return {_ROLE: "replica", _GENERATION: str(generation), _MOVE: move, AUTOSTART: "false"}


def arriving(source: str) -> str:
    """The move mark of a copy that is not the server yet."""
    return f"from {source}"


def replica(raw: Mapping[str, Any], source: Node, target: Node, fleet: Fleet, *, moving: bool = True) -> dict[str, Any]:
    """The instance a guest is copied to: the same, but asleep, and on the bridges of its new node.

    ``moving``: it is to be the server there; otherwise it stays a replica.
    """
    config = {key: value for key, value in raw["config"].items() if _goes_along(key)}
    declared = {network.bridge for network in fleet.networks.values() if network.bridge}
    devices = {}
    for name, device in raw["devices"].items():
        moved = dict(device)
        if device.get("type") == "nic" and device.get("parent") == source.bridge and source.bridge not in declared:
            moved["parent"] = target.bridge
        devices[name] = moved
    generation = raw["config"].get(_GENERATION, "1")
    marks = demoted(int(generation) if generation.isdigit() else 1, arriving(source.name) if moving else "")
    unchanged = {key: raw[key] for key in ("architecture", "description", "ephemeral", "profiles") if key in raw}
    config = {key: value for key, value in (config | marks).items() if value}
    return unchanged | {"config": config, "devices": devices}


def renewed(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """A copy made earlier, with what its server is now; None: nothing differs. What Incus notes on it stays."""
    noted = {key: value for key, value in current["config"].items() if key.startswith("volatile.")}
    config = noted | wanted["config"]
    if config == current["config"] and wanted["devices"] == current["devices"]:
        return None
    return {**wanted, "config": config}


def tied(raw: Mapping[str, Any]) -> str:
    """What keeps a guest on its node for good: a disk that is not part of it. Empty: nothing."""
    root, _disk = root_of(dict(raw))
    for name, device in sorted((raw.get("expanded_devices") or raw["devices"]).items()):
        if device.get("type") == "disk" and name != root and device.get("path") != "/":
            return f"its device {name} is a disk of this node ({device.get('source', '?')})"
    return ""


def _goes_along(key: str) -> bool:
    """Whether a copy has it from its server: neither what its node noted, nor what is said of one copy alone."""
    if key.startswith("volatile."):
        return key in IDENTITY or key.endswith(".hwaddr")
    return not key.startswith(OWN)
