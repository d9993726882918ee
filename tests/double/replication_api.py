# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/cluster/replication and /nodes/*/replication."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from typing import Any

from .clock import Wait
from .errors import Refusal, invalid
from .guests import volumes
from .replicator import Job
from .routes import Call, route


def _row(call: Call, job: Job) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": job.id,
        "type": "local",
        "guest": job.guest,
        "jobnum": job.number,
        "target": job.target,
        "source": job.source,
    }
    row |= job.options
    if job.remove:
        row["remove_job"] = job.remove
    return row


def _status(call: Call, job: Job) -> dict[str, Any]:
    guest = call.world.cluster.guests[job.guest]
    row = {
        **_row(call, job),
        "vmtype": guest.kind,
        "last_sync": job.last_sync,
        "last_try": job.last_try,
        "next_sync": job.next_sync,
        "fail_count": job.fails,
    }
    if job.duration:
        row["duration"] = job.duration
    if job.error:
        row["error"] = job.error
    if job.pid:
        row["pid"] = job.pid
    return row


def _job(call: Call, no: str = "no such replication job") -> Job:
    job = call.world.replicator.jobs.get(str(call.params["id"]))
    if job is None:
        raise Refusal(f"{no} '{call.params['id']}'")
    return job


def _may_replicate(call: Call, vmid: int) -> None:
    """Before version 9 it was a right on storages, which the endpoints ask for themselves."""
    if call.world.cluster.major >= 9:
        call.world.access.need(call.user, f"/vms/{vmid}", "VM.Replicate")


def _file(call: Call) -> Generator[Wait, None, None]:
    if not call.world.cluster.quorate:
        yield 10.0
        raise Refusal("cfs-lock 'file-replication_cfg' error: no quorum!")
    yield 0.05


@route("GET /cluster/replication")
def jobs(call: Call) -> list[dict[str, Any]]:
    """All jobs."""
    found = call.world.replicator.jobs.values()
    return [_row(call, job) for job in found if call.world.access.sees(call.user, job.guest)]


@route("GET /cluster/replication/{id}")
def job_read(call: Call) -> dict[str, Any]:
    """One job."""
    job = _job(call)
    call.world.access.need(call.user, f"/vms/{job.guest}", "VM.Audit")
    return {**_row(call, job), "digest": hashlib.sha1(repr(call.world.replicator.jobs).encode()).hexdigest()}


@route("POST /cluster/replication")
def job_create(call: Call) -> Generator[Wait, None, None]:
    """A new job."""
    cluster, name, target = call.world.cluster, str(call.params["id"]), str(call.params["target"])
    vmid, number = (int(part) for part in name.split("-"))
    _may_replicate(call, vmid)
    guest = cluster.guests.get(vmid)
    if guest is None:
        raise Refusal(f"Guest '{vmid}' does not exist.")
    if target not in cluster.nodes:
        raise Refusal(f"Target '{target}' does not exist.")
    if target == guest.node:
        raise Refusal("Source and target must not be identical")
    replicable = 0
    for line in volumes(guest, unused=False):
        storage = cluster.storages[line.storage]
        if storage.shared or line.options.get("replicate") == "0":
            continue
        if storage.type != "zfspool":
            raise Refusal(f"missing replicate feature on volume '{line.volid}'")
        replicable += 1
    if not replicable:
        raise Refusal("No replicatable volumes found")
    yield from _file(call)
    known = call.world.replicator.jobs
    if name in known:
        raise Refusal(f"replication job '{name}' already exists")
    if call.world.replicator.job_to(vmid, target):
        raise Refusal(f"replication job for guest '{vmid}' to target 'local/{target}' already exists")
    options: dict[str, Any] = {key: call.params[key] for key in ("schedule", "rate", "comment") if key in call.params}
    if call.get("disable"):
        options["disable"] = 1
    known[name] = Job(name, vmid, number, guest.node, target, options)


@route("PUT /cluster/replication/{id}")
def job_update(call: Call) -> Generator[Wait, None, None]:
    """Change a job."""
    yield from _file(call)
    job = _job(call, "no such job")
    _may_replicate(call, job.guest)
    for key in ("schedule", "rate", "comment", "disable"):
        if key in call.params:
            job.options[key] = call.params[key]
    for key in str(call.get("delete", "")).replace(",", " ").split():
        job.options.pop(key, None)
    if not job.options.get("disable"):
        job.options.pop("disable", None)
    if "schedule" in call.params or "disable" in call.params:
        job.last_try = 0


@route("DELETE /cluster/replication/{id}")
def job_delete(call: Call) -> Generator[Wait, None, None]:
    """Mark a job for removal; with ``force`` it is gone at once, and what it copied stays."""
    if call.get("keep") and call.get("force"):
        raise invalid(keep="conflicts with parameter 'force'")
    yield from _file(call)
    job = _job(call, "no such job")
    _may_replicate(call, job.guest)
    if call.get("force"):
        call.world.replicator.drop(job.id)
    else:
        job.remove = "local" if call.get("keep") else "full"


@route("GET /nodes/{node}/replication")
def node_jobs(call: Call) -> Generator[Wait, None, list[dict[str, Any]]]:
    """The jobs of a node's guests, and how they go."""
    yield from _file(call)
    call.world.replicator.look(call.node)
    guests = call.world.cluster.guests
    return [
        _status(call, job)
        for job in call.world.replicator.jobs.values()
        if job.guest in guests
        and guests[job.guest].node == call.node
        and call.get("guest") in (None, job.guest)
        and call.world.access.sees(call.user, job.guest)
    ]


@route("GET /nodes/{node}/replication/{id}")
def node_job(call: Call) -> list[dict[str, str]]:
    """What there is of a job."""
    _job(call)
    return [{"name": name} for name in ("schedule_now", "log", "status")]


@route("GET /nodes/{node}/replication/{id}/status")
def node_status(call: Call) -> dict[str, Any]:
    """How a job goes."""
    call.world.replicator.look(call.node)
    return _status(call, _job(call))


@route("GET /nodes/{node}/replication/{id}/log")
def node_log(call: Call) -> list[dict[str, Any]]:
    """The log of its last run."""
    lines = _job(call).log or ["unable to open file - No such file or directory"]
    call.extra["total"] = len(lines)
    return [{"n": number + 1, "t": line} for number, line in enumerate(lines)]


@route("POST /nodes/{node}/replication/{id}/schedule_now")
def node_now(call: Call) -> str:
    """Let it run at the next minute. Asked of the wrong node, nothing happens."""
    job = _job(call)
    _may_replicate(call, job.guest)
    guest = call.world.cluster.guests.get(job.guest)
    if guest and guest.node == call.node:
        job.last_try = 0
    return ""
