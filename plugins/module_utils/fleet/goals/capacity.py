# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal ``capacity``, on paper: how many more servers of a class fit, what runs short then, and what to buy for more.

The answer is in the notes, in words; the figures before and after are those of the nodes as they are, and with all
that fit. Nothing is moved for it: it is the room there is with everybody where it is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from ..backups import backups_of, choose_backups
from ..bottleneck import bottleneck
from ..digest import digest
from ..enlarged import enlarged
from ..growth import Growth, Newcomer
from ..inventory.mistakes import Known
from ..model import Class, Failover, Fleet, Observed, Plan, Refusal, Replication, Server, Survival
from ..purchase import Offer, offers
from ..search.picture import picture
from ..search.problem import DISKS, Problem, formulate
from ..search.state import State
from ..survival import prove
from ..violations import violations
from .options import CapacityOptions

_MAY_DIE = {
    "nothing": "as long as nothing dies",
    "node": "while any one node may die",
    "failure_domain": "while any one node or failure domain may die",
}
_ENOUGH = 1000
"""Newcomers for each node at which counting stops: nothing limits them."""
_SHORT = 4
"""Lines, at most, about what runs short."""


def capacity(fleet: Fleet, observed: Observed, options: CapacityOptions) -> Plan:
    """Say how many more of a class fit, and what must be bought for ``wanted`` more."""
    problem = formulate(fleet, observed)
    refusals = _refusals(problem, options)
    if refusals:
        return Plan("capacity", (), digest(fleet, observed), refusals=refusals)
    pattern, counted = _pattern(fleet, observed, fleet.classes[options.class_name], options)
    newcomer = _newcomer(problem, pattern)
    before = State(problem)
    choose_backups(before)
    growth = Growth(before, newcomer, options.survive)
    most = _ENOUGH * len(problem.nodes)
    fitting = growth.fill(most)
    after = enlarged(growth, pattern)
    proofs = _asked(before, options)
    notes = [
        *_answer(options, fitting, most, proofs),
        f"one of them takes {_size(pattern)}; {counted}",
        *(f"short then: {line}" for line in bottleneck(growth, problem.nodes)[:_SHORT]),
        *(_purchase(before, newcomer, options, fitting) if options.wanted else ()),
    ]
    then, now = picture(before), picture(after)
    return Plan(
        goal="capacity",
        steps=(),
        base=digest(fleet, observed),
        placement=dict(sorted(then.where.items())),
        before={name: load.share() for name, load in then.loads.items()},
        after={name: now.loads[name].share() for name in then.loads},
        violations_before=violations(then),
        violations_after=violations(now),
        notes=tuple(notes),
        backups=backups_of(before),
        backups_before=backups_of(before),
        survival_before=proofs,
        survival_after=_asked(after, options),
    )


def _refusals(problem: Problem, options: CapacityOptions) -> tuple[Refusal, ...]:
    classes = problem.fleet.classes
    if options.class_name not in classes:
        nearest = Known(classes).nearest(options.class_name, "none at all")
        return (Refusal(options.class_name, f"no such class; there is {nearest}"),)
    if options.wanted < 0:
        return (Refusal("capacity", f"{options.wanted} wanted; a number of servers is 0 or more"),)
    pool = classes[options.class_name].pool or "default"
    if pool not in problem.columns[DISKS:]:
        return (Refusal(options.class_name, f"no node has its storage pool {pool}"),)
    return ()


def _asked(state: State, options: CapacityOptions) -> tuple[Survival, ...]:
    """The proofs for what may die by the question."""
    scopes = {"nothing": (), "node": ("node",), "failure_domain": ("node", "failure_domain")}[options.survive]
    return tuple(proof for proof in prove(state) if proof.over in scopes)


# ---------------------------------------------------------------- what one more is like


