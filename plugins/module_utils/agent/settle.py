# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command ``settle``: after a start of the node, and from time to time, no copy here is stale, and what is to run runs.

All nodes are asked for their copies of the servers here: the marks on a copy are as old as the copy, and where its
server went since, they cannot tell; nor are there any on one that was brought back to an old snapshot. Where a node has
a newer copy, the one here stops, is put aside, and a replica takes its place. Where none has, a server that ran before
the node's start runs again, once it is certain; one that is in the care of a pair is started by the cluster.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Collection, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from ..engine.base import EngineError
from ..engine.incus import handover, in_step, safekeeping
from ..engine.incus.guest import MARK
from ..engine.incus.guests import Found, Guests, path_of
from ..engine.incus.several import ask_all
from . import aside, forsaken, launch, mirror, quorum, record, settled, units
from .quorum import Quorum
from .record import Claim
from .settings import Settings
from .whereabouts import asking

_ATTEMPT = "see whether copies here are stale"
_PATIENCE, _PAUSE = 60.0, 3.0
"""Seconds in which nodes that are just booting as well may come to answer, and between two askings."""
_STARTS = 900.0
"""Seconds in which all servers have to have been started; who was not is named, and tried again."""

Copies = Mapping[str, Mapping[str, Found]]
"""Node -> server -> its copy there."""


@dataclass(slots=True)
class Verdict:
    """What is to be done with servers here."""

    stale: dict[str, str] = field(default_factory=dict)
    """Server -> the node that has a newer copy of it."""
    start: list[str] = field(default_factory=list)
    unsure: dict[str, str] = field(default_factory=dict)
    """Server that waits for its start -> what has to come true first."""
    silent: set[str] = field(default_factory=set)
    """The nodes whose silence some of them wait for."""


def arguments(_name: str, _parser: argparse.ArgumentParser) -> None:
    """Nothing."""


def run(settings: Settings, _options: argparse.Namespace) -> int:
    """Look, act, and look again for a while as long as something is left to do, or waits for nodes that are silent."""
    until = time.monotonic() + _PATIENCE
    with closing(settings.clients([settings.here])[settings.here]) as client:
        here = settings.guests(client)
        while True:
            if _look(settings, here) or time.monotonic() > until:
                return 0
            time.sleep(_PAUSE)


def _look(settings: Settings, here: Guests) -> bool:
    """One look; whether all is settled."""
    before = settled.load()
    put, misnamed = aside.unnamed(here, _ATTEMPT)
    troubles = _rename(here, misnamed)
    found = here.all(_ATTEMPT)
    mine = looked_after(found)
    waiting = [name for name in before.waiting if name in mine] if before.booted else _ran(mine)
    kept = forsaken.labelled(found) if settings.protects else []
    copies = _elsewhere(settings, [*mine, *kept, *(put - set(found))])
    verdict = judge(settings.here, mine, copies, waiting, settings.others())
    if verdict.silent and settings.protects:
        # The cluster may know enough of the silent ones.
        verdict = judge(settings.here, mine, copies, waiting, settings.others(), quorum.known())
    for name, node in verdict.stale.items():
        troubles |= _step_down(here, name, node, copies[node][name])
    troubles |= _start(here, verdict.start, mine)
    if settings.protects:
        troubles |= _outgrow(here, {name: mine[name] for name in mine.keys() - verdict.stale.keys()}, copies, settings)
        troubles |= _let_go(here, forsaken.forsaken(found, copies, settings.others()))
    left = tuple(name for name in waiting if name in verdict.unsure or name in troubles)
    for name, what in verdict.unsure.items():
        troubles[name] = f"it stands still until {what}; to start it all the same, run the site playbook"
    lacking = {*put, *verdict.stale} - set(here.all(_ATTEMPT)) if put or verdict.stale else set()
    replaced = _replace(settings, lacking, copies)
    for name, words in troubles.items():
        if before.troubles.get(name) != words:
            _say(f"{name}: {words}")
    settled.store(settled.Settled(True, left, troubles, before.since or round(time.time())))
    return replaced and not left


# ---- what there is to know


def looked_after(found: Mapping[str, Found]) -> dict[str, Found]:
    """The servers here of which other nodes may have a newer copy: any, whatever its marks say. Those that move are
    others' business."""
    return {name: guest for name, guest in found.items() if not guest.replica and not handover.other_node(guest.config)}


