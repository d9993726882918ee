# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything there is to say about where one server is: every node, fit or not, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .backups import choose_backups
from .census import take_census
from .explain import table
from .fit import some
from .inventory.mistakes import Known
from .layout import Layout
from .model import Fleet, Observed, Server
from .placement import place
from .search.hindrance import Hindrances
from .search.objective import Objective
from .search.problem import DISKS, formulate
from .search.state import NOWHERE, State


def explain_server(fleet: Fleet, observed: Observed, name: str) -> str:
    """Where a server is and why there, and of every node whether it fits there and what it would do to the fleet.

    Raises ValueError, with the nearest name, for a server the inventory does not have.
    """
    if name not in fleet.servers:
        nearest = Known(fleet.servers).nearest(name, "none at all")
        raise ValueError(f"{name}: no such virtual server; there is {nearest}")
    server = fleet.servers[name]
    problem = formulate(fleet, observed)
    i = problem.server_index.get(name)
    if i is None:
        return "\n".join([_size_line(server), _absent(fleet, observed, server)])
    state = State(problem)
    choose_backups(state)
    state.protect()
    prospects = [_prospect(state, i, j, why) for j, why in enumerate(_obstacles(state, i))]
    return "\n".join(
        [
            _size_line(server),
            *_standing(state, i, prospects),
            "",
            *table(("node", "fits", "fullest with it", "balance", "N+1 gaps", "why"), _rows(state, i, prospects)),
        ]
    )


@dataclass(frozen=True, slots=True)
class _Prospect:
    """What would become of the fleet with the server on a node."""

    node: str
    why: str
    """Why it cannot be there; empty: it can."""
    here: bool
    fullest: str = ""
    """The node's fullest resource."""
    balance: float = 0.0
    gaps: int = 0
    violations: int = 0


def _obstacles(state: State, i: int) -> list[str]:
    view = Hindrances(state)
    return [view.why(i, j) for j in range(len(state.problem.nodes))]


def _prospect(state: State, i: int, j: int, why: str) -> _Prospect:
    name, here = state.problem.nodes[j], state.at[i] == j
    if why:
        return _Prospect(name, why, here)
    homes = [(member, state.at[member], state.backup[member]) for member in state.problem.units[i]]
    for member, home, _backup in homes:
        if home != j:
            state.move(member, j)
    found = _Prospect(
        name,
        "",
        here,
        _fullest(state, j),
        Objective(state.problem).balance(state),
        state.gaps(),
        state.violations(),
    )
    for member, home, backup in homes:
        if home != j:
            state.move(member, home, backup)
    return found


def _fullest(state: State, j: int) -> str:
    columns, load, limit = state.problem.columns, state.load[j], state.problem.limit[j]
    names = [column if c < DISKS else f"disk on {column}" for c, column in enumerate(columns)]
    shares = {name: load[c] / limit[c] for c, name in enumerate(names) if 0 < limit[c] < math.inf}
    if not shares:
        return ""
    fullest = max(("memory", *shares), key=lambda column: shares.get(column, 0.0))
    return f"{fullest} {shares[fullest]:.0%}" if fullest in shares else ""


def _size_line(server: Server) -> str:
    size = server.size
    io = f", io {size.io}" if size.io else ""
    return f"{server.name}: {size.cores:g} cores, {size.memory} MiB memory, {size.disk} MiB disk on {server.pool}{io}"


def _absent(fleet: Fleet, observed: Observed, server: Server) -> str:
    """Of a server that is nowhere, or nobody can tell where."""
    census = take_census(fleet, observed)
    if server.name in census.unclear:
        return census.unclear[server.name]
    for refusal in census.taken:
        if refusal.subject == server.name:
            return refusal.reason
    placement = place(fleet, observed, Layout(fleet, observed), [server])
    if placement.refusals:
        return f"does not exist yet, and could not be created: {placement.refusals[0].reason}"
    node = placement.nodes[server.name]
    return f"does not exist yet; would be created on {node}: {placement.reasons[server.name]}"


def _standing(state: State, i: int, prospects: Sequence[_Prospect]) -> list[str]:
    """Where it is, why it may be or may not, what moves with it, where it would run if its node died."""
    problem = state.problem
    wrong = Hindrances(state).here(i)
    lines = [f"is on {problem.nodes[state.at[i]]}" + ("" if wrong else _why_there(problem.server(i), prospects))]
    if wrong:
        lines.append(f"must not be there: {wrong}")
    if problem.stuck[i]:
        lines.append(f"cannot be moved now: {problem.stuck[i]}")
    tied = [problem.servers[other] for other in problem.units[i] if other != i]
    if tied:
        lines.append(f"moves together with {some(tied, 8)}, to which it is tied")
    lines.append(_backup_line(state, i))
    return lines


def _why_there(server: Server, prospects: Sequence[_Prospect]) -> str:
    if server.node:
        return ", pinned there"
    fitting = [prospect for prospect in prospects if not prospect.why]
    if len(fitting) == 1:
        return ", the only node that fits"
    here = next(prospect for prospect in prospects if prospect.here)
    best = min(fitting, key=lambda prospect: (round(prospect.balance, 6), not prospect.here))
    return f"; {'no other node' if best is here else best.node} would be better for the balance"


def _backup_line(state: State, i: int) -> str:
    problem = state.problem
    server, b = problem.server(i), state.backup[i]
    if not problem.failing_over[i]:
        why = "declared stopped" if server.state == "stopped" else f"vs_failover is {server.failover.mode}"
        return f"does not run elsewhere when its node dies ({why})"
    if b == NOWHERE:
        return "would run nowhere if its node died: no node can be its backup"
    if problem.backup[i] != b:
        source = "chosen as its backup, nothing is there yet"
    else:
        source = "its replica is there" if problem.replicated[i] else "its backup"
    return f"would run on {problem.nodes[b]} if its node died ({source})"


def _rows(state: State, i: int, prospects: Sequence[_Prospect]) -> list[tuple[str, ...]]:
    now = next(prospect for prospect in prospects if prospect.here)
    rows: list[tuple[str, ...]] = []
    for prospect in prospects:
        if prospect.why:
            rows.append((prospect.node, "no", "", "", "", prospect.why))
        elif prospect.here:
            rows.append((prospect.node, "is here", prospect.fullest, f"{now.balance:.3f}", str(now.gaps), ""))
        else:
            balance = f"{now.balance:.3f} → {prospect.balance:.3f}"
            gaps = str(now.gaps) if prospect.gaps == now.gaps else f"{now.gaps} → {prospect.gaps}"
            repaired = now.violations - prospect.violations
            words = [f"repairs {repaired} violation{'s' if repaired > 1 else ''}"] if repaired > 0 else []
            if state.problem.replicated[i] and prospect.node == _name(state, state.problem.backup[i]):
                words.append("its replica is there")
            rows.append((prospect.node, "yes", prospect.fullest, balance, gaps, "; ".join(words)))
    return rows


def _name(state: State, b: int) -> str:
    return "" if b == NOWHERE else state.problem.nodes[b]
