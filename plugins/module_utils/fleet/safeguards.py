# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lets servers live on when their node dies: a replica on the backup node, and a platform that starts it there.

A new replica is complete before the platform counts on it, and the platform counts on it before the old one goes. So a
run that is cut off anywhere leaves every server as safe as it was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from .callers import caller
from .census import Census, take_census
from .fit import some
from .layout import ours
from .model import Cost, Fleet, Observed, ObservedServer, Protection, Refusal, Server, Step
from .unguarded import unguarded

_LISTED = 8


@dataclass(slots=True)
class Safeguards:
    """Steps from the replicas and protections there are to those that are declared, and what is worth saying."""

    steps: list[Step] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    protected: set[str] = field(default_factory=set)
    """Servers the platform looks after once the steps are done."""


def wanted(fleet: Fleet, observed: Observed) -> bool:
    """Whether there is anything to look at: something declared, or something there."""
    return any(
        server.replication.mode != "none" or server.failover.mode == "auto" for server in fleet.servers.values()
    ) or any(guest.role == "replica" or guest.protection for guest in observed.servers)


def held(protection: Protection | None) -> bool:
    """Whether the platform has its hands on a server, or has given it up: then nobody else starts it."""
    return protection is not None and bool(protection.trouble or protection.waits)


def safeguards(  # noqa: PLR0917 - a plan's facts, all of them needed
    fleet: Fleet,
    observed: Observed,
    where: Mapping[str, str],
    backups: Mapping[str, str],
    after: Mapping[str, tuple[str, ...]],
    whom: Collection[str] | None = None,
) -> Safeguards:
    """Plan what keeps declared servers alive.

    ``where`` and ``backups``: server -> its node and its backup, as they will be; ``after``: server -> steps of the
    plan that its safeguards wait for; ``whom``: only these servers.
    """
    work = _Work(fleet, observed, take_census(fleet, observed), where, backups, after)
    if whom is None:
        pools = {name: guest.pool for name, guest in work.census.primaries.items()}
        lacking = unguarded(fleet, observed.abilities, pools)
        work.done.refusals += lacking.refusals
        work.done.notes += lacking.notes
    for name in fleet.servers:
        if name in where and (whom is None or name in whom):
            work.look_at(fleet.servers[name])
    if whom is None:
        work.sum_up()
    return work.done


