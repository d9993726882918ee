# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where servers come from: archives of containers on storages, and guests that were made templates.

A guest is version V of template T if it is a template of Proxmox VE, of T's kind, and is called ``T-V``, or bears the
tag ``sy+template+T+V``. A container's archive comes first where a node has both.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from ...fleet.model import Fleet, Template
from ..base import EngineError, Progress, Refused
from . import archives, marks
from .client import Client, Missing
from .clone import Cloner, Wish, shared_among, shared_storages
from .config import storage_of
from .dialects import DIALECTS, dialect_of
from .guests import Found, Guests
from .recognise import rows_of

Row = Mapping[str, Any]


class Templates:
    """The templates of one cluster. Whatever was found is remembered: a plan brings templates there first."""

    def __init__(self, guests: Guests, cloner: Cloner) -> None:
        self._guests = guests
        self._client = guests.client
        self._cloner = cloner
        self._lock = threading.Lock()
        self._archives: dict[tuple[str, str, str], str] = {}
        self._sources: dict[tuple[str, str, str], Found] = {}

    def archive(self, template: Template, node: str, attempt: str) -> str:
        """The template's archive on a node: its volume id; empty: there is none."""
        if template.kind != "container":
            return ""
        key = (template.name, template.version, node)
        with self._lock:
            if not self._archives.get(key):
                self._archives[key] = self._archive(template, node, attempt)
            return self._archives[key]

    def source(self, template: Template, node: str, attempt: str) -> Found:
        """The template to clone for a server on this node: one that is there, or whose disks are within reach. Raises
        Missing."""
        key = (template.name, template.version, node)
        with self._lock:
            if key not in self._sources:
                found = self._source(template, node, attempt)
                if found is None:
                    raise missing(template, node, attempt)
                self._sources[key] = found
            return self._sources[key]

    def provide(self, template: Template, node: str, source: str, attempt: str, progress: Progress) -> None:
        """Make the node have it. A guest that is a template is cloned whole, moved, and made one there; archives are
        not copied from node to node by any call."""
        if self.archive(template, node, attempt) or self._source(template, node, attempt):
            return
        there = None if self.archive(template, source, attempt) else self._own(template, source, attempt)
        if there is None:
            raise missing(template, node, attempt)
        # Until it is one, its name is the node's alone: other nodes may be getting theirs at the same time.
        name, guests = f"{title(template)}.{node}", self._guests
        made = guests.find(name, node, attempt) or guests.elsewhere(name, node, attempt)
        if made is None:
            storage = min(there.dialect.storages(there.config))
            made = self._cloner.clone(there, Wish(name, node, storage, full=True), attempt, progress)
        made = self._cloner.bring(made, node, attempt, progress)
        said = marks.write(marks.Marks(template=template.name, template_version=template.version))
        guests.change(name, node, attempt, lambda now: now.dialect.changes(now.config, {"tags": said}))
        progress("making it a template")
        guests.run("POST", f"{made.path}/template", node, attempt, {})
        named = {made.dialect.name_key: title(template), "delete": "description"}
        guests.run("PUT", f"{made.path}/config", node, attempt, named)
        guests.numbers.forget()

    # ---- inside

    def _archive(self, template: Template, node: str, attempt: str) -> str:
        rows = rows_of(self._client.get("/cluster/resources", attempt, type="storage"), "storage")
        own = [row for row in rows if row.get("node") == node]
        for _node, storage, _seen in archives.places(own, [node]):
            path = f"/nodes/{node}/storage/{storage}/content"
            for volume in self._client.get(path, attempt, node=node, content=archives.CONTENT):
                if archives.pair(str(volume["volid"])) == (template.name, template.version):
                    return str(volume["volid"])
        return ""

    def _source(self, template: Template, node: str, attempt: str) -> Found | None:
        own = self._own(template, node, attempt)
        if own:
            return own
        for row in self._rows(template, attempt):
            found = self._guests.read(str(row["node"]), str(row["type"]), int(row["vmid"]), attempt)
            if found:
                shared = shared_storages(self._client, attempt, (found.node, node))
                if found.dialect.storages(found.config) <= shared:
                    return found
        return None

    def _own(self, template: Template, node: str, attempt: str) -> Found | None:
        for row in self._rows(template, attempt):
            if row.get("node") == node:
                return self._guests.read(node, str(row["type"]), int(row["vmid"]), attempt)
        return None

    def _rows(self, template: Template, attempt: str) -> list[Row]:
        rows = self._guests.numbers.rows(attempt)
        return sorted((row for row in rows if is_of(row, template)), key=lambda row: int(row["vmid"]))


