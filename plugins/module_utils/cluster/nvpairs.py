# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names with values, as Pacemaker's configuration has them everywhere. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement


def add(parent: Element, kind: str, identity: str, values: Mapping[str, str]) -> Element:
    """Add an element ``kind`` (``instance_attributes``, ``meta_attributes``, …) that holds these values, by name."""
    held = SubElement(parent, kind, {"id": identity})
    for name, value in sorted(values.items()):
        SubElement(held, "nvpair", {"id": f"{identity}-{name}", "name": name, "value": value})
    return held


def read(parent: Element | None) -> dict[str, str]:
    """Name -> value of what an element holds directly."""
    found = [] if parent is None else parent.findall("nvpair")
    return {each.get("name", ""): each.get("value", "") for each in found}
