# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks, and what they may: users, tickets, tokens, roles, and the tree of rights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import Refusal, forbidden, unauthenticated
from .privileges import known, roles
from .state import Cluster

if TYPE_CHECKING:
    from .routes import Call

ROOT = "root@pam"
TICKET_LIFE = 7200


@dataclass
class Token:
    """An API token; with ``privsep`` it may only what it was granted itself, too."""

    secret: str
    privsep: int = 1
    expire: int = 0
    comment: str = ""


@dataclass
class User:
    """Somebody who may log in."""

    name: str
    password: str = ""
    enable: int = 1
    expire: int = 0
    comment: str = ""
    groups: list[str] = field(default_factory=list)
    tokens: dict[str, Token] = field(default_factory=dict)


@dataclass
class Grant:
    """One entry of the list of rights."""

    path: str
    type: str  # user, group, token
    ugid: str
    role: str
    propagate: int = 1


class Access:
    """Users and rights of one cluster."""

    def __init__(self, cluster: Cluster, password: str = "double") -> None:
        self._cluster = cluster
        self._secret = f"{cluster.name}-{cluster.random.random()}"
        self.users = {ROOT: User(ROOT, password)}
        self.roles: dict[str, frozenset[str]] = roles(cluster.major)
        self.grants: list[Grant] = []

    # ---------------------------------------------------------------- who

    def sign(self, text: str) -> str:
        """A signature nobody else can make."""
        return hashlib.sha256(f"{self._secret}{text}".encode()).hexdigest()[:40]

    def ticket(self, user: str) -> tuple[str, str]:
        """A ticket, and the CSRF token that goes with it."""
        stamp = f"{self._cluster.now:08X}"
        return f"PVE:{user}:{stamp}::{self.sign(user + stamp)}", f"{stamp}:{self.sign('csrf' + user)}"

    def ticket_user(self, ticket: str) -> str:
        """Whose ticket it is; nobody's where it is wrong, too old or its user disabled."""
        parts = ticket.replace("%3A", ":").split(":")
        if len(parts) != 5 or parts[0] != "PVE":
            return ""
        user, stamp, signature = parts[1], parts[2], parts[4]
        fresh = -300 <= self._cluster.now - int(stamp or "0", 16) <= TICKET_LIFE if stamp else False
        return user if signature == self.sign(user + stamp) and fresh and self._active(user) else ""

    def authenticate(self, ticket: str, csrf: str, token: str, method: str) -> str:
        """Who a request comes from, or a 401."""
        if token:
            name, _equals, secret = token.partition("=")
            user, _at, tokenid = name.partition("!")
            known = self.users[user].tokens.get(tokenid) if self._active(user) else None
            if known and known.secret == secret and not 0 < known.expire < self._cluster.now:
                return name
            raise unauthenticated("Authentication failed!")
        if not ticket:
            raise unauthenticated("No ticket")
        user = self.ticket_user(ticket)
        if not user:
            raise unauthenticated("Authentication failed!")
        if method != "GET" and csrf.partition(":")[2] != self.sign("csrf" + user):
            raise unauthenticated("Permission denied - invalid csrf token")
        return user

    def login(self, name: str, password: str) -> str:
        """The user whose password (or ticket) this is, or a 401 with a body."""
        user = self.users.get(name)
        if user and self._active(name) and (password == user.password or self.ticket_user(password) == name):
            return name
        raise unauthenticated("authentication failure", empty=False)

    def _active(self, name: str) -> bool:
        user = self.users.get(name)
        return bool(user and user.enable and not 0 < user.expire < self._cluster.now)

    # ---------------------------------------------------------------- may they

    def privileges(self, who: str, path: str) -> frozenset[str]:
        """What somebody may at a place in the tree."""
        user, _at, token = who.partition("!")
        if token:
            known = self.users.get(user, User(user)).tokens.get(token)
            mine = self._user_privileges(user, path)
            if known is None or not known.privsep:
                return mine if known else frozenset()
            return mine & self._with_pool(path, lambda place: self._granted(place, "token", [who]))
        return self._user_privileges(user, path)

    def _user_privileges(self, user: str, path: str) -> frozenset[str]:
        if user == ROOT:
            return known(self._cluster.major)
        groups = self.users[user].groups if user in self.users else []

        def at(place: str) -> frozenset[str]:
            return self._granted(place, "user", [user]) or self._granted(place, "group", groups)

        return self._with_pool(path, at)

    def _with_pool(self, path: str, at: Any) -> frozenset[str]:
        result: frozenset[str] = at(path)
        kind, _slash, name = path.strip("/").partition("/")
        for pool, what in self._cluster.pools.items():
            member = (kind == "vms" and name.isdigit() and int(name) in what["vms"]) or (
                kind == "storage" and name in what["storage"]
            )
            if member:
                result |= at(f"/pool/{pool}")
        return result

    def _granted(self, path: str, kind: str, names: list[str]) -> frozenset[str]:
        parts = [part for part in path.split("/") if part]
        result: frozenset[str] = frozenset()
        for depth in range(len(parts) + 1):
            place = "/" + "/".join(parts[:depth])
            here = [
                grant
                for grant in self.grants
                if grant.path == place and grant.type == kind and grant.ugid in names
                and (grant.propagate or depth == len(parts))
            ]  # fmt: skip
            if any(grant.role == "NoAccess" for grant in here):
                result = frozenset()
            elif here:
                result = frozenset().union(*(self.roles.get(grant.role, frozenset()) for grant in here))
        return result

    def may(self, who: str, path: str, *privileges: str, anyone: bool = False) -> bool:
        """Whether somebody has all (or any) of these rights."""
        has = self.privileges(who, path)
        return any(p in has for p in privileges) if anyone else all(p in has for p in privileges)

    def need(self, who: str, path: str, *privileges: str, anyone: bool = False) -> None:
        """Refuse where a right is missing."""
        if anyone:
            if not self.may(who, path, *privileges, anyone=True):
                raise forbidden(f"{path}, {'|'.join(privileges)}")
            return
        for privilege in privileges:
            if not self.may(who, path, privilege):
                raise forbidden(f"{path}, {privilege}")

    def check(self, call: Call, rule: dict[str, Any]) -> None:
        """The rights an endpoint asks for, as the API describes them."""
        if rule.get("check"):
            if rule.get("user") == "all":
                return  # the endpoint decides itself what it shows
            self._check(call, rule["check"])
        elif not rule.get("user") and call.user.partition("!")[0] != ROOT:
            raise forbidden("user != root@pam")

    def _check(self, call: Call, check: list[Any]) -> None:
        kind, *rest = check
        if kind == "and":
            for each in rest:
                self._check(call, each)
        elif kind == "or":
            for each in rest:
                try:
                    return self._check(call, each)
                except Refusal:
                    continue
            raise forbidden()
        elif kind == "perm":
            path, privileges, *options = rest
            wanted = dict(zip(options[::2], options[1::2], strict=False))
            if wanted.get("require_param") and wanted["require_param"] not in call.params:
                raise forbidden()
            for name, value in call.params.items():
                path = path.replace("{" + name + "}", str(value))
            self.need(call.user, path, *privileges, anyone=bool(wanted.get("any")))
        elif kind == "perm-modify":
            self.need(call.user, str(call.params.get("path", "/")), "Permissions.Modify")
        else:
            self._check_user(call, kind, rest)
        return None

    def _check_user(self, call: Call, kind: str, rest: list[Any]) -> None:
        userid = str(call.params.get("userid", ""))
        if kind == "userid-group":
            self.need(call.user, "/access/groups", *rest[0])
        elif rest[0] != "self":
            self.need(call.user, f"/access/realm/{userid.rpartition('@')[2]}", rest[0])
        elif call.user.partition("!")[0] != userid:
            raise forbidden("self")

    def sees(self, who: str, vmid: int) -> bool:
        """Whether lists show somebody a guest."""
        return self.may(who, f"/vms/{vmid}", "VM.Audit")
