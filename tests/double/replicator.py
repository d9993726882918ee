# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage replication: jobs, and the scheduler that looks at them every minute."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .clock import Wait
from .guests import volumes

if TYPE_CHECKING:
    from .world import World

MINUTE = 60.0
DURATION = 5.0


@dataclass
class Job:
    """One guest, copied to one other node."""

    id: str
    guest: int
    number: int
    source: str  # where its guest was when a node last looked at its jobs
    target: str
    options: dict[str, Any] = field(default_factory=dict)  # schedule, rate, comment, disable
    remove: str = ""  # full, local: it is on its way out
    last_try: int = 0
    last_sync: int = 0
    duration: float = 0.0
    fails: int = 0
    error: str = ""
    pid: int = 0
    log: list[str] = field(default_factory=list)

    @property
    def period(self) -> int:
        """Seconds between two runs, by its schedule."""
        schedule = str(self.options.get("schedule", "*/15"))
        minutes, hours = re.fullmatch(r"\*/(\d+)", schedule), re.fullmatch(r"0/(\d+):00", schedule)
        if minutes:
            return int(minutes[1]) * 60
        return int(hours[1]) * 3600 if hours else {"hourly": 3600, "daily": 86400}.get(schedule, 86400)

    @property
    def next_sync(self) -> int:
        """When it is due; of one that never ran, or was asked for, this lies in 1970."""
        if self.fails:
            return self.last_try + 300 * self.fails
        return self.last_try - self.last_try % self.period + self.period


class Replicator:
    """All replication jobs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.jobs: dict[str, Job] = {}
        world.clock.spawn(self._every_minute())

    def jobs_of(self, vmid: int) -> list[Job]:
        """A guest's jobs."""
        return [job for job in self.jobs.values() if job.guest == vmid]

    def job_to(self, vmid: int, node: str) -> Job | None:
        """The job that copies a guest to a node."""
        return next((job for job in self.jobs_of(vmid) if job.target == node), None)

    def keeps(self, vmid: int, node: str, volid: str) -> bool:
        """Whether a move leaves its disk where it was, to be the replica from now on."""
        storage = self._world.cluster.storages[volid.partition(":")[0]]
        guest = self._world.cluster.guests[vmid]
        return storage.type == "zfspool" and bool(self.job_to(vmid, guest.node)) and node != guest.node

    def moved(self, vmid: int, source: str, target: str) -> None:
        """A guest has moved: the job that led there now leads back."""
        for job in self.jobs_of(vmid):
            job.source = target
            if job.target == target:
                job.target = source
                job.last_try = job.last_sync = self._world.cluster.now

    def look(self, node: str) -> None:
        """What a node does first whenever it looks at its guests' jobs, for a list or for a run: a guest that came here
        without a migration was stolen. The job that led here is turned round, and this node knows nothing of its runs.
        """
        guests = self._world.cluster.guests
        for job in self.jobs.values():
            guest = guests.get(job.guest)
            if guest is None or guest.node != node or job.source == node or job.remove:
                continue
            job.target = job.source if job.target == node else job.target
            job.source = node
            job.last_try = job.last_sync = job.fails = 0
            job.error, job.duration = "", 0.0

    def drop(self, name: str) -> None:
        """A job, gone at once; what it copied stays."""
        self.jobs.pop(name, None)

    def _every_minute(self) -> Generator[Wait, None, None]:
        while True:
            now = self._world.clock.now()
            yield (MINUTE - now % MINUTE) if self._world.clock.latency == 1.0 else MINUTE
            cluster = self._world.cluster
            if not cluster.quorate:
                continue
            for job in list(self.jobs.values()):
                guest = cluster.guests.get(job.guest)
                if guest is None or not cluster.nodes[guest.node].online or job.id not in self.jobs:
                    continue
                self.look(guest.node)
                if job.remove:
                    yield from self._remove(job)
                elif not job.options.get("disable") and job.next_sync <= self._world.clock.now():
                    yield from self._run(job)

    def _remove(self, job: Job) -> Generator[Wait, None, None]:
        yield 2.0
        cluster = self._world.cluster
        guest, target = cluster.guests.get(job.guest), cluster.nodes.get(job.target)
        if job.remove == "full" and not (target and target.online and target.reachable):
            # It is tried again, for as long as there is nobody to remove the copy.
            job.fails, job.error = job.fails + 1, f"command '/usr/bin/ssh root@{job.target}' failed: exit code 255"
            return
        if guest and job.remove == "full":
            for line in volumes(guest):
                if not cluster.storages[line.storage].shared and job.target != guest.node:
                    cluster.drop_volume(line.volid, job.target)
        self.jobs.pop(job.id, None)

    def _run(self, job: Job) -> Generator[Wait, None, None]:
        cluster = self._world.cluster
        guest = cluster.guests[job.guest]
        begun = self._world.clock.now()
        job.last_try, job.pid = int(begun), 4000 + job.guest

        def log(line: str) -> None:
            stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self._world.clock.now()))
            job.log.append(f"{stamp} {job.id}: {line}")

        job.log = []
        log("start replication job")
        log(f"guest => {guest.word} {guest.vmid}, running => {int(guest.running)}")
        lines = [line for line in volumes(guest, unused=False) if cluster.storages[line.storage].type == "zfspool"]
        log(f"volumes => {', '.join(line.volid for line in lines)}")
        yield DURATION
        failure = self._failure(job, guest.node, lines)
        job.duration = round(self._world.clock.now() - begun, 6)
        job.pid = 0
        if failure:
            job.fails, job.error = job.fails + 1, failure
            log(f"end replication job with error: {failure}")
            return
        for line in lines:
            volume = cluster.volume(line.volid, guest.node)
            if volume:
                cluster.add_volume(
                    line.volid,
                    job.target,
                    content=volume.content,
                    format=volume.format,
                    size=volume.size,
                    vmid=volume.vmid,
                    files=dict(volume.files),
                )
        job.fails, job.error, job.last_sync = 0, "", job.last_try
        log("end replication job")

    def _failure(self, job: Job, node: str, lines: list[Any]) -> str:
        cluster = self._world.cluster
        target = cluster.nodes.get(job.target)
        for line in lines:
            storage = cluster.storages[line.storage]
            if cluster.volume(line.volid, node) is None:
                name = f"{storage.options.get('pool')}/{line.volid.partition(':')[2]}"
                return f"zfs error: cannot open '{name}': dataset does not exist"
            away = storage.nodes and job.target not in storage.nodes
            if away or target is None or not target.online or not target.reachable:
                address = target.address if target else "?"
                ssh = (
                    f"/usr/bin/ssh -e none -o 'BatchMode=yes' -o 'HostKeyAlias={job.target}' -o 'UserKnownHostsFile="
                    f"/etc/pve/nodes/{job.target}/ssh_known_hosts' -o 'GlobalKnownHostsFile=none' root@{address}"
                )
                prepare = (
                    f"pvesr prepare-local-job {job.id} --scan {line.storage} {line.volid} --last_sync {job.last_sync}"
                )
                return f"command '{ssh} -- {prepare}' failed: exit code 255"
        return ""