def judge(  # noqa: PLR0917 - all there is to know
    here: str,
    mine: Mapping[str, Found],
    copies: Copies,
    waiting: Collection[str],
    others: Collection[str],
    known: Quorum | None = None,
) -> Verdict:
    """What to do. ``copies`` has the nodes that answered, of ``others``; ``known``: what the cluster knows of those
    that did not. Pure."""
    verdict = Verdict()
    for name, guest in mine.items():
        there = {node: copy[name] for node, copy in copies.items() if name in copy}
        newer = {
            copy.generation: node
            for node, copy in there.items()
            if not copy.replica and copy.generation > guest.generation
        }
        if newer:
            verdict.stale[name] = newer[max(newer)]
        elif name in waiting and guest.stopped:
            # A replica that is where it was, and as it was, vouches for its node. One that is gone, or newer, was
            # promoted since, and its server may have gone on to any node.
            gone = {node for node in safekeeping.replicas(guest.config) if node in copies and node not in there}
            doubt = bool(gone) or bool(_ahead(guest, there))
            silent = (rivals(here, guest) | (set(others) if doubt else set())) - set(copies)
            if silent and not (known and known.rules_out(name, guest.generation, silent, here)):
                verdict.silent |= silent
                verdict.unsure[name] = f"{', '.join(sorted(silent))} can be asked whether it runs there"
            elif hindered := _hindered(guest, there):
                verdict.unsure[name] = hindered
            else:
                verdict.start.append(name)
    order = {name: safekeeping.guarded(guest.config).order for name, guest in mine.items()}
    verdict.start.sort(key=lambda name: (order[name], name))
    return verdict


def _ahead(guest: Found, there: Mapping[str, Found]) -> list[str]:
    return sorted(node for node, copy in there.items() if copy.replica and copy.generation > guest.generation)


def _hindered(guest: Found, there: Mapping[str, Found]) -> str:
    """What has to come true before a server starts although all have answered; empty: nothing."""
    for node, copy in sorted(there.items()):
        if not copy.stopped:
            return f"the copy on {node}, which is {copy.status.lower()}, is stopped: find out who started it"
        if not copy.replica and copy.generation == guest.generation:
            return f"it is clear which copy is right: the one on {node} calls itself the server as well; delete one"
    ahead = _ahead(guest, there)
    if ahead:
        return f"its newer server is found, whose replica is on {', '.join(ahead)}: restore it, or delete that replica"
    return ""


def rivals(here: str, guest: Found) -> set[str]:
    """The nodes that may have a newer copy of a server here."""
    return {*safekeeping.replicas(guest.config), *(safekeeping.pair(guest.config) or ())} - {here}


def _ran(mine: Mapping[str, Found]) -> list[str]:
    """Servers that are to run, and that nobody but us starts after a boot."""
    return [
        name
        for name, guest in mine.items()
        if guest.stopped and guest.config.get(safekeeping.KEEPS) == "running" and not safekeeping.pair(guest.config)
    ]


def _elsewhere(settings: Settings, names: Collection[str]) -> Copies:
    """What the others have. One request to each, however many servers there are; none, where it is about no server."""
    if not names:
        return {}
    with ExitStack() as stack:
        clients = asking(settings, settings.others(), stack)
        answers = ask_all(clients, lambda client: settings.guests(client).all(_ATTEMPT))
    return {node: answer for node, answer in answers.items() if not isinstance(answer, EngineError)}


# ---- what is done


def _follow(here: Guests, name: str, node: str, newer: Found) -> dict[str, str]:
    """Its disk is DRBD's: what the newer copy's node wrote is brought over it, and it is that one's replica now.

    Where it was written to as well after they parted, the agent keeps that aside before (``mirror``).
    """

    def keys(found: Found) -> Mapping[str, str]:
        if found.replica or not found.stopped:
            return {}
        common = {key: newer.config.get(key, "") for key in safekeeping.SHARED}
        return handover.demoted(newer.generation) | common | safekeeping.replicated(node, in_step.EVERY)

    here.mark(name, f"make the older copy of {name} the replica of the one on {node}", keys)
    _say(f"{name}: {node} has a newer copy; the one here is its replica from now on")
    return {}


