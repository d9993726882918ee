# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a variable of the inventory is: the row of the table that is parsed by and documented from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..kinds import Kind

Holder = Literal["fleet", "node", "server"]


@dataclass(frozen=True)
class Variable:
    """A variable, what it accepts and what it does."""

    name: str
    kind: Kind
    description: str
    """One or two sentences for the operator."""
    example: str
    """A value as it is written in YAML."""
    default: Any = None
    """The normalised value where none is declared; ``None`` where there is none to speak of."""
    default_text: str = ""
    """The default in words, where its value would not tell."""
    effect: str = "now"
    """``now``; or ``later: …`` where the variable is checked already and gets its effect in a later release; or what
    holds for each engine: ``Proxmox VE: now. Incus: later; …``."""
    secret: bool = False
    """Its value, or a part of it, is never shown, not even when it is wrong."""

    @property
    def scope(self) -> Holder:
        """Who carries the variable: the whole fleet, a node, or a server."""
        prefix = self.name.partition("_")[0]
        return "fleet" if prefix == "fleet" else "server" if prefix == "vs" else "node"
