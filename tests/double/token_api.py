# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/access/users/*/token: API tokens."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from typing import Any

from .access import Token
from .access_api import known_user, token_row, user_file
from .clock import Wait
from .errors import Refusal, invalid_one
from .routes import Call, route


@route("GET /access/users/{userid}/token")
def tokens(call: Call) -> list[dict[str, Any]]:
    """A user's tokens."""
    return [{"tokenid": name, **token_row(token)} for name, token in known_user(call).tokens.items()]


@route("GET /access/users/{userid}/token/{tokenid}")
def token_read(call: Call) -> dict[str, Any]:
    """One token, without its secret."""
    return token_row(_token(call))


def _token(call: Call) -> Token:
    found = known_user(call).tokens.get(str(call.params["tokenid"]))
    if found is None:
        raise Refusal(f"no such token '{call.params['tokenid']}' for user '{call.params['userid']}'")
    return found


@route("POST /access/users/{userid}/token/{tokenid}")
def token_create(call: Call) -> Generator[Wait, None, dict[str, Any]]:
    """A new token; its secret is told this once."""
    name = str(call.params["tokenid"])
    user = known_user(call)
    if name in user.tokens:
        raise invalid_one("tokenid", "Token already exists.")
    yield from user_file(call, "generating token")
    secret = str(uuid.UUID(int=call.world.cluster.random.getrandbits(128), version=4))
    user.tokens[name] = Token(secret, call.get("privsep", 1), call.get("expire", 0), str(call.get("comment", "")))
    info = {key: str(call.params[key]) for key in ("comment", "expire", "privsep") if key in call.params}
    return {"full-tokenid": f"{user.name}!{name}", "value": secret, "info": {"privsep": 1, **info}}


@route("PUT /access/users/{userid}/token/{tokenid}")
def token_update(call: Call) -> Generator[Wait, None, dict[str, Any]]:
    """Change a token."""
    yield from user_file(call, "updating token info")
    token = _token(call)
    for name in ("comment", "expire", "privsep"):
        if name in call.params:
            setattr(token, name, call.params[name])
    return token_row(token)


@route("DELETE /access/users/{userid}/token/{tokenid}")
def token_delete(call: Call) -> Generator[Wait, None, None]:
    """A token, gone."""
    _token(call)
    yield from user_file(call, "deleting token")
    access = call.world.access
    del known_user(call).tokens[str(call.params["tokenid"])]
    gone = f"{call.params['userid']}!{call.params['tokenid']}"
    access.grants = [grant for grant in access.grants if grant.ugid != gone]