def _pattern(fleet: Fleet, observed: Observed, kind: Class, options: CapacityOptions) -> tuple[Server, str]:
    """A server of a class as the next ones would be declared, and how it is counted, in words."""
    pool = kind.pool or "default"
    bare = Server(name=kind.name, size=kind.size, template="", class_name=kind.name, pool=pool)
    if options.survive == "nothing":
        return bare, "without failover and replica"
    likes = sorted((server for server in fleet.servers.values() if server.class_name == kind.name), key=_name)
    ways = Counter(server.replication for server in likes)
    replication = max(ways, key=lambda way: (ways[way], way.mode, way.interval), default=Replication())
    words = (
        "failing over" if any(server.failover.mode != "off" for server in likes) else "failing over, as none does yet"
    )
    if replication.mode != "none":
        return _protected(bare, replication), f"{words}, its disk twice for its replica"
    if pool in observed.abilities.shared_pools:
        return _protected(bare, replication), f"{words}, its disk once: every node reaches pool {pool}"
    return (
        _protected(bare, Replication("interval", 300)),
        f"{words}, its disk twice for a replica, though none of the class is replicated yet",
    )


def _protected(server: Server, replication: Replication) -> Server:
    return Server(
        name=server.name,
        size=server.size,
        template=server.template,
        class_name=server.class_name,
        pool=server.pool,
        replication=replication,
        failover=Failover("auto"),
    )


def _name(server: Server) -> str:
    return server.name


def _newcomer(problem: Problem, pattern: Server) -> Newcomer:
    disk = problem.columns.index(pattern.pool, DISKS)
    demand = [pattern.size.cores, float(pattern.size.memory), float(pattern.size.io)]
    demand += [float(pattern.size.disk) if column == disk else 0.0 for column in range(DISKS, len(problem.columns))]
    return Newcomer(tuple(demand), disk, pattern.replication.mode != "none")


# ---------------------------------------------------------------- words


def _answer(options: CapacityOptions, fitting: int, most: int, proofs: Sequence[Survival]) -> list[str]:
    what = f"more {options.class_name}"
    count = f"{fitting}" if fitting < most else f"at least {fitting}"
    if options.survive == "nothing":
        return [f"{count} {what} fit {_MAY_DIE['nothing']}"]
    broken = [proof for proof in proofs if not proof.holds]
    if not broken:
        return [f"{count} {what} fit {_MAY_DIE[options.survive]}"]
    return [
        f"0 {what} fit {_MAY_DIE[options.survive]}, since some may not even now; "
        f"{count} fit, with a backup each, without making that worse, and so are new nodes counted",
        *(f"{proof.lost} may not die now: {proof.gaps[0]}" for proof in broken[:_SHORT]),
    ]


def _size(server: Server) -> str:
    size = server.size
    parts = [
        f"{size.cores:g} {'core' if size.cores == 1 else 'cores'}",
        f"{size.memory} MiB memory",
        f"{size.disk} MiB disk on pool {server.pool}",
    ]
    return ", ".join([*parts, f"{size.io} io"] if size.io else parts)


def _purchase(state: State, newcomer: Newcomer, options: CapacityOptions, fitting: int) -> list[str]:
    subject = f"{options.wanted} more {options.class_name} {_MAY_DIE[options.survive]}"
    if fitting >= options.wanted:
        return [f"for {subject}: nothing to buy"]
    found = offers(state, newcomer, options.survive, options.wanted)
    if not found:
        return [f"for {subject}: no number of nodes like those there are is enough"]
    first, *others = (_offer(state, offer) for offer in found)
    return [f"for {subject}, buy {first}", *(f"or {other}" for other in others)]


def _offer(state: State, offer: Offer) -> str:
    problem = state.problem
    places = Counter(domain for domain in offer.domains if domain)
    where = f", in {', '.join(f'{domain} ({count})' for domain, count in places.items())}" if places else ""
    noun = "node" if offer.count == 1 else "nodes"
    return f"{offer.count} {noun} like {problem.nodes[offer.like]} (usable: {_usable(problem, offer.like)}){where}"


def _usable(problem: Problem, j: int) -> str:
    """What may be promised on a node."""
    cores, memory, io, *pools = problem.limit[j]
    parts = [f"{cores:.10g} cores", f"{memory:.0f} MiB memory"]
    parts += [f"{io:.0f} io"] if math.isfinite(io) else []
    parts += [
        f"{most:.0f} MiB on pool {pool}" for pool, most in zip(problem.columns[DISKS:], pools, strict=True) if most
    ]
    return ", ".join(parts)
