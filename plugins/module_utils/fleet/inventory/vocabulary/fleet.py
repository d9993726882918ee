# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of the whole fleet."""

from __future__ import annotations

import re
from typing import Any, Final

from ...model import QuorumDevice
from ..kinds import Field, ListOf, Record, Scalar, Table
from ..quantity import Unacceptable
from ..scalars import (
    ADDRESS,
    BRIDGE,
    CIDR,
    FLAG,
    HOST_ADDRESS,
    OPTIONAL_ADDRESS,
    PATH,
    RESERVED,
    choice,
    duration,
    integer,
    named,
    plain_text,
    text,
)
from .common import CORES, DISK, IO, MEMORY, OVERCOMMIT, POOL, RESERVE
from .template import TEMPLATES
from .variable import Variable


def _ssh_key(value: Any) -> str:
    line = plain_text(value.strip() if isinstance(value, str) else value)
    if "PRIVATE KEY" in line:
        raise Unacceptable("a private key, which belongs nowhere near an inventory")
    if len(line) > 16384 or not re.fullmatch(r"(?:ssh|ecdsa|sk)-[A-Za-z0-9@.-]+ [A-Za-z0-9+/]+=*(?: .*)?", line):
        raise Unacceptable("not a public key")
    return line


CLASSES: Final = Table(
    "classes",
    Record(
        "class",
        {
            "cores": Field(CORES, "vCPUs; fractions are shares of one", required=True),
            "memory": Field(MEMORY, "memory", required=True),
            "disk": Field(DISK, "root disk", required=True),
            "io": Field(IO, "io budget; default 0"),
            "pool": Field(POOL, "storage pool of the root disk; default `fleet_pool`"),
        },
    ),
)
SEARCH: Final = text(
    "a domain: labels of letters, digits, dashes and underscores, joined by dots",
    pattern=r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9])?)*",
    most=253,
    label="domain",
)
NETWORKS: Final = Table(
    "networks",
    Record(
        "network",
        {
            "cidr": Field(CIDR, "the network's range", required=True),
            "gateway": Field(OPTIONAL_ADDRESS, "default gateway of its servers; empty: none"),
            "bridge": Field(BRIDGE, "bridge on the nodes; default: each node's `node_bridge`"),
            "vlan": Field(integer(0, 4094), "VLAN tag; 0: untagged"),
            "mtu": Field(integer(576, 65535), "MTU; default: the bridge's"),
            "dns": Field(ListOf(ADDRESS), "resolvers of its servers"),
            "search": Field(ListOf(SEARCH, most=32), "domains in which its servers look up short names"),
            "reserved": Field(ListOf(RESERVED), "addresses never given to a server"),
        },
    ),
)
TIMEOUTS: Final = Record(
    "timeouts",
    {
        "connect": Field(duration(0.1, 300), "a node may take to accept a connection; default 5s"),
        "request": Field(duration(1, 3600), "a node may take to answer a request; default 30s"),
        "operation": Field(duration(1, 86400), "a create, copy or start may take; default 10m"),
        "stop": Field(duration(0, 3600), "a server may take to shut down before its power is cut; default 30s"),
    },
)
QUORUM_DEVICE: Final = Record(
    "quorum device",
    {
        "host": Field(
            named("a host", empty=False),
            "host of the inventory, none of `nodes`, which gets `corosync-qnetd`; or the address of one that somebody "
            "else looks after",
            required=True,
        ),
        "address": Field(HOST_ADDRESS, "where members reach it; default: as Ansible reaches `host`"),
        "port": Field(integer(1, 65535), "TCP port; default 5403"),
        "tls": Field(FLAG, "false: neither encrypted nor authenticated; default `true`"),
    },
    make=lambda read: QuorumDevice(**read),
    shorthand="host",
)

