# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storages of a Proxmox VE cluster as declared, and what differs from what is there. Pure.

What a storage is made of (a path, an export, a pool) is fixed once it is made: another one is another storage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .access import Request

NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of storage: what has to be said of it, what may be, what it may hold."""

    fixed: tuple[str, ...]
    """What it is made of; has to be declared, but for those in ``may``."""
    may: tuple[str, ...]
    content: frozenset[str]
    shared: bool = False
    """Whether its very type says that all nodes see the same."""


_FILES = frozenset({"images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import"})
_DISKS = frozenset({"images", "rootdir"})
KINDS: dict[str, Kind] = {
    "dir": Kind(("path",), ("shared", "is_mountpoint", "preallocation", "prune-backups", "create-base-path"), _FILES),
    "nfs": Kind(("server", "export"), ("options", "preallocation", "prune-backups"), _FILES, shared=True),
    "cifs": Kind(("server", "share"), ("username", "domain", "password", "options", "smbversion"), _FILES, shared=True),
    "zfspool": Kind(("pool",), ("sparse", "blocksize", "mountpoint"), _DISKS),
    "lvmthin": Kind(("vgname", "thinpool"), (), _DISKS),
}
_COMMON = ("name", "type", "content", "nodes", "enabled")
_AT_CREATION = frozenset({"password", "create-base-path"})
"""What nobody can ask for afterwards: it counts when the storage is made."""
_FLAGS = frozenset({"shared", "sparse", "disable", "create-base-path"})
_SETS = frozenset({"content", "nodes"})


@dataclass(frozen=True, slots=True)
class Storage:
    """One storage. ``options`` as the API has them."""

    name: str
    type: str
    options: Mapping[str, Any] = field(default_factory=dict)


class Unreadable(Exception):
    """Storages that cannot be; ``mistakes`` has every one."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(mistakes))


def read(declared: Iterable[Mapping[str, Any]]) -> list[Storage]:
    """Storages as an inventory declares them. Raises Unreadable with every mistake."""
    mistakes: list[str] = []
    storages: dict[str, Storage] = {}
    for number, entry in enumerate(declared, 1):
        name = str(entry.get("name") or "")
        where = f"storage {name or number}"
        kind = KINDS.get(str(entry.get("type")))
        if not NAME.fullmatch(name):
            mistakes.append(f"{where}: its name must begin with a letter and have 2 or more letters, digits and . _ -")
        if name in storages:
            mistakes.append(f"{where}: declared twice")
        if kind is None:
            mistakes.append(f"{where}: type {entry.get('type')!r} is none of {', '.join(KINDS)}")
            continue
        found, wrong = _options(entry, kind)
        mistakes += [f"{where}: {each}" for each in wrong]
        storages[name] = Storage(name, str(entry["type"]), found)
    if mistakes:
        raise Unreadable(mistakes)
    return list(storages.values())


def _options(entry: Mapping[str, Any], kind: Kind) -> tuple[dict[str, Any], list[str]]:
    said = {key: value for key, value in entry.items() if value is not None}
    unknown = sorted(set(said) - {*_COMMON, *kind.fixed, *kind.may})
    known = ", ".join((*kind.fixed, *kind.may, "content", "nodes", "enabled"))
    wrong = [f"no option {each} (it has {known})" for each in unknown]
    wrong += [f"needs {each}" for each in kind.fixed if not said.get(each)]
    content = said.get("content", ["images", "rootdir"])
    content = content.split(",") if isinstance(content, str) else list(content)
    foreign = sorted(set(content) - kind.content)
    if foreign or not content:
        wrong.append(f"content {', '.join(foreign) or 'empty'} (it may hold {', '.join(sorted(kind.content))})")
    nodes = said.get("nodes", [])
    options = {key: said[key] for key in (*kind.fixed, *kind.may) if key in said}
    options |= {"content": content, "nodes": nodes.split(",") if isinstance(nodes, str) else list(nodes)}
    options["disable"] = not said.get("enabled", True)
    return options, wrong


# ---------------------------------------------------------------- what differs


class Fixed(Exception):
    """A storage of that name is made of something else."""


@dataclass(frozen=True, slots=True)
class Change:
    """One request, and what it changes."""

    request: Request
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def differences(wanted: Iterable[Storage], rows: Iterable[Mapping[str, Any]]) -> list[Change]:
    """What to ask for, from the rows of /storage; those not declared are left alone. Raises Fixed."""
    there = {str(row["storage"]): row for row in rows}
    conflicts = [text for each in wanted if each.name in there for text in _conflicts(each, there[each.name])]
    if conflicts:
        raise Fixed("; ".join(conflicts))
    changes = (_created(each) if each.name not in there else _changed(each, there[each.name]) for each in wanted)
    return [change for change in changes if change]


def _conflicts(wanted: Storage, row: Mapping[str, Any]) -> list[str]:
    if row.get("type") != wanted.type:
        return [f"storage {wanted.name} is of type {row.get('type')}, declared is {wanted.type}"]
    return [
        f"storage {wanted.name} has {key} {row.get(key)}, declared is {wanted.options[key]}: give it another name"
        for key in KINDS[wanted.type].fixed
        if str(row.get(key, "")).rstrip("/") != str(wanted.options[key]).rstrip("/")
    ]


def _created(wanted: Storage) -> Change:
    body = {key: _written(value) for key, value in wanted.options.items() if value not in ([], None, False, "")}
    shown = {key: "(secret)" if key == "password" else value for key, value in body.items()}
    request = Request("POST", "/storage", {"storage": wanted.name, "type": wanted.type, **body})
    return Change(request, {}, {"type": wanted.type, **shown})


def _changed(wanted: Storage, row: Mapping[str, Any]) -> Change | None:
    fixed = {*KINDS[wanted.type].fixed, *_AT_CREATION}
    differ = {
        key: value
        for key, value in wanted.options.items()
        if key not in fixed and _normal(key, value) != _normal(key, row.get(key))
    }
    if not differ:
        return None
    gone = sorted(key for key, value in differ.items() if value in ([], "") or (key == "disable" and not value))
    body = {key: _written(value) for key, value in differ.items() if key not in gone}
    if gone:
        body["delete"] = ",".join(gone)
    request = Request("PUT", f"/storage/{wanted.name}", body)
    return Change(request, {key: row.get(key, "") for key in differ}, {key: _written(differ[key]) for key in differ})


def _written(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return ",".join(map(str, value)) if isinstance(value, list) else value


def _normal(key: str, value: Any) -> Any:
    if key in _SETS:
        parts = value.split(",") if isinstance(value, str) else value or []
        return frozenset(str(part).strip() for part in parts if str(part).strip() not in ("", "none"))
    if key in _FLAGS:
        return str(value).lower() in ("1", "true", "yes", "on")
    return "" if value is None else str(_written(value))
