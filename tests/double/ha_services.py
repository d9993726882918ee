# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HA is told of guests, and what it knows of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Resource:
    """An entry of resources.cfg."""

    sid: str
    state: str = "started"
    options: dict[str, Any] = field(default_factory=dict)  # max_restart, max_relocate, comment, group, failback


@dataclass
class Service:
    """What the manager knows of a resource."""

    sid: str
    node: str
    state: str = "started"
    target: str = ""
    running: bool = False
    busy: bool = False
    tried: int = 0
    failed: list[str] = field(default_factory=list)
    home: str = ""  # where it was before a maintenance
