# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes, and how the config files write them."""

from __future__ import annotations

import re

MIB = 1024**2
GIB = 1024**3


def parse_size(text: str) -> int:
    """``2G``, ``512M`` or plain bytes, in bytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)", text)
    if not match:
        return 0
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2] or " "))


def show_size(size: int) -> str:
    """Bytes as the config files write them."""
    for unit, factor in (("T", 1024**4), ("G", GIB), ("M", MIB), ("K", 1024)):
        if size >= factor and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
