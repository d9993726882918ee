# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A replica made the server, because the node that carried it is certainly dead. It is started separately.

Who promotes has made certain of that: nothing here can tell a dead node from one that only does not answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..base import EngineError, Refused
from . import handover, safekeeping, snapshots
from .client import Client, Missing
from .guest import MARK
from .guests import Found, Guests, path_of
from .several import ask_all


@dataclass(frozen=True, slots=True)
class Promoted:
    """A server as it is after its promotion."""

    name: str
    generation: int
    refreshed: float
    """The moment its data is of, seconds since the epoch; 0: it was promoted before, and nobody can tell any more."""
    torn: bool = False
    """A refresh was cut off by the death of its node: files that it brought are newer than that, others are not."""

    @property
    def words(self) -> str:
        """What a person has to know of it; empty: nothing."""
        return "its last refresh was cut off half way: what it was about to bring is there in part" if self.torn else ""


def promote(here: Guests, name: str, dead: str, generation: int, *, seconds: float = 0.0) -> Promoted:
    """Make the replica here the server, which was on ``dead``; ``generation`` outdoes all copies known of.

    Two requests; some more where a refresh was cut off: its end is waited for, at most ``seconds`` or
    ``Limits.operation``. It comes as soon as the connections to the dead node end. Where the pool keeps it, the state
    before that refresh is brought back. Done already: success. Raises
    Refused, and changes nothing, for a replica that was never complete, and for a copy that is an older server.
    """
    attempt = f"promote the replica of {name} on {here.client.node}"
    found = here.need(name, attempt)
    if _is_done(here, found, generation, attempt):
        return Promoted(name, found.generation, 0.0)
    torn = bool(found.config.get(safekeeping.REFRESHING))
    if torn:
        here.settle(name, attempt, seconds=seconds)
        if _went_back(here, name, dead, generation, attempt):
            return Promoted(name, generation, safekeeping.copying(found.config).refreshed)

    def keys(replica: Found) -> Mapping[str, str]:
        done = _is_done(here, replica, generation, attempt)
        return {} if done else _promotion(here, replica, dead, generation)

    before = here.mark(name, attempt, keys)
    return Promoted(name, generation, safekeeping.copying(before.config).refreshed, torn)


def _promotion(here: Guests, replica: Found, dead: str, generation: int) -> dict[str, str]:
    marks = handover.promoted(generation, handover.autostart(replica.config))
    return marks | safekeeping.rescued(replica.config, here.client.node, dead)


def _went_back(here: Guests, name: str, dead: str, generation: int, attempt: str) -> bool:
    """Where its pool keeps the state before a refresh that was cut off: promoted with that."""
    found = here.need(name, attempt)
    state = found.config.get(safekeeping.STATE, "")
    if not state or _is_done(here, found, generation, attempt):
        return False
    return snapshots.go_back(here, name, state, _promotion(here, found, dead, generation), attempt)


def _is_done(here: Guests, found: Found, generation: int, attempt: str) -> bool:
    """Whether it is the server already. Raises Refused where it cannot become that."""
    if not found.replica:
        if found.generation >= generation:
            return True
        words = f"the copy there is no replica, but a server of generation {found.generation}"
        raise Refused(here.client.node, attempt, words, "find out which copy is right")
    if not found.whole or not (found.restored or safekeeping.copying(found.config).refreshed):
        words = "the replica there was never complete"
        raise Refused(here.client.node, attempt, words, "nothing here can be started; restore a backup")
    return False


def promote_by_hand(here: Guests, name: str, lost: Collection[str], others: Iterable[Client]) -> Promoted:
    """The same, after asking every node of ``others``, which are not lost, whether it has a copy that is right instead.

    One request per node more.
    """
    attempt = f"promote the replica of {name} on {here.client.node}"
    mine = here.need(name, attempt)
    if mine.config.get(safekeeping.SYNC):
        words = "its disk is in step with another node's, and only the cluster knows which of the two has every write"
        raise Refused(here.client.node, attempt, words, "have Pacemaker start it: crm_mon tells what it waits for")
    known = mine.generation
    for node, answer in ask_all(others, lambda client: _ask(client, here, name, attempt)).items():
        if isinstance(answer, EngineError) or answer is None:
            continue
        known = max(known, answer.generation)
        if mine.replica and not answer.replica:
            words = (
                f"{node} has a copy that calls itself primary ({answer.status.lower()}, generation {answer.generation})"
            )
            raise Refused(here.client.node, attempt, words, "move it from there, or find out which copy is right")
    dead = safekeeping.carrier(mine.config, lost)
    return promote(here, name, dead, safekeeping.lifted(known) if mine.replica else mine.generation)


def _ask(client: Client, here: Guests, name: str, attempt: str) -> Found | None:
    """A node's copy of the server, if it is this fleet's; others' guests of that name tell nothing."""
    try:
        raw: dict[str, Any] = client.get(path_of(name), attempt).metadata
    except Missing:
        return None
    ours = (raw.get("config") or {}).get(f"{MARK}fleet", "") == here.fleet.name
    return Found(raw, "", client.node) if ours else None
