# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server brought into step with its backup node: what the controller does of it, which is to write marks, and wait.

The devices are the nodes' business: their agents read the marks, make the disks, and bring the server's onto its own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import quote

from ...drbd import resource
from ...fleet.model import Fleet, Server
from ..base import Progress, Refused, TimedOut
from . import agent_report, in_step, safekeeping
from .client import Client
from .guest import root_of
from .guests import Found, Guests
from .replicate import check_copy, check_server

_PAUSE = 2.0
_SLOWEST = 10.0
"""MiB/s a first synchronisation is borne with."""


def bring_into_step(  # noqa: PLR0917 - all of them needed, by one caller
    fleet: Fleet, server: Server, source: Client, backup: Client, progress: Progress, pause: float = _PAUSE
) -> None:
    """See base.Engine.replicate, for a server that declares ``sync``. Cut off anywhere, it is gone on with."""
    attempt = f"have {server.name} in step on {backup.node}"
    here, there = Guests(fleet, source), Guests(fleet, backup)
    for client in (source, backup):
        report = agent_report.read(client.get("/1.0", attempt).metadata.get("config") or {}, fleet.name)
        if not report.in_step:
            answer = "no agent there keeps disks in step (node_sync_disks, and a kernel with DRBD)"
            raise Refused(client.node, attempt, answer, "run the site playbook against the nodes")
    found, copy = here.need(server.name, attempt), there.find(server.name, attempt)
    check_server(here, found, attempt)
    if copy is not None:
        check_copy(there, copy, found, attempt)
    _check_way(found, copy, source, backup, attempt)
    if not found.config.get(safekeeping.SYNC):
        _begin(server, here, there, attempt)
    # Checks, addresses or an order that are declared anew; the replica gets them with the next look.
    here.mark(server.name, attempt, lambda _now: safekeeping.watched(server))
    _wait(fleet, server, here, there, attempt, progress, pause)


def _check_way(found: Found, copy: Found | None, source: Client, backup: Client, attempt: str) -> None:
    """Raise Refused for what there is no way to bring into step, before anything is changed."""
    if found.raw.get("type", "container") != "container":
        raise Refused(source.node, attempt, "it is a virtual machine", "declare an interval, such as 1m")
    known = resource.numbers(found.config.get(safekeeping.SYNC, ""))
    if known and set(known) != {source.node, backup.node}:
        other = ", ".join(sorted(set(known) - {source.node}))
        hint = "declare vs_replication: none, run site, then sync again"
        raise Refused(source.node, attempt, f"it is in step with {other}, and a disk has two sides", hint)
    if not known and safekeeping.replicas(found.config):
        hint = "declare vs_replication: none, run site, then sync"
        raise Refused(source.node, attempt, "it has a replica that is refreshed at an interval", hint)
    if copy is not None and not copy.config.get(safekeeping.SYNC):
        raise Refused(backup.node, attempt, "there is a copy that is not in step", "run site, which clears it away")
    pool = root_of(found.raw)[1].get("pool", "default")
    for client in (source, backup):
        driver = client.get(f"/1.0/storage-pools/{quote(pool, safe='')}", attempt).metadata.get("driver", "")
        if driver != "dir":
            words = f"pool {pool} there is of driver {driver}, and a device is mounted in a directory"
            raise Refused(client.node, attempt, words, "give it a pool of driver dir on both (vs_pool)")


def _begin(server: Server, here: Guests, there: Guests, attempt: str) -> None:
    nodes = (here.client.node, there.client.node)
    taken = {guests.client.node: _taken(guests, attempt) for guests in (here, there)}
    try:
        mark = resource.mark({node: resource.free(taken[node]) for node in nodes})
    except ValueError as error:
        raise Refused(nodes[0], attempt, str(error)) from None

    def marks(now: Found) -> Mapping[str, str]:
        check_server(here, now, attempt)
        return (
            safekeeping.kept(now.config, (nodes[1],))
            | safekeeping.watched(server)
            | {
                safekeeping.SYNC: mark,
                safekeeping.SYNC_SIZE: str(server.size.disk),
                safekeeping.SYNC_NEW: nodes[0],
            }
        )

    here.mark(server.name, attempt, marks)


def _taken(guests: Guests, attempt: str) -> set[int]:
    """Numbers of a node's devices."""
    node = guests.client.node
    marks = (resource.numbers(each.config.get(safekeeping.SYNC, "")) for each in guests.all(attempt).values())
    return {mark[node] for mark in marks if node in mark}


def _wait(  # noqa: PLR0917 - all of them needed, by one caller
    fleet: Fleet, server: Server, here: Guests, there: Guests, attempt: str, progress: Progress, pause: float
) -> None:
    """The replica's agent says what its device lacks, until that is nothing."""
    in_step.prepare(here, there, server.name)
    end = time.monotonic() + fleet.limits.operation + server.size.disk / _SLOWEST
    while True:
        replica = there.need(server.name, attempt)
        copying = safekeeping.copying(replica.config)
        if copying.refreshed and not here.need(server.name, attempt).config.get(safekeeping.SYNC_NEW):
            return
        progress(copying.failure or "the disks are being made")
        if time.monotonic() > end:
            hint = f"see journalctl -u switchyard-disks.service on {here.client.node} and {there.client.node}"
            raise TimedOut(there.client.node, attempt, copying.failure or "nothing was heard of it", hint, unsure=True)
        time.sleep(pause)
