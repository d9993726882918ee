# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there already, in more detail than planning needs: guests with their cards, as an engine describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..model import Kind, ServerState, Size


@dataclass(frozen=True, slots=True)
class Card:
    """One network card of a guest."""

    name: str
    """As the platform calls it: ``net0``, ``eth0``."""
    bridge: str = ""
    vlan: int = 0
    mtu: int = 0
    addresses: tuple[str, ...] = ()
    """Written down for it, each with its prefix length: ``192.0.2.7/24``."""
    gateways: tuple[str, ...] = ()
    dynamic: bool = False
    """It asks for an address (DHCP, router advertisements)."""
    seen: tuple[str, ...] = ()
    """Addresses it had when it was looked at, which nobody has written down."""


@dataclass(frozen=True, slots=True)
class ExistingGuest:
    """A guest, ours or anybody's. Memory and disk are MiB."""

    name: str
    node: str
    number: str
    """What the platform knows it by: ``lxc/101``."""
    kind: Kind = "container"
    state: ServerState = "running"
    size: Size = field(default_factory=lambda: Size(0, 0, 0))
    pool: str = ""
    """Storage pool of the root disk."""
    more_disks: tuple[str, ...] = ()
    fleet: str = ""
    """Fleet whose mark it bears."""
    cards: tuple[Card, ...] = ()
    dns: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    """What else it is sorted by: a resource pool, a profile."""
    system: str = ""
    """What runs in it, where the platform knows: ``debian``."""
    start_order: int | None = None
    is_template: bool = False
    error: str = ""
    """Why nothing could be learned of it; empty: all is known."""

    @property
    def place(self) -> str:
        """What tells it from all others of the site."""
        return f"{self.number} on {self.node}"


@dataclass(frozen=True, slots=True)
class ExistingNode:
    """A node, and what an inventory has to say of it."""

    name: str
    address: str = ""
    port: int = 0
    """0: the engine's own."""
    fingerprint: str = ""
    error: str = ""
    """Why it does not answer; empty: it does."""
    templates: frozenset[tuple[str, str]] = frozenset()
    """(template, version) pairs containers can be made from here."""


@dataclass(frozen=True, slots=True)
class Existing:
    """A whole site."""

    nodes: Mapping[str, ExistingNode]
    guests: tuple[ExistingGuest, ...]
