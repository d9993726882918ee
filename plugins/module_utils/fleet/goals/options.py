# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each goal may be told, beyond the inventory. Names are those of the playbooks' variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ConvergeOptions:
    """Every declared server exists, has its size, and runs or rests as declared."""

    prune: frozenset[str] = frozenset()
    """Undeclared servers of ours to delete; ``{"all"}``: every one."""
    restart: bool = False
    """Running servers may be restarted where a change needs it."""


@dataclass(frozen=True, slots=True)
class BalanceOptions:
    """Spread the load with the fewest, cheapest moves."""

    measured: float = 0.0
    """How much measured use counts: 0 declared sizes alone, 1 measured use alone. What fits is always a
    matter of declared sizes."""
    max_moves: int | None = None
    min_gain: float | None = None
    """Least improvement of the balance one move has to bring; ``None``: chosen from the size of the fleet."""
    target: float | None = None
    """Stop as soon as the balance is this good; ``None``: go on while moves pay."""
    ignore: frozenset[str] = frozenset()
    """Servers that stay where they are."""
    time_limit: float | None = None
    """Seconds to look for a better plan; the best found so far is the answer. 0: the first one. ``None``: as long as it
    takes to try as much as usual, whatever the clock says, so that the plan is the same everywhere."""


@dataclass(frozen=True, slots=True)
class MigrateOptions:
    """Named servers to a named node, or each to the best one."""

    servers: tuple[str, ...] = ()
    node: str = ""
    """Empty: the best node other than the one it is on."""


@dataclass(frozen=True, slots=True)
class DrainOptions:
    """Nodes empty, and closed to newcomers until they are undrained."""

    nodes: tuple[str, ...] = ()
    failure_domain: str = ""
    partial: bool = False
    """Move what can move even where something has to stay; without it nothing is begun then."""


@dataclass(frozen=True, slots=True)
class UndrainOptions:
    """Nodes back in service. ``balance`` brings them load again."""

    nodes: tuple[str, ...] = ()
    failure_domain: str = ""


@dataclass(frozen=True, slots=True)
class DedicateOptions:
    """A node for some servers, and everybody else off it."""

    node: str
    servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FailoverOptions:
    """What these nodes carried runs on its backups, once they are known to be dead; on paper also while they live."""

    nodes: tuple[str, ...] = ()
    failure_domain: str = ""
    dead: tuple[str, ...] = ()
    """Nodes a person says are off."""
    sure: tuple[str, ...] = ()
    """The same said a second time: both together are believed."""
    fenced: tuple[str, ...] = ()
    """Nodes whose power was seen off; for the playbook, which cuts it."""
    by_hand: bool = False
    """Start what the platform should have started by itself as well."""


@dataclass(frozen=True, slots=True)
class FailbackOptions:
    """Servers that a failover sent away are home again."""

    nodes: tuple[str, ...] = ()
    """Homes to go back to; empty: all."""
    to: Literal["home", "best"] = "home"
    """``best``: who would break something at home, or has it better where it is, stays."""
    hold: float = 300.0
    """Seconds a node has to have been up before anything goes back to it."""


@dataclass(frozen=True, slots=True)
class CapacityOptions:
    """How many more servers of a class fit, and what is missing for ``wanted`` of them."""

    class_name: str
    survive: Literal["nothing", "node", "failure_domain"] = "node"
    """What may still die, with everything running afterwards."""
    wanted: int = 0
