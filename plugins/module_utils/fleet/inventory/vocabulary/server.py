# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of virtual servers."""

from __future__ import annotations

from typing import Any, Final

from ...model import Check, Failover, Interface, Replication
from ..affinity import Wish
from ..kinds import Field, ListOf, Record, Scalar
from ..quantity import Unacceptable
from ..scalars import (
    DEVICE,
    FLAG,
    OPTIONAL_ADDRESS,
    URL,
    choice,
    decimal,
    duration,
    integer,
    named,
    text,
)
from .common import CORES, DISK, IO, MEMORY
from .variable import Variable

PORT: Final = integer(1, 65535)
_USUAL_PORT: Final = {"http": 80, "sip": 5060}
_REPLICATION_INTERVAL: Final = duration(10, 7 * 86400)


def _check(read: dict[str, Any]) -> Check:
    kind = read["type"]
    port = read.get("port", _USUAL_PORT.get(kind))
    if port is None:
        raise Unacceptable(f"a {kind} check without a port", PORT.accepted)
    if "path" in read and kind != "http":
        raise Unacceptable(f"a path, which a {kind} check does not have")
    return Check(kind, port, read.get("path", "/"), read.get("timeout", 30.0))


def _replication(value: Any) -> Replication:
    if value is False or (isinstance(value, str) and value in ("none", "off", "no", "false")):
        return Replication()
    if value is True:
        raise Unacceptable("a truth value, which does not say how often")
    if isinstance(value, str) and value == "sync":
        return Replication("sync")
    every = float(_REPLICATION_INTERVAL.convert(value))
    if every != int(every):
        raise Unacceptable("not a whole number of seconds")
    return Replication("interval", int(every))


def _failover_action(read: dict[str, Any]) -> Failover:
    action = read["action"]
    if action == "activate" and "activate_url" not in read:
        raise Unacceptable("activate without activate_url: nobody would be told", "activate_url, a URL")
    if action != "activate" and len(read) > 1:
        raise Unacceptable(f"URLs, which the action {action} does not ask")
    return Failover("off", action, read.get("activate_url", ""), read.get("deactivate_url", ""))


INTERFACE: Final = Record(
    "interface",
    {
        "network": Field(named("a network", empty=False), "name of a network", required=True),
        "address": Field(OPTIONAL_ADDRESS, "address on it; default: allocated"),
    },
    make=lambda read: Interface(read["network"], read.get("address", "")),
    shorthand="network",
)
CHECK: Final = Record(
    "check",
    {
        "type": Field(
            choice("tcp", "http", "sip"), "tcp: accepts; http: answers 2xx or 3xx; sip: answers OPTIONS", required=True
        ),
        "port": Field(PORT, "port; default 80 for http, 5060 for sip"),
        "path": Field(
            text("a path that begins with /", pattern=r"/[^ ]*", most=1024, label="path"),
            "what is asked for; http only, default `/`",
        ),
        "timeout": Field(duration(0.1, 3600), "from the server's start to its first good answer; default 30s"),
    },
    make=_check,
)
FAILOVER_ACTION: Final = Record(
    "failover action",
    {
        "action": Field(
            choice("relocate", "activate", "none"),
            "relocate the replica; activate a live peer's passive configuration; or nothing, as a VIP moves by itself",
            required=True,
        ),
        "activate_url": Field(URL, "asked (POST) to take over; with activate only"),
        "deactivate_url": Field(URL, "asked (POST) to hand back; with activate only"),
    },
    make=_failover_action,
    shorthand="action",
)
WISHES: Final = ListOf(
    Record(
        "rule",
        {
            "with": Field(
                ListOf(named("a server or a group", empty=False)),
                "server, or inventory group: all its members, mutually where the server is one of them",
                required=True,
            ),
            "over": Field(choice("node", "failure_domain", "site"), "what is shared, or not; default `node`"),
            "hard": Field(FLAG, "false: a preference; default `true`"),
        },
        make=lambda read: Wish(read["with"], read.get("over", "node"), read.get("hard", True)),
        shorthand="with",
    )
)
_FROM_CLASS: Final = "the class's"