FLEET: Final = (
    Variable(
        "fleet_name",
        text(
            "1 to 32 letters, digits and dashes",
            pattern=r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?",
            most=32,
            label="name",
        ),
        "Name of the fleet. Servers bear it as a mark of ownership; two fleets may share nodes under different names.",
        "berlin",
        default="fleet",
    ),
    Variable(
        "fleet_engine",
        choice("incus", "proxmox"),
        "The platform that carries the servers: independent Incus servers, or one Proxmox VE cluster.",
        "incus",
        default="incus",
    ),
    Variable(
        "fleet_classes",
        CLASSES,
        "Named sizes. A server names one in `vs_class`; its own `vs_cores`, `vs_memory`, … take precedence.",
        "{pbx_small: {cores: 0.5, memory: 256MiB, disk: 1GiB, io: 20}}",
        default={},
    ),
    Variable(
        "fleet_pool",
        POOL,
        "Storage pool of the root disk where neither the server nor its class names one.",
        "local-lvm",
        default="",
        default_text="`default` for Incus, `local-zfs` for Proxmox VE",
    ),
    Variable(
        "fleet_templates",
        TEMPLATES,
        "What servers are created from. A template is built on one node and copied to those that need it.",
        "{debian: {build: debian, version: 1, packages: [openssh-server]}}",
        default={},
    ),
    Variable(
        "fleet_networks",
        NETWORKS,
        "Networks servers have addresses on. Networks must not overlap.",
        "{lan: {cidr: 10.20.0.0/24, gateway: 10.20.0.1, dns: [10.20.0.1], reserved: [10.20.0.2-10.20.0.99]}}",
        default={},
    ),
    Variable(
        "fleet_sites",
        Table("sites", Record("site", {}, may_be_empty=True)),
        "Sites there are. Where none is declared, every site a node names exists.",
        "{berlin: {}, hamburg: {}}",
        default={},
    ),
    Variable(
        "fleet_overcommit",
        OVERCOMMIT,
        "How many times the capacity of a node may be promised. `node_overcommit` overrules it, key by key.",
        "{cores: 4, memory: 1}",
        default={},
        default_text="cores 4, memory 1, disk 1, io 1",
    ),
    Variable(
        "fleet_reserve",
        RESERVE,
        "What is kept free on each node for the node itself. `node_reserve` overrules it, key by key.",
        "{cores: 1, memory: 2GiB}",
        default={},
        default_text="nothing",
    ),
    Variable(
        "fleet_concurrency",
        integer(1, 1024),
        "Steps that may run at once in the whole fleet. `node_concurrency` limits each node.",
        "32",
        default=32,
    ),
    Variable(
        "fleet_timeouts",
        TIMEOUTS,
        "How long the platform may take.",
        "{connect: 5s, operation: 10m}",
        default={},
        default_text="connect 5s, request 30s, operation 10m, stop 30s",
    ),
    Variable(
        "fleet_lock_ttl",
        duration(5, 3600),
        "Time without a sign of life after which a run no longer holds the fleet.",
        "60s",
        default=60.0,
    ),
    Variable(
        "fleet_pki_dir",
        PATH,
        "Directory on the controller with `controller.crt`, `controller.key` and `nodes/<node>.crt`; for Proxmox VE "
        "with `proxmox.token` or `proxmox.password`, and `ca.crt` or `nodes/<node>.crt`.",
        "/etc/switchyard/pki",
        default_text="`pki` beside the inventory",
    ),
    Variable(
        "fleet_ssh_keys",
        ListOf(Scalar("public key", "an SSH public key, as in an authorized_keys file", _ssh_key)),
        "Public keys the servers let in as root, where their template has an SSH server.",
        "[ssh-ed25519 AAAAC3Nza… ops@example.net]",
        default=(),
        secret=True,
    ),
    Variable(
        "fleet_install",
        FLAG,
        "Whether the playbook `site` installs the nodes of Incus, over SSH, before it brings the fleet up.",
        "false",
        default_text="true for Incus; nodes of Proxmox VE are installed by the playbook `proxmox` alone",
    ),
    Variable(
        "fleet_quorum_device",
        QUORUM_DEVICE,
        "A vote outside the cluster of the nodes, so that two nodes, or four, can tell who of them is cut off. "
        "An odd number of nodes can by themselves; the device has no vote then.",
        "vote.example.net",
        effect="Proxmox VE: none, see its `pvecm qdevice`. Incus: now, with vs_failover: auto.",
    ),
    Variable(
        "fleet_hosts",
        text("an Ansible host pattern", most=1024, label="pattern"),
        "Hosts the playbooks target as nodes.",
        "nodes",
        default="nodes",
    ),
    Variable(
        "fleet_controller",
        named("a host", empty=False),
        "Host the fleet is planned and changed from, over the engine's API.",
        "localhost",
        default="localhost",
    ),
)
