# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of templates as plain values: which nodes hold them, which servers were made from them, which may go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ..model import Fleet, Observed, StoredTemplate

HEAD: Final = ("TEMPLATE", "VERSION", "", "NODES", "SERVERS")
_SHOWN: Final = 6
"""Names of servers in one line of the table."""


def templates(fleet: Fleet, observed: Observed, stored: Iterable[StoredTemplate]) -> list[dict[str, Any]]:
    """One row for every version that is declared, held by a node, or that a server was made from."""
    held: dict[tuple[str, str], list[StoredTemplate]] = {}
    for each in stored:
        held.setdefault((each.name, each.version), []).append(each)
    made: dict[tuple[str, str], set[str]] = {}
    for guest in observed.servers:
        if guest.template and guest.template_version:
            made.setdefault((guest.template, guest.template_version), set()).add(guest.name)
    declared = {(each.name, each.version) for each in fleet.templates.values()}
    return [
        _row(fleet, key, held.get(key, []), sorted(made.get(key, ())), declared=key in declared)
        for key in sorted({*held, *made, *declared})
    ]


def _row(
    fleet: Fleet, key: tuple[str, str], held: Sequence[StoredTemplate], servers: list[str], *, declared: bool
) -> dict[str, Any]:
    taken = next((each.taken_from for each in held if each.taken_from), "")
    ours = bool(held) and all(each.fleet == fleet.name for each in held)
    return {
        "name": key[0],
        "version": key[1],
        "declared": declared,
        "nodes": sorted(each.node for each in held),
        "servers": servers,
        "taken_from": taken,
        "size_mib": next((each.size for each in held), None),
        "created": min((each.created for each in held), default=""),
        # Another fleet may share these nodes, and has a word in what it built.
        "unused": ours and not declared and not servers,
    }


def why_kept(row: dict[str, Any]) -> str:
    """Why a version may not be removed; empty: it may."""
    if row["declared"]:
        return "the inventory declares it: give fleet_templates another version first"
    if row["servers"]:
        return f"made from it: {_some(row['servers'])}"
    return "" if row["unused"] or not row["nodes"] else "another fleet's, or nobody's that can be told"


def table(rows: Iterable[dict[str, Any]]) -> str:
    """The same for people."""
    cells = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD) - 1)] + [0]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells)
    return "\n".join(lines)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    word = "declared" if row["declared"] else "unused" if row["unused"] else ""
    servers = f"{len(row['servers'])}: {_some(row['servers'])}" if row["servers"] else "-"
    return (row["name"], row["version"], word, " ".join(row["nodes"]) or "-", servers)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
