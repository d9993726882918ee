# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a node dead? Silence does not prove it: what only cannot be reached goes on running its servers.

A node is taken for dead when its power was seen off (``fenced``), or when a person says so twice, in two options, which
nobody writes by mistake. One that answers is alive whatever anybody says.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..model import Fleet, Observed, Refusal
from .asked import quorum
from .options import FailoverOptions


def conditions(fleet: Fleet, observed: Observed, options: FailoverOptions, names: Iterable[str]) -> tuple[Refusal, ...]:
    """What has to be seen to before anything that these nodes carried may be started elsewhere."""
    return (*quorum(fleet, observed), *_able(fleet, observed), *_dead(fleet, observed, options, names))


def _able(fleet: Fleet, observed: Observed) -> tuple[Refusal, ...]:
    """Why nobody can do it from here; empty where the platform makes replicas servers when it is told to."""
    if observed.abilities.promotes:
        return ()
    why = (
        "no call of the platform's API takes over servers of a dead node. Those with vs_failover: auto its HA manager "
        "starts by itself; those with manual are taken over on a node that is alive, in a cluster that has its quorum, "
        "once the dead one is certainly off: mv /etc/pve/nodes/DEAD/lxc/VMID.conf /etc/pve/nodes/BACKUP/lxc/ "
        "(VMs: qemu-server), then site starts them"
    )
    return (Refusal(fleet.name, why),)


def _dead(fleet: Fleet, observed: Observed, options: FailoverOptions, names: Iterable[str]) -> list[Refusal]:
    found = []
    for name in names:
        seen = observed.nodes.get(name)
        if seen is not None and seen.reach == "online":
            found.append(
                Refusal(name, "answers, so it is alive: drain empties it; drill tries what its death would do")
            )
        elif name not in options.fenced and not {name} <= {*options.dead} & {*options.sure}:
            found.append(Refusal(name, _doubt(fleet, options, name)))
    return found


def _doubt(fleet: Fleet, options: FailoverOptions, name: str) -> str:
    """What is missing for a silent node to be taken for dead."""
    if name in options.dead or name in options.sure:
        other = "failover_sure" if name in options.dead else "failover_dead"
        return f"is told to be dead once; told a second time, with {other}={name}, that is believed"
    fence = fleet.nodes[name].fence
    power = (
        f"its power ({fence.agent}) was not seen off"
        if fence
        else "the inventory has no way to cut its power (node_fence)"
    )
    return (
        f"does not answer, which does not prove that it runs nothing any more, and {power}. If you have seen to it "
        f"yourself that it is off, and stays so: -e failover_dead={name} -e failover_sure={name}"
    )
