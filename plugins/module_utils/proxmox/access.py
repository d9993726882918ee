# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet's user on a Proxmox VE cluster: a role, the user, where it is granted, a token. What differs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .privileges import Place

KEPT = "its secret is kept by the controller"
UNKEPT = "being made: its secret may not have been kept"
"""A token's comment until the controller has its secret: a run that was cut off in between may make it anew."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be there. ``user`` has no password: nobody logs in as it, its token is all there is."""

    role: str
    privileges: frozenset[str]
    user: str
    token: str
    places: tuple[Place, ...]
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One change."""

    method: str
    path: str
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """What is there, as the API lists it."""

    roles: Mapping[str, frozenset[str]]
    users: Mapping[str, Mapping[str, Any]]
    grants: tuple[Mapping[str, Any], ...]
    tokens: Mapping[str, Mapping[str, Any]]


def read(roles: Iterable[Mapping[str, Any]], users: Iterable[Mapping[str, Any]], acl: Iterable[Mapping[str, Any]],
         tokens: Iterable[Mapping[str, Any]]) -> Found:  # fmt: skip
    """From the answers of /access/roles, /access/users, /access/acl and the user's tokens."""
    return Found(
        {
            str(each["roleid"]): frozenset(filter(None, str(each.get("privs") or "").replace(",", " ").split()))
            for each in roles
        },
        {str(each["userid"]): each for each in users},
        tuple(acl),
        {str(each["tokenid"]): each for each in tokens},
    )


def differences(wanted: Wanted, found: Found) -> list[Request]:
    """The requests that make it so, in an order in which none needs a later one. The token is apart."""
    requests = []
    has = found.roles.get(wanted.role)
    privileges = {"privs": ",".join(sorted(wanted.privileges))}
    if has is None:
        requests.append(Request("POST", "/access/roles", {"roleid": wanted.role, **privileges}))
    elif has != wanted.privileges:
        requests.append(Request("PUT", f"/access/roles/{wanted.role}", privileges))
    user = found.users.get(wanted.user)
    if user is None:
        body = {"userid": wanted.user, "comment": wanted.comment}
        requests.append(Request("POST", "/access/users", {key: value for key, value in body.items() if value}))
    elif not int(user.get("enable", 1)) or int(user.get("expire") or 0):
        requests.append(Request("PUT", f"/access/users/{wanted.user}", {"enable": 1, "expire": 0}))
    return requests + _grants(wanted, found)


def _grants(wanted: Wanted, found: Found) -> list[Request]:
    """Grants of our role to our user: those that are missing, and those that have become too many."""
    own = [each for each in found.grants if each.get("ugid") == wanted.user and each.get("roleid") == wanted.role]
    has = {(str(each["path"]), bool(int(each.get("propagate", 1)))) for each in own}
    needs = {(place.path, place.propagate) for place in wanted.places}
    body = {"users": wanted.user, "roles": wanted.role}
    paths = {path for path, _propagate in needs}
    return [
        *(
            Request("PUT", "/access/acl", {"path": path, **body, "propagate": int(propagate)})
            for path, propagate in sorted(needs - has)
        ),
        *(
            Request("PUT", "/access/acl", {"path": path, **body, "delete": 1})
            for path in sorted({path for path, _propagate in has} - paths)
        ),
    ]


def token_state(wanted: Wanted, found: Found, *, renew: bool) -> str:
    """How to come by a token whose secret we do not have: ``make``, ``remake`` it, or ``refuse``.

    A token that somebody else may be using is made anew only where that is asked for.
    """
    token = found.tokens.get(wanted.token)
    if token is None:
        return "make"
    return "remake" if renew or token.get("comment") == UNKEPT else "refuse"


def as_diff(wanted: Wanted, found: Found) -> dict[str, dict[str, Any]]:
    """For ``--diff``."""
    own = [each for each in found.grants if each.get("ugid") == wanted.user and each.get("roleid") == wanted.role]
    return {
        "before": {
            f"role {wanted.role}": sorted(found.roles.get(wanted.role, ())),
            f"user {wanted.user}": "present" if wanted.user in found.users else "absent",
            "granted on": sorted(str(each["path"]) for each in own),
        },
        "after": {
            f"role {wanted.role}": sorted(wanted.privileges),
            f"user {wanted.user}": "present",
            "granted on": sorted(place.path for place in wanted.places),
        },
    }