def title(template: Template) -> str:
    """What a guest that is this template is called."""
    return f"{template.name}-{template.version}".replace("_", "-")


def is_of(row: Row, template: Template) -> bool:
    """Whether a row of /cluster/resources is this version of this template."""
    if not row.get("template") or row.get("type") != dialect_of(template).kind:
        return False
    said = marks.read(str(row.get("tags") or ""))
    tagged = (said.template, said.template_version) == (template.name, template.version)
    return (tagged and not said.fleet) or row.get("name") == title(template)


def shares(template: Template, source: Found, storage: str, shared: set[str], attempt: str) -> bool:
    """Whether a server shares its template's disk.

    Where nobody declares it, only on storage that all nodes reach: Proxmox VE moves no linked clone of a template that
    lies on one node. On another storage than the template's, a clone is always whole.
    """
    disks = [volume for _key, volume, _options in source.dialect.volumes(source.config) if "cloudinit" not in volume]
    own = {storage_of(volume) for volume in disks} - {""}
    if own != {storage}:
        if template.clone == "linked":
            raise Refused(
                source.node,
                attempt,
                f"a linked clone is on its template's storage ({', '.join(sorted(own))}), not on {storage}",
                "declare that as the server's vs_pool, or full as the template's clone",
            )
        return False
    return template.clone == "linked" or (template.clone == "" and storage in shared)


def holders(
    client: Client, fleet: Fleet, rows: Iterable[Row], online: Iterable[str]
) -> dict[str, set[tuple[str, str]]]:
    """Node -> (template, version) pairs that are guests within its reach, from rows of /cluster/resources. One request
    for each of them, where there are shared storages."""
    rows, nodes = list(rows), set(online)
    storages = rows_of(rows, "storage")
    pairs: dict[str, set[tuple[str, str]]] = {}
    for template in fleet.templates.values():
        for row in rows_of(rows, "lxc", "qemu"):
            if not is_of(row, template) or row.get("node") not in nodes:
                continue
            node = str(row["node"])
            for name in {node, *_within_reach(client, row, storages, nodes)}:
                pairs.setdefault(name, set()).add((template.name, template.version))
    return pairs


def _within_reach(client: Client, row: Row, storages: list[Row], nodes: set[str]) -> set[str]:
    node = str(row["node"])
    near = {name for name in nodes if name != node and shared_among(storages, (node, name))}
    if not near:
        return set()
    try:
        config = client.get(f"/nodes/{node}/{row['type']}/{row['vmid']}/config", "observe", node=node)
    except EngineError:
        return set()
    used = DIALECTS[str(row["type"])].storages(config)
    return {name for name in near if used <= shared_among(storages, (node, name))}


def missing(template: Template, node: str, attempt: str) -> Missing:
    """What to raise where a node has no such template."""
    if template.kind == "vm":
        return Missing(
            node,
            attempt,
            f"no VM template {title(template)} on this node, or on storage it shares with one",
            f"make a VM, convert it to a template named {title(template)}",
        )
    return Missing(
        node,
        attempt,
        f"no archive of template {template.name}, version {template.version} ({template.name}_{template.version}"
        f"_amd64.tar.zst) on any storage of this node with content vztmpl, and no container template {title(template)}",
        "download or build it there (role template), or put it on a shared storage",
    )
