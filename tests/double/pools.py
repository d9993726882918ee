# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/pools: groups of guests and storages. POST is atomic, so a pool serves as a lock."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from .access_api import user_file
from .clock import Wait
from .errors import Refusal
from .resources import guest_row, storage_row
from .routes import Call, route


def _pool(call: Call, doing: str = "") -> dict[str, Any]:
    name = str(call.params["poolid"])
    pool: dict[str, Any] | None = call.world.cluster.pools.get(name)
    if pool is None:
        raise Refusal(f"{doing + ' failed: ' if doing else ''}pool '{name}' does not exist")
    return pool


def _row(name: str, pool: dict[str, Any]) -> dict[str, Any]:
    return {"poolid": name, **({"comment": pool["comment"]} if pool.get("comment") else {})}


def _members(call: Call, name: str, kind: str = "") -> list[dict[str, Any]]:
    cluster = call.world.cluster
    pool = cluster.pools[name]
    guests = [guest_row(call.world, cluster.guests[vmid]) for vmid in sorted(pool["vms"]) if vmid in cluster.guests]
    rows = [{key: value for key, value in row.items() if key != "pool"} for row in guests]
    rows += [storage_row(call.world, each, node) for each in pool["storage"] for node in cluster.nodes]
    return [row for row in rows if not kind or row["type"] == kind]


@route("GET /pools")
def pools(call: Call) -> list[dict[str, Any]]:
    """All pools, or one with its members."""
    cluster = call.world.cluster
    if call.get("poolid"):
        _pool(call)
        name = str(call.params["poolid"])
        return [{**_row(name, cluster.pools[name]), "members": _members(call, name, str(call.get("type", "")))}]
    may = call.world.access.may
    return [_row(name, pool) for name, pool in cluster.pools.items() if may(call.user, f"/pool/{name}", "Pool.Audit")]


@route("GET /pools/{poolid}")
def pool_read(call: Call) -> dict[str, Any]:
    """One pool and its members."""
    pool = _pool(call)
    row = _row(str(call.params["poolid"]), pool)
    return {**row, "members": _members(call, row["poolid"], str(call.get("type", "")))}


@route("POST /pools")
def pool_create(call: Call) -> Generator[Wait, None, None]:
    """A new pool: of several at once, one succeeds."""
    yield from user_file(call, "create pool")
    name = str(call.params["poolid"])
    pools_now = call.world.cluster.pools
    if name in pools_now:
        raise Refusal(f"create pool failed: pool '{name}' already exists")
    parent = name.rpartition("/")[0]
    if parent and parent not in pools_now:
        raise Refusal(f"create pool failed: parent '{parent}' of pool '{name}' does not exist")
    pools_now[name] = {"comment": str(call.get("comment", "")), "vms": set(), "storage": []}


@route("PUT /pools", "PUT /pools/{poolid}")
def pool_update(call: Call) -> Generator[Wait, None, None]:
    """Change a comment, add members or (``delete``) remove them."""
    yield from user_file(call, "update pools")
    pool = _pool(call, "update pools")
    name = str(call.params["poolid"])
    if "comment" in call.params:
        pool["comment"] = str(call.params["comment"])
    for vmid in (int(each) for each in str(call.get("vms", "")).replace(",", " ").split()):
        _vm(call, name, pool, vmid)
    for storage in str(call.get("storage", "")).replace(",", " ").split():
        if call.get("delete"):
            if storage not in pool["storage"]:
                raise Refusal(f"update pools failed: Storage '{storage}' is not a pool member")
            pool["storage"].remove(storage)
        elif storage in pool["storage"]:
            raise Refusal(f"update pools failed: Storage '{storage}' is already a pool member")
        else:
            pool["storage"].append(storage)


def _vm(call: Call, name: str, pool: dict[str, Any], vmid: int) -> None:
    if call.get("delete"):
        if vmid not in pool["vms"]:
            raise Refusal(f"update pools failed: VM {vmid} is not a pool member")
        pool["vms"].discard(vmid)
        return
    if vmid in pool["vms"]:
        raise Refusal(f"update pools failed: VM {vmid} is already a pool member")
    for other, what in call.world.cluster.pools.items():
        if vmid in what["vms"]:
            if not call.get("allow-move"):
                raise Refusal(
                    f"update pools failed: VM {vmid} belongs already to pool '{other}' and 'allow-move' is not set"
                )
            what["vms"].discard(vmid)
    pool["vms"].add(vmid)


@route("DELETE /pools", "DELETE /pools/{poolid}")
def pool_delete(call: Call) -> Generator[Wait, None, None]:
    """An empty pool, gone."""
    yield from user_file(call, "delete pool")
    pool = _pool(call, "delete pool")
    name = str(call.params["poolid"])
    inside = [f"pool '{other}'" for other in call.world.cluster.pools if other.startswith(f"{name}/")]
    inside += [f"VM {vmid}" for vmid in sorted(pool["vms"]) if vmid in call.world.cluster.guests]
    inside += [f"storage '{storage}'" for storage in pool["storage"]]
    if inside:
        raise Refusal(f"delete pool failed: pool '{name}' is not empty (contains {inside[0]})")
    del call.world.cluster.pools[name]
