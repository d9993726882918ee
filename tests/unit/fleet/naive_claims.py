# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is what a plan says about itself true? Shares, placement, survival, score, costs, and the figures in its reasons."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Plan, Score, Share, Step, Survival
from naive_world import Moment, World

SHIFT = re.compile(r"(\S+) (cores|memory|disk|io) ([\d,]+) ?% → ([\d,]+) ?%")
FULL = re.compile(r"(\S+) (cores|memory|disk|io) ([\d.]+) ?%")


def objections(
    world: World, plan: Plan, along: Sequence[Moment], start: Moment, free: Set[str] = frozenset()
) -> list[str]:
    """Every claim that is not true. ``along``: the moments of the steps one after another.

    ``free``: servers whose backup before the plan is anybody's guess; nothing that rests on it is looked at.
    """
    # What is proven of the start can be counted again from the plan alone.
    opening = replace(start, backup={name: plan.backups_before.get(name, "") for name in start.home})
    end = along[-1]
    murky = _untold(world, start, free)
    if plan.goal == "capacity":  # what it shows is the fleet with servers nobody has yet
        return []
    return [
        *_placement(plan, end),
        *_shares(world, "before", plan.before, start, untold=murky),
        *_shares(world, "after", plan.after, end, untold=murky),
        *_backups(world, plan.backups, end),
        *_backups(world, plan.backups_before, opening),
        *_survival(world, "before", plan.survival_before, opening),
        *_survival(world, "after", plan.survival_after, end),
        *_score(world, "before", plan.score_before, opening, untold=murky),
        *_score(world, "after", plan.score_after, end, untold=murky),
        *_reasons(world, plan, along, untold=murky),
        *_waves(world, plan),
    ]


def _placement(plan: Plan, end: Moment) -> Iterator[str]:
    for name, node in end.home.items():
        if plan.placement.get(name) != node:
            yield f"placement: {name} on {plan.placement.get(name)}, and it ends on {node}"


# ---------------------------------------------------------------- shares


def share(world: World, now: Moment, node: str) -> dict[str, float]:
    """Resource -> promised over usable; disk is the fullest pool."""
    load, limit = world.loads(now)[node], world.limits[node]
    of = {resource: _ratio(load.get(resource, 0), limit[resource]) for resource in limit}
    disks = [value for resource, value in of.items() if resource.startswith("disk ")]
    return {**{r: of[r] for r in ("cores", "memory", "io")}, "disk": max(disks, default=0.0)}


def _untold(world: World, now: Moment, free: Set[str]) -> bool:
    """Whether replicas take disk that a plan does not tell of: no failover, or another backup before."""
    replicated = [name for name in now.home if name in world.fleet.servers and world.replicated(name)]
    return any(name in free or not world.fails_over(name) or not now.backup.get(name) for name in replicated)


def _ratio(amount: float, limit: float) -> float:
    if amount <= 1e-9 or math.isinf(limit):
        return 0.0
    return amount / limit if limit > 0 else 1e9


def _shares(world: World, when: str, claimed: Mapping[str, Share], now: Moment, *, untold: bool) -> Iterator[str]:
    if set(claimed) != set(world.fleet.nodes):
        yield f"{when}: shares of {', '.join(sorted(claimed)) or 'nobody'}"
        return
    for node, said in claimed.items():
        for resource, true in share(world, now, node).items():
            if resource == "disk" and untold:
                continue
            if not math.isclose(getattr(said, resource), true, rel_tol=1e-6, abs_tol=1e-6):
                yield f"{when}: {node} {resource} {getattr(said, resource):.3f}, and it is {true:.3f}"
        guests = [name for name, home in now.home.items() if home == node]
        strangers = [guest for guest in world.fixed if guest.node == node]
        if said.servers != len(guests) + len(strangers):
            yield f"{when}: {node} carries {said.servers} servers, and it is {len(guests) + len(strangers)}"


# ---------------------------------------------------------------- what survives


def _backups(world: World, backups: Mapping[str, str], end: Moment) -> Iterator[str]:
    for name, node in backups.items():
        if name not in end.home or not world.fails_over(name):
            yield f"backup of {name}, which does not fail over"
        elif node not in world.fleet.nodes or node == end.home[name]:
            yield f"backup of {name} on {node}, where it runs itself"


def _survival(world: World, when: str, proofs: Sequence[Survival], now: Moment) -> Iterator[str]:
    losses = world.losses()
    for proof in proofs:
        dying = losses.get((proof.over, proof.lost))
        if dying is None:
            yield f"survival {when}: there is no {proof.over} {proof.lost}"
            continue
        stranded, overwhelmed = world.stranded(now, dying), world.overwhelmed(now, dying)
        if proof.holds == bool(stranded or overwhelmed):
            wrong = ", ".join([*stranded, *overwhelmed])
            yield f"survival {when} of {proof.over} {proof.lost}: says {proof.gaps or 'proven'}, and lost is: {wrong}"
        for name in [*stranded, *overwhelmed]:
            if not proof.holds and not any(name in gap or " more" in gap for gap in proof.gaps):
                yield f"survival {when} of {proof.lost}: {name} is not named in {proof.gaps}"
        for node, resource, percent in FULL.findall(proof.tightest):
            after = world.after_loss(now, dying).get(node) or world.loads(now).get(node)
            true = 100 * _ratio(after[resource], world.limits[node][resource]) if after else -100
            if abs(true - float(percent)) > 1:
                yield f"survival {when} of {proof.lost}: {proof.tightest}, and it is {true:.0f} %"
    if when == "after" and proofs:
        asked = {(proof.over, proof.lost) for proof in proofs}
        for loss, dying in losses.items():
            wanted = [n for n, home in now.home.items() if home in dying and world.counts(n)]
            silent = any(node in now.dead or world._seen(node).reach != "online" for node in dying)
            if wanted and not silent and loss not in asked:
                yield f"survival {when}: nothing is said of {loss[0]} {loss[1]}"


