# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/access: tickets, users, tokens, roles, and rights."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from .access import ROOT, Token, User
from .clock import Wait
from .errors import Refusal
from .routes import Call, route

CAPABILITIES = {
    "access": ("Group.", "User.", "Permissions."),
    "dc": ("SDN.", "Sys.Audit", "Sys.Modify"),
    "mapping": ("Mapping.", "Permissions."),
    "nodes": ("Sys.", "Permissions."),
    "sdn": ("SDN.", "Permissions."),
    "storage": ("Datastore.", "Permissions."),
    "vms": ("VM.", "Permissions."),
}


def user_file(call: Call, doing: str) -> Generator[Wait, None, None]:
    """The lock on user.cfg: without a quorum it is never had."""
    if not call.world.cluster.quorate:
        yield 10.0
        raise Refusal(f"{doing} failed: cfs-lock 'file-user_cfg' error: no quorum!")
    lock = call.world.cluster.file_lock("file-user_cfg")
    if not (yield from lock.take(call, 10.0)):
        raise Refusal(f"{doing} failed: cfs-lock 'file-user_cfg' error: got lock request timeout")
    yield 0.02
    lock.release()


@route("POST /access/ticket")
def ticket(call: Call) -> Generator[Wait, None, dict[str, Any]]:
    """Log in, or renew a ticket by itself."""
    name = str(call.params["username"])
    if "@" not in name:
        name = f"{name}@{call.get('realm', 'pam')}"
    try:
        user = call.world.access.login(name, str(call.params["password"]))
    except Refusal:
        yield 3.0
        raise
    yield 0.05
    signed, csrf = call.world.access.ticket(user)
    privileges = call.world.access.privileges(user, "/")
    capabilities = {
        group: {p: 1 for p in sorted(privileges) if p.startswith(starts)} for group, starts in CAPABILITIES.items()
    }
    return {
        "username": user,
        "ticket": signed,
        "CSRFPreventionToken": csrf,
        "clustername": call.world.cluster.name,
        "cap": capabilities,
    }


@route("GET /access/domains")
def domains(_call: Call) -> list[dict[str, Any]]:
    """The realms."""
    return [
        {"realm": "pam", "type": "pam", "comment": "Linux PAM standard authentication"},
        {"realm": "pve", "type": "pve", "comment": "Proxmox VE authentication server"},
    ]


@route("GET /access/permissions")
def permissions(call: Call) -> dict[str, dict[str, int]]:
    """What one may, place by place."""
    access = call.world.access
    paths = {call.params["path"]} if call.get("path") else {grant.path for grant in access.grants}
    if call.user == ROOT:
        paths |= {"/", "/vms", "/nodes", "/storage", "/access", "/pool", "/sdn"}
    found = {path: access.privileges(call.user, path) for path in sorted(paths)}
    return {path: dict.fromkeys(sorted(privileges), 1) for path, privileges in found.items() if privileges}


# ---------------------------------------------------------------- users


def known_user(call: Call, doing: str = "") -> User:
    """The user in the path."""
    user = call.world.access.users.get(str(call.params["userid"]))
    if user is None:
        prefix = f"{doing} failed: " if doing else ""
        raise Refusal(f"{prefix}user '{call.params['userid']}' does not exist")
    return user


def _row(user: User) -> dict[str, Any]:
    realm = user.name.rpartition("@")[2]
    row: dict[str, Any] = {"userid": user.name, "enable": user.enable, "expire": user.expire, "realm-type": realm}
    return {**row, **({"comment": user.comment} if user.comment else {})}


@route("GET /access/users")
def users(call: Call) -> list[dict[str, Any]]:
    """Everybody; or oneself, where one may see no more."""
    access = call.world.access
    everybody = access.may(call.user, "/access/groups", "User.Modify", "Sys.Audit", anyone=True)
    return [_row(user) for user in access.users.values() if everybody or user.name == call.user.partition("!")[0]]


@route("GET /access/users/{userid}")
def user_read(call: Call) -> dict[str, Any]:
    """One user."""
    user = call.world.access.users.get(str(call.params["userid"]))
    if user is None:
        raise Refusal(f"no such user ('{call.params['userid']}')")
    tokens = {name: token_row(token) for name, token in user.tokens.items()}
    return {"enable": user.enable, "expire": user.expire, "groups": user.groups, "tokens": tokens}


@route("POST /access/users")
def user_create(call: Call) -> Generator[Wait, None, None]:
    """A new user."""
    yield from user_file(call, "create user")
    name = str(call.params["userid"])
    if name in call.world.access.users:
        raise Refusal(f"create user failed: user '{name}' already exists")
    call.world.access.users[name] = User(
        name,
        str(call.get("password", "")),
        call.get("enable", 1),
        call.get("expire", 0),
        str(call.get("comment", "")),
        str(call.get("groups", "")).replace(",", " ").split(),
    )


@route("PUT /access/users/{userid}")
def user_update(call: Call) -> Generator[Wait, None, None]:
    """Change a user."""
    yield from user_file(call, "update user")
    user = known_user(call, "update user")
    for name in ("enable", "expire", "comment"):
        if name in call.params:
            setattr(user, name, call.params[name])


@route("DELETE /access/users/{userid}")
def user_delete(call: Call) -> Generator[Wait, None, None]:
    """A user, gone, and their rights."""
    yield from user_file(call, "delete user")
    user = known_user(call, "delete user")
    del call.world.access.users[user.name]
    access = call.world.access
    access.grants = [grant for grant in access.grants if grant.ugid.partition("!")[0] != user.name]


@route("PUT /access/password")
def password(call: Call) -> Generator[Wait, None, None]:
    """A new password."""
    yield from user_file(call, "change password")
    known_user(call).password = str(call.params["password"])


def token_row(token: Token) -> dict[str, Any]:
    """A token without its secret."""
    return {"privsep": token.privsep, "expire": token.expire, **({"comment": token.comment} if token.comment else {})}
