# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/nodes/*/network: interfaces and bridges."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from .clock import Wait
from .errors import Refusal
from .routes import Call, route
from .tasks import Task


@route("GET /nodes/{node}/network")
def network(call: Call) -> list[dict[str, Any]]:
    """Interfaces and bridges."""
    node = call.world.cluster.nodes[call.node]
    rows: list[dict[str, Any]] = [
        {"iface": "eno1", "type": "eth", "exists": 1, "active": 1, "method": "manual", "method6": "manual",
         "families": ["inet"], "priority": 3},
    ]  # fmt: skip
    for place, bridge in enumerate(sorted(node.bridges)):
        rows.append(_bridge(call, bridge, node.address if not place else "", place + 4))
    kind = call.get("type")
    if kind in ("any_bridge", "any_local_bridge", "bridge"):
        rows = [row for row in rows if row["type"] == "bridge"]
    elif kind:
        rows = [row for row in rows if row["type"] == kind]
    return rows


def _bridge(call: Call, name: str, address: str, priority: int) -> dict[str, Any]:
    ports = "eno1" if address else ""
    row = {"iface": name, "type": "bridge", "exists": 1, "active": 1, "autostart": 1, "method": "manual",
           "method6": "manual", "families": ["inet"], "priority": priority, "bridge_ports": ports, "bridge_stp": "off",
           "bridge_fd": "0"}  # fmt: skip
    if address:
        row |= {"method": "static", "cidr": f"{address}/24", "address": address, "netmask": "24"}
    return row


@route("GET /nodes/{node}/network/{iface}")
def network_read(call: Call) -> dict[str, Any]:
    """One interface."""
    for row in network(Call(call.world, call.user, call.via, "GET", call.path, {}, call.node)):
        if row["iface"] == call.params["iface"]:
            return {key: value for key, value in row.items() if key != "iface"}
    raise Refusal("interface does not exist")


@route("POST /nodes/{node}/network")
def network_create(call: Call) -> None:
    """A new interface. It takes part after a reload only; here at once."""
    node = call.world.cluster.nodes[call.node]
    name = str(call.params["iface"])
    if name in node.bridges or name == "eno1":
        raise Refusal("Parameter verification failed.", 400, {"iface": "interface already exists"})
    node.bridges.add(name)


@route("PUT /nodes/{node}/network/{iface}")
def network_update(call: Call) -> None:
    """Change an interface."""
    if call.params["iface"] not in call.world.cluster.nodes[call.node].bridges | {"eno1"}:
        raise Refusal("interface does not exist")


@route("DELETE /nodes/{node}/network/{iface}")
def network_delete(call: Call) -> None:
    """An interface, gone."""
    node = call.world.cluster.nodes[call.node]
    if call.params["iface"] not in node.bridges:
        raise Refusal("interface does not exist")
    node.bridges.discard(str(call.params["iface"]))


@route("PUT /nodes/{node}/network")
def network_reload(call: Call) -> str:
    """Take the configuration into use."""

    def work(_task: Task) -> Generator[Wait, None, None]:
        yield 1.0

    return call.world.tasks.begin(call.node, "srvreload", "networking", call.user, work)
