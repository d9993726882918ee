# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage replication: a job per server and backup node, made, changed, awaited and removed.

To make a job proves nothing: its first run begins when the scheduler next looks, and may fail (``first_run``). A job is
removed in two steps: it is marked, and gone once the scheduler has removed the copy; until then its id is taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ...fleet.model import Server
from ..base import EngineError, Progress, Refused, TimedOut
from . import jobs
from .client import Exists, Missing
from .config import storage_of
from .first_run import FirstRun
from .guests import Found, Guests
from .jobs import Job
from .patience import patiently
from .recognise import rows_of

_SLOWEST = 10.0
"""MiB/s a first copy is borne with."""
_PAUSE = 0.5
_TRIES = 5


class Replication:
    """The replicas of one fleet."""

    def __init__(self, guests: Guests) -> None:
        self._guests = guests
        self._client = guests.client
        self._fleet = guests.fleet

    def replicate(self, server: Server, node: str, backup: str, progress: Progress) -> None:
        """See base.Engine.replicate."""
        attempt = f"replicate {server.name} to {backup}"
        found = self._guests.need(server.name, node, attempt)
        self._check(found, backup, attempt)
        known = self._settled(found, backup, attempt)
        limit = self._fleet.nodes[node].replication_bandwidth
        wanted: dict[str, Any] = {
            "schedule": jobs.calendar(server.replication.interval),
            "comment": jobs.comment(self._fleet.name, server.replication.interval),
        }
        # Where nobody declares one, whoever set one by hand has a reason.
        wanted |= {"rate": limit} if limit else {}
        if known is None:
            name = self._create(found, backup, wanted, attempt)
        else:
            name = known.id
            if known.fleet != self._fleet.name:
                raise self._strange(known, attempt)
            if known.interval != server.replication.interval or (limit and known.rate != limit):
                body = wanted | {"disable": 0}
                self._send("PUT", f"/cluster/replication/{name}", attempt, body)
        patience = self._fleet.limits.operation + server.size.disk / _SLOWEST
        FirstRun(self._client, node, name, attempt, patience, progress)()

    def unreplicate(self, name: str, node: str, backup: str) -> None:
        """See base.Engine.unreplicate. Three requests, besides looking the server up."""
        attempt = f"drop the replica of {name} on {backup}"
        found = self._guests.need(name, node, attempt)
        for job in self._jobs(found.vmid, attempt):
            if jobs.leads_to(job, node) == backup:
                # A node that is only down comes back, and the copy on it goes then.
                self._remove(job, attempt, keep=backup not in self._members(attempt))

    def forget(self, found: Found) -> None:
        """Before a server is deleted: its replicas go with it, which nobody sees to once its jobs are gone."""
        attempt = f"drop the replicas of {found.name}"
        mine = [job for job in self._jobs(found.vmid, attempt) if job.fleet == self._fleet.name]
        up = self._members(attempt) if mine else {}
        for job in mine:
            # Nobody removes a copy on a node that is down: the job would never end, and its guest is gone then.
            self._remove(job, attempt, keep=not up.get(jobs.leads_to(job, found.node)))
        names = {job.id for job in mine}
        self._await(attempt, found.node, lambda: not names & {job.id for job in self._jobs(found.vmid, attempt)})

    # ---- inside

    def _jobs(self, vmid: int, attempt: str) -> list[Job]:
        rows = self._client.get("/cluster/replication", attempt)
        return [jobs.job(row) for row in rows if int(row["guest"]) == vmid]

    def _send(self, method: str, path: str, attempt: str, body: Mapping[str, Any] | None = None) -> None:
        """One change of the one file all jobs are in, which others may hold for some seconds."""
        seconds = self._fleet.limits.operation
        patiently(self._client, path, attempt, seconds, lambda: self._client.send(method, path, attempt, body))

    def _members(self, attempt: str) -> dict[str, bool]:
        """Node of the cluster -> whether it is up."""
        rows = self._client.get("/cluster/status", attempt)
        return {str(row["name"]): bool(row.get("online")) for row in rows if row.get("type") == "node"}

    def _remove(self, job: Job, attempt: str, *, keep: bool = False) -> None:
        """``keep``: the job goes without its copy."""
        if job.leaving and not keep:
            return
        if job.fleet != self._fleet.name:
            raise self._strange(job, attempt)
        try:
            self._send("DELETE", f"/cluster/replication/{job.id}", attempt, {"keep": 1} if keep else {})
        except Missing:
            return

    def _strange(self, job: Job, attempt: str) -> Refused:
        whose = f"fleet {job.fleet}" if job.fleet else "somebody else"
        answer = f"job {job.id} to {job.target} was set up by {whose}; it was not touched"
        return Refused("cluster", attempt, answer, "remove it yourself, or leave the replica to it")

    def _check(self, found: Found, backup: str, attempt: str) -> None:
        """Raise Refused for disks that cannot be replicated, before anything is changed."""
        rows = rows_of(self._client.get("/cluster/resources", attempt, type="storage"), "storage")
        types = {str(row["storage"]): str(row.get("plugintype", "")) for row in rows if row.get("node") == found.node}
        shared = {str(row["storage"]) for row in rows if row.get("shared")}
        there = {row["storage"] for row in rows if row.get("node") == backup and row.get("status") == "available"}
        copied = 0
        for key, volume, options in found.dialect.volumes(found.config):
            storage = storage_of(volume)
            if not storage or storage in shared or options.get("replicate") == "0" or options.get("media") == "cdrom":
                continue
            if types.get(storage) != jobs.REPLICABLE:
                answer = f"its {key} is on storage {storage} (type {types.get(storage) or 'unknown'})"
                advice = f"only disks on storages of type {jobs.REPLICABLE} are replicated; see vs_pool"
                raise Refused(found.node, attempt, answer, advice)
            if storage not in there:
                answer = f"storage {storage} is not available on {backup}"
                raise Refused(
                    found.node, attempt, answer, "see the storage's nodes, and that the pool is imported there"
                )
            copied += 1
        if not copied:
            answer = "all its disks are on storages that every node reaches"
            raise Refused(found.node, attempt, answer, "it needs no replica: declare vs_replication: none")

    def _settled(self, found: Found, backup: str, attempt: str) -> Job | None:
        """The job that leads to a node, once one that is being removed is gone."""

        def there() -> Job | None:
            mine = self._jobs(found.vmid, attempt)
            return next((job for job in mine if jobs.leads_to(job, found.node) == backup), None)

        job = there()
        if job is None or not job.leaving:
            return job
        self._await(attempt, found.node, lambda: (known := there()) is None or not known.leaving)
        return there()

    def _create(self, found: Found, backup: str, wanted: Mapping[str, Any], attempt: str) -> str:
        """The new job's id. Ids of jobs that are being removed are taken."""
        taken = {job.id for job in self._jobs(found.vmid, attempt)}
        for _try in range(_TRIES):
            name = jobs.free(found.vmid, taken)
            body = {"id": name, "type": "local", "target": backup, **wanted}
            try:
                self._send("POST", "/cluster/replication", attempt, body)
            except Exists:
                taken |= {name, *(job.id for job in self._jobs(found.vmid, attempt))}
                continue
            except EngineError as error:
                if not error.unsure or name not in {job.id for job in self._jobs(found.vmid, attempt)}:
                    raise
            return name
        raise Refused(found.node, attempt, "somebody else keeps making jobs for it", "try again later")

    def _await(self, attempt: str, node: str, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._fleet.limits.operation
        while not done():
            if time.monotonic() > deadline:
                answer = f"a job that was removed is still there after {self._fleet.limits.operation:g} s"
                advice = "see its log; on a node: pvesr status. A target that is gone needs pvesr delete --force"
                raise TimedOut(node, attempt, answer, advice, unsure=True)
            time.sleep(_PAUSE)
