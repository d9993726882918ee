# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which copy of a server is the server: said of one copy, by all that is known of the others. Pure.

A copy is outdone by one of a higher generation anywhere, and by the cluster's record of a promotion that nobody can
look at. A record whose node answers, with a copy of a lower generation, is of a promotion that never came to be. One
whose node has none at all tells nothing: the server may have gone on to another node. Only where all nodes answer, and
none has so new a copy, it is of a server that is no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..engine.incus import handover, safekeeping
from ..engine.incus.guests import Found
from .record import Claim, newer
from .survivors import Elsewhere

NEVER_COMPLETE = "the replica here was never complete: bring its node back, or restore a backup"
_MOVES = "a move that goes on ends soon, one that was cut off is ended by the site playbook"


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known of the other nodes."""

    here: str
    elsewhere: Elsewhere = field(default_factory=Elsewhere)
    record: Mapping[str, Claim] = field(default_factory=dict)
    answering: Mapping[str, str] = field(default_factory=dict)
    """Addresses somebody answers at: asked only where a node that lives is silent."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a copy."""

    why_not: str = ""
    """Why it is not to run here; empty: it may."""
    generation: int = 0
    """What to promote it to; 0: it is right as it is."""
    refreshed_from: str = ""
    """A node that still has its server, stopped: to be brought up to date from there once more."""


def rescue(name: str, mine: Found, home: str, scene: Scene) -> Verdict:
    """Whether the replica here becomes the server, which was on ``home``."""
    guarded = safekeeping.guarded(mine.config)
    if guarded.mode != "auto":
        return Verdict(f"its failover is {guarded.mode}: that is for a person to do")
    if guarded.action != "relocate":
        return Verdict(f"its failover is to {guarded.action}, not to start it here")
    if handover.other_node(mine.config):
        return Verdict(f"the replica here takes part in a move: {_MOVES}")
    copies = scene.elsewhere.of(name)
    theirs = copies.get(home)
    why = _runs(copies) or _outdone(mine, {node: copy for node, copy in copies.items() if node != home})
    if why:
        return Verdict(why)
    right = theirs is not None and not theirs.replica and theirs.generation >= mine.generation
    if theirs is not None and handover.other_node(theirs.config):
        return Verdict(f"the copy on {home} takes part in a move: {_MOVES}")
    claim = scene.record.get(name)
    newest = max(mine.generation, theirs.generation if theirs is not None and right else 0)
    if claim is not None and claim.generation > newest and not _allows(name, mine, home, claim, scene):
        return Verdict(newer(name, claim))
    if not right and not complete(mine):
        return Verdict(NEVER_COMPLETE)
    why = _answers(mine, scene)
    if why:
        return Verdict(why)
    known = max((copy.generation for copy in copies.values()), default=0)
    generation = safekeeping.lifted(max(known, newest, claim.generation if claim else 0))
    if claim is not None and claim.node == scene.here and claim.generation > max(known, newest):
        # Recorded by a start that was cut off before it promoted.
        generation = claim.generation
    return Verdict(generation=generation, refreshed_from=home if right else "")


def stay(name: str, mine: Found, scene: Scene) -> Verdict:
    """Whether the server here, which does not run, is to run here."""
    if handover.other_node(mine.config):
        return Verdict(f"it takes part in a move: {_MOVES}")
    copies = scene.elsewhere.of(name)
    why = _runs(copies) or _outdone(mine, copies) or _answers(mine, scene)
    if why:
        return Verdict(why)
    claim = scene.record.get(name)
    if claim is None or claim.generation <= mine.generation:
        return Verdict()
    if claim.node == scene.here:
        # Recorded by a start that was cut off before it wrote that on the copy.
        return Verdict(generation=claim.generation)
    if not _void(name, claim, scene):
        return Verdict(newer(name, claim))
    # The record has to tell of this copy from now on: at the next start the other node may be the one that is dead.
    return Verdict(generation=safekeeping.lifted(claim.generation))


def complete(replica: Found) -> bool:
    """Whether a replica has ever had all its server had. One that was brought back to a state bears what its server did
    until its own marks are written anew, and was complete in that state."""
    return replica.restored or (replica.whole and bool(safekeeping.copying(replica.config).refreshed))


def _runs(copies: Mapping[str, Found]) -> str:
    for node, copy in sorted(copies.items()):
        if not copy.stopped:
            return f"its copy on {node} is {copy.status.lower()}: if it is not to be, stop that one with incus"
    return ""


def _outdone(mine: Found, copies: Mapping[str, Found]) -> str:
    for node, copy in sorted(copies.items()):
        if copy.generation > mine.generation:
            return f"{node} has a newer copy of it (generation {copy.generation}, here {mine.generation})"
        if not copy.replica and copy.generation == mine.generation:
            return f"{node} has the server itself (generation {copy.generation})"
    return ""


def _allows(name: str, mine: Found, home: str, claim: Claim, scene: Scene) -> bool:
    """Whether a replica may be promoted although the claim is newer."""
    # Moved to the home since the replica was refreshed, but promoted nowhere: it is as old as any replica may be.
    only_moved = claim.node == home and claim.generation // safekeeping.LEAP == mine.generation // safekeeping.LEAP
    return claim.node == scene.here or only_moved or _void(name, claim, scene)


def _void(name: str, claim: Claim, scene: Scene) -> bool:
    copies = scene.elsewhere.of(name)
    if claim.node in copies:
        return copies[claim.node].generation < claim.generation
    return scene.elsewhere.complete and all(copy.generation < claim.generation for copy in copies.values())


def _answers(mine: Found, scene: Scene) -> str:
    if not scene.elsewhere.silent:
        return ""
    for address in safekeeping.guarded(mine.config).addresses:
        if address in scene.answering:
            silent = ", ".join(sorted(scene.elsewhere.silent))
            return f"{address} {scene.answering[address]}, and {silent} does not tell what it runs"
    return ""
