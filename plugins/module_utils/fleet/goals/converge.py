# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal ``converge``: every declared server exists, has its size, runs (or rests), is replicated and protected as
declared.

Converge creates, resizes, configures, starts, stops and safeguards. It never moves a server, and deletes only what
it was told to prune.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..census import Census, take_census
from ..digest import digest
from ..equipment import absent, unbridged
from ..fit import some, standing
from ..layout import Layout, legs, ours
from ..model import Fleet, Observed, ObservedServer, Plan, Refusal, Server, Size, Step
from ..placement import place
from ..safeguards import held
from ..safekeeping import keep_safe
from ..schedule import copies, in_start_order
from ..violations import violations
from .asked import quorum
from .difference import difference
from .options import ConvergeOptions


def converge(fleet: Fleet, observed: Observed, options: ConvergeOptions | None = None) -> Plan:
    """Compare the fleet with what is there and plan the difference.

    ``fleet`` has an address on every interface (see ``addresses.allocate``).
    """
    work = _Work(fleet, observed, options or ConvergeOptions(), take_census(fleet, observed), Layout(fleet, observed))
    before = {name: load.share() for name, load in work.layout.loads.items()}
    violations_before = violations(work.layout)
    work.refusals.extend(work.census.taken)
    work.look_at_nodes()
    work.look_at_orphans()
    work.look_at_leftovers()
    missing = [server for server in fleet.servers.values() if not work.look_at(server)]
    work.create(missing)
    work.look_at_empty_nodes()
    safe = keep_safe(fleet, observed, work.layout.where, work.ordered())
    work.refusals += safe.refusals
    work.notes += safe.notes
    # A plan that cannot be carried out as a whole is not begun.
    steps = () if work.refusals else (*work.ordered(), *safe.steps)
    return Plan(
        goal="converge",
        steps=steps,
        base=digest(fleet, observed),
        placement=dict(sorted(work.layout.where.items())),
        before=before,
        after={name: load.share() for name, load in work.layout.loads.items()},
        violations_before=violations_before,
        violations_after=violations(work.layout),
        refusals=tuple(work.refusals),
        notes=tuple(work.notes),
        backups=safe.backups,
    )