def _step_down(here: Guests, name: str, node: str, newer: Found) -> dict[str, str]:
    """A stale copy stops at once, and makes room for a replica; what went wrong, by its name."""
    attempt = f"put the older copy of {name} aside"
    try:
        now = here.need(name, attempt)
        if now.replica or handover.other_node(now.config):
            # Whoever promoted the other one has seen to this one meanwhile.
            return {}
        if not now.stopped:
            # Every moment it runs it may answer for the right one.
            body = {"action": "stop", "force": True, "timeout": -1}
            here.run("PUT", f"{path_of(name)}/state", attempt, body)
        if mirror.is_in_step(now):
            return _follow(here, name, node, newer)
        fresh = aside.put_aside(here, here.need(name, attempt), time.time())
    except EngineError as error:
        return {name: f"{node} has a newer copy of it, and the one here could not be put aside: {error.answer}"}
    _say(f"{name}: {node} has a newer copy; the one here was put aside as {fresh}")
    return {}


def _let_go(here: Guests, names: Collection[str]) -> dict[str, str]:
    """Replicas of servers that are no more are started by nobody; what went wrong, by their names."""
    troubles = {}
    for name in names:
        try:
            forsaken.unlabel(here, name)
            _say(f"{name}: no node has the server this is a replica of: it stays, and the cluster does not start it")
        except EngineError as error:
            troubles[name] = f"no node has its server, and the cluster might start its replica here: {error.answer}"
    return troubles


def _rename(here: Guests, names: Collection[str]) -> dict[str, str]:
    """Give copies their names that were put aside by somebody who was cut off; what went wrong, by their names."""
    troubles = {}
    for name in sorted(names):
        try:
            _say(f"{name}: put aside as {aside.rename(here, name, time.time())}")
        except EngineError as error:
            troubles[name] = f"the older copy of it here was put aside, but could not be renamed: {error.answer}"
            troubles[name] += "; until it is, there is no replica of it here: rename or delete it with incus"
    return troubles


def _start(here: Guests, names: Collection[str], mine: Mapping[str, Found]) -> dict[str, str]:
    """Start servers in their order, those of one order side by side; what went wrong, by their names."""

    def start(name: str) -> None:
        here.start(name, f"start {name} after the node's start")
        _say(f"{name}: started, nobody has a newer copy")

    known = {name: safekeeping.guarded(mine[name].config) for name in names}
    turns = [launch.Turn(name, each.order, each.delay) for name, each in known.items()]
    failed = launch.in_turn(turns, start, launch.Deadline(_STARTS))
    return {name: f"it ran before the node's start, and does not start: {words}" for name, words in failed.items()}


def _outgrow(here: Guests, mine: Mapping[str, Found], copies: Copies, settings: Settings) -> dict[str, str]:
    """Servers that bear the name of one that is no more outdo what the cluster remembers of that: nobody would start
    them after a failure. What keeps that from being certain, by their names."""
    try:
        claims = record.read()
    except EngineError:
        # The agent's report tells of a cluster that does not answer.
        return {}
    everybody = set(settings.others()) <= set(copies)
    troubles: dict[str, str] = {}
    for name, guest in mine.items():
        claim = claims.get(name)
        if claim is None or claim.generation <= guest.generation:
            continue
        there = [copy[name] for copy in copies.values() if name in copy]
        if everybody and not any(copy.generation > guest.generation for copy in there):
            # One that stands still may just be taken over: that is recorded first, and done then.
            if guest.running:
                troubles |= _lift(here, name, claim)
        else:
            troubles[name] = record.newer(name, claim)
    return troubles


def _lift(here: Guests, name: str, claim: Claim) -> dict[str, str]:
    attempt = f"have {name} outdo what the cluster remembers of an older server of that name"

    def keys(found: Found) -> dict[str, str]:
        taken = found.replica or not found.running or handover.other_node(found.config)
        if taken or found.generation >= claim.generation:
            return {}
        return {f"{MARK}generation": str(safekeeping.lifted(claim.generation))}

    try:
        here.mark(name, attempt, keys)
    except EngineError as error:
        return {name: f"{error}"}
    return {}


def _replace(settings: Settings, lacking: Collection[str], copies: Copies) -> bool:
    """Servers whose copies here were put aside get replicas again, where they still count on this node for one; as many
    at once as there are slots. Whether none is left."""
    wanted = {
        name
        for copy in copies.values()
        for name, guest in copy.items()
        if name in lacking and not guest.replica and settings.here in safekeeping.replicas(guest.config)
    }
    if wanted:
        running = units.refreshing()
        units.refresh(sorted(wanted - running)[: max(settings.replicating.slots - len(running), 0)])
    return not wanted


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()
