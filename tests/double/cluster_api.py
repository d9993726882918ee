# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/cluster: status, resources, free ids, tasks, options; and /version."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator
from typing import Any

from .clock import Wait
from .errors import Refusal, invalid
from .resources import guest_row, node_row, storage_row
from .routes import Call, route
from .schema import fields, rule_of


@route("GET /version")
def version(call: Call) -> dict[str, Any]:
    """Which Proxmox VE this is."""
    full, release, repository = call.world.release
    return {"version": full, "release": release, "repoid": repository}


@route("GET /cluster/status")
def status(call: Call) -> list[dict[str, Any]]:
    """Quorum and members."""
    cluster = call.world.cluster
    head = {"id": "cluster", "type": "cluster", "name": cluster.name, "version": len(cluster.nodes)}
    return [
        {**head, "nodes": len(cluster.nodes), "quorate": int(cluster.quorate)},
        *(
            {
                "id": f"node/{node.name}",
                "type": "node",
                "name": node.name,
                "nodeid": node.number,
                "ip": node.address,
                "online": int(node.online),
                "local": int(node.name == call.via),
                "level": "",
            }
            for node in cluster.nodes.values()
        ),
    ]


@route("GET /cluster/resources")
def resources(call: Call) -> list[dict[str, Any]]:
    """Everything there is, in one call; some seconds old."""
    world = call.world
    cluster, may = world.cluster, world.access.may
    wanted = call.get("type")
    rows: list[dict[str, Any]] = []
    guests = [g for _vmid, g in sorted(cluster.guests.items()) if world.access.sees(call.user, g.vmid)]
    if wanted in (None, "vm"):
        rows += [guest_row(world, guest) for guest in guests]
    if wanted is None:
        rows += [
            _pool_row(pool, [row for row in rows if row.get("pool") == pool])
            for pool in cluster.pools
            if may(call.user, f"/pool/{pool}", "Pool.Audit")
        ]
    if wanted in (None, "node"):
        for node in cluster.nodes.values():
            audit = may(call.user, f"/nodes/{node.name}", "Sys.Audit")
            extra = {
                "cgroup-mode": 2,
                **({"hastate": world.ha.node_word(node.name)} if audit and world.ha.resources else {}),
            }
            rows.append({**node_row(world, node, audit), **extra})
    if wanted in (None, "storage"):
        for storage in cluster.storages.values():
            if may(call.user, f"/storage/{storage.name}", "Datastore.Audit", "Datastore.AllocateSpace", anyone=True):
                rows += [storage_row(world, storage.name, name) for name in storage.nodes or cluster.nodes]
    return rows