@dataclass(slots=True)
class _Work:
    """One plan in the making."""

    fleet: Fleet
    observed: Observed
    options: ConvergeOptions
    census: Census
    layout: Layout
    refusals: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    templates: list[Step] = field(default_factory=list)
    stops: list[Step] = field(default_factory=list)
    deletes: list[Step] = field(default_factory=list)
    changes: list[Step] = field(default_factory=list)
    creates: list[Step] = field(default_factory=list)
    starts: list[Step] = field(default_factory=list)

    def look_at_nodes(self) -> None:
        """Say which nodes are out, and what that leaves alone."""
        self.refusals += quorum(self.fleet, self.observed)
        for name, node in self.observed.nodes.items():
            if node.reach == "offline":
                resting = sum(1 for guest in self.census.primaries.values() if guest.node == name)
                self.notes.append(f"{name} does not answer ({node.error}): its {resting} servers are left alone")

    def look_at_empty_nodes(self) -> None:
        """Say which nodes stay empty while there is enough for all: new servers alone do not fill a new node."""
        serving = [
            name for name, node in self.fleet.nodes.items() if not node.dedicated and not standing(node, self.observed)
        ]
        per_node = dict.fromkeys(serving, 0)
        for node in self.layout.where.values():
            if node in per_node:
                per_node[node] += 1
        empty = [name for name in serving if not per_node[name] and not self.layout.strangers[name]]
        if empty and sum(per_node.values()) >= 2 * len(serving):
            carry = "carry" if len(empty) > 1 else "carries"
            self.notes.append(f"{some(empty, 8)} {carry} no servers; converge moves none there, balance does")

    def look_at_orphans(self) -> None:
        """Servers of ours nobody declares any more: pruned if told so, otherwise named."""
        left = []
        for name, guest in sorted(self.census.primaries.items()):
            if name in self.fleet.servers or guest.state == "unknown":
                continue
            if not self.options.prune & {"all", name}:
                left.append(name)
                continue
            stop = self._stop(name, guest, "to be deleted") if guest.state == "running" else ()
            self.deletes.append(
                Step(
                    id=f"delete/{name}",
                    action="delete",
                    node=guest.node,
                    server=name,
                    needs=stop,
                    reason="no longer in the inventory, and prune names it",
                    changes={"exists": (True, False)},
                )
            )
            self.layout.take(name)
        if left:
            self.notes.append(
                f"{', '.join(left[:8])}{f' and {len(left) - 8} more' if len(left) > 8 else ''}: ours, but not in the "
                "inventory; left alone (prune deletes)"
            )
        for name in sorted(self.options.prune - {"all"}):
            if name in self.fleet.servers:
                self.refusals.append(Refusal(name, "is in the inventory; prune deletes only what is not"))
            elif not any(guest.name == name and ours(self.fleet, guest) for guest in self.observed.servers):
                self.notes.append(f"{name}: nothing to prune")

    def look_at_leftovers(self) -> None:
        """Copies a move that was cut off left behind: deleted, once it is certain which copy is right.

        And replicas of servers that are gone: a node that was dead when its server was deleted comes back with one.
        Nobody but a person knows that it is not the only copy of something lost: named, until prune names it.
        """
        bereft = []
        for guest in self.observed.servers:
            right = self.census.primaries.get(guest.name)
            if self._pruned(guest, right):
                self._delete_copy(guest, "its server is no longer in the inventory, and prune names it")
                continue
            if right is None and guest.role == "replica" and self._undeclared(guest):
                bereft.append(f"{guest.name} on {guest.node}")
            if right is None or guest == right or not ours(self.fleet, guest) or guest.node not in self.fleet.nodes:
                continue
            if guest.diverged:
                self.notes.append(
                    f"{guest.name}: {guest.node} came back with the copy it had before the failover to {right.node}; "
                    "the agent there puts it aside, under another name"
                )
                continue
            outdated = guest.role == "primary" and guest.generation < right.generation
            if not (outdated or guest.moving) or guest.state != "stopped":
                continue
            if right.state == "unknown":
                self.notes.append(
                    f"{guest.name}: an interrupted move left a copy on {guest.node}; kept until it is clear"
                )
                continue
            self._delete_copy(guest, f"left behind by a move that was cut off; the server is on {right.node}")
        if bereft:
            self.notes.append(
                f"{some(sorted(bereft), 8)}: replicas of servers that are nowhere, and not in the inventory; left "
                "alone (prune deletes)"
            )

    def _undeclared(self, guest: ObservedServer) -> bool:
        return guest.name not in self.fleet.servers and ours(self.fleet, guest) and guest.node in self.fleet.nodes

    def _pruned(self, guest: ObservedServer, right: ObservedServer | None) -> bool:
        """Whether a copy goes with its server, which prune names, or went before it."""
        if guest == right or guest.name in self.fleet.servers or not ours(self.fleet, guest):
            return False
        named = bool(self.options.prune & {"all", guest.name}) and guest.name not in self.census.unclear
        asleep = guest.state == "stopped" and guest.node in self.fleet.nodes
        return named and asleep and (right is None or right.state != "unknown")

    def _delete_copy(self, guest: ObservedServer, reason: str) -> None:
        self.deletes.append(
            Step(
                id=f"delete/{guest.name}@{guest.node}",
                action="delete",
                node=guest.node,
                server=guest.name,
                reason=reason,
                changes={f"copy on {guest.node}": ("there", None)},
            )
        )

    def look_at(self, server: Server) -> bool:
        """Plan what an existing server needs. False: it does not exist."""
        if server.name in self.census.unclear:
            self.notes.append(f"{server.name}: {self.census.unclear[server.name]}; left alone")
            return True
        guest = self.census.primaries.get(server.name)
        if guest is None:
            return any(refusal.subject == server.name for refusal in self.census.taken)
        if guest.state == "unknown" and guest.moving:
            self.notes.append(
                f"{server.name} was being moved from {guest.node} to {guest.moving}, which does not answer: "
                "it may run there, and is left alone until that is known"
            )
        if guest.state == "unknown" or guest.node not in self.fleet.nodes:
            return True
        if self.fleet.nodes[guest.node].name != server.node and server.node:
            self.notes.append(f"{server.name} is on {guest.node} but pinned to {server.node}; converge moves nothing")
        changed = self._change(server, guest)
        if server.state == "stopped" and guest.state == "running":
            self._stop(server.name, guest, "declared stopped")
        elif server.state == "running" and guest.state == "stopped" and not held(guest.protection):
            self._start(server, guest.node, changed, "declared running", was="stopped")
        return True

    def create(self, servers: Iterable[Server]) -> None:
        """Place and create what is missing, with the templates it takes."""
        servers = list(servers)
        for server in servers:
            for leg in server.interfaces:
                how = self.observed.answering.get(leg.address)
                if how:
                    why = f"address {leg.address} is in use by somebody unknown ({how}); free it, or declare another"
                    self.refusals.append(Refusal(server.name, why))
        placement = place(self.fleet, self.observed, self.layout, servers)
        self.refusals.extend(placement.refusals)
        self.refusals.extend(unbridged(self.fleet, self.observed, placement.nodes))
        have_template = self._bring_templates(placement.nodes)
        room_made = self._room_makers()
        for server in servers:
            node = placement.nodes.get(server.name)
            if node is None:
                continue
            step = Step(
                id=f"create/{server.name}",
                action="create",
                node=node,
                server=server.name,
                needs=have_template.get((server.template, node), ()) + room_made.get(node, ()),
                reason=placement.reasons[server.name],
                changes=_description(server, node),
            )
            self.creates.append(step)
            if server.state == "running":
                self._start(server, node, (step.id,), "new")

    def ordered(self) -> tuple[Step, ...]:
        """All steps, each after everything it needs."""
        return (
            *self.templates,
            *in_start_order(self.fleet, self.stops, reverse=True),
            *self.deletes,
            *self.changes,
            *self.creates,
            *in_start_order(self.fleet, self.starts),
        )

    # ---- single steps

    def _change(self, server: Server, guest: ObservedServer) -> tuple[str, ...]:
        """Steps that bring an existing server in line; their ids."""
        found = difference(self.fleet, self.observed, server, guest, restart=self.options.restart)
        if found.waits:
            self.notes.append(
                f"{server.name}: {found.waits} waits, as it needs a restart of a running server; "
                "allow it with restart, or stop the server"
            )
        changed: tuple[str, ...] = ()
        if self._fits(server, guest) and found.size:
            changed = self._step("resize", server, guest, "declared size differs", changes=found.size)
        if found.settings:
            changed += self._step("configure", server, guest, "declared otherwise", changes=found.settings)
        if found.restart:
            self._step("restart", server, guest, found.restart, needs=changed)
        return changed

    def _fits(self, server: Server, guest: ObservedServer) -> bool:
        """Whether it may have its declared size; what of it cannot be is refused."""
        wanted, has = server.size, guest.size
        if guest.pool != server.pool:
            self.notes.append(f"{server.name} is on pool {guest.pool}, not {server.pool}; converge moves nothing")
        if wanted.disk < has.disk:
            why = (
                f"disk {has.disk} → {wanted.disk} MiB: a disk cannot shrink without losing data; declare {has.disk} MiB"
            )
            self.refusals.append(Refusal(server.name, why))
            return False
        self.layout.take(server.name)
        load = self.layout.loads[guest.node]
        short = load.shortage(wanted, guest.pool) if _grows(has, wanted) else ""
        self.layout.put(server.name, guest.node, wanted, guest.pool)
        if short:
            why = f"cannot grow on {guest.node}: {short}; move it first, or declare less"
            self.refusals.append(Refusal(server.name, why))
        return True

    def _step(
        self,
        action: Literal["resize", "configure", "restart"],
        server: Server,
        guest: ObservedServer,
        reason: str,
        *,
        needs: tuple[str, ...] = (),
        changes: Mapping[str, tuple[object, object]] | None = None,
    ) -> tuple[str, ...]:
        step = Step(
            id=f"{action}/{server.name}",
            action=action,
            node=guest.node,
            server=server.name,
            needs=needs,
            reason=reason,
            changes=changes or {},
        )
        self.changes.append(step)
        return (step.id,)

    def _start(self, server: Server, node: str, needs: tuple[str, ...], reason: str, was: str | None = None) -> None:
        self.starts.append(
            Step(
                id=f"start/{server.name}",
                action="start",
                node=node,
                server=server.name,
                needs=needs,
                reason=reason,
                changes={"state": (was, "running")},
            )
        )

    def _stop(self, name: str, guest: ObservedServer, reason: str) -> tuple[str, ...]:
        step = Step(
            id=f"stop/{name}",
            action="stop",
            node=guest.node,
            server=name,
            reason=reason,
            changes={"state": ("running", "stopped")},
        )
        self.stops.append(step)
        return (step.id,)

    def _bring_templates(self, placed: Mapping[str, str]) -> dict[tuple[str, str], tuple[str, ...]]:
        """Copy steps for templates where they are missing; (template, node) -> the step to wait for."""
        wanting: dict[str, set[str]] = {}
        for name, node in placed.items():
            wanting.setdefault(self.fleet.servers[name].template, set()).add(node)
        awaited: dict[tuple[str, str], tuple[str, ...]] = {}
        for name, nodes in sorted(wanting.items()):
            template = self.fleet.templates[name]
            holders = [
                node
                for node in self.fleet.nodes
                if node in self.observed.nodes and (name, template.version) in self.observed.nodes[node].templates
            ]
            lacking = [node for node in self.fleet.nodes if node in nodes and node not in holders]
            if lacking and not holders:
                why = absent(self.fleet, self.observed, template)
                self.refusals.append(Refusal(f"template {name}", why))
                continue
            steps = copies(template, holders, lacking)
            self.templates.extend(steps)
            awaited.update({(name, step.node): (step.id,) for step in steps})
        return awaited

    def _room_makers(self) -> dict[str, tuple[str, ...]]:
        """Node -> the steps that make room there, which creates on it wait for."""
        makers: dict[str, tuple[str, ...]] = {}
        for step in (*self.deletes, *self.changes):
            if step.action in ("delete", "resize"):
                makers[step.node] = (*makers.get(step.node, ()), step.id)
        return makers


def _grows(has: Size, wanted: Size) -> bool:
    return wanted.cores > has.cores or wanted.memory > has.memory or wanted.disk > has.disk


def _description(server: Server, node: str) -> dict[str, tuple[object, object]]:
    """What a diff shows of a server that is to be."""
    facts: dict[str, object] = {
        "node": node,
        "template": server.template,
        "cores": server.size.cores,
        "memory": server.size.memory,
        "disk": server.size.disk,
        "addresses": legs(server.interfaces),
    }
    return {key: (None, value) for key, value in facts.items()}
