# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apt's sources of a Proxmox VE node: the repository chosen is offered once, those not chosen are switched off. Pure.

An installation from the ISO comes with the enterprise repositories, of Proxmox VE and of Ceph, which refuse whoever has
no subscription and with that stop apt altogether.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .apt_sources import Source, read_deb822, read_list

CHOICES = {"enterprise": "pve-enterprise", "no-subscription": "pve-no-subscription"}
FILE = "switchyard-proxmox.sources"
_OTHERS = {
    # Ceph's has the same component name for every release: enterprise.
    "no-subscription": frozenset({"pve-enterprise", "enterprise"}),
    "enterprise": frozenset({"pve-no-subscription"}),
}


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository a node installs Proxmox VE from."""

    choice: str
    uri: str
    suite: str
    keyring: str

    @property
    def component(self) -> str:
        """As apt knows it."""
        return CHOICES[self.choice]

    def stanza(self, note: str) -> str:
        """As a file of its own."""
        fields = {
            "Types": "deb",
            "URIs": self.uri,
            "Suites": self.suite,
            "Components": self.component,
            "Signed-By": self.keyring,
        }
        return "".join([f"# {note}\n", *(f"{name}: {value}\n" for name, value in fields.items())])


def rewritten(files: Mapping[str, str], wanted: Repository, note: str) -> dict[str, str]:
    """The files of /etc/apt/sources.list.d (by name) that have to be otherwise, as they have to be.

    Whoever has written the same repository down already, in whichever file, has it once.
    """
    changed: dict[str, str] = {}
    offered = False
    for name, text in sorted(files.items()):
        new = _switched_off(name, text, wanted)
        if name != FILE:
            offered |= any(_is(source, wanted) for source in _read(name, new))
        if new != text:
            changed[name] = new
    if not offered and files.get(FILE) != wanted.stanza(note):
        changed[FILE] = wanted.stanza(note)
    return changed


def _read(name: str, text: str) -> list[Source]:
    return list(read_deb822(text) if name.endswith(".sources") else read_list(text))


def _is(source: Source, wanted: Repository) -> bool:
    return (
        source.uri.rstrip("/") == wanted.uri.rstrip("/")
        and wanted.suite in source.suites
        and wanted.component in source.components
    )


def _switched_off(name: str, text: str, wanted: Repository) -> str:
    others = _OTHERS[wanted.choice]
    if name.endswith(".sources"):
        parts = re.split(r"(\n[ \t]*\n)", text)
        return "".join(_stanza_off(part) if _offers(read_deb822(part), others) else part for part in parts)
    lines = text.splitlines(keepends=True)
    return "".join(f"# {line}" if _offers(read_list(line), others) else line for line in lines)


def _offers(sources: object, components: frozenset[str]) -> bool:
    return any(_proxmox(source) and components & set(source.components) for source in sources)  # type: ignore[attr-defined]


def _proxmox(source: Source) -> bool:
    """Component names as plain as these may be anybody's."""
    return re.search(r"(^|[/.])proxmox\b|/debian/(pve|ceph-)", source.uri) is not None


def _stanza_off(stanza: str) -> str:
    """A stanza that says it is off, once."""
    kept = [line for line in stanza.splitlines() if not re.match(r"enabled\s*:", line, re.IGNORECASE)]
    end = "\n" if stanza.endswith("\n") else ""
    return "\n".join([*kept, "Enabled: no"]) + end
