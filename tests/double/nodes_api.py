# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/nodes: the machines, their tasks and their networks."""

from __future__ import annotations

from typing import Any

from .errors import forbidden
from .resources import memory_used, node_row
from .routes import Call, route

INDEX = [
    "aplinfo",
    "apt",
    "capabilities",
    "ceph",
    "certificates",
    "config",
    "disks",
    "dns",
    "firewall",
    "hardware",
    "hosts",
    "journal",
    "lxc",
    "migrateall",
    "netstat",
    "network",
    "qemu",
    "query-oci-repo-tags",
    "query-url-metadata",
    "replication",
    "report",
    "rrd",
    "rrddata",
    "scan",
    "sdn",
    "services",
    "spiceshell",
    "startall",
    "status",
    "stopall",
    "storage",
    "subscription",
    "suspendall",
    "syslog",
    "tasks",
    "termproxy",
    "time",
    "version",
    "vncshell",
    "vncwebsocket",
    "vzdump",
    "wakeonlan",
]


@route("GET /nodes")
def nodes(call: Call) -> list[dict[str, Any]]:
    """All members."""
    may, world = call.world.access.may, call.world
    return [
        {
            **node_row(world, node, may(call.user, f"/nodes/{node.name}", "Sys.Audit")),
            "ssl_fingerprint": world.fingerprint,
        }
        for node in world.cluster.nodes.values()
    ]


@route("GET /nodes/{node}")
def index(_call: Call) -> list[dict[str, str]]:
    """What there is below."""
    return [{"name": name} for name in INDEX]


@route("GET /nodes/{node}/status")
def status(call: Call) -> dict[str, Any]:
    """How a node is."""
    world = call.world
    node = world.cluster.nodes[call.node]
    used = memory_used(world, node)
    kernel = "6.17.2-1-pve" if world.cluster.major >= 9 else "6.8.12-9-pve"
    full, _release, repository = world.release
    free = node.memory - used
    return {
        "uptime": int(world.clock.now() - node.since),
        "loadavg": ["0.31", "0.28", "0.25"],
        "cpu": 0.1,
        "idle": 0,
        "wait": 0,
        "ksm": {"shared": 0},
        "swap": {"total": 0, "used": 0, "free": 0},
        "memory": {"total": node.memory, "used": used, "free": free, "available": free},
        "rootfs": {
            "total": node.disk,
            "used": node.disk // 8,
            "free": node.disk - node.disk // 8,
            "avail": node.disk - node.disk // 8,
        },
        "boot-info": {"mode": "efi", "secureboot": 0} if world.cluster.major < 9 else {"mode": "legacy-bios"},
        "kversion": f"Linux {kernel} #1 SMP PREEMPT_DYNAMIC PMX {kernel}",
        "current-kernel": {
            "sysname": "Linux",
            "release": kernel,
            "version": f"#1 SMP PREEMPT_DYNAMIC PMX {kernel}",
            "machine": "x86_64",
        },
        "pveversion": f"pve-manager/{full}/{repository}",
        "cpuinfo": {
            "vendor": "AuthenticAMD",
            "model": "AMD EPYC 9124",
            "family": "25",
            "mhz": "3000.000",
            "cpus": node.cores,
            "cores": max(1, node.cores // 2),
            "sockets": 1,
            "user_hz": 100,
            "hvm": "1",
            "flags": "fpu vme sse2 avx avx2",
        },
    }


@route("GET /nodes/{node}/version")
def node_version(call: Call) -> dict[str, Any]:
    """Which Proxmox VE runs there."""
    full, release, repository = call.world.release
    return {"version": full, "release": release, "repoid": repository}


@route("GET /nodes/{node}/time")
def node_time(call: Call) -> dict[str, Any]:
    """Its clock."""
    return {"timezone": "UTC", "time": call.world.cluster.now, "localtime": call.world.cluster.now}


@route(
    "GET /nodes/{node}/rrddata",
    "GET /nodes/{node}/lxc/{vmid}/rrddata",
    "GET /nodes/{node}/qemu/{vmid}/rrddata",
    "GET /nodes/{node}/storage/{storage}/rrddata",
)
def rrddata(call: Call) -> list[dict[str, Any]]:
    """Measurements of the past: times only, as of something new."""
    steps = {"hour": 60, "day": 60, "week": 1800, "month": 1800, "year": 21600, "decade": 604800}
    step = steps[str(call.params["timeframe"])]
    now = call.world.cluster.now // step * step
    return [{"time": now - step * back} for back in range(60, 0, -1)]


@route("POST /nodes/{node}/status")
def node_power(call: Call) -> None:
    """Reboot or power off."""
    if not call.world.access.may(call.user, f"/nodes/{call.node}", "Sys.PowerMgmt"):
        raise forbidden(f"/nodes/{call.node}, Sys.PowerMgmt")
    world, name, again = call.world, call.node, call.params["command"] == "reboot"
    world.clock.call_later(1.0, lambda: world.faults.kill(name))
    if again:
        world.clock.call_later(30.0, lambda: world.faults.revive(name))