def _pool_row(pool: str, members: list[dict[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {"id": f"/pool/{pool}", "type": "pool", "pool": pool}
    running = [member for member in members if member["status"] == "running"]
    if running:
        row |= {key: sum(member[key] for member in running) for key in ("maxcpu", "maxmem", "cpu", "mem")}
        row["uptime"] = max(member["uptime"] for member in running)
    return row


@route("GET /cluster/nextid")
def nextid(call: Call) -> str:
    """A free id. It is not reserved: whoever asks now gets the same."""
    cluster = call.world.cluster
    wanted = call.get("vmid")
    if wanted is not None:
        if int(wanted) in cluster.guests:
            raise invalid(vmid=f"VM {wanted} already exists")
        return str(wanted)
    bounds = cluster.options.get("next-id", {})
    for vmid in range(int(bounds.get("lower", 100)), int(bounds.get("upper", 1000000))):
        if vmid not in cluster.guests:
            return str(vmid)
    raise Refusal(f"unable to get any free VMID in range [{bounds.get('lower')}, {bounds.get('upper')}]")


@route("GET /cluster/tasks")
def tasks(call: Call) -> list[dict[str, Any]]:
    """The last tasks of all nodes."""
    all_of_them = call.world.access.may(call.user, "/", "Sys.Audit")
    rows = []
    for task in sorted(call.world.tasks.all.values(), key=lambda task: -(task.end or task.start))[:100]:
        if not all_of_them and task.user.partition("!")[0] != call.user.partition("!")[0]:
            continue
        row = task.row()
        del row["pstart"]
        if task.status:
            del row["pid"]
            row |= {"endtime": task.end, "status": task.status}
        rows.append({**row, "saved": "1" if task.status else "0"})
    return rows


@route("GET /cluster/log")
def log(call: Call) -> list[dict[str, Any]]:
    """What happened lately."""
    return list(reversed(call.world.tasks.log))[: int(call.get("max", 50))]


# ---------------------------------------------------------------- options


@route("GET /cluster/options")
def options(call: Call) -> dict[str, Any]:
    """Settings of the datacenter."""
    cluster = call.world.cluster
    tags = {tag for guest in cluster.guests.values() for tag in guest.tags}
    shown = dict(cluster.options)
    registered = shown.get("registered-tags", [])
    return {"mac_prefix": "BC:24:11", "description": "", **shown, "allowed-tags": sorted(tags | set(registered))}


@route("PUT /cluster/options")
def options_update(call: Call) -> Generator[Wait, None, None]:
    """Change settings of the datacenter."""
    cluster = call.world.cluster
    if not cluster.quorate:
        yield 10.0
        raise Refusal("cfs-lock 'file-datacenter_cfg' error: no quorum!")
    yield 0.02
    for name in str(call.get("delete", "")).replace(",", " ").split():
        cluster.options.pop(name, None)
    rules = call.world.table["PUT /cluster/options"]["parameters"]
    for name, value in call.params.items():
        if name == "delete":
            continue
        form = (rule_of(rules, name) or {}).get("format")
        if isinstance(form, dict):
            parts = fields(form, str(value))
            cluster.options[name] = {k: int(part) if re.fullmatch(r"\d+", part) else part for k, part in parts.items()}
        elif name == "registered-tags":
            cluster.options[name] = re.split(r"[;, ]+", str(value))
        else:
            cluster.options[name] = value


# ---------------------------------------------------------------- membership


@route("GET /cluster/config")
def config(_call: Call) -> list[dict[str, str]]:
    """What there is below."""
    return [{"name": name} for name in ("nodes", "totem", "join", "qdevice", "apiversion")]


@route("GET /cluster/config/nodes")
def config_nodes(call: Call) -> list[dict[str, str]]:
    """The members in corosync.conf."""
    return [
        {
            "name": node.name,
            "node": node.name,
            "nodeid": str(node.number),
            "ring0_addr": node.address,
            "quorum_votes": "1",
        }
        for node in call.world.cluster.nodes.values()
    ]


@route("GET /cluster/config/totem")
def config_totem(call: Call) -> dict[str, Any]:
    """The protocol's settings."""
    cluster = call.world.cluster
    return {
        "cluster_name": cluster.name,
        "config_version": str(len(cluster.nodes)),
        "interface": {"0": {"linknumber": "0"}},
        "ip_version": "ipv4-6",
        "link_mode": "passive",
        "secauth": "on",
        "version": "2",
    }


@route("GET /cluster/config/join")
def config_join(call: Call) -> dict[str, Any]:
    """What a node needs to join."""
    cluster = call.world.cluster
    digest = hashlib.sha1(",".join(cluster.nodes).encode()).hexdigest()
    return {
        "config_digest": digest,
        "preferred_node": call.via,
        "totem": config_totem(call),
        "nodelist": [
            {**row, "pve_addr": row["ring0_addr"], "pve_fp": call.world.fingerprint} for row in config_nodes(call)
        ],
    }


@route("POST /cluster/config")
def config_create(call: Call) -> str:
    """A new cluster: refused here, as there is one."""
    raise Refusal("cluster config '/etc/pve/corosync.conf' already exists")


@route("GET /")
def root(_call: Call) -> list[dict[str, str]]:
    """What there is."""
    return [{"subdir": name} for name in ("version", "cluster", "nodes", "storage", "access", "pools")]
