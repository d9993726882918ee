# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of lists: guests, nodes and storages, as the cluster's status knows them some seconds later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .entries import Guest, Node
from .sizes import GIB, MIB, parse_size

if TYPE_CHECKING:
    from .world import World

STATUS_PERIOD = 10.0  # seconds between two reports of a node to the others
FORGOTTEN = 300.0  # seconds after which what a dead node has last said is dropped
LIST_PERIOD = 3.0  # seconds a container's status may be old
PRESSURES = [f"pressure{what}{how}" for what in ("cpu", "io", "memory") for how in ("some", "full")]


def memory_of(guest: Guest, config: dict[str, str] | None = None) -> int:
    """Bytes of memory."""
    config = config if config is not None else guest.config
    return int(float(config.get("memory", "512").partition(",")[0].removeprefix("current="))) * MIB


def disk_of(guest: Guest, config: dict[str, str] | None = None) -> int:
    """Bytes of its first disk."""
    config = config if config is not None else guest.config
    if guest.kind == "lxc":
        return parse_size(_option(config.get("rootfs", ""), "size"))
    boot = _option(config.get("boot", "").replace("order=", "order="), "order").split(";")[0]
    for key in (boot, *sorted(config)):
        value = config.get(key, "")
        if key[:-1] in ("scsi", "virtio", "ide", "sata") and "media=cdrom" not in value:
            return parse_size(_option(value, "size"))
    return 0


def _option(text: str, name: str) -> str:
    return next((part.partition("=")[2] for part in text.split(",") if part.startswith(f"{name}=")), "")


def cores_of(guest: Guest, node: Node, config: dict[str, str] | None = None) -> int:
    """Its processors; a container without a limit has its node's."""
    config = config if config is not None else guest.config
    if guest.kind == "lxc":
        return int(config.get("cores", node.cores))
    return int(config.get("cores", "1")) * int(config.get("sockets", "1"))


def counters(world: World, guest: Guest, state: dict[str, Any]) -> dict[str, Any]:
    """What a running guest uses: something plausible, growing with time."""
    if not state["running"]:
        return {"uptime": 0, "cpu": 0, "mem": 0, "disk": 0, "netin": 0, "netout": 0, "diskread": 0, "diskwrite": 0}
    node = world.cluster.nodes[state["node"]]
    until = world.clock.now() if node.online or not guest.seen else guest.seen[-1][0]
    uptime = max(0, int(until - state["since"]))
    memory = memory_of(guest, state["config"])
    return {
        "uptime": uptime,
        "cpu": 0.01 + guest.vmid % 7 / 100,
        "mem": memory * (30 + guest.vmid % 40) // 100,
        "disk": disk_of(guest, state["config"]) // 3 if guest.kind == "lxc" else 0,
        "netin": 250 + 97 * uptime,
        "netout": 90 + 13 * uptime,
        "diskread": 0,
        "diskwrite": 0,
    }


def guest_row(world: World, guest: Guest) -> dict[str, Any]:
    """A guest in /cluster/resources: placement and lock are of now, the rest is as its node last said."""
    row: dict[str, Any] = {
        "id": f"{guest.kind}/{guest.vmid}",
        "vmid": guest.vmid,
        "type": guest.kind,
        "node": guest.node,
    }
    for pool, what in world.cluster.pools.items():
        if guest.vmid in what["vms"]:
            row["pool"] = pool
    if guest.lock:
        row["lock"] = guest.lock
    state = world.cluster.seen(guest, STATUS_PERIOD * world.staleness)
    if world.ha.manages(guest):
        row["hastate"] = world.ha.resource_state(guest)
    if guest.tags:
        row["tags"] = ";".join(guest.tags)
    node = world.cluster.nodes[guest.node]
    silent = 0.0 if node.online else (world.clock.now() - node.died) / world.clock.latency
    if state is None or silent > FORGOTTEN:
        return {**row, "status": "unknown"}
    config = state["config"]
    return {
        **row,
        **counters(world, guest, state),
        "name": guest.name,
        "status": "running" if state["running"] else "stopped",
        "template": int(guest.template),
        "maxcpu": cores_of(guest, world.cluster.nodes[guest.node], config),
        "maxmem": memory_of(guest, config),
        "maxdisk": disk_of(guest, config),
        **({"memhost": 0} if world.cluster.major >= 9 else {}),
    }


def node_row(world: World, node: Node, usage: bool = True) -> dict[str, Any]:
    """A node; a dead one has no counters."""
    row: dict[str, Any] = {"id": f"node/{node.name}", "node": node.name, "type": "node", "level": ""}
    row["status"] = "online" if node.online else "offline"
    if not usage:
        return row
    row |= {"maxcpu": node.cores, "maxmem": node.memory, "maxdisk": node.disk}
    if node.online:
        row |= {
            "cpu": 0.1,
            "mem": memory_used(world, node),
            "disk": node.disk // 8,
            "uptime": int(world.clock.now() - node.since),
        }
    return row


def memory_used(world: World, node: Node) -> int:
    """Bytes: the system's own, and what its guests hold."""
    held = sum(memory_of(g) for g in world.cluster.guests.values() if g.node == node.name and g.running)
    return min(node.memory, 2 * GIB + held)


def storage_used(world: World, name: str, node: str) -> int:
    """Bytes taken on a storage, seen from a node."""
    shared = world.cluster.storages[name].shared
    return sum(
        v.size for (where, volid), v in world.cluster.volumes.items()
        if volid.partition(":")[0] == name and (shared or where == node)
    ) // (30 if world.cluster.storages[name].type == "zfspool" else 1)  # fmt: skip


def storage_row(world: World, name: str, node: str) -> dict[str, Any]:
    """A storage on a node in /cluster/resources."""
    storage = world.cluster.storages[name]
    row: dict[str, Any] = {
        "id": f"storage/{node}/{name}",
        "storage": name,
        "node": node,
        "type": "storage",
        "shared": int(storage.shared),
        "content": ",".join(storage.content),
        "plugintype": storage.type,
        "status": "available" if world.cluster.nodes[node].online else "unknown",
        "maxdisk": storage.total,
        "disk": storage_used(world, name, node),
    }
    return row
