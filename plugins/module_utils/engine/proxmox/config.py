# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations of guests as Proxmox VE writes them: properties, volumes and sizes in one line each. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

Config = Mapping[str, Any]
"""A guest's configuration as the API answers it: ``{"net0": "name=eth0,…", "cores": 2, …}``."""

_MIB = {"": 1 / 1024**2, "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2}
_LINKED = re.compile(r"(?:^|[:/])base(?:vol)?-[0-9]+-disk-[0-9]+[^/]*/")


def options_of(text: str) -> dict[str, str]:
    """``name=eth0,bridge=vmbr0`` as pairs."""
    return dict(part.partition("=")[::2] for part in text.split(",") if part)


def written(options: Mapping[str, str], first: str) -> str:
    """Pairs as text, sorted, with ``first`` in front."""
    return ",".join(f"{key}={options[key]}" for key in sorted(options, key=lambda key: (key != first, key)))


def volume_of(value: Any) -> tuple[str, dict[str, str]]:
    """A disk's volume (``local-zfs:vm-100-disk-0``, a path, ``none``) and its options."""
    first, _comma, rest = str(value).partition(",")
    return re.sub(r"^(file|volume)=", "", first), options_of(rest)


def storage_of(volume: str) -> str:
    """The storage a volume is on; empty for a path, an empty drive, a device."""
    name, colon, _rest = volume.partition(":")
    return name if colon and not volume.startswith("/") else ""


def is_linked(volume: str) -> bool:
    """Whether it holds only what differs from a template's disk."""
    return bool(_LINKED.search(volume))


def mib(size: str) -> int:
    """``8G`` in MiB, rounded up; 0 where it is no size."""
    found = re.fullmatch(r"([0-9.]+)([KMGT]?)", size)
    return math.ceil(float(found[1]) * _MIB[found[2]]) if found else 0
