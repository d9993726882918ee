# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fleet's API user may do, and why: one line for each privilege, and the places where it counts. Pure.

docs/proxmox-nodes.md has the same table for people; a test holds the two together, and another takes each privilege
away in turn and sees the engine fail without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Privilege:
    """One privilege; ``area`` is the part of the tree it is needed on, ``why`` what the engine does with it."""

    name: str
    area: str
    why: str
    versions: tuple[int, ...] = (8, 9)
    """Versions of Proxmox VE that ask for it."""


NEEDED: tuple[Privilege, ...] = (
    Privilege("Sys.Audit", "/", "see members and quorum, how busy nodes are, tasks, and the range of free ids"),
    Privilege("Sys.Console", "/", "put servers under HA, and write the rules that tie them to nodes"),
    Privilege("VM.Audit", "/vms", "see guests, ours and others, their configuration and state"),
    Privilege("VM.Allocate", "/vms", "create and delete servers"),
    Privilege("VM.Clone", "/vms", "make servers from guests that are templates, and copies of servers"),
    Privilege("VM.Snapshot", "/vms", "copy a container while it runs"),
    Privilege("VM.Config.Disk", "/vms", "give a server its disk, and let it grow"),
    Privilege("VM.Config.CPU", "/vms", "set its cores"),
    Privilege("VM.Config.Memory", "/vms", "set its memory"),
    Privilege("VM.Config.Network", "/vms", "set its name, network cards and resolvers"),
    Privilege("VM.Config.Options", "/vms", "mark it as the fleet's (tags), set whether and in which order it starts"),
    Privilege("VM.Config.Cloudinit", "/vms", "give a VM its user and keys"),
    Privilege("VM.Config.CDROM", "/vms", "give a VM the drive that tells it its name and addresses"),
    Privilege("VM.PowerMgmt", "/vms", "start and stop it"),
    Privilege("VM.Migrate", "/vms", "move it to another node"),
    Privilege("VM.Replicate", "/vms", "replicate it to its backup node", (9,)),
    Privilege("Datastore.Allocate", "/storage", "replicate it to its backup node, in version 8", (8,)),
    Privilege("Datastore.AllocateSpace", "/storage", "put its disk on a storage, and read templates there"),
    Privilege("Pool.Audit", "/pool", "see who holds the fleet's lock, and which nodes are drained"),
    Privilege(
        "Pool.Allocate",
        "/pool",
        "take the fleet's lock, and drain a node: both are pools; put a server into its resource pool",
    ),
    Privilege("SDN.Use", "/sdn/zones/localnetwork", "connect a server to a bridge"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the role is granted."""

    path: str
    propagate: bool = True


def role(major: int) -> frozenset[str]:
    """The privileges of the role, as this version of Proxmox VE knows them."""
    return frozenset(each.name for each in NEEDED if major in each.versions)


def places(storages: Iterable[str] = (), bridges: Iterable[str] = ()) -> tuple[Place, ...]:
    """Where it is granted: nowhere else does any of its privileges count.

    At the root for itself only, so that what is not below one of the other places stays out of reach. ``storages`` and
    ``bridges`` narrow it to those; empty: all.
    """
    network = "/sdn/zones/localnetwork"
    return (
        Place("/", propagate=False),
        Place("/nodes"),
        Place("/pool"),
        *([Place(f"{network}/{name}") for name in bridges] or [Place(network)]),
        *([Place(f"/storage/{name}") for name in storages] or [Place("/storage")]),
        Place("/vms"),
    )
