# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of nodes."""

from __future__ import annotations

import re
from typing import Any, Final

from ...model import Fence
from ..kinds import Field, ListOf, Record, Scalar, Table
from ..scalars import (
    BRIDGE,
    DEVICE,
    FINGERPRINT,
    FLAG,
    HOST_ADDRESS,
    OPTIONAL_ADDRESS,
    PATH,
    choice,
    duration,
    integer,
    named,
    plain_text,
    text,
)
from .common import BANDWIDTH, DISK, IO, NODE_CORES, NODE_DISK, NODE_MEMORY, OVERCOMMIT, POOL, POOLS, RESERVE
from .interfaces import INTERFACES
from .variable import Variable

PLACE: Final = text("a name", pattern=r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?", most=63, empty=True, label="name")


def _parameter(value: Any) -> str:
    """Fence agents take text; numbers and truth values are handed on as YAML writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) and abs(value) < 10**18 else plain_text(value)


FENCE: Final = Record(
    "fence",
    {
        "agent": Field(
            text(
                "a fence agent: fence_ipmilan, fence_redfish, …, or watchdog",
                pattern=r"[A-Za-z0-9_-]+",
                most=63,
                label="name",
            ),
            "fence agent that cuts the node's power; `watchdog`: the node resets itself",
            required=True,
        ),
        "parameters": Field(
            Table("parameters", Scalar("text", "text or a number", _parameter), strict=True),
            "what the agent needs: address, login, password (vault it)",
        ),
    },
    make=lambda read: Fence(read["agent"], read.get("parameters", {})),
)


def _setting(value: Any) -> str:
    """A kernel's setting, as people write it; empty: left alone."""
    return "" if value is None or value == "" else _parameter(value)


SETTINGS: Final = Table(
    "settings",
    Scalar("value", "a number, or text; empty: the setting is left alone", _setting),
    pattern=re.compile(r"[a-z0-9_]+(?:[./][A-Za-z0-9_./-]+)+"),
    names="the name of a setting as sysctl has it: vm.swappiness",
    strict=True,
)
SYNC_DISKS: Final = text(
    "a volume group, or the absolute path of a directory",
    pattern=r"/[A-Za-z0-9._/-]+|[A-Za-z0-9+_.][A-Za-z0-9+_.-]*",
    most=255,
    empty=True,
    label="place",
)
STORAGE_POOLS: Final = ListOf(
    Record(
        "storage pool",
        {
            "name": Field(POOL, "its name", required=True),
            "driver": Field(choice("dir", "btrfs", "lvm", "zfs"), "storage driver; default `dir`"),
            "source": Field(PATH, "block device, volume group, dataset or directory it is made from"),
            "size": Field(DISK, "size of a pool that lives in a file"),
        },
        shorthand="name",
    ),
    most=64,
)

NODE: Final = (
    Variable(
        "node_address",
        HOST_ADDRESS,
        "Address the engine of the node is reached at, from the controller and from the other nodes.",
        "192.0.2.11",
        default_text="`ansible_host`, or else the node's name",
    ),
    Variable(
        "node_port",
        integer(1, 65535),
        "Port of the engine's API.",
        "8443",
        default_text="8443 for Incus, 8006 for Proxmox VE",
    ),
    Variable("node_site", PLACE, "Site the node is in.", "berlin", default="default"),
    Variable(
        "node_failure_domain",
        PLACE,
        "Rack or room: what fails together. Rules over failure domains go by it.",
        "rack1",
        default="",
        default_text="the node is a failure domain of its own",
    ),
    Variable(
        "node_cores",
        NODE_CORES,
        "Cores to plan with, instead of those the node has.",
        "16",
        default_text="as measured",
    ),
    Variable(
        "node_memory",
        NODE_MEMORY,
        "Memory to plan with, instead of what the node has.",
        "64GiB",
        default_text="as measured",
    ),
    Variable(
        "node_io",
        IO,
        "Io budget of the node, in the operator's own unit. No platform measures it: undeclared, it is no limit.",
        "2000",
        default_text="no limit",
    ),
    Variable(
        "node_pools",
        POOLS,
        "Disk to plan with per storage pool, instead of what the pools have.",
        "{default: 500GiB}",
        default={},
        default_text="as measured",
    ),
    Variable(
        "node_reserve",
        RESERVE,
        "What is kept free for the node itself, before overcommit. Keys left out are those of `fleet_reserve`.",
        "{memory: 4GiB}",
        default={},
        default_text="`fleet_reserve`",
    ),
    Variable(
        "node_overcommit",
        OVERCOMMIT,
        "How many times the node's capacity may be promised. Keys left out are those of `fleet_overcommit`.",
        "{cores: 2}",
        default={},
        default_text="`fleet_overcommit`",
    ),
    Variable(
        "node_devices",
        ListOf(DEVICE),
        "Devices the node has that servers may need, for example a USB licence dongle.",
        "[dongle-1]",
        default=(),
    ),
    Variable(
        "node_backup",
        named("another node"),
        "Node that holds the replicas of this node's servers.",
        "node2",
        default="",
        default_text="chosen by the planner",
    ),
    Variable(
        "node_replication_bandwidth",
        BANDWIDTH,
        "What replication may send, per second. Proxmox VE: each replication job of the node's servers. Incus: each "
        "storage pool of the node, for all copies between nodes; see the role `replication`.",
        "50MiB",
        default=0,
        default_text="as it is; at first no limit",
    ),
    Variable(
        "node_dedicated",
        ListOf(named("a server or a group of servers", empty=False)),
        "Servers, or groups of servers, the node is kept for. Nobody else runs on it.",
        "[customer_acme]",
        default=(),
        default_text="anybody may run here",
    ),
    Variable(
        "node_state",
        choice("active", "maintenance"),
        "A node in maintenance gets no new servers.",
        "maintenance",
        default="active",
    ),
    Variable(
        "node_witness",
        FLAG,
        "The node only votes, as the third of two, and carries no servers.",
        "true",
        default=False,
    ),
    Variable("node_concurrency", integer(1, 256), "Steps that may run on the node at once.", "4", default=4),
    Variable(
        "node_fence",
        FENCE,
        "How the node's power is cut for certain. Parameters are secret: they are never shown.",
        "{agent: fence_ipmilan, parameters: {ip: 192.0.2.211, username: ops, password: '{{ vault_ipmi }}'}}",
        effect="Proxmox VE: none, it has watchdogs of its own. Incus: now, with vs_failover: auto.",
        secret=True,
    ),
    Variable(
        "node_cluster_addresses",
        ListOf(HOST_ADDRESS, most=8),
        "Addresses the nodes hear each other on, one per link: on a network of its own, and a second one beside it.",
        "[10.0.0.11, 10.0.1.11]",
        default=(),
        default_text="`node_address`, one link",
        effect="Proxmox VE: none, see proxmox_cluster_links. Incus: now, with vs_failover: auto.",
    ),
    Variable(
        "node_sync_disks",
        SYNC_DISKS,
        "Where the disks of servers with `vs_replication: sync` are: a volume group, or the path of a directory (files "
        "on loop devices). The node's kernel has to have DRBD.",
        "vg0",
        default="",
        default_text="the node has no place for such disks",
        effect="Proxmox VE: none. Incus: now, with vs_replication: sync.",
    ),
    Variable(
        "node_sync_address",
        OPTIONAL_ADDRESS,
        "Address the other nodes' DRBD reaches this one at: on a network of its own, as nothing there is encrypted.",
        "10.0.2.11",
        default="",
        default_text="`node_address`",
        effect="Proxmox VE: none. Incus: now, with vs_replication: sync.",
    ),
    Variable(
        "node_fingerprint",
        FINGERPRINT,
        "SHA-256 fingerprint of the node's TLS certificate.",
        "'9f:86:d0:81:…'",
        default="",
        default_text="that of `nodes/<node>.crt` in `fleet_pki_dir`",
    ),
    Variable(
        "node_accept_certificate",
        FLAG,
        "Trust the node's certificate although it is not the one known: after a reinstallation, once.",
        "true",
        default=False,
    ),
    Variable("node_bridge", BRIDGE, "Bridge that servers are connected to.", "vmbr0", default="vmbr0"),
    Variable(
        "node_interfaces",
        INTERFACES,
        "The node's own network: its devices, addresses, what they are for. The role `network` (playbooks `network` "
        "and `site`) brings a node of Incus to it, on trial; without it, the node's network is left alone.",
        "[{name: vmbr0, ports: [eno1], addresses: [192.0.2.11/24], gateway: 192.0.2.1, network: management}]",
        default=(),
        default_text="the bridge `node_bridge` must exist",
    ),
    Variable(
        "node_storage_pools",
        STORAGE_POOLS,
        "Storage pools the node role makes.",
        "[{name: default, driver: zfs, source: /dev/nvme1n1}]",
        default=(),
        default_text="one pool `default` with driver `dir`",
    ),
    Variable(
        "node_tuning",
        SETTINGS,
        "Settings of the node's kernel, instead of those the node role sets by itself, or beside them; docs/tuning.md.",
        "{vm.swappiness: 1, net.core.rmem_max: 33554432}",
        default={},
        default_text="those of docs/tuning.md",
    ),
    Variable("node_tune", FLAG, "Whether the node role sets the kernel at all.", "false", default=True),
    Variable("node_min_cores", integer(0, 4096), "Cores a node must have at least (preflight).", "4", default=1),
    Variable("node_min_memory", NODE_MEMORY, "Memory a node must have at least (preflight).", "8GiB", default=1024),
    Variable(
        "node_min_disk",
        NODE_DISK,
        "Free disk a node must have at least (preflight).",
        "100GiB",
        default=5 * 1024,
    ),
    Variable(
        "node_max_clock_skew",
        duration(0.1, 3600),
        "How far a node's clock may be from the controller's and from any other node's (preflight).",
        "2s",
        default=2.0,
    ),
)
