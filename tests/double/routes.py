# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which function answers which request."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .world import World

Handler = Callable[["Call"], Any]


@dataclass
class Call:
    """One request on its way: who asks, through which node, for what."""

    world: World
    user: str  # root@pam, or root@pam!token
    via: str
    method: str
    path: str
    params: dict[str, Any] = field(default_factory=dict)
    node: str = ""
    extra: dict[str, Any] = field(default_factory=dict)  # what goes beside data: total, for lists of tasks

    @property
    def vmid(self) -> int:
        """The guest in the path."""
        return int(self.params["vmid"])

    def get(self, name: str, default: Any = None) -> Any:
        """A parameter that may be missing."""
        return self.params.get(name, default)


ROUTES: dict[str, Handler] = {}


def route(*endpoints: str) -> Callable[[Handler], Handler]:
    """Make a function answer ``GET /version`` and the like."""

    def keep(handler: Handler) -> Handler:
        for endpoint in endpoints:
            assert endpoint not in ROUTES, endpoint
            ROUTES[endpoint] = handler
        return handler

    return keep


class Router:
    """Finds the endpoint for a path: a name that is spelled out wins over one in braces."""

    def __init__(self, endpoints: dict[str, Any]) -> None:
        self._tree: dict[str, Any] = {}
        self._endpoints = set(endpoints)
        for endpoint in endpoints:
            method, _space, path = endpoint.partition(" ")
            branch = self._tree
            for part in path.strip("/").split("/") if path != "/" else []:
                branch = branch.setdefault("{}" if part.startswith("{") else part, {})
            branch.setdefault("", {})[method] = endpoint

    def find(self, method: str, path: str) -> tuple[str, dict[str, str]]:
        """The endpoint and the values in its path; an empty string where there is none."""
        branch: dict[str, Any] | None = self._tree
        parts = [part for part in path.split("/") if part]
        if not parts:
            return (f"{method} /", {}) if f"{method} /" in self._endpoints else ("", {})
        for place, part in enumerate(parts):
            if branch is None:
                return "", {}
            if part in branch and part:
                branch = branch[part]
            elif "{}" in branch:
                branch = branch["{}"]
                if place >= 5 and parts[place - 1] == "content":  # a volume's name may hold slashes
                    parts[place] = "/".join(parts[place:])
                    del parts[place + 1 :]
                    break
            else:
                return "", {}
        endpoint = (branch or {}).get("", {}).get(method, "")
        if not endpoint:
            return "", {}
        names = endpoint.partition(" ")[2].strip("/").split("/")
        found = {name[1:-1]: value for name, value in zip(names, parts, strict=False) if name.startswith("{")}
        return str(endpoint), {
            name: re.sub(r"%([0-9A-Fa-f]{2})", lambda m: chr(int(m[1], 16)), value) for name, value in found.items()
        }
