# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The replicas of servers: made, and removed. The agents on the nodes that have them refresh them.

A server bears the mark of a replica before there is one, and until there is none any more: so whoever finds the mark
alone goes on with what was cut off, and nothing that has a replica is ever started by its node alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import quote

from ...fleet.model import Fleet, Server
from ..base import Progress, Refused, Unreachable
from . import agent_report, handover, safekeeping, snapshots
from .client import Client, Missing
from .copy import finish
from .guest import root_of
from .guests import Found, Guests
from .refresh import refresh
from .unreplicate_in_step import bring_off, let_go

_SLOWEST = 10.0
"""MiB/s a first copy is borne with."""


class Replication:
    """The replicas of one fleet."""

    def __init__(self, fleet: Fleet, clients: Mapping[str, Client]) -> None:
        self._fleet = fleet
        self._clients = clients

    def replicate(self, server: Server, source: Client, backup: Client, progress: Progress) -> None:
        """See base.Engine.replicate."""
        attempt = f"replicate {server.name} to {backup.node}"
        here, there = Guests(self._fleet, source), Guests(self._fleet, backup)
        if source.node == backup.node:
            raise Refused(source.node, attempt, "it is on that node itself", "declare another backup")
        self._see_agent(backup, attempt)
        finish(here, server, attempt)
        found = here.need(server.name, attempt)
        check_server(here, found, attempt)
        if found.config.get(safekeeping.SYNC):
            words = "its disk is in step, and is to be refreshed at an interval"
            raise Refused(source.node, attempt, words, "declare vs_replication: none, run site, then the interval")
        copy = there.find(server.name, attempt)
        if copy is not None:
            check_copy(there, copy, found, attempt)
        _check_pool(found, source, backup, attempt)

        def marks(now: Found) -> Mapping[str, str]:
            check_server(here, now, attempt)
            nodes = (*(node for node in safekeeping.replicas(now.config) if node != backup.node), backup.node)
            if backup.node in safekeeping.replicas(now.config):
                nodes = safekeeping.replicas(now.config)
            return safekeeping.kept(now.config, nodes) | safekeeping.watched(server)

        here.mark(server.name, attempt, marks)
        interval = server.replication.interval
        if copy is not None and copy.whole and safekeeping.copying(copy.config).refreshed:
            there.mark(server.name, attempt, lambda _now: {safekeeping.INTERVAL: str(interval)})
            return
        patience = self._fleet.limits.operation + server.size.disk / _SLOWEST
        refresh(here, there, server.name, interval=interval, progress=progress, seconds=patience, now=time.time)

    def unreplicate(self, name: str, source: Client, backup: Client) -> None:
        """See base.Engine.unreplicate."""
        attempt = f"drop the replica of {name} on {backup.node}"
        here, there = Guests(self._fleet, source), Guests(self._fleet, backup)
        found = here.find(name, attempt)
        if found is not None and found.replica:
            raise Refused(source.node, attempt, "the copy there is a replica; its server is elsewhere", "plan anew")
        if bring_off(found, here, there, attempt):
            found = here.find(name, attempt)
        label = safekeeping.pair(found.config) if found is not None else None
        if label is not None and backup.node in label:
            here.set_keys(name, attempt, {safekeeping.PAIR: ""})
        _drop(there, name, found.generation if found is not None else None, attempt)
        if found is None:
            return

        def without(now: Found) -> Mapping[str, str]:
            nodes = [node for node in safekeeping.replicas(now.config) if node != backup.node]
            return safekeeping.kept(now.config, nodes) if nodes or safekeeping.replicas(now.config) else {}

        here.mark(name, attempt, without)
        # A refresh that saw the mark, and no replica any more, has made it anew.
        _drop(there, name, found.generation, attempt)
        snapshots.tidy(here, name, {backup.node}, attempt)

    def forget(self, name: str, node: str, found: Found) -> None:
        """Before a server is deleted: its replicas go with it. A node that does not answer keeps its own, which nobody
        can do anything about; what is only left over of a server has none."""
        if found.replica or handover.other_node(found.config):
            return
        attempt = f"drop the replicas of {name}"
        if found.config.get(safekeeping.SYNC):
            hint = "declare vs_replication: none (and no vs_failover: auto), run site, then delete it"
            raise Refused(node, attempt, "its disk is a device that is in step with another node's", hint)
        for backup in safekeeping.replicas(found.config):
            if backup == node or backup not in self._clients:
                continue
            there = Guests(self._fleet, self._clients[backup])
            try:
                copy = there.find(name, attempt)
                if copy is not None and copy.replica and copy.generation <= found.generation:
                    _drop(there, name, found.generation, attempt)
            except Unreachable as error:
                if error.unsure:
                    raise

    def _see_agent(self, backup: Client, attempt: str) -> None:
        report = agent_report.read(backup.get("/1.0", attempt).metadata.get("config") or {}, self._fleet.name)
        if not report.replicates:
            answer = "the engine incus does no such thing where no agent is on the node"
            raise Refused(backup.node, attempt, answer, "run the site playbook (role replication) against the node")


