# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests as they are: lists, status, config, what their agent says, and what can be done with them."""

from __future__ import annotations

import re
from typing import Any

from .entries import Guest
from .errors import Refusal
from .guests import guest_of, kind_of, read_config, volumes
from .resources import LIST_PERIOD, PRESSURES, cores_of, counters, disk_of, memory_of
from .routes import Call, route
from .sizes import MIB


@route("GET /nodes/{node}/lxc", "GET /nodes/{node}/qemu")
def guests(call: Call) -> list[dict[str, Any]]:
    """The guests of a node."""
    kind, world = kind_of(call), call.world
    found = [guest for guest in world.cluster.guests.values() if guest.node == call.node and guest.kind == kind]
    return [
        status_row(call, guest, bool(call.get("full"))) for guest in found if world.access.sees(call.user, guest.vmid)
    ]


@route("GET /nodes/{node}/lxc/{vmid}/status/current", "GET /nodes/{node}/qemu/{vmid}/status/current")
def current(call: Call) -> dict[str, Any]:
    """How a guest is."""
    guest = guest_of(call)
    row = status_row(call, guest, full=True)
    managed = call.world.ha.manages(guest)
    row["ha"] = {"managed": int(managed), **({"state": call.world.ha.resource_state(guest)} if managed else {})}
    row.pop("template", None) if not guest.template else None
    if guest.kind == "qemu" and guest.config.get("agent", "0").startswith("1") and row["status"] == "running":
        row["agent"] = 1
    return row


def status_row(call: Call, guest: Guest, full: bool = False) -> dict[str, Any]:
    """A guest in its node's list. A container's state may be three seconds old."""
    world, config = call.world, guest.config
    period = LIST_PERIOD * world.staleness if guest.kind == "lxc" else 0.0
    state = world.cluster.seen(guest, period) or {
        "running": False,
        "node": guest.node,
        "since": 0.0,
        "config": config,
        "pid": 0,
    }
    state = {**state, "node": guest.node}
    row: dict[str, Any] = {
        "vmid": guest.vmid,
        "name": guest.name,
        "status": "running" if state["running"] else "stopped",
        "cpus": cores_of(guest, world.cluster.nodes[guest.node]),
        "maxmem": memory_of(guest),
        "maxdisk": disk_of(guest),
        **counters(world, guest, state),
    }
    if guest.template:
        row["template"] = 1
    if guest.tags:
        row["tags"] = ";".join(guest.tags)
    if guest.lock:
        row["lock"] = guest.lock
    if state["running"]:
        row["pid"] = state["pid"]
        row |= dict.fromkeys(PRESSURES, 0) if world.cluster.major >= 9 else {}
    if guest.kind == "lxc":
        return {**row, "type": "lxc", "swap": 0, "maxswap": int(config.get("swap", "512")) * MIB}
    if world.cluster.major >= 9:
        row["memhost"] = row["mem"]
    if full:
        row["qmpstatus"] = ("paused" if guest.paused else "running") if state["running"] else "stopped"
    if not (full and state["running"]):
        del row["diskread"], row["diskwrite"]
        return row
    cards = [key for key in config if re.fullmatch(r"net\d+", key)]
    row["nics"] = {f"tap{guest.vmid}i{key[3:]}": {"netin": row["netin"], "netout": row["netout"]} for key in cards}
    return {**row, "running-qemu": "10.1.2", "running-machine": "pc-i440fx-10.1+pve0", "blockstat": {}}


@route("GET /nodes/{node}/lxc/{vmid}", "GET /nodes/{node}/qemu/{vmid}")
def index(call: Call) -> list[dict[str, str]]:
    """What there is below."""
    guest_of(call)
    return [{"subdir": name} for name in ("config", "pending", "status", "snapshot", "migrate", "clone", "feature")]


@route("GET /nodes/{node}/lxc/{vmid}/status", "GET /nodes/{node}/qemu/{vmid}/status")
def status_index(call: Call) -> list[dict[str, str]]:
    """What there is below."""
    guest_of(call)
    return [{"subdir": name} for name in ("current", "start", "stop", "shutdown", "reboot")]


