# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planned anew after the loss of a node: who goes where, and then the rest evened out, in CPU seconds.

The fleet is where its plan has put it, and the node that carries most is silent. First the platform is asked what to
start where (goal failover). Then two fleets are balanced: the one nobody has started anything of yet, and the one whose
lost servers run on their backups.
"""

from __future__ import annotations

import time
from dataclasses import replace

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.balance import balance
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.failover import failover
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import (
    BalanceOptions,
    FailoverOptions,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Fleet,
    Observed,
    ObservedServer,
    Plan,
)

from . import ours
from .score import homes


def figures(fleet: Fleet, observed: Observed, plan: Plan) -> dict[str, object]:
    """CPU seconds of each of the three, and ``replan_seconds``: of the failover and of the balance after it."""
    _fleet, started = ours.without(fleet, observed, plan)
    lost = next(name for name, node in started.nodes.items() if node.reach != "online")
    waiting = _silent(observed, started, plan, lost)
    begin = time.process_time()
    failover(fleet, waiting, FailoverOptions((lost,)))
    found = time.process_time()
    balance(fleet, waiting, BalanceOptions())
    evened = time.process_time()
    balance(fleet, started, BalanceOptions())
    end = time.process_time()
    return {
        "replan_seconds": round(found - begin + end - evened, 3),
        "replan_failover_seconds": round(found - begin, 3),
        "replan_silent_seconds": round(evened - found, 3),
    }


def _silent(observed: Observed, started: Observed, plan: Plan, lost: str) -> Observed:
    """The fleet as planned, with the node silent and everything it carried of unknown state."""
    where = {**homes(observed), **plan.placement}

    def now(guest: ObservedServer) -> ObservedServer:
        if guest.fleet:
            guest = replace(guest, node=plan.backups[guest.name] if guest.role == "replica" else where[guest.name])
        return replace(guest, state="unknown") if guest.node == lost else guest

    return replace(observed, nodes=started.nodes, servers=tuple(map(now, observed.servers)))
