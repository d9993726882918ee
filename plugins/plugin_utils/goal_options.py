# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of goals, shared by every action that takes a goal. They are made from the goals' own options classes,
so that a goal that is registered can be asked for; what they mean is told in the documentation of plan and apply."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ansible.errors import AnsibleActionFail

from ..module_utils.fleet.goals.registry import GOALS, Goal
from ..module_utils.fleet.model import Fleet, Observed, Plan
from .host_patterns import Inventory

PAPER = frozenset(name for name, goal in GOALS.items() if goal.paper)
"""Goals that answer a question: their plans are read, and not carried out."""
_SERVERS, _NODES = ("servers", "ignore"), ("nodes",)
"""Options that take host patterns."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A goal, and what it is told."""

    goal: Goal
    options: Any

    @property
    def measure(self) -> bool:
        """Whether what servers really take has to be looked at."""
        return bool(getattr(self.options, "measured", 0.0))

    def plan(self, fleet: Fleet, observed: Observed) -> Plan:
        """How to get there."""
        return self.goal.plan(fleet, observed, self.options)


def goal_options(goals: Sequence[str]) -> dict[str, Any]:
    """The argument specification: which goal, and every option any of them takes."""
    found: dict[str, Any] = {"goal": {"type": "str", "choices": list(goals), "default": "converge"}}
    for goal in goals:
        hints = get_type_hints(GOALS[goal].options)
        found |= {field.name: _specification(hints[field.name]) for field in fields(GOALS[goal].options)}
    return found


def wish(given: Mapping[str, Any], inventory: Inventory) -> Wish:
    """What a task asks for.

    Raises AnsibleActionFail for options that are not its goal's, are missing, or name nobody.
    """
    goal = GOALS[given["goal"]]
    taken = {field.name: field for field in fields(goal.options)}
    every = {field.name for each in GOALS.values() for field in fields(each.options)}
    stray = sorted(name for name in every - set(taken) if given.get(name) is not None)
    if stray:
        accepted = f"it takes {', '.join(taken)}" if taken else "it takes no options"
        raise AnsibleActionFail(f"goal {goal.name} does not take {', '.join(stray)}; {accepted}")
    missing = [name for name, field in taken.items() if field.default is MISSING and not given.get(name)]
    if missing:
        raise AnsibleActionFail(f"goal {goal.name} needs {', '.join(missing)}")
    hints = get_type_hints(goal.options)
    told = {
        name: _plain(hints[name], _resolved(name, given[name], inventory))
        for name in taken
        if given.get(name) is not None
    }
    return Wish(goal, goal.options(**told))


def _resolved(name: str, value: Any, inventory: Inventory) -> Any:
    if name in _SERVERS:
        return inventory.servers(value, name)
    if name in _NODES:
        return inventory.nodes(value, name)
    return value


def _specification(hint: Any) -> dict[str, Any]:
    """An annotation as Ansible's argument specification has it. None stands for "not told"."""
    hint = _given(hint)
    if get_origin(hint) in (tuple, frozenset):
        return {"type": "list", "elements": "str"}
    if get_origin(hint) is Literal:
        return {"type": "str", "choices": list(get_args(hint))}
    return {"type": hint.__name__}


def _plain(hint: Any, value: Any) -> Any:
    kind = get_origin(_given(hint)) or _given(hint)
    return kind(value) if kind in (tuple, frozenset) else value


def _given(hint: Any) -> Any:
    """``int`` of ``int | None``."""
    if get_origin(hint) in (types.UnionType, Union):
        return next(each for each in get_args(hint) if each is not type(None))
    return hint
