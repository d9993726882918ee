# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way a module speaks to Proxmox VE: from the controller over HTTPS, or on a node as root."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from ..engine.base import EngineError
from ..engine.proxmox.client import Client
from ..engine.proxmox.session import Credentials, Endpoint
from ..fleet.model import Limits
from .pvesh import Pvesh

Api: TypeAlias = "Client | Pvesh"

LOGIN: dict[str, Any] = {
    "type": "dict",
    "options": {
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "default": 8006},
        "fingerprint": {"type": "str", "default": ""},
        "authority": {"type": "path"},
        "user": {"type": "str", "default": "root@pam"},
        "password": {"type": "str", "no_log": True},
        "token": {"type": "str", "no_log": False},
        "secret": {"type": "str", "no_log": True},
    },
    "mutually_exclusive": [("password", "token")],
    "required_one_of": [("password", "token")],
    "required_together": [("token", "secret")],
}
"""Argument spec of the option ``login``; the doc fragment ``proxmox_login`` describes it."""


def connect(login: Mapping[str, Any] | None) -> Api:
    """The API server named in ``login``; without one, this very node's. Raises EngineError."""
    if not login:
        return Pvesh()
    endpoint = Endpoint(
        login["address"],
        login["address"],
        login["port"],
        fingerprint=login["fingerprint"],
        authority=login["authority"] or "",
    )
    credentials = Credentials(
        login["user"], token=login["token"] or "", secret=login["secret"] or "", password=login["password"] or ""
    )
    return Client([endpoint], credentials, Limits())


def major_version(api: Api) -> int:
    """8 or 9. Raises EngineError for what is neither."""
    version = str(api.get("/version", "ask for the version").get("version", ""))
    number = version.partition(".")[0]
    if number not in ("8", "9"):
        raise EngineError("cluster", "ask for the version", f"{version or 'none'} is not 8 or 9")
    return int(number)
