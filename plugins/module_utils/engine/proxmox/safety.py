# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is of replicas and failover, put beside the guests that were observed.

A replica is no guest on Proxmox VE: it is described as one, with the size of its server, on its job's target. What the
HA manager is doing with a guest is its own word; for the few words that keep plans from a server there are ours.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ...fleet.model import Arrangement, Copying, Fleet, ObservedServer, Protection
from ..base import EngineError, Refused
from . import jobs, register, rules
from .client import Client
from .jobs import Job
from .register import Register, Registered
from .rules import Rule

_ATTEMPT = "observe"
_WORKERS = 16
_KEEPS: dict[str, Literal["running", "stopped"]] = {"started": "running", "enabled": "running", "stopped": "stopped"}

_TROUBLE = {
    "error": (
        "the HA manager gave it up (state error): see its last tasks on {node}, put right what they say, then "
        "'ha-manager set {sid} --state disabled', and run again"
    ),
}
_WAITS = {
    "queued": "the HA manager has not taken it up yet; if that lasts, see that pve-ha-lrm runs on {node}",
    "freeze": "the HA manager has frozen it, as it does while {node} restarts its services, or while HA is disarmed",
    "fence": "{node} is being fenced; the HA manager starts it elsewhere after that",
    "recovery": "the HA manager looks for a node to start it on; if that lasts, none of those its rule allows is up",
}
UNKNOWN = frozenset({"fence", "recovery"})
"""States in which a guest may be running elsewhere by the next moment."""


@dataclass(frozen=True, slots=True)
class Safety:
    """All of it, by resource and by number."""

    fleet: Fleet
    registered: Registered | None = None
    """``None``: we are not told."""
    arranges: bool = False
    states: Mapping[str, str] = field(default_factory=dict)
    """Resource -> what the manager is doing with it."""
    jobs: tuple[Job, ...] = ()

    def beside(self, servers: Mapping[int, ObservedServer]) -> list[ObservedServer]:
        """The guests, by number, with what protects them, and their replicas."""
        jobs_of: dict[int, list[Job]] = {}
        for job in self.jobs:
            jobs_of.setdefault(job.vmid, []).append(job)
        found: list[ObservedServer] = []
        for vmid, server in servers.items():
            if server.fleet != self.fleet.name:
                found.append(server)
                continue
            found.append(self._protected(vmid, server))
            for job in jobs_of.get(vmid, ()):
                node = jobs.leads_to(job, server.node)
                if node not in ("", server.node):
                    found.append(self._replica(job, server, node))
        return found

    def arrangements(self, servers: Mapping[int, ObservedServer]) -> frozenset[Arrangement]:
        """The sets this fleet's rules keep together or apart."""
        found = set()
        for rule in self.registered.rules if self.registered else ():
            kind = rules.kind_of_set(rule.name, self.fleet.name)
            names = [servers[vmid].name for sid in rule.resources if (vmid := _vmid(sid)) in servers]
            if rule.enabled and len(names) == len(rule.resources):
                if kind == "apart":
                    found.add(Arrangement("apart", frozenset(names)))
                elif kind == "together":
                    found.add(Arrangement("together", frozenset(names)))
        return frozenset(found)

    def _protected(self, vmid: int, server: ObservedServer) -> ObservedServer:
        if self.registered is None:
            return server
        sid = next((sid for sid in (f"ct:{vmid}", f"vm:{vmid}") if sid in self.registered.resources), "")
        if not sid:
            return server
        row = self.registered.resources[sid]
        state = self.states.get(sid, "")
        words = {"sid": sid, "node": server.node}
        rule = self._rule(sid)
        protection = Protection(
            nodes=rules.order(rule.nodes, server.node) if rule else (),
            # Without a rule it is started anywhere, also where it has no disk.
            strict=rule.strict if rule else self._needs_replica(server),
            keeps=_KEEPS.get(str(row.get("state") or "started"), ""),
            state=state,
            trouble=_TROUBLE.get(state, "").format(**words),
            waits=_WAITS.get(state, "").format(**words),
            foreign=not register.is_ours(row, self.fleet.name),
        )
        # The node its rule prefers is its home, until a plan says otherwise.
        first = next(iter(protection.nodes), server.node)
        home = first if first != server.node and not protection.foreign else ""
        state_now = "unknown" if state in UNKNOWN else server.state
        return replace(server, protection=protection, state=state_now, home=home)

    def _needs_replica(self, server: ObservedServer) -> bool:
        declared = self.fleet.servers.get(server.name)
        return declared is not None and declared.replication.mode != "none"

    def _rule(self, sid: str) -> Rule | None:
        known = self.registered.rules if self.registered else ()
        return next((r for r in known if r.kind == "node-affinity" and r.enabled and sid in r.resources), None)

    def _replica(self, job: Job, server: ObservedServer, node: str) -> ObservedServer:
        status = job.status
        # Of a dead node's jobs nobody tells; their copies are as good as they were.
        copying = (
            None
            if status is None
            else Copying(
                interval=job.interval,
                refreshed=float(status.get("last_sync") or 0),
                failures=int(status.get("fail_count") or 0),
                failure=jobs.failure(status),
                foreign=job.fleet != self.fleet.name,
                bandwidth=job.rate,
            )
        )
        return ObservedServer(
            name=server.name,
            node=node,
            state="stopped",
            size=server.size,
            pool=server.pool,
            fleet=server.fleet,
            role="replica",
            template=server.template,
            template_version=server.template_version,
            copying=copying,
        )


def observe(fleet: Fleet, client: Client, version: str, nodes: Mapping[int, str], online: Collection[str]) -> Safety:
    """Four requests, three where nothing is under HA, and one per node that replicates something.

    ``nodes``: guest -> the node it is on.
    """
    known: Registered | None = None
    known_register = Register(client, fleet.limits.operation, register.version_of(version))
    try:
        known = known_register.read(_ATTEMPT)
    except Refused:
        # Who may not see it may not use it: only those who declare failover have to know.
        if any(server.failover.mode == "auto" for server in fleet.servers.values()):
            raise
    states: dict[str, str] = {}
    if known and known.resources:
        rows = client.get("/cluster/ha/status/current", _ATTEMPT)
        states = {str(row["sid"]): str(row.get("state", "")) for row in rows if row.get("type") == "service"}
    return Safety(fleet, known, known_register.has_rules(_ATTEMPT), states, _jobs(client, nodes, online))


def _jobs(client: Client, nodes: Mapping[int, str], online: Collection[str]) -> tuple[Job, ...]:
    """Those that stay, each with what its node tells of it, where that node answers."""
    rows = [row for row in client.get("/cluster/replication", _ATTEMPT) if not row.get("remove_job")]
    sources = sorted({nodes.get(int(row["guest"]), "") for row in rows} & set(online))

    def status(node: str) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = client.get(f"/nodes/{node}/replication", _ATTEMPT, node=node)
        except EngineError:
            return []
        return found

    with ThreadPoolExecutor(_WORKERS) as pool:
        told = {str(row["id"]): row for each in pool.map(status, sources) for row in each}
    return tuple(
        jobs.job(row, told.get(str(row["id"]), {}) if nodes.get(int(row["guest"]), "") in online else None)
        for row in rows
    )


def _vmid(sid: str) -> int:
    number = sid.partition(":")[2]
    return int(number) if number.isdigit() else 0
