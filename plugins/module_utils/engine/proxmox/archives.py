# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates of containers are archives on storages: ``debian-13-standard_13.1-2_amd64.tar.zst`` is version 13.1-2 of
template ``debian-13-standard``, as Proxmox names its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_ARCHIVE = re.compile(
    r"[^:]+:vztmpl/(?P<name>[^/]+?)_(?P<version>[^_/]+)(_(?P<arch>amd64|arm64|i386))?\.(tar\.(gz|xz|zst|bz2)|tgz)"
)
CONTENT = "vztmpl"


def pair(volid: str) -> tuple[str, str] | None:
    """(template, version) of an archive; None: not named so."""
    found = _ARCHIVE.fullmatch(volid)
    return (found["name"], found["version"]) if found else None


def places(storages: Iterable[Mapping[str, Any]], online: Iterable[str]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Where archives may be, from rows of /cluster/resources: (node to ask, storage, nodes that see the same).

    A shared storage is asked once.
    """
    nodes = set(online)
    local, shared = [], {}
    for row in storages:
        node, storage = str(row.get("node", "")), str(row.get("storage", ""))
        if CONTENT not in str(row.get("content", "")).split(",") or node not in nodes or row["status"] != "available":
            continue
        if row.get("shared"):
            shared.setdefault(storage, []).append(node)
        else:
            local.append((node, storage, (node,)))
    return sorted(local) + sorted((sorted(seen)[0], storage, tuple(sorted(seen))) for storage, seen in shared.items())
