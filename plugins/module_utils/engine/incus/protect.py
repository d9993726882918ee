# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers put in the care of a pair of nodes, where the cluster starts them on the second once the first is dead.

A label on the server and on its replica says so; the nodes' agents tell the cluster. The replica is labelled first, so
that a server that is seen to be protected is. Two replicas never bear labels at once: both would be started.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from ...fleet.model import Fleet, Server
from ..base import EngineError, Refused, TimedOut, Unreachable
from . import agent_report, handover, protect_activate, safekeeping
from .client import Client
from .guests import Found, Guests

_PATIENCE = 60.0
"""Seconds the cluster may take to take up a pair of nodes it did not know; its agents look every few."""
_PAUSE = 0.5


class Protection:
    """What the cluster does by itself for the servers of one fleet."""

    def __init__(self, fleet: Fleet, clients: Mapping[str, Client]) -> None:
        self._fleet = fleet
        self._clients = clients

    def protect(self, server: Server, home: Client, backups: Sequence[str]) -> None:
        """See base.Engine.protect. About ten requests."""
        attempt = f"have {server.name} started on {', '.join(backups) or 'any node'} when {home.node} dies"
        name = server.name
        here = Guests(self._fleet, home)
        found = here.need(name, attempt)
        _check_server(home.node, found, attempt)
        calls = protect_activate.wanted(server)
        if len(backups) != 1 or backups[0] not in self._clients:
            words = "a server is started where its replica is, and its label names one node that has one"
            raise Refused(home.node, attempt, words, "declare vs_replication, and one backup")
        backup = self._clients[backups[0]]
        there = Guests(self._fleet, backup)
        self._see_agent(home, attempt)
        self._see_agent(backup, attempt)
        # A server whose peer is called need not have a replica.
        copied = not calls or backup.node in safekeeping.replicas(found.config)
        if copied:
            _check_replica(there, there.find(name, attempt), attempt)
        label = safekeeping.pair_mark(home.node, backup.node) | safekeeping.watched(server)
        self._unlabel_others(name, found, backup.node, attempt)

        def on_replica(now: Found) -> Mapping[str, str]:
            _check_replica(there, now, attempt)
            return label

        def on_server(now: Found) -> Mapping[str, str]:
            _check_server(home.node, now, attempt)
            return label

        if calls:
            others = [client for node, client in self._clients.items() if node != backup.node]
            protect_activate.tell(self._fleet.name, server, home.node, backup, others)
        if copied:
            there.mark(name, attempt, on_replica)
        here.mark(name, attempt, on_server)
        if not calls:
            self.forget(name, found)
        self._await(home, backup, attempt)

    def unprotect(self, name: str, home: Client) -> None:
        """See base.Engine.unprotect. Four requests; one if nothing protects it."""
        attempt = f"leave {name} to itself"
        here = Guests(self._fleet, home)
        found = here.need(name, attempt)
        if not found.config.get(safekeeping.PAIR):
            return
        self._unlabel_others(name, found, "", attempt)
        self.forget(name, found)
        here.set_keys(name, attempt, {safekeeping.PAIR: ""})

    def forget(self, name: str, found: Found) -> None:
        """Nobody calls the peer of a server that is to be left to itself, or to go."""
        if protect_activate.is_one(found.config):
            protect_activate.forget(self._fleet.name, name, self._clients.values())

    def keep(self, name: str, server: Found, state: str) -> None:
        """Tell the replica the cluster would start what its server is to be kept as: one that was stopped on purpose
        does not start when its node dies. The next refresh does so as well: a node that is silent is no failure."""
        backup = (safekeeping.pair(server.config) or ("", ""))[1]
        if backup not in self._clients or backup not in safekeeping.replicas(server.config):
            return

        def told(copy: Found) -> Mapping[str, str]:
            return {safekeeping.KEEPS: state} if copy.replica and copy.generation <= server.generation else {}

        with suppress(EngineError):
            Guests(self._fleet, self._clients[backup]).mark(name, f"tell the replica of {name}", told)

    def relabel(self, name: str, home: str) -> None:
        """After a server came to ``home`` from elsewhere: its replicas bear its label, and know who their server is.

        The next refresh does so as well; but its node may die before that.
        """
        attempt = f"label the replicas of {name}"
        here = Guests(self._fleet, self._clients[home])
        server = here.need(name, attempt)
        backup = (safekeeping.pair(server.config) or ("", ""))[1]
        self._unlabel_others(name, server, backup, attempt)
        if backup not in self._clients or backup == home:
            return

        def label(replica: Found) -> Mapping[str, str]:
            if not replica.replica or replica.generation > server.generation:
                return {}
            return {safekeeping.PAIR: server.config[safekeeping.PAIR]}

        Guests(self._fleet, self._clients[backup]).mark(name, attempt, label)

    # ---- inside

    def _unlabel_others(self, name: str, found: Found, but: str, attempt: str) -> None:
        """No replica bears a label but the one on ``but``. One whose node does not answer gets the server's own label
        with its next refresh."""
        for node in safekeeping.replicas(found.config):
            if node == but or node not in self._clients:
                continue
            there = Guests(self._fleet, self._clients[node])
            try:
                if there.find(name, attempt) is not None:
                    there.mark(name, attempt, lambda now: {safekeeping.PAIR: ""} if now.replica else {})
            except Unreachable as error:
                if error.unsure:
                    raise

    def _see_agent(self, client: Client, attempt: str) -> None:
        if not self._report(client, attempt).protects:
            answer = "the engine incus does no such thing where the node is in no cluster"
            raise Refused(client.node, attempt, answer, "run the site playbook (role failover) against the nodes")

    def _report(self, client: Client, attempt: str) -> agent_report.Report:
        return agent_report.read(client.get("/1.0", attempt).metadata.get("config") or {}, self._fleet.name)

    def _await(self, home: Client, backup: Client, attempt: str) -> None:
        """Return once the cluster looks after both nodes' servers, whichever of the two they are on."""
        wanted = {(home.node, backup.node), (backup.node, home.node)}
        deadline = time.monotonic() + _PATIENCE
        while True:
            reports = (self._report(home, attempt), self._report(backup, attempt))
            if wanted <= {pair for report in reports for pair in report.pairs}:
                return
            if time.monotonic() > deadline:
                words = f"the cluster has not taken up the pair {home.node} {backup.node} after {_PATIENCE:g} s"
                trouble = "; ".join(filter(None, (report.trouble for report in reports)))
                hint = trouble or f"see journalctl -u switchyard-replicas.service on {home.node}"
                raise TimedOut(home.node, attempt, words, hint, unsure=True)
            time.sleep(_PAUSE)


def _check_server(node: str, found: Found, attempt: str) -> None:
    if found.replica:
        raise Refused(node, attempt, "the copy there is a replica; its server is elsewhere", "make a new plan")
    if handover.other_node(found.config):
        raise Refused(node, attempt, "it is on its way to another node", "end the move first")


def _check_replica(there: Guests, copy: Found | None, attempt: str) -> None:
    node = there.client.node
    if copy is None or not (copy.whole and safekeeping.copying(copy.config).refreshed):
        raise Refused(node, attempt, "it has no complete replica there", "replicate it first")
    if not copy.replica:
        words = f"the copy there is no replica, but a server of generation {copy.generation}"
        raise Refused(node, attempt, words, "find out which copy is right")
