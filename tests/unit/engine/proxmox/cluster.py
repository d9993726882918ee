# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How tests of the Proxmox VE engine get at a double."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.client import Client
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.engine import ProxmoxEngine
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.session import Credentials, Endpoint
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Fleet,
    Interface,
    Limits,
    Network,
    Node,
    Server,
    Size,
    Template,
)
from double import Double

LIMITS = Limits(connect=1.0, request=5.0, operation=20.0, stop=5.0)


def token_of(double: Double) -> Credentials:
    """The token that may everything."""
    user, _mark, rest = double.token.partition("!")
    name, _mark, secret = rest.partition("=")
    return Credentials(user, token=name, secret=secret)


def endpoints_of(double: Double, **changes: Any) -> list[Endpoint]:
    """Every node's API server, pinned."""
    return [
        replace(Endpoint(node, "127.0.0.1", int(url.rpartition(":")[2]), fingerprint=double.fingerprint), **changes)
        for node, url in double.endpoints.items()
    ]


def client_of(double: Double, credentials: Credentials | None = None, **changes: Any) -> Client:
    return Client(endpoints_of(double, **changes), credentials or token_of(double), LIMITS)


def server(name: str, size: Size | None = None, **more: Any) -> Server:
    """A small PBX on the one network."""
    legs = (Interface("lan", "10.66.0.50"),)
    return Server(
        name, size or Size(1, 128, 1024), "debian-13-standard", pool="local-zfs", **{"interfaces": legs, **more}
    )


def fleet_of(double: Double, *servers: Server, extra: str = "", limits: Limits = LIMITS) -> Fleet:
    """The fleet that declares these servers on the double's nodes."""
    names = [*double.world.cluster.nodes, *([extra] if extra else [])]
    return Fleet(
        "contract",
        "proxmox",
        {name: Node(name, "127.0.0.1") for name in names},
        {each.name: each for each in servers},
        templates={"debian-13-standard": Template("debian-13-standard", version="13.1-2")},
        networks={"lan": Network("lan", "10.66.0.0/24", gateway="10.66.0.254", dns=("10.66.0.254",))},
        limits=limits,
    )


def silent(_words: str) -> None:
    """Progress nobody looks at."""


def engine_of(double: Double, *servers: Server) -> ProxmoxEngine:
    return ProxmoxEngine(fleet_of(double, *servers), client_of(double))


def guest(double: Double, name: str) -> Any:
    found = [each for each in double.world.cluster.guests.values() if each.name == name]
    assert len(found) == 1, double.world.cluster.guests
    return found[0]


def made(double: Double, pbx: Server, node: str = "pve1") -> ProxmoxEngine:
    engine = engine_of(double, pbx)
    engine.create(pbx, node, silent)
    return engine


PBX = server("pbx-001", Size(0.5, 128, 1536, 30), class_name="small", tenant="acme")
