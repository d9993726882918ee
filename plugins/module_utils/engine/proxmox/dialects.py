# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two kinds of guests, by their names in the API and in the inventory."""

from __future__ import annotations

from ...fleet.model import Kind, Template
from .container import CONTAINER
from .dialect import Dialect
from .machine import MACHINE

DIALECTS: dict[str, Dialect] = {each.kind: each for each in (CONTAINER, MACHINE)}
_KINDS: dict[Kind, Dialect] = {"container": CONTAINER, "vm": MACHINE}


def dialect_of(template: Template) -> Dialect:
    """The kind of guest that is made from a template."""
    return _KINDS[template.kind]
