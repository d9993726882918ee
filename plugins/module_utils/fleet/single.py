# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server brought to what is asked of it, with everybody else left as they are.

The goals do the planning: ``converge`` with every other server declared as it was seen, ``migrate`` for a move. So all
that holds for a whole fleet (rules, room, refusals) holds here. Survival is counted besides: where a new server can go
without giving up a failure that can be survived, it goes there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .backups import choose_backups
from .census import Census, take_census
from .fit import obstacle, soft_breaks, standing
from .foresight import foresee
from .goals.asked import quorum, unknown_nodes
from .goals.converge import converge
from .goals.migrate import migrate
from .goals.options import ConvergeOptions, MigrateOptions
from .layout import Layout, ours
from .model import Exported, Fleet, Observed, ObservedServer, Plan, Refusal, Server, Size, Step, Survival
from .placement import no_room
from .search.problem import formulate
from .search.state import State
from .survival import prove

BEST = "best"
State_ = Literal["present", "absent", "started", "stopped", "restarted"]
STATES: tuple[State_, ...] = ("present", "absent", "started", "stopped", "restarted")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of one server, beside what the fleet declares of it."""

    name: str
    state: State_ = "present"
    node: str = ""
    """Node it is to be on; ``best``: the best there is for it; empty: where it is."""
    source: str = ""
    """Server a new one is copied from; empty: it is made from its template."""
    exported: Exported | None = None
    """A file a new one is made from; ``None``: none."""
    restart: bool = False
    """It may be restarted where a change needs it."""
    force: bool = False
    """It may be deleted although it runs."""


def single(fleet: Fleet, observed: Observed, request: Request) -> Plan:
    """Plan it. ``fleet`` declares the server, unless it is to be absent, and has an address on every interface."""
    return _Work(fleet, observed, request, take_census(fleet, observed)).plan()


@dataclass(frozen=True, slots=True)
class _Work:
    fleet: Fleet
    observed: Observed
    request: Request
    census: Census

    def plan(self) -> Plan:
        request, guest = self.request, self.census.primaries.get(self.request.name)
        doubts = [*quorum(self.fleet, self.observed), *self._doubts(guest)]
        if request.node not in ("", BEST):
            doubts += unknown_nodes(self.fleet, [request.node])
        if doubts:
            return self._refused(*doubts)
        if request.state == "absent":
            return self._absent(guest)
        if guest is not None:
            return self._changed(guest)
        if request.state in ("stopped", "restarted"):
            return self._refused(Refusal(request.name, "does not exist; state present or started makes it"))
        return self._created()

    def _doubts(self, guest: ObservedServer | None) -> list[Refusal]:
        """Why the server must not be touched: it is not ours, or nobody can tell where it is, or how."""
        name = self.request.name
        if name in self.census.unclear:
            return [Refusal(name, self.census.unclear[name])]
        if guest is None:
            others = [each for each in self.observed.servers if each.name == name and not ours(self.fleet, each)]
            return [_not_ours(each) for each in others[:1]]
        if guest.node not in self.fleet.nodes:
            return [Refusal(name, f"is on {guest.node}, which is not in the inventory")]
        if guest.state != "unknown":
            return []
        if guest.moving:
            why = f"was being moved from {guest.node} to {guest.moving}, which does not answer: it may run there"
            return [Refusal(name, why)]
        return [Refusal(name, f"is on {guest.node}, which does not answer")]

    # ---- what becomes of it

    def _absent(self, guest: ObservedServer | None) -> Plan:
        name = self.request.name
        if guest and guest.state == "running" and not self.request.force:
            return self._refused(Refusal(name, f"runs on {guest.node}; stop it first, or say force: true"))
        alone = _alone(self.fleet, self.census, name)
        without = replace(alone, servers={other: each for other, each in alone.servers.items() if other != name})
        plan = converge(without, self.observed, ConvergeOptions(prune=frozenset({name})))
        return self._told(self._only(plan))

    def _created(self) -> Plan:
        """A new one, where the fleet survives no less with it, if there is such a place."""
        request = self.request
        server = self.fleet.servers[request.name]
        asked = "" if request.node == BEST else request.node
        if asked and server.node not in ("", asked):
            why = f"is pinned to {server.node} in the inventory (vs_node), and asked onto {asked}"
            return self._refused(Refusal(request.name, why))
        trouble = self._why_not_copied(server) or self._why_not_imported(server)
        if trouble:
            return self._refused(Refusal(request.name, trouble))
        server = replace(
            server, node=asked or server.node, state="running" if request.state == "started" else "stopped"
        )
        first = self._told(self._made(server))
        if server.node or first.refusals or not _lost(first):
            return first
        for node in self.fleet.nodes:
            other = self._made(replace(server, node=node))
            if other.placement.get(server.name) == first.placement[server.name] or other.refusals:
                continue
            told = self._told(other)
            if not _lost(told):
                return _because(told, f"on {first.placement[server.name]} it would cost a failure that can be survived")
        return first

    def _made(self, server: Server) -> Plan:
        """The plan that makes it, of its template or as a copy."""
        fleet = _with(_alone(self.fleet, self.census, server.name), server)
        if self.request.exported:
            plan = self._only(converge(fleet, _templates_everywhere(self.observed, fleet, server)))
            return replace(plan, steps=tuple(_importing(step, self.request.exported) for step in plan.steps))
        if not self.request.source:
            return self._only(converge(fleet, self.observed))
        plan = self._only(converge(fleet, _templates_everywhere(self.observed, fleet, server)))
        source = self.census.primaries[self.request.source]
        steps = tuple(_copying(step, source) if step.action == "create" else step for step in plan.steps)
        return replace(plan, steps=steps)

    def _why_not_copied(self, server: Server) -> str:
        """What stands in the way of a copy; empty if nothing does, or none is asked for."""
        name = self.request.source
        if not name:
            return ""
        source = self.census.primaries.get(name)
        if source is None:
            return (
                self.census.unclear.get(name) or f"cannot be a copy of {name}: there is no server of ours of that name"
            )
        if source.state == "unknown" or source.node not in self.fleet.nodes:
            return f"cannot be a copy of {name}, which is on {source.node}: that does not answer"
        if server.size.disk < source.size.disk:
            return f"cannot be a copy of {name} on a disk of {server.size.disk} MiB: that has {source.size.disk} MiB"
        return ""

    def _why_not_imported(self, server: Server) -> str:
        """What stands in the way of a server from a file; empty if nothing does, or none is asked for."""
        exported = self.request.exported
        if exported and server.size.disk < exported.server.size.disk:
            had = exported.server.size.disk
            return f"cannot be made from {exported.path} on a disk of {server.size.disk} MiB: that had {had} MiB"
        return ""

    def _changed(self, guest: ObservedServer) -> Plan:
        """One that is there: moved first, then brought to its size and configuration, then started or stopped."""
        request = self.request
        if request.exported and guest.imported != request.exported.checksum:
            why = f"is there already, on {guest.node}, and was not made from {request.exported.path}"
            return self._refused(Refusal(request.name, f"{why}; delete it first, or import under another name"))
        server = self.fleet.servers[request.name]
        running = request.state in ("started", "restarted") or (request.state == "present" and guest.state == "running")
        server = replace(server, state="running" if running else "stopped")
        move: Plan | None = None
        observed = self.observed
        if request.node:
            move = self._moved(server, guest)
            if move and move.refusals:
                return move
            observed = foresee(self.fleet, observed, move.steps) if move else observed
        fleet = _with(_alone(self.fleet, take_census(self.fleet, observed), server.name), server)
        restart = request.restart or request.state == "restarted"
        plan = self._only(converge(fleet, observed, ConvergeOptions(restart=restart)))
        if request.state == "restarted" and guest.state == "running" and not plan.refusals:
            plan = _restarted(plan, server.name)
        return self._told(_joined(move, plan) if move else plan)

    def _moved(self, server: Server, guest: ObservedServer) -> Plan | None:
        """Its move to where it is asked; None: it is there. Room is counted for the bigger of its two sizes."""
        bigger = replace(guest, size=_bigger(guest.size, server.size))
        observed = replace(
            self.observed, servers=tuple(bigger if each == guest else each for each in self.observed.servers)
        )
        fleet = _with(self.fleet, server)
        if self.request.node != BEST:
            nodes: Sequence[str] = [self.request.node]
        else:
            nodes, refused = _ranked(fleet, observed, server, guest.node)
            if not nodes:
                return self._refused(Refusal(server.name, no_room(refused)))
        refusals: list[Refusal] = []
        for node in nodes:
            if node == guest.node:
                return None
            plan = migrate(fleet, observed, MigrateOptions((server.name,), node))
            if not plan.refusals:
                return plan
            refusals += plan.refusals
        return self._refused(*refusals)

    # ---- telling

    def _only(self, plan: Plan) -> Plan:
        """What of a plan is about this server. Everybody else is as seen, but for replicas still to be made."""
        name = self.request.name
        others = self.fleet.servers.keys() - {name}
        steps = [
            step for step in plan.steps if step.server in ("", name) and (not step.servers or name in step.servers)
        ]
        kept = {step.id for step in steps}
        return replace(
            plan,
            goal=name,
            steps=tuple(replace(step, needs=tuple(need for need in step.needs if need in kept)) for step in steps),
            refusals=tuple(refusal for refusal in plan.refusals if refusal.subject not in others),
            notes=tuple(note for note in plan.notes if name in note.replace(":", " ").split() or "answer" in note),
        )

    def _told(self, plan: Plan) -> Plan:
        """The plan with what may die before and after it."""
        if plan.refusals:
            return replace(plan, steps=())
        if not plan.steps or not any(server.failover.mode != "off" for server in self.fleet.servers.values()):
            return plan
        before = _survival(self.fleet, self.observed)
        after = _survival(self.fleet, foresee(self.fleet, self.observed, plan.steps))
        told = replace(plan, survival_before=before, survival_after=after)
        lost = [f"{name}: {gap}" for name, gap in _lost(told)]
        notes = [f"afterwards the fleet no longer survives the death of {each}" for each in lost]
        return replace(told, notes=(*told.notes, *notes))

    def _refused(self, *refusals: Refusal) -> Plan:
        return Plan(goal=self.request.name, steps=(), base="", refusals=tuple(dict.fromkeys(refusals)))


def _not_ours(guest: ObservedServer) -> Refusal:
    owner = f"a server of fleet {guest.fleet}" if guest.fleet else "a guest that is not ours"
    return Refusal(guest.name, f"the name is taken on {guest.node} by {owner}, which is never touched; choose another")


def _alone(fleet: Fleet, census: Census, name: str) -> Fleet:
    """The fleet with every other server declared as it is there, and those that are not there left out."""
    servers: dict[str, Server] = {}
    for other, server in fleet.servers.items():
        guest = census.primaries.get(other)
        if other == name or other in census.unclear or (guest and guest.state == "unknown"):
            servers[other] = server
        elif guest:
            servers[other] = replace(
                server,
                size=guest.size,
                pool=guest.pool,
                class_name=guest.class_name,
                tenant=guest.tenant,
                interfaces=guest.interfaces,
                state="running" if guest.state == "running" else "stopped",
            )
    return replace(fleet, servers=servers)


def _with(fleet: Fleet, server: Server) -> Fleet:
    return replace(fleet, servers={**fleet.servers, server.name: server})


def _templates_everywhere(observed: Observed, fleet: Fleet, server: Server) -> Observed:
    """As if every node had the template: a copy needs none."""
    template = fleet.templates.get(server.template)
    pair = frozenset({(server.template, template.version if template else "")})
    nodes = {name: replace(seen, templates=seen.templates | pair) for name, seen in observed.nodes.items()}
    return replace(observed, nodes=nodes)


def _copying(step: Step, source: ObservedServer) -> Step:
    changes = {**step.changes, "copy of": (None, source.name)}
    return replace(step, action="copy", source=source.node, servers=(source.name,), changes=changes)


def _importing(step: Step, exported: Exported) -> Step:
    if step.action != "create":
        return step
    return replace(step, action="import", changes={**step.changes, "imported from": (None, exported.path)})


def _bigger(one: Size, other: Size) -> Size:
    return Size(
        max(one.cores, other.cores),
        max(one.memory, other.memory),
        max(one.disk, other.disk),
        max(one.io, other.io),
    )


def _ranked(fleet: Fleet, observed: Observed, server: Server, home: str) -> tuple[list[str], dict[str, str]]:
    """Nodes that fit, the best first and of equals the one it is on; and why each of the others does not."""
    layout = Layout(fleet, observed)
    layout.take(server.name)
    size = next(each.size for each in observed.servers if each.name == server.name and each.node == home)
    wanted = replace(server, size=size)
    refused: dict[str, str] = {}
    scores: dict[str, tuple[float, ...]] = {}
    for node in fleet.nodes.values():
        why = standing(node, observed) or obstacle(wanted, node, layout)
        if why:
            refused[node.name] = why
            continue
        load = layout.loads[node.name]
        worst = round(load.worst_with(size, server.pool), 9)
        scores[node.name] = (soft_breaks(wanted, node, layout), worst, load.servers, node.name != home)
    return sorted(scores, key=scores.__getitem__), refused


def _survival(fleet: Fleet, observed: Observed) -> tuple[Survival, ...]:
    state = State(formulate(fleet, observed))
    choose_backups(state)
    return prove(state)


def _lost(plan: Plan) -> list[tuple[str, str]]:
    """Failures that can be survived before the plan and not after it, each with its first gap."""
    held = {(proof.lost, proof.over) for proof in plan.survival_before if proof.holds}
    return [
        (proof.lost, proof.gaps[0])
        for proof in plan.survival_after
        if not proof.holds and (proof.lost, proof.over) in held
    ]


def _because(plan: Plan, why: str) -> Plan:
    made = ("create", "copy", "import")
    steps = (replace(step, reason=f"{why}; {step.reason}") if step.action in made else step for step in plan.steps)
    return replace(plan, steps=tuple(steps))


def _restarted(plan: Plan, name: str) -> Plan:
    """The plan with a restart at its end, unless it has one."""
    if any(step.action == "restart" for step in plan.steps):
        return plan
    node = plan.placement[name]
    needs = tuple(step.id for step in plan.steps)
    step = Step(
        id=f"restart/{name}",
        action="restart",
        node=node,
        server=name,
        needs=needs,
        reason="asked for",
        changes={"restarted": (False, True)},
    )
    return replace(plan, steps=(*plan.steps, step))


def _joined(move: Plan, then: Plan) -> Plan:
    """One plan after the other."""
    ids = tuple(step.id for step in move.steps)
    return replace(
        then,
        steps=(*move.steps, *_waiting(then.steps, ids)),
        before=move.before,
        violations_before=move.violations_before,
        notes=tuple(dict.fromkeys((*move.notes, *then.notes))),
    )


def _waiting(steps: Iterable[Step], ids: tuple[str, ...]) -> list[Step]:
    return [step if step.needs else replace(step, needs=ids) for step in steps]
