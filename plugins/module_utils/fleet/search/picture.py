# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A state shown as a layout again: with names, and so with the words, shares and rules made for layouts."""

from __future__ import annotations

from ..layout import Layout
from ..usage import Load
from .problem import CORES, DISKS, IO, MEMORY
from .state import State


def picture(state: State, known: Layout | None = None) -> Layout:
    """The layout of where everything is now; a server under way is shown where it comes from.

    ``known`` is a picture of the same fleet and guests, which saves the time to look at all of them again.

    Loads are the state's own, so a replica's room is on the backup the state has in mind, not on the
    node where it was observed.
    """
    problem = state.problem
    layout = known.copy() if known else Layout(problem.fleet, problem.observed)
    for i, name in enumerate(problem.servers):
        node = problem.nodes[state.at[i]]
        if layout.where[name] != node:
            size, pool = layout.size_of(name)
            layout.take(name)
            layout.put(name, node, size, pool)
    for j, name in enumerate(problem.nodes):
        load = state.load[j]
        pools = {pool: round(load[DISKS + at]) for at, pool in enumerate(problem.columns[DISKS:]) if load[DISKS + at]}
        layout.loads[name] = Load(
            limit=layout.loads[name].limit,
            cores=load[CORES],
            memory=round(load[MEMORY]),
            io=round(load[IO]),
            pools=pools,
            servers=len(state.here[j]) + problem.others[j],
        )
    return layout