@route("GET /nodes/{node}/lxc/{vmid}/config", "GET /nodes/{node}/qemu/{vmid}/config")
def config(call: Call) -> dict[str, Any]:
    """The config, with what is pending (or, with ``current``, without)."""
    guest = guest_of(call)
    if call.get("snapshot"):
        return _of_snapshot(call, guest, str(call.params["snapshot"]))
    values = dict(guest.config)
    if not call.get("current"):
        for key, value in guest.pending.items():
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
    return {**read_config(call, guest.kind, values), "digest": guest.digest}


def _of_snapshot(call: Call, guest: Guest, name: str) -> dict[str, Any]:
    if name not in guest.snapshots:
        raise Refusal(f"snapshot '{name}' does not exist")
    snapshot = guest.snapshots[name]
    shown = read_config(call, guest.kind, snapshot.config)
    return {
        **shown,
        "snaptime": snapshot.time,
        **({"description": snapshot.description} if snapshot.description else {}),
    }


@route(
    "GET /nodes/{node}/lxc/{vmid}/snapshot/{snapname}/config",
    "GET /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config",
)
def snapshot_config(call: Call) -> dict[str, Any]:
    """The config as it was at a snapshot."""
    return _of_snapshot(call, guest_of(call), str(call.params["snapname"]))


@route("GET /nodes/{node}/lxc/{vmid}/pending", "GET /nodes/{node}/qemu/{vmid}/pending")
def pending(call: Call) -> list[dict[str, Any]]:
    """Every key, and what it will be after the next start."""
    guest = guest_of(call)
    now = {**read_config(call, guest.kind, guest.config), "digest": guest.digest}
    rows: list[dict[str, Any]] = []
    for key in sorted({*now, *guest.pending}):
        row: dict[str, Any] = {"key": key}
        if key in now:
            row["value"] = now[key]
        if key in guest.pending:
            later = guest.pending[key]
            row |= {"delete": 1} if later is None else {"pending": later}
        rows.append(row)
    return rows


@route("GET /nodes/{node}/lxc/{vmid}/feature", "GET /nodes/{node}/qemu/{vmid}/feature")
def feature(call: Call) -> dict[str, Any]:
    """Whether its disks can do something."""
    guest = guest_of(call)
    wanted = str(call.params["feature"])
    able = has_feature(call, guest, wanted)
    return {"hasFeature": int(able), **({"nodes": list(call.world.cluster.nodes)} if guest.kind == "qemu" else {})}


def has_feature(call: Call, guest: Guest, wanted: str) -> bool:
    """snapshot: all disks can; clone: a linked one is possible; copy: always."""
    if wanted == "copy":
        return True
    if wanted == "clone":
        return guest.template
    if any(key.startswith("mp") and value.startswith("/") for key, value in guest.config.items()):
        return False
    for line in volumes(guest, unused=False):
        volume = call.world.cluster.volume(line.volid, guest.node)
        storage = call.world.cluster.storages[line.storage]
        flat = storage.type in ("zfspool", "lvmthin", "rbd", "btrfs")
        if not flat and (volume is None or volume.format != "qcow2"):
            return False
    return True


@route("GET /nodes/{node}/lxc/{vmid}/interfaces")
def interfaces(call: Call) -> list[dict[str, Any]]:
    """The addresses a running container has."""
    guest = guest_of(call)
    if not guest.running:
        raise Refusal(f"container {guest.vmid} is not running")
    rows = [interface("lo", "00:00:00:00:00:00", "127.0.0.1/8", "::1/128")]
    for key, value in sorted(guest.config.items()):
        if re.fullmatch(r"net\d+", key):
            parts = dict(part.partition("=")[::2] for part in value.split(","))
            address = parts.get("ip", "")
            shown = address if "/" in address else "10.66.0.250/24" if address == "dhcp" else ""
            rows.append(interface(parts["name"], parts["hwaddr"].lower(), shown, "fe80::1/64"))
    return rows


def interface(name: str, hardware: str, *addresses: str) -> dict[str, Any]:
    """A network card and its addresses, as a container's node lists it."""
    row: dict[str, Any] = {"name": name, "hwaddr": hardware, "hardware-address": hardware, "ip-addresses": []}
    for text in addresses:
        if not text:
            continue
        address, _slash, prefix = text.partition("/")
        family = "inet6" if ":" in address else "inet"
        row[family] = text
        row["ip-addresses"].append({"ip-address": address, "prefix": prefix, "ip-address-type": family})
    return row