def check_server(here: Guests, found: Found, attempt: str) -> None:
    """Raise Refused for what cannot have a replica, before anything is changed."""
    if found.replica:
        raise Refused(here.client.node, attempt, "the copy there is a replica; its server is elsewhere", "plan anew")
    if handover.other_node(found.config):
        raise Refused(here.client.node, attempt, "it is on its way to another node", "end the move first")
    if not found.whole:
        raise Refused(here.client.node, attempt, "its creation was cut off half way", "start it, which completes it")
    tie = handover.tied(found.raw)
    if tie:
        raise Refused(here.client.node, attempt, tie, "detach it, or declare vs_replication: none")


def check_copy(there: Guests, copy: Found, server: Found, attempt: str) -> None:
    node = there.client.node
    if not copy.replica:
        words = f"the copy there calls itself primary, generation {copy.generation}"
        raise Refused(node, attempt, words, "find out which copy is right, and delete the other")
    if handover.other_node(copy.config):
        raise Refused(node, attempt, "the copy there is left over of a move", "run site, which clears it away")
    if not copy.stopped:
        raise Refused(node, attempt, f"the replica there is {copy.status.lower()}", "find out who started it")
    if copy.generation > server.generation:
        words = f"the replica there is of generation {copy.generation}, the server of {server.generation}"
        raise Refused(node, attempt, words, "find out which copy is right")


def _check_pool(found: Found, source: Client, backup: Client, attempt: str) -> None:
    pool = root_of(found.raw)[1].get("pool", "default")
    try:
        backup.get(f"/1.0/storage-pools/{quote(pool, safe='')}", attempt)
    except Missing:
        words = f"its disk on {source.node} is on pool {pool}, and there is none of that name here"
        raise Refused(backup.node, attempt, words, "make the pool on all nodes that may have the server") from None


def _drop(there: Guests, name: str, generation: int | None, attempt: str) -> None:
    """Remove a replica, once nothing refreshes it any more. ``generation``: its server's; None: that is gone."""
    copy = there.find(name, attempt)
    if copy is None:
        return
    if not copy.replica:
        words = f"the copy there is no replica, but a server of generation {copy.generation}"
        raise Refused(there.client.node, attempt, words, "find out which copy is right")
    if not copy.stopped and copy.status != "Error":
        raise Refused(there.client.node, attempt, f"it is {copy.status.lower()}", "find out who started it")
    if generation is not None and copy.generation > generation:
        words = f"it is of generation {copy.generation}, its server of {generation}"
        raise Refused(there.client.node, attempt, words, "find out which copy is right")
    let_go(there, copy, attempt)
    there.settle(name, attempt)
    there.remove(name, attempt)
