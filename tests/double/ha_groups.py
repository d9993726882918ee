# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/cluster/ha/groups, before version 9."""

from __future__ import annotations

from typing import Any

from .errors import Refusal
from .ha_api import GONE, comma_list, digest_of
from .routes import Call, route


def _groups(call: Call, doing: str) -> dict[str, dict[str, Any]]:
    if call.world.cluster.major >= 9:
        raise Refusal(f"cannot {doing}: {GONE}")
    return call.world.ha.groups


def _group_row(call: Call, name: str) -> dict[str, Any]:
    return {"group": name, "type": "group", **call.world.ha.groups[name], "digest": digest_of(call.world.ha.groups)}


@route("GET /cluster/ha/groups")
def groups(call: Call) -> list[dict[str, Any]]:
    """All groups."""
    return [_group_row(call, name) for name in _groups(call, "index groups")]


@route("GET /cluster/ha/groups/{group}")
def group_read(call: Call) -> dict[str, Any]:
    """One group."""
    name = str(call.params["group"])
    if name not in _groups(call, "read group"):
        raise Refusal(f"no such ha group '{name}'")
    return _group_row(call, name)


@route("POST /cluster/ha/groups")
def group_create(call: Call) -> None:
    """A new group."""
    known, name = _groups(call, "create group"), str(call.params["group"])
    call.world.cluster.need_quorum()
    if name in known:
        raise Refusal(f"create ha group failed: ha group ID '{name}' already defined")
    known[name] = {
        key: call.params[key] for key in ("nodes", "restricted", "nofailback", "comment") if key in call.params
    }


@route("PUT /cluster/ha/groups/{group}")
def group_update(call: Call) -> None:
    """Change a group."""
    known, name = _groups(call, "update group"), str(call.params["group"])
    if name not in known:
        raise Refusal(f"update ha group failed: no such ha group '{name}'")
    known[name] |= {
        key: call.params[key] for key in ("nodes", "restricted", "nofailback", "comment") if key in call.params
    }
    for key in comma_list(call.get("delete", "")):
        known[name].pop(key, None)


@route("DELETE /cluster/ha/groups/{group}")
def group_delete(call: Call) -> None:
    """A group, gone."""
    known, name = _groups(call, "delete group"), str(call.params["group"])
    users = [sid for sid, resource in call.world.ha.resources.items() if resource.options.get("group") == name]
    if users:
        raise Refusal(f"delete group failed: ha group is used by service '{users[0]}'")
    known.pop(name, None)
