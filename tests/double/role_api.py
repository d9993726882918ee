# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/access/roles and /access/acl: what roles may, and who has them where."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from .access import Grant
from .access_api import user_file
from .clock import Wait
from .errors import Refusal, invalid, invalid_one
from .privileges import BUILT_IN_ROLES, known
from .routes import Call, route


@route("GET /access/roles")
def roles(call: Call) -> list[dict[str, Any]]:
    """All roles."""
    return [
        {"roleid": name, "privs": ",".join(sorted(privileges)), "special": int(name in BUILT_IN_ROLES)}
        for name, privileges in call.world.access.roles.items()
    ]


@route("GET /access/roles/{roleid}")
def role_read(call: Call) -> dict[str, int]:
    """One role."""
    name = str(call.params["roleid"])
    if name not in call.world.access.roles:
        raise Refusal(f"role '{name}' does not exist")
    return dict.fromkeys(sorted(call.world.access.roles[name]), 1)


@route("POST /access/roles")
def role_create(call: Call) -> Generator[Wait, None, None]:
    """A new role."""
    privileges = _privileges(call)
    yield from user_file(call, "create role")
    name = str(call.params["roleid"])
    if name in call.world.access.roles:
        raise Refusal(f"create role failed: role '{name}' already exists")
    call.world.access.roles[name] = privileges


@route("PUT /access/roles/{roleid}")
def role_update(call: Call) -> Generator[Wait, None, None]:
    """Change a role."""
    yield from user_file(call, "update role")
    name = str(call.params["roleid"])
    if name not in call.world.access.roles:
        raise Refusal(f"update role failed: role '{name}' does not exist")
    if name in BUILT_IN_ROLES:
        raise Refusal(f"update role failed: auto-generated role '{name}' cannot be modified")
    kept = call.world.access.roles[name] if call.get("append") else frozenset()
    call.world.access.roles[name] = kept | _privileges(call)


@route("DELETE /access/roles/{roleid}")
def role_delete(call: Call) -> Generator[Wait, None, None]:
    """A role, gone."""
    yield from user_file(call, "delete role")
    name = str(call.params["roleid"])
    if name not in call.world.access.roles:
        raise Refusal(f"delete role failed: role '{name}' does not exist")
    if name in BUILT_IN_ROLES:
        raise Refusal(f"delete role failed: auto-generated role '{name}' cannot be deleted")
    del call.world.access.roles[name]


def _privileges(call: Call) -> frozenset[str]:
    wanted = str(call.get("privs", "")).replace(",", " ").split()
    for name in wanted:
        if name not in known(call.world.cluster.major):
            raise invalid_one("privs", f"invalid format - invalid privilege '{name}'\n")
    return frozenset(wanted)


@route("GET /access/acl")
def acl(call: Call) -> list[dict[str, Any]]:
    """Who was granted what."""
    access = call.world.access
    everything = access.may(call.user, "/access", "Sys.Audit", "Permissions.Modify", anyone=True)
    return [
        {"path": g.path, "type": g.type, "ugid": g.ugid, "roleid": g.role, "propagate": g.propagate}
        for g in access.grants
        if everything or access.may(call.user, g.path, "Permissions.Modify")
    ]


@route("PUT /access/acl")
def acl_update(call: Call) -> Generator[Wait, None, None]:
    """Grant, or take away."""
    if not any(call.get(kind) for kind in ("users", "groups", "tokens")):
        raise invalid(users="either 'users', 'groups' or 'tokens' is required.")
    yield from user_file(call, "ACL update")
    access = call.world.access
    path = "/" + str(call.params["path"]).strip("/")
    for role in str(call.params["roles"]).replace(",", " ").split():
        if role not in access.roles:
            raise Refusal(f"ACL update failed: role '{role}' does not exist")
        for kind in ("user", "group", "token"):
            for name in str(call.get(f"{kind}s", "")).replace(",", " ").split():
                user, _at, token = name.partition("!")
                if kind != "group" and user not in access.users:
                    raise Refusal(f"ACL update failed: user '{user}' does not exist")
                if kind == "token" and token not in access.users[user].tokens:
                    raise Refusal(f"ACL update failed: no such token '{token}' for user '{user}'")
                access.grants = [
                    g for g in access.grants if (g.path, g.type, g.ugid, g.role) != (path, kind, name, role)
                ]
                if not call.get("delete"):
                    access.grants.append(Grant(path, kind, name, role, call.get("propagate", 1)))
