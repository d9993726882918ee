# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vocabulary of the inventory: every variable there is, and no other."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from .fleet import FLEET
from .node import NODE
from .server import SERVER
from .variable import Holder, Variable

__all__ = ["PREFIXES", "VARIABLES", "Holder", "Variable"]

VARIABLES: Final[Mapping[str, Variable]] = MappingProxyType({v.name: v for v in (*FLEET, *NODE, *SERVER)})
"""Name -> variable, in the order of the reference."""

PREFIXES: Final = ("fleet_", "node_", "vs_")
"""A variable that begins like one of these is ours, and is unknown if it is not in VARIABLES."""
