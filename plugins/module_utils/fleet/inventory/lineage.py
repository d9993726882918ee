# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which template is built on which: does its base exist, can one be built on it, and in what order are they built?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .kinds import WRONG
from .mistakes import Known, Notes

_INCUS_ONLY: Final = ("base", "files", "first_boot", "from", "components")


def check(templates: Mapping[str, Any], engine: str, notes: Notes) -> None:
    """Note what is wrong with templates that are right one by one."""
    for name, read in templates.items():
        if read is WRONG:
            continue
        at = f"fleet_templates.{name}"
        if engine == "proxmox":
            for key in (key for key in _INCUS_ONLY if key in read):
                accepted = (
                    "build and packages; an archive or a guest of your own (role proxmox_template) holds the rest"
                )
                notes.missing(f"{at}.{key}", "nothing Proxmox VE's templates are made with", accepted)
        elif read.get("kind") == "vm" and set(read) & {"build", "packages", *_INCUS_ONLY}:
            notes.missing(f"{at}.kind", "vm: only containers are built or taken from servers", "an image of your own")
        base = read.get("base")
        if base:
            problem, accepted = _unfit(name, base, templates)
            if problem:
                notes.wrong(f"{at}.base", base, problem, accepted)


def _unfit(name: str, base: str, templates: Mapping[str, Any]) -> tuple[str, str]:
    """Why a template cannot be built on another; empty: it can."""
    if base not in templates:
        return "no such template", Known(set(templates) - {name}).nearest(base, "none: no other template is declared")
    found = templates[base]
    if found is WRONG:
        return "", ""
    if "from" in found or found.get("build", "debian") != "debian":
        return "not built as a Debian", "a template with build: debian"
    if name in chain(base, templates):
        return "built on this one itself, by and by", "a template that is built from nothing in the end"
    return "", ""


def chain(name: str, templates: Mapping[str, Any]) -> list[str]:
    """A template and those it is built on, one below the other."""
    found: list[str] = []
    while name in templates and templates[name] is not WRONG and name not in found:
        found.append(name)
        name = templates[name].get("base", "")
    return found


def in_order(templates: Mapping[str, Any]) -> list[str]:
    """Names, each after the one it is built on."""
    return list(dict.fromkeys(each for name in templates for each in reversed(chain(name, templates))))