SERVER: Final = (
    Variable("vs_class", named("a class"), "Named size, from `fleet_classes`.", "pbx_small", default=""),
    Variable("vs_cores", CORES, "vCPUs; fractions are shares of one.", "2", default_text=_FROM_CLASS),
    Variable("vs_memory", MEMORY, "Memory.", "2GiB", default_text=_FROM_CLASS),
    Variable("vs_disk", DISK, "Root disk. It can grow later, not shrink.", "20GiB", default_text=_FROM_CLASS),
    Variable(
        "vs_io",
        IO,
        "Io budget, in the operator's own unit, for example concurrent call ports.",
        "60",
        default_text=f"{_FROM_CLASS}, or else 0",
    ),
    Variable(
        "vs_pool",
        named("a storage pool", empty=False),
        "Storage pool of the root disk.",
        "fast",
        default_text=f"{_FROM_CLASS}, or else `fleet_pool`",
    ),
    Variable(
        "vs_template",
        named("a template", empty=False),
        "What the server is created from, from `fleet_templates`. May be left out where only one is declared.",
        "debian",
        default="",
        default_text="the only template declared",
    ),
    Variable(
        "vs_address",
        OPTIONAL_ADDRESS,
        "Address on `vs_network`. Left out, one is allocated, and kept.",
        "10.20.0.10",
        default="",
        default_text="allocated",
    ),
    Variable(
        "vs_network",
        named("a network", empty=False),
        "Network of `vs_address`.",
        "lan",
        default="",
        default_text="the only network declared",
    ),
    Variable(
        "vs_interfaces",
        ListOf(INTERFACE, most=32),
        "All network interfaces, in order, instead of `vs_address` and `vs_network`.",
        "[{network: lan, address: 10.20.0.10}, {network: backup}]",
        default_text="one, on `vs_network`",
    ),
    Variable(
        "vs_tenant",
        text("text", most=128, empty=True),
        "Whose server it is. A mark for people and reports.",
        "acme",
        default="",
    ),
    Variable(
        "vs_resource_pool",
        text(
            "the name of a resource pool, such as customers, or customers/acme",
            pattern=r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+){0,2}",
            most=1023,
            empty=True,
            label="name",
        ),
        "Resource pool of Proxmox VE the server is made in and kept in; it has to exist. Left out, nobody looks.",
        "customers",
        default="",
        default_text="none",
        effect="Proxmox VE: now. Incus: none, it has no such pools.",
    ),
    Variable(
        "vs_state",
        choice("running", "stopped", means={"true": "running", "on": "running", "false": "stopped", "off": "stopped"}),
        "Whether the server is to run. A server that is not wanted any more leaves the inventory.",
        "stopped",
        default="running",
    ),
    Variable(
        "vs_node",
        named("a node"),
        "Node the server is pinned to.",
        "node1",
        default="",
        default_text="the planner chooses",
    ),
    Variable("vs_dedicated", FLAG, "The server's node carries nothing else.", "true", default=False),
    Variable(
        "vs_devices",
        ListOf(DEVICE),
        "Devices its node must have (`node_devices`).",
        "[dongle-1]",
        default=(),
    ),
    Variable(
        "vs_affinity",
        WISHES,
        "Servers or groups it shares its node (failure domain, site) with.",
        "[{with: db1, over: site}]",
        default=(),
    ),
    Variable(
        "vs_anti_affinity",
        WISHES,
        "Servers or groups it does not share its node (failure domain, site) with. "
        "A group it is in itself means: all members apart from each other.",
        "sip_routers",
        default=(),
    ),
    Variable("vs_site", named("a site"), "Site it must be in.", "berlin", default="", default_text="any"),
    Variable(
        "vs_start_order",
        integer(0, 99),
        "Servers of a lower order start, and pass their checks, before those of a higher one.",
        "10",
        default=50,
    ),
    Variable(
        "vs_start_delay",
        duration(0, 3600),
        "Time after the server's start before the next start order begins.",
        "5s",
        default=0.0,
    ),
    Variable(
        "vs_checks",
        ListOf(CHECK, most=32),
        "Questions the server answers when it is well: tcp, http, sip.",
        "[{type: http, port: 80, path: /}]",
        default=(),
    ),
    Variable(
        "vs_replication",
        Scalar(
            "replication",
            "none, sync, or an interval from 10 seconds to 7 days: 90s, 5m, 1h",
            _replication,
        ),
        "How its storage is kept on its backup node: not, at an interval, or in step.",
        "5m",
        default=Replication(),
        default_text="none",
    ),
    Variable(
        "vs_failover",
        choice("auto", "manual", "off", means={"false": "off", "no": "off"}),
        "What happens when its node dies: it is started elsewhere by itself, by hand, or not.",
        "auto",
        default="off",
        effect="Proxmox VE: now, by its HA manager. Incus: now, by a cluster of the nodes, which needs `node_fence`.",
    ),
    Variable(
        "vs_failover_action",
        FAILOVER_ACTION,
        "How it fails over. URLs may hold credentials: they are never shown.",
        "{action: activate, activate_url: 'https://pbx-b.example.net/activate'}",
        default=Failover(),
        default_text="relocate",
        effect="Incus: now. Proxmox VE: now, but for activate's URLs, which nobody asks there.",
        secret=True,
    ),
    Variable(
        "vs_replica_rtt",
        decimal(0, 10000, "ms"),
        "Highest round-trip time to the node of its replica, in milliseconds. 0: any. Nobody measures it: with any "
        "limit the replica is kept in the site the server runs in.",
        "5",
        default=0.0,
    ),
)
