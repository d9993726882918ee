# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was there before a recording began, or was put there in between without being recorded."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Any

from double import Double
from double.access import Grant, User
from double.errors import Refusal
from double.ha_rules import Rule
from double.ha_services import Resource, Service
from double.replicator import Job
from double.tasks import Task

Step = Callable[[Double], object]


def guest(vmid: int, node: str = "pve1", disk: str = "local-zfs:1", ip: str = "", **more: Any) -> Step:
    """A container that is there."""

    def put(double: Double) -> None:
        made = double.add_guest(vmid, node, disk=disk, **more)
        address = f"10.66.0.{ip}/24" if ip else "manual"
        made.config["net0"] = re.sub(r"ip=[^,]+", f"ip={address}", made.config["net0"])

    return put


def vm(vmid: int, node: str = "pve1", disk: str = "shared:1/qcow2", **more: Any) -> Step:
    """A VM that is there."""
    return lambda double: double.add_guest(vmid, node, "qemu", disk=disk, **more)


def pool(name: str, *vmids: int, comment: str = "") -> Step:
    """A pool that is there."""

    def put(double: Double) -> None:
        double.world.cluster.pools[name] = {"comment": comment, "vms": set(vmids), "storage": []}

    return put


def calls(*requests: tuple[str, str, dict[str, Any]]) -> Step:
    """Something that was done, and not recorded."""

    def do(double: Double) -> None:
        for method, path, params in requests:
            answer = double.send(method, path, params)
            assert answer.status == 200, (path, answer)
            if isinstance(answer.data, str) and answer.data.startswith("UPID"):
                double.wait(answer.data)

    return do


def ha(*sids: str, state: str = "started", **options: Any) -> Step:
    """Guests under HA, as their state says."""

    def put(double: Double) -> None:
        manager = double.world.ha
        for sid in sids:
            manager.resources[sid] = Resource(sid, state, dict(options))
            found = manager.guest(sid)
            assert found, sid
            manager.services[sid] = Service(sid, found.node, state, running=found.running)

    return put


def rule(name: str, *sids: str) -> Step:
    """Resources that are kept apart."""

    def put(double: Double) -> None:
        double.world.ha.rules[name] = Rule(name, "resource-affinity", list(sids), {"affinity": "negative"})

    return put


def job(name: str, target: str, schedule: str = "*/1") -> Step:
    """A replication job, and what it copied."""

    def put(double: Double) -> None:
        world = double.world
        vmid = int(name.split("-", maxsplit=1)[0])
        world.replicator.jobs[name] = Job(
            name, vmid, 0, world.cluster.guests[vmid].node, target, {"schedule": schedule}, last_try=world.cluster.now
        )
        volid = f"local-zfs:subvol-{vmid}-disk-0"
        world.cluster.add_volume(volid, target, content="rootdir", format="subvol", size=2**30, vmid=vmid)

    return put


def change(vmid: int, **what: Any) -> Step:
    """A guest that is otherwise than before."""

    def put(double: Double) -> None:
        found = double.world.cluster.guests[vmid]
        for key, value in what.items():
            setattr(found, key, value)
        double.world.cluster.observe(found)

    return put


def revive(*nodes: str) -> Step:
    """Nodes that are powered on again."""
    return lambda double: [double.faults.revive(node) for node in nodes]


def revoked(path: str) -> Step:
    """No longer."""

    def take(double: Double) -> None:
        access = double.world.access
        access.grants = [grant for grant in access.grants if grant.path != path]

    return take


def gone(vmid: int) -> Step:
    """A guest somebody has removed meanwhile."""

    def remove(double: Double) -> None:
        cluster = double.world.cluster
        cluster.guests.pop(vmid, None)
        for what in cluster.pools.values():
            what["vms"].discard(vmid)

    return remove


def past(*tasks: tuple[str, str, int, str]) -> Step:
    """Tasks of earlier: node, type, guest, and how they ended."""

    def put(double: Double) -> None:
        for node, kind, vmid, status in tasks:

            def work(task: Task, status: str = status) -> Generator[float, None, None]:
                yield 0.0
                if status != "OK":
                    raise Refusal(status)

            double.wait(double.world.tasks.begin(node, kind, vmid, "root@pam", work))

    return put


def limited(double: Double) -> None:
    """A user who may do a good deal, in a pool only."""
    access = double.world.access
    access.users["w14@pve"] = User("w14@pve")
    access.roles["Web14"] = frozenset(
        ("VM.Allocate", "VM.Audit", "VM.Clone", "VM.Config.CPU", "VM.Config.Disk", "VM.Config.Memory",
         "VM.Config.Network", "VM.Config.Options", "VM.Migrate", "VM.PowerMgmt", "VM.Snapshot", "Pool.Audit")
    )  # fmt: skip
    access.grants.append(Grant("/pool/p14", "user", "w14@pve", "Web14"))
    access.grants.append(Grant("/sdn/zones/localnetwork", "user", "w14@pve", "PVESDNUser"))


def granted(path: str) -> Step:
    """The limited user may use a storage."""
    return lambda double: double.world.access.grants.append(Grant(path, "user", "w14@pve", "PVEDatastoreUser"))
