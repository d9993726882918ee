# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a conflict one, and is every fact in it needed? Its lines are read as a person would, and all placements tried.

Nothing else holds but what the lines say. A server may stay where it is, whatever keeps newcomers off that node,
unless it was asked away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import product

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet

Placement = Mapping[str, str]
Holds = Callable[[Placement], bool]

ASKED = re.compile(r"(\S+) is asked onto (\S+)")
EMPTY = re.compile(r"(\S+) is to be empty")
PINNED = re.compile(r"(\S+) is pinned to (\S+)")
SITE = re.compile(r"(\S+) belongs in site (\S+)")
DEVICE = re.compile(r"(\S+) needs device (\S+), which .* ha(?:s|ve)")
CLOSED = re.compile(r"(\S+) (?:is drained|is in maintenance|does not answer.*)")
KEPT = re.compile(r"(\S+) is dedicated to (.*)")
PRESENT = re.compile(r"(\S+) has to be somewhere")
TAKES = re.compile(r"(\S+) takes (\d+) MiB of memory")
ROOM = re.compile(r"(\S+) has (\d+) MiB of memory")


def smallest(fleet: Fleet, home: Placement, facts: Sequence[str]) -> bool | None:
    """Whether the facts cannot all hold, and can without any one of them; None where a line says something else."""
    matches = [_read(fact) for fact in facts]
    if None in matches:
        return None
    nodes = [name for name, node in fleet.nodes.items() if not node.witness]
    if len(nodes) ** len(_servers(fleet, facts)) > 20_000:
        return None

    def possible(kept: Sequence[str]) -> bool:
        servers, tests = _servers(fleet, kept), _tests(fleet, home, kept)
        every = (dict(zip(servers, places, strict=True)) for places in product(nodes, repeat=len(servers)))
        return any(all(test(placement) for test in tests) for placement in every)

    return not possible(facts) and all(possible([f for f in facts if f != fact]) for fact in facts)


def _servers(fleet: Fleet, facts: Sequence[str]) -> list[str]:
    """Servers that have to be somewhere, since a fact is about them."""
    return sorted({name for fact in facts if (name := fact.split(" ", 1)[0]) in fleet.servers})


def _read(fact: str) -> re.Match[str] | None:
    patterns = (ASKED, EMPTY, PINNED, SITE, DEVICE, CLOSED, KEPT, PRESENT, TAKES, ROOM)
    return next((match for pattern in patterns if (match := pattern.fullmatch(fact))), None)


def _tests(fleet: Fleet, home: Placement, facts: Sequence[str]) -> list[Holds]:
    sizes = {m[1]: int(m[2]) for fact in facts if (m := TAKES.fullmatch(fact))}
    return [test for fact in facts if (test := _test(fleet, home, fact, sizes))]


def _test(fleet: Fleet, home: Placement, fact: str, sizes: Mapping[str, int]) -> Holds | None:
    match = _read(fact)
    assert match is not None
    pattern, one = match.re, match[1]
    if pattern is ASKED:
        return lambda at: at[one] == match[2]
    if pattern is EMPTY:
        return lambda at: one not in at.values()
    if pattern is ROOM:
        return lambda at: sum(size for name, size in sizes.items() if at[name] == one) <= int(match[2])
    if pattern is CLOSED:
        return lambda at: all(node != one or home.get(name) == one for name, node in at.items())
    if pattern is KEPT:
        kept = fleet.nodes[one].dedicated
        return lambda at: all(node != one or name in kept or home.get(name) == one for name, node in at.items())
    fits: dict[re.Pattern[str], Callable[[str], bool]] = {
        PINNED: lambda node: node == match[2],
        SITE: lambda node: fleet.nodes[node].site == match[2],
        DEVICE: lambda node: match[2] in fleet.nodes[node].devices,
    }
    if pattern in fits:
        return lambda at: at[one] == home.get(one) or fits[pattern](at[one])
    return None
