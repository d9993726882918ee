# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every goal there is: its name, what it may be told, and who plans it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..held import seen_to
from ..model import Fleet, Observed, Plan
from .balance import balance
from .capacity import capacity
from .converge import converge
from .dedicate import dedicate
from .drain import drain
from .failback import failback
from .failover import failover
from .migrate import migrate
from .options import (
    BalanceOptions,
    CapacityOptions,
    ConvergeOptions,
    DedicateOptions,
    DrainOptions,
    FailbackOptions,
    FailoverOptions,
    MigrateOptions,
    UndrainOptions,
)
from .undrain import undrain


@dataclass(frozen=True, slots=True)
class Goal:
    """``plan(fleet, observed, options)`` makes the plan; ``options`` is an instance of the class of that name."""

    name: str
    options: type[Any]
    plan: Callable[[Fleet, Observed, Any], Plan]
    paper: bool = False
    """It answers a question: its plan is read, and not carried out."""


GOALS: Mapping[str, Goal] = {
    goal.name: goal
    for goal in (
        Goal("converge", ConvergeOptions, seen_to(converge)),
        Goal("balance", BalanceOptions, seen_to(balance)),
        Goal("migrate", MigrateOptions, seen_to(migrate)),
        Goal("drain", DrainOptions, seen_to(drain)),
        Goal("undrain", UndrainOptions, seen_to(undrain)),
        Goal("failover", FailoverOptions, seen_to(failover)),
        Goal("failback", FailbackOptions, seen_to(failback)),
        Goal("capacity", CapacityOptions, capacity, paper=True),
        Goal("dedicate", DedicateOptions, seen_to(dedicate)),
    )
}
