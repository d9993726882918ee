# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/storage: which storages there are."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from .entries import Storage
from .errors import Refusal
from .routes import Call, route


def _digest(call: Call) -> str:
    return hashlib.sha1(repr(sorted(map(repr, call.world.cluster.storages.values()))).encode()).hexdigest()


def _definition(call: Call, storage: Storage) -> dict[str, Any]:
    row: dict[str, Any] = {"storage": storage.name, "type": storage.type, "content": ",".join(storage.content)}
    if storage.nodes:
        row["nodes"] = ",".join(storage.nodes)
    return {**row, **storage.options, "digest": _digest(call)}


@route("GET /storage")
def definitions(call: Call) -> list[dict[str, Any]]:
    """What storage.cfg says."""
    may = call.world.access.may
    return [
        _definition(call, storage)
        for storage in call.world.cluster.storages.values()
        if may(call.user, f"/storage/{storage.name}", "Datastore.Audit", "Datastore.AllocateSpace", anyone=True)
        and call.get("type") in (None, storage.type)
    ]


@route("GET /storage/{storage}")
def definition(call: Call) -> dict[str, Any]:
    """One entry of it."""
    return _definition(call, call.world.cluster.storage(str(call.params["storage"])))


@route("POST /storage")
def create(call: Call) -> dict[str, Any]:
    """A new storage."""
    cluster, name = call.world.cluster, str(call.params["storage"])
    _writable(call, "create storage")
    if name in cluster.storages:
        raise Refusal(f"create storage failed: storage ID '{name}' already defined")
    kind = str(call.params["type"])
    default = "images,rootdir" if kind in ("zfspool", "lvmthin", "lvm", "rbd") else "images,rootdir,vztmpl,iso,backup"
    shared = bool(call.get("shared")) or kind in ("nfs", "cifs", "rbd", "cephfs", "iscsi")
    kept = {k: v for k, v in call.params.items() if k not in ("storage", "type", "content", "nodes", "disable")}
    content = re.split(r"[,; ]+", str(call.get("content", default)))
    cluster.storages[name] = Storage(name, kind, content, shared, comma_list(call.get("nodes", "")), kept)
    return {"storage": name, "type": kind}


@route("PUT /storage/{storage}")
def update(call: Call) -> dict[str, Any]:
    """Change a storage."""
    cluster, name = call.world.cluster, str(call.params["storage"])
    _writable(call, "update storage")
    if name not in cluster.storages:
        raise Refusal(f"update storage failed: storage '{name}' does not exist")
    storage = cluster.storages[name]
    removed = comma_list(call.get("delete", ""))
    if "nodes" in call.params or "nodes" in removed:
        storage.nodes = comma_list(call.get("nodes", ""))
    if "content" in call.params:
        storage.content = comma_list(call.params["content"])
    if "shared" in call.params:
        storage.shared = bool(call.params["shared"])
    for key, value in call.params.items():
        if key not in ("storage", "nodes", "content", "delete", "digest"):
            storage.options[key] = value
    for key in removed:
        storage.options.pop(key, None)
    return {"storage": name, "type": storage.type}


@route("DELETE /storage/{storage}")
def delete(call: Call) -> None:
    """A storage, no longer defined; what is on it stays."""
    cluster, name = call.world.cluster, str(call.params["storage"])
    _writable(call, "delete storage")
    if name not in cluster.storages:
        raise Refusal(f"delete storage failed: storage '{name}' does not exist")
    del cluster.storages[name]


def _writable(call: Call, doing: str) -> None:
    if not call.world.cluster.quorate:
        raise Refusal(f"{doing} failed: cfs-lock 'file-storage_cfg' error: no quorum!")


def comma_list(text: Any) -> list[str]:
    """The parts of a list."""
    return [part for part in re.split(r"[,; ]+", str(text)) if part]
