# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives that containers are made from: which are wanted, which are there, and how the rest comes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..engine.proxmox.archives import pair
from .access import Request

SUM = re.compile(r"(sha256|sha512|sha384|sha224|sha1|md5):([0-9a-f]{32,128})")


@dataclass(frozen=True, slots=True)
class Download:
    """An archive from a web server, by its name on the storage; ``checksum`` is ``sha256:...``."""

    filename: str
    url: str
    checksum: str


def newest(names: Iterable[str], offers: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """(files, names nobody offers): for each name (``debian-13-standard``) the newest file of what Proxmox offers.

    A whole file name stands for itself.
    """
    files = [str(each["template"]) for each in offers]
    found, unknown = [], []
    for name in names:
        own = [file for file in files if file == name or (pair(f"x:vztmpl/{file}") or ("", ""))[0] == name]
        if own:
            found.append(max(own, key=_age))
        else:
            unknown.append(name)
    return found, unknown


def _age(file: str) -> tuple[Any, ...]:
    """What sorts 13.10-1 after 13.9-2."""
    return tuple(int(part) if part.isdigit() else 0 for part in re.split(r"[^0-9]+", file))


def mistakes(downloads: Iterable[Download]) -> list[str]:
    """What cannot be."""
    found = []
    for each in downloads:
        if pair(f"x:vztmpl/{each.filename}") is None:
            found.append(f"{each.filename}: a template's archive is called NAME_VERSION_amd64.tar.zst (or .gz, .xz)")
        if not SUM.fullmatch(each.checksum):
            found.append(f"{each.filename}: checksum {each.checksum!r} is not such as sha256:9f86d0...")
    return found


def missing(files: Iterable[str], volumes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Files that are not on the storage."""
    there = {str(each["volid"]).rpartition("/")[2] for each in volumes}
    return [file for file in dict.fromkeys(files) if file not in there]


def fetched(node: str, storage: str, file: str, downloads: Mapping[str, Download]) -> Request:
    """The request that brings one."""
    if file not in downloads:
        return Request("POST", f"/nodes/{node}/aplinfo", {"storage": storage, "template": file})
    kind, _colon, digest = downloads[file].checksum.partition(":")
    body = {"content": "vztmpl", "filename": file, "url": downloads[file].url}
    body |= {"checksum": digest, "checksum-algorithm": kind}
    return Request("POST", f"/nodes/{node}/storage/{storage}/download-url", body)
