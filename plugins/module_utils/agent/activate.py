# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live peers told to take over from servers whose node is dead, and to hand back when those serve again."""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from .. import readiness
from ..engine.base import EngineError, Refused
from ..engine.incus import activation, safekeeping
from ..engine.incus.activation import Peer
from ..engine.incus.guests import Found
from . import memory, survivors
from .launch import Deadline, Turn, in_turn
from .work import Work

_BOUND = 60.0
"""Seconds a peer is asked again before a person has to."""
_ANSWER = 5.0
_AGAIN = 1.0


@contextmanager
def beside(work: Work) -> Iterator[None]:
    """While the pair is started on its backup, the peers of the home's servers are called: neither waits for the
    other."""
    if work.here == work.pair.home:
        _note(work)
        yield
        return
    with ThreadPoolExecutor(max_workers=1) as pool:
        calling = pool.submit(_take_over, work)
        yield
        try:
            calling.result()
        except EngineError as error:
            # The others have been started: that is no reason to call the whole start failed.
            work.named["peers"] = f"not called: {error}"
            sys.stderr.write(f"peers not called: {error}\n")


def _take_over(work: Work) -> None:
    client, fleet = work.guests.client, work.settings.fleet.name
    book = work.insist(lambda: activation.read(client, fleet))
    due = {name: peer for name, peer in book.items() if peer.home == work.pair.home and not peer.activated}
    if not due:
        _note(work, book)
        return
    members = survivors.members() if work.settings.protects else None
    there = survivors.ask(work.settings, members, also=(work.pair.home,))
    still = {name for name in due if any(not copy.stopped for copy in there.of(name).values())}
    for name in sorted(still):
        work.tell(name, "its peer was not called: it runs elsewhere")
    bound = Deadline(min(_BOUND, work.deadline.left))
    turns = [Turn(name) for name in due if name not in still]
    failed = in_turn(turns, lambda name: _insist(work, name, due[name].activate_url, bound), work.deadline)
    for name, why in failed.items():
        work.tell(name, f"its peer was not told to take over: {why}")
    told = {turn.name for turn in turns} - failed.keys()
    _write(work, {name: time.time() for name in told})


def hand_back(work: Work) -> None:
    """Tell peers that the servers they took over from serve again; asked at each look, while there is one to tell."""
    if not memory.ACTIVATED.exists():
        return
    home = work.pair.backup if work.here == work.pair.home else work.pair.home
    try:
        book = activation.read(work.guests.client, work.settings.fleet.name)
        waiting = {name: peer for name, peer in book.items() if peer.activated and peer.home == home}
        if waiting:
            there = survivors.ask(work.settings, survivors.members() if work.settings.protects else None, also=(home,))
            back = {name: peer for name, peer in waiting.items() if _serves(there.of(name).get(home))}
            bound = Deadline(_ANSWER)
            turns = [Turn(name) for name, peer in back.items() if peer.deactivate_url]
            failed = in_turn(turns, lambda name: _insist(work, name, back[name].deactivate_url, bound), work.deadline)
            for name, why in failed.items():
                work.tell(name, f"its peer was not told to hand back: {why}")
            _write(work, dict.fromkeys(back.keys() - failed.keys(), 0.0))
        else:
            _note(work, book)
    except EngineError as error:
        sys.stderr.write(f"{error}\n")


def _serves(found: Found | None) -> bool:
    if found is None or found.replica or not found.running:
        return False
    guarded = safekeeping.guarded(found.config)
    address = guarded.addresses[0] if guarded.addresses else ""
    return not any(readiness.ask(check, address) for check in guarded.checks)


def _insist(work: Work, name: str, url: str, bound: Deadline) -> None:
    """Ask until the peer agrees. To be told twice does it no harm: it may have done what it did not answer to."""
    while True:
        answer = _post(url)
        if not answer:
            return
        if bound.left <= _AGAIN:
            raise Refused(work.here, f"call the peer of {name}", f"{url}: {answer}", "call it by hand")
        time.sleep(_AGAIN)


def _post(url: str) -> str:
    """Empty: it agreed (2xx); otherwise what came instead."""
    request = urllib.request.Request(url, data=b"", method="POST")  # noqa: S310 - the inventory takes http(s) only
    try:
        with urllib.request.build_opener().open(request, timeout=_ANSWER) as response:
            status: int = response.status
    except urllib.error.HTTPError as error:
        return f"status {error.code}"
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error)) or type(error).__name__
    return "" if 200 <= status < 300 else f"status {status}"


def _write(work: Work, activated: Mapping[str, float]) -> None:
    """Note when peers were told to take over; 0: that they were told to hand back."""

    def wanted(book: dict[str, Peer]) -> dict[str, Peer]:
        written = {
            name: replace(peer, activated=activated[name]) if name in activated else peer for name, peer in book.items()
        }
        _note(work, written)
        return written

    work.insist(lambda: activation.change(work.guests.client, work.settings.fleet.name, wanted))


def _note(work: Work, book: Mapping[str, Peer] | None = None) -> None:
    """Whether looks have to ask for servers that are back. In memory, so a node that boots reads it anew."""
    if book is None:
        book = work.insist(lambda: activation.read(work.guests.client, work.settings.fleet.name))
    if any(peer.activated for peer in book.values()):
        memory.ACTIVATED.parent.mkdir(parents=True, exist_ok=True)
        memory.ACTIVATED.touch()
        memory.WELL.unlink(missing_ok=True)
    else:
        memory.ACTIVATED.unlink(missing_ok=True)
