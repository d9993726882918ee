# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard-agent pair ACTION``: what Pacemaker's resource agent ``ocf:switchyard:pair`` asks of one pair of nodes.

The exit status is what OCF wants; the reason of a failure is written so that Pacemaker shows it to people.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace

from ..cluster.pairs import Pair
from ..engine.base import EngineError
from ..engine.incus.guests import Guests
from . import activate, home, memory, watch
from .hurried import Hurried
from .launch import Deadline
from .rescue import Rescue
from .settings import Settings
from .work import Work

OK, FAILED, MISCONFIGURED, NOT_RUNNING = 0, 1, 6, 7
_ASKS = ("start", "validate")
"""Actions that need a pair of the fleet's. One of a node that has left it is stopped all the same: a pair that does not
stop costs its node."""
_SPARE = 3.0
"""Seconds before Pacemaker's timeout at which we want to have said how it went."""
_OPERATION = 60.0
"""Seconds one server's start or stop may take: the others do not wait for one that hangs."""


def arguments(_command: str, parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("action", choices=["start", "stop", "monitor", "validate"])
    parser.add_argument("--home", required=True, help="the node that carries the servers")
    parser.add_argument("--backup", required=True, help="the node that starts them when that is dead")
    parser.add_argument("--seconds", type=float, default=60.0, help="time there is (default: %(default)s)")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Carry out one action; its OCF exit status."""
    pair = Pair(options.home, options.backup)
    wrong = mistake(settings, pair) if options.action in _ASKS else ""
    if wrong:
        return _reason(wrong, MISCONFIGURED)
    if options.action == "validate":
        return OK
    began = Deadline(max(options.seconds - _SPARE, 1.0))
    usual = settings.fleet.limits
    operation = max(_OPERATION, usual.stop + _SPARE)
    client = settings.clients([settings.here], replace(usual, connect=2.0, request=15.0, operation=operation))
    here = client[settings.here]
    try:
        fleet = replace(settings.fleet, limits=here.limits)
        guests = Hurried(fleet, here, began) if options.action == "monitor" else Guests(fleet, here)
        return _act(options.action, Work(settings, pair, guests, began))
    except EngineError as error:
        return _reason(str(error), FAILED)
    except OSError as error:
        words = f"{error}: see that {memory.FOLDER} can be written"
        if options.action != "monitor":
            return _reason(words, FAILED)
        # To fail here would be to stop servers that run.
        sys.stderr.write(f"{words}\n")
        return OK
    finally:
        here.close()


def _act(action: str, work: Work) -> int:
    pair = work.pair
    path = memory.path_of(pair.home, pair.backup)
    if action == "monitor":
        return watch.look(work, path)
    with memory.hands_on(pair.home, pair.backup, work.deadline.left) as free:
        if not free:
            raise EngineError(work.here, f"{action} the pair", "an earlier action on the same two nodes goes on")
        if action == "stop":
            home.stop(work)
            memory.forget(path)
            return OK
        # From here on the pair is this node's, whatever becomes of this process: it has to be stopped to be another's.
        memory.store(path, memory.Memory(time.time()), work.settings.fleet.name)
        _start(work)
        memory.keep(path, memory.Memory(time.time(), named=work.named), work.settings.fleet.name)
    return OK


def _start(work: Work) -> None:
    with activate.beside(work):
        if work.here == work.pair.home:
            home.start(work)
        else:
            Rescue(work)()


def mistake(settings: Settings, pair: Pair) -> str:
    """Why two nodes cannot be a pair here; empty: they can. Pure."""
    if pair.home == pair.backup:
        return f"home and backup are both {pair.home}"
    for role, node in (("home", pair.home), ("backup", pair.backup)):
        if node not in settings.fleet.nodes or settings.fleet.nodes[node].witness:
            return f"{role}: {node} is no node of the fleet {settings.fleet.name} that carries servers"
    if settings.here not in (pair.home, pair.backup):
        return f"{settings.here} is neither of {pair.home} and {pair.backup}"
    return ""


def _reason(words: str, status: int) -> int:
    sys.stderr.write(f"ocf-exit-reason:{words}\n")
    return status