@dataclass(slots=True)
class _Work:
    """Safeguards in the making."""

    fleet: Fleet
    observed: Observed
    census: Census
    where: Mapping[str, str]
    backups: Mapping[str, str]
    after: Mapping[str, tuple[str, ...]]
    done: Safeguards = field(default_factory=Safeguards)
    replicas: dict[str, dict[str, ObservedServer]] = field(default_factory=dict)
    """Server -> node -> the replica there."""
    homeless: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    silent: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for guest in self.observed.servers:
            if guest.role == "replica" and not guest.moving and ours(self.fleet, guest):
                self.replicas.setdefault(guest.name, {})[guest.node] = guest

    def look_at(self, server: Server) -> None:
        """One server that is there, or will be."""
        guest = self.census.primaries.get(server.name)
        if guest is not None and (guest.state == "unknown" or guest.name in self.census.unclear):
            if guest.protection and guest.protection.waits:
                self.done.notes.append(f"{server.name}: {guest.protection.waits}")
            return
        home = self.where[server.name]
        backup = self.backups.get(server.name, "")
        there = self._replicas(server.name, guest, home)
        # A node that only does not answer keeps its replicas: to copy them all anew is a decision for a person.
        backup = next((node for node in sorted(there) if self._waits(node)), backup)
        copied = self._replicate(server, home, backup, there)
        if server.replication.mode == "none" and self._calls(server):
            nodes = guest.protection.nodes if guest and guest.protection else ()
            backup = caller(self.fleet, self.observed, home, nodes[1] if len(nodes) > 1 else "")
        guarded = self._protect(server, guest, home, backup)
        relied_on = guest.protection.nodes if guest and guest.protection and not guarded else ()
        dropped = {node: replica for node, replica in there.items() if node not in relied_on}
        self._drop(server, home, backup, dropped, (*copied, *guarded))

    def sum_up(self) -> None:
        """What concerns many servers, in a line each."""
        if self.homeless:
            self.done.notes.append(
                f"{some(self.homeless, _LISTED)}: no node can be the backup now, by room, rules or state; what "
                "protects them so far stays as it is"
            )
        if self.foreign:
            self.done.notes.append(
                f"{some(self.foreign, _LISTED)}: set up by somebody else, counted, and never changed"
            )
        for node, names in sorted(self.silent.items()):
            self.done.notes.append(
                f"{node} does not answer: the replicas of {some(names, _LISTED)} there wait for it; should it not come "
                "back, take it out of service (node_state: maintenance), and they get others"
            )

    # ---- replicas

    def _replicas(self, name: str, guest: ObservedServer | None, home: str) -> dict[str, ObservedServer]:
        """Node -> replica, once the server has come to its node: one it moves to changes places with it."""
        there = dict(self.replicas.get(name, {}))
        if guest is not None and guest.node != home and home in there:
            there[guest.node] = there.pop(home)
        return there

    def _replicate(
        self, server: Server, home: str, backup: str, there: Mapping[str, ObservedServer]
    ) -> tuple[str, ...]:
        """The step that makes or changes a server's replica, if it needs one."""
        if server.replication.mode == "none" or not self.observed.abilities.replicates:
            return ()
        if not backup:
            self.homeless.append(server.name)
            return ()
        replica = there.get(backup)
        copying = replica.copying if replica else None
        if copying and copying.foreign:
            self.foreign.append(f"the replica of {server.name} on {backup}")
            return ()
        if self._silent(backup):
            self.silent.setdefault(backup, []).append(server.name)
            return ()
        interval = server.replication.interval
        changes: dict[str, tuple[object, object]] = {}
        if replica is None:
            changes["replica"] = (", ".join(sorted(there)) or None, backup)
        elif not replica.complete:
            changes["replica"] = (f"incomplete on {backup}", backup)
        in_step = server.replication.mode == "sync" and self.observed.abilities.synchronous
        if copying is None or copying.interval != interval or copying.in_step != in_step:
            before = f"{copying.interval} s" if copying and copying.interval else None
            before = "in step" if copying and copying.in_step else before
            changes["interval"] = (before, "in step" if in_step else f"{interval} s")
        limit = self.fleet.nodes[home].replication_bandwidth
        if copying and limit and copying.bandwidth not in (None, limit):
            changes["bandwidth"] = (f"{copying.bandwidth} MiB/s" if copying.bandwidth else None, f"{limit} MiB/s")
        if copying:
            changes |= {variable: (known, declared) for variable, known, declared in copying.outdated}
        if copying and copying.failures:
            times = "refresh" if copying.failures == 1 else f"{copying.failures} refreshes"
            self.done.notes.append(
                f"{server.name}: the last {times} of its replica on {backup} failed: {copying.failure}"
            )
        if not changes:
            return ()
        step = Step(
            id=f"replicate/{server.name}",
            action="replicate",
            node=backup,
            server=server.name,
            source=home,
            needs=self.after.get(server.name, ()),
            reason=self._why(home, backup, there) if "replica" in changes else _differing(changes),
            changes=changes,
            cost=Cost(copied=server.size.disk if "replica" in changes else 0),
        )
        self.done.steps.append(step)
        return (step.id,)

    def _why(self, home: str, backup: str, there: Mapping[str, ObservedServer]) -> str:
        if backup in there:
            return "its first copy was cut off"
        chosen = f"node_backup of {home}" if self.fleet.nodes[home].backup == backup else "the best backup there is"
        old = [node for node in there if self.fleet.nodes.get(node) is None or node != backup]
        return f"{chosen}; until then the one on {some(old)} stays" if old else chosen

    def _drop(
        self, server: Server, home: str, backup: str, there: Mapping[str, ObservedServer], needs: tuple[str, ...]
    ) -> None:
        """Replicas nobody wants any more; where none is wanted because there is no backup now, they stay."""
        declared = server.replication.mode != "none"
        if not self.observed.abilities.replicates or (declared and not backup):
            return
        for node, replica in sorted(there.items()):
            if (declared and node == backup) or self._silent(node):
                continue
            if replica.copying and replica.copying.foreign:
                self.foreign.append(f"the replica of {server.name} on {node}")
                continue
            self.done.steps.append(
                Step(
                    id=f"unreplicate/{server.name}@{node}",
                    action="unreplicate",
                    node=node,
                    server=server.name,
                    source=home,
                    needs=(*self.after.get(server.name, ()), *needs),
                    reason=f"its backup is {backup}" if declared else "vs_replication: none",
                    changes={f"replica on {node}": ("there", None)},
                )
            )

    # ---- what the platform does by itself

    def _protect(self, server: Server, guest: ObservedServer | None, home: str, backup: str) -> tuple[str, ...]:
        """The step that has the platform look after a server, or leave it, if that is to change."""
        has = guest.protection if guest else None
        # Who is not to be started elsewhere is told so even where nobody would do it just now.
        if not self.observed.abilities.protects and (server.failover.mode == "auto" or has is None or has.foreign):
            return ()
        if has and has.foreign:
            self.foreign.append(f"the protection of {server.name}")
            self.done.protected.add(server.name)
            return ()
        if server.failover.mode != "auto" or not (server.failover.action == "relocate" or self._calls(server)):
            return self._unprotect(server, home, has)
        if has and (has.trouble or has.waits):
            self.done.notes.append(f"{server.name}: {has.trouble or has.waits}")
            self.done.protected.add(server.name)
            return ()
        if not backup and (has or server.replication.mode != "none" or self._calls(server)):
            # Better as it is than not at all; a server without a replica cannot be started elsewhere.
            self.done.protected.update({server.name} if has else ())
            return ()
        return self._guard(server, has, home, (home, backup) if backup else ())

    def _guard(self, server: Server, has: Protection | None, home: str, nodes: tuple[str, ...]) -> tuple[str, ...]:
        self.done.protected.add(server.name)
        strict = server.replication.mode != "none" or self._calls(server)
        needs = self.after.get(server.name, ())
        copied = f"replicate/{server.name}"
        if any(step.id == copied for step in self.done.steps[-1:]):
            needs = (*needs, copied)
        changes: dict[str, tuple[object, object]] = {}
        if has is None or has.nodes != nodes or has.strict != strict:
            changes["failover"] = (_told(has), _told(Protection(nodes, strict)))
        if has is not None and has.keeps != server.state and not self._switched(server.name):
            changes["kept"] = (has.keeps or "alone", server.state)
        if not changes:
            return ()
        then = f"starts on {nodes[1]} if {home} dies" if nodes else "starts elsewhere if its node dies"
        if self._calls(server):
            then = f"{nodes[1]} calls its peer if {home} dies"
        step = Step(
            id=f"protect/{server.name}",
            action="protect",
            node=home,
            server=server.name,
            needs=needs,
            reason=f"vs_failover: auto; {then}",
            changes=changes,
            backups=nodes[1:],
        )
        self.done.steps.append(step)
        return (step.id,)

    def _unprotect(self, server: Server, home: str, has: Protection | None) -> tuple[str, ...]:
        if has is None:
            return ()
        why = f"vs_failover: {server.failover.mode}"
        if server.failover.mode == "auto":
            why += f", but its action is {server.failover.action}: nothing is to start it elsewhere"
        step = Step(
            id=f"unprotect/{server.name}",
            action="unprotect",
            node=home,
            server=server.name,
            needs=self.after.get(server.name, ()),
            reason=why,
            changes={"failover": (_told(has), None)},
        )
        self.done.steps.append(step)
        return (step.id,)

    def _calls(self, server: Server) -> bool:
        """Whether the platform is to call a server's live peer, instead of starting it."""
        failover = server.failover
        return failover.mode == "auto" and failover.action == "activate" and self.observed.abilities.activates

    def _switched(self, name: str) -> bool:
        """Whether the plan starts or stops a server, which tells the platform as well."""
        return any(step in (f"start/{name}", f"stop/{name}") for step in self.after.get(name, ()))

    def _waits(self, node: str) -> bool:
        """Whether a node is in service but for its silence."""
        seen, declared = self.observed.nodes.get(node), self.fleet.nodes.get(node)
        in_service = declared is not None and declared.state == "active"
        return in_service and self._silent(node) and not (seen and seen.maintenance)

    def _silent(self, node: str) -> bool:
        seen = self.observed.nodes.get(node)
        return seen is None or seen.reach != "online"


def _differing(changes: Mapping[str, tuple[object, object]]) -> str:
    """Why a replica that is there is to be kept otherwise."""
    if changes.keys() & {"interval", "bandwidth"}:
        return "declared otherwise"
    return "what its nodes know of the server is not what is declared; nothing is copied"


def _told(protection: Protection | None) -> str | None:
    """``n1, then n2``; ``anywhere``."""
    if protection is None:
        return None
    words = ", then ".join(protection.nodes) or "anywhere"
    return f"{words} only" if protection.strict and protection.nodes else words