# ---------------------------------------------------------------- score


def violations(world: World, now: Moment) -> int:
    """Servers that may not be where they are, and resources of nodes that are promised too often."""
    wrong = set()
    for fact in world.broken(now):
        wrong |= set(fact[2:4] if fact[0] in ("apart", "together") else fact[1:2])
        if fact[0] == "alone":
            wrong |= {fact[2]} & set(now.home)
    return len(wrong) + len(world.overfull(world.loads(now)))


def gaps(world: World, now: Moment) -> int:
    """Losses after which a server would have nowhere to run, or a backup be too full."""
    return sum(1 for d in world.losses().values() if world.stranded(now, d) or world.overwhelmed(now, d))


def worst(world: World, now: Moment) -> float:
    """The share of the fullest node in service."""
    return max((max(share(world, now, node).values()) for node in serving(world, now)), default=0.0)


def serving(world: World, now: Moment) -> list[str]:
    return [node for node in world.fleet.nodes if node not in now.closed]


def _score(world: World, when: str, said: Score | None, now: Moment, *, untold: bool) -> Iterator[str]:
    if said is None:
        return
    if not untold and said.violations != violations(world, now):
        yield f"score {when}: {said.violations} violations, and there are {violations(world, now)}"
    if said.gaps != gaps(world, now):
        yield f"score {when}: {said.gaps} gaps, and there are {gaps(world, now)}"


# ---------------------------------------------------------------- words and costs


def _reasons(world: World, plan: Plan, along: Sequence[Moment], *, untold: bool) -> Iterator[str]:
    """``node1 memory 91 % → 74 %`` is true of the step by itself, or of the plan as a whole."""
    for at, step in enumerate(plan.steps):
        for node, resource, before, after in SHIFT.findall(step.reason):
            if node not in world.fleet.nodes or (resource == "disk" and untold):
                continue
            pairs = [(along[at], along[at + 1]), (along[0], along[-1])]
            true = [tuple(100 * share(world, now, node)[resource] for now in pair) for pair in pairs]
            said = (float(before.replace(",", "")), float(after.replace(",", "")))
            if not any(abs(said[0] - was) <= 1 and abs(said[1] - will) <= 1 for was, will in true):
                yield f"{step.id}: says {node} {resource} {before} % → {after} %, and it is " + " or ".join(
                    f"{was:.0f} % → {will:.0f} %" for was, will in true
                )


def manner(world: World, step: Step) -> Iterator[str]:
    """A move goes the way its engine can, and costs what that costs."""
    guest, abilities = world.primaries[step.server], world.observed.abilities
    template = world.fleet.templates.get(guest.template or world.fleet.servers[step.server].template)
    kind = template.kind if template else "container"
    has_replica = any(
        g.name == step.server and g.node == step.node and g.role == "replica" and world.ours(g)
        for g in world.observed.servers
    )
    shared = guest.pool in abilities.shared_pools
    right = {
        "live": kind in abilities.live and guest.state == "running",
        "shared": shared,
        "switch": has_replica,
        "copy": not shared,
    }
    if not right.get(step.manner, False):
        yield f"{step.id}: cannot move in manner {step.manner!r}"
    if step.manner == "copy" and step.cost.copied < guest.size.disk:
        yield f"{step.id}: copies {guest.size.disk} MiB and says {step.cost.copied}"
    if step.manner in ("copy", "switch", "shared") and guest.state == "running" and step.cost.downtime <= 0:
        yield f"{step.id}: is down while it moves, and says it is not"


def _waves(world: World, plan: Plan) -> Iterator[str]:
    """No node has more moves in one wave than it may have steps; servers tied to each other count as one."""
    wave: dict[str, int] = {}
    for step in plan.steps:
        wave[step.id] = max((wave[need] for need in step.needs), default=-1) + (step.action != "gate")
    tied = {n for r in world.fleet.rules if r.kind == "together" and r.hard for n in r.subjects | r.others}
    for number in sorted(set(wave.values())):
        now = [s for s in plan.steps if wave[s.id] == number and s.action == "move" and s.server not in tied]
        for name, node in world.fleet.nodes.items():
            busy = sum(1 for step in now if name in (step.node, step.source))
            if busy > node.concurrency:
                yield f"wave {number + 1}: {busy} moves at {name}, which may have {node.concurrency}"
