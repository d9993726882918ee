# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What we write on a guest of ours, as tags: they are in the one list of all guests, so that to know everybody takes no
request per guest. Pure.

A mark is ``sy+KEY+VALUE+...``: ``sy+fleet+berlin``, ``sy+net0+lan+192.0.2.7``, ``sy+template+debian-13+13.1-2``.
Tags are lower-case letters, digits and ``_-+.`` and come back sorted; what else a value holds is written ``_`` and two
hexadecimal digits for each of its bytes. Tags of others are theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ...fleet.model import Fleet, Interface, Server, Template

_PREFIX = "sy"
_NET = re.compile(r"net([0-9]+)")


@dataclass(frozen=True, slots=True)
class Marks:
    """What our tags say of a guest."""

    fleet: str = ""
    name: str = ""
    """The server's. Minutes after a node died the list of all guests tells the numbers of its guests, and no names."""
    class_name: str = ""
    tenant: str = ""
    template: str = ""
    template_version: str = ""
    pool: str = ""
    cores: float = 0.0
    disk: int = 0
    io: int = 0
    interfaces: tuple[Interface, ...] = ()
    adopted: bool = False
    """Somebody else made it: it keeps its hardware addresses."""
    others: tuple[str, ...] = field(default=(), compare=False)
    """Tags that are not ours."""


def of_server(server: Server, fleet: Fleet, born: Marks | None = None) -> Marks:
    """What is to be written on a server; what it was made from stays as it was when it was ``born``."""
    template = fleet.templates.get(server.template, Template(server.template))
    return Marks(
        fleet=fleet.name,
        name=server.name,
        class_name=server.class_name,
        tenant=server.tenant,
        template=born.template if born else template.name,
        template_version=born.template_version if born else template.version,
        pool=born.pool if born else server.pool,
        cores=server.size.cores,
        disk=server.size.disk,
        io=server.size.io,
        interfaces=server.interfaces,
        adopted=born.adopted if born else False,
        others=born.others if born else (),
    )


def write(marks: Marks) -> str:
    """The tags as Proxmox VE gives them back: sorted, divided by semicolons."""
    values: dict[str, tuple[str, ...]] = {
        "fleet": (marks.fleet,),
        "name": (marks.name,),
        "class": (marks.class_name,),
        "tenant": (marks.tenant,),
        "template": (marks.template, marks.template_version),
        "pool": (marks.pool,),
        "adopted": ("1" if marks.adopted else "",),
        "size": (f"{marks.cores:g}", str(marks.disk), str(marks.io)),
        **{f"net{index}": (leg.network, leg.address) for index, leg in enumerate(marks.interfaces)},
    }
    ours = ["+".join((_PREFIX, key, *map(_escape, value))) for key, value in values.items() if any(value)]
    return ";".join(sorted({*ours, *marks.others}))


def read(tags: str) -> Marks:
    """What a guest's tags say; a mark that somebody spoiled is read as none."""
    values: dict[str, list[str]] = {}
    others = []
    for tag in filter(None, re.split(r"[;, ]", tags)):
        prefix, *parts = tag.split("+")
        if prefix == _PREFIX and len(parts) > 1:
            values[parts[0]] = [_unescape(part) for part in parts[1:]]
        else:
            others.append(tag)
    legs = sorted((int(found.group(1)), values[key]) for key in values if (found := _NET.fullmatch(key)))
    cores, disk, io = (*values.get("size", ()), "", "", "")[:3]
    return Marks(
        fleet=_first(values, "fleet"),
        name=_first(values, "name"),
        class_name=_first(values, "class"),
        tenant=_first(values, "tenant"),
        template=_first(values, "template"),
        template_version=(*values.get("template", ()), "", "")[1],
        pool=_first(values, "pool"),
        cores=_number(cores),
        disk=int(_number(disk)),
        io=int(_number(io)),
        interfaces=tuple(Interface(*value) for _index, value in legs if len(value) == 2),
        adopted=_first(values, "adopted") == "1",
        others=tuple(others),
    )


def _first(values: Mapping[str, Iterable[str]], key: str) -> str:
    return next(iter(values.get(key, ())), "")


def _number(text: str) -> float:
    try:
        return max(float(text), 0.0)
    except ValueError:
        return 0.0


def _escape(text: str) -> str:
    return "".join(
        letter if re.fullmatch(r"[a-z0-9.-]", letter) else "".join(f"_{byte:02x}" for byte in letter.encode())
        for letter in text
    )


def _unescape(text: str) -> str:
    plain = re.sub(rb"_([0-9a-f]{2})", lambda found: bytes([int(found.group(1), 16)]), text.encode())
    return plain.decode(errors="replace")
