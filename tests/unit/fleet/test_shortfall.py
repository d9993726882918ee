# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drain that the totals alone forbid is refused with the totals, in fleets too large to try placements out."""

from __future__ import annotations

import fleets as b
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.drain import drain
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import DrainOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Fleet, Observed, Plan, Size
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.search.problem import formulate
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.shortfall import find_shortfall

PIECE = Size(cores=0.1, memory=1024, disk=1)


def rows(nodes: int = 20, each: int = 7, memory: int = 8700, **facts: object) -> tuple[Fleet, Observed]:
    """Equal nodes with equally many equal servers; ``facts``: of the servers."""
    declared = [b.node(f"n{number:02}", site="a" if number < nodes // 2 else "b") for number in range(nodes)]
    servers, guests = [], []
    for number, node in enumerate(declared):
        for other in range(each):
            servers.append(b.server(f"s{number:02}{other}", size=PIECE, **facts))
            guests.append(b.guest(servers[-1], node.name))
    return b.fleet(declared, servers), b.observed([b.seen(n.name, cores=64, memory=memory) for n in declared], guests)


def drained(situation: tuple[Fleet, Observed], *nodes: str, partial: bool = False) -> Plan:
    return drain(*situation, DrainOptions(nodes, partial=partial))


def test_the_totals_are_the_conflict():
    (refusal,) = drained(rows(), "n00", "n01", "n02").refusals
    assert refusal.subject == "n00, n01, n02"
    # Eight servers of 1024 MiB go on a node of 8700: 17 nodes carry 136 of 140.
    assert refusal.reason == (
        "cannot be empty: 140 servers take 143360 MiB of memory together, and the nodes left for them have 139264 MiB "
        "of memory, counted in pieces of 1024; at least 4 would have to stay"
    )
    assert refusal.conflict == (
        "n00 is to be empty",
        "n01 is to be empty",
        "n02 is to be empty",
        "s000, s001, s002 and 134 more take 140288 MiB of memory together",
        "n03, n04, n05 and 14 more have 139264 MiB of memory together, counted in pieces of 1024",
    )


def test_no_wish_is_in_it_that_is_not_needed():
    (refusal,) = drained(rows(), "n00", "n01", "n02", "n03").refusals
    assert refusal.conflict[:4] == (
        "n00 is to be empty",
        "n01 is to be empty",
        "n02 is to be empty",
        "s000, s001, s002 and 134 more take 140288 MiB of memory together",
    )


def test_many_wishes_take_one_line():
    (refusal,) = drained(rows(), *(f"n{number:02}" for number in range(19))).refusals
    assert refusal.conflict[:3] == ("n00 is to be empty", "n01 is to be empty", "n02 is to be empty")
    (refusal,) = drained(rows(each=3), *(f"n{number:02}" for number in range(15))).refusals
    assert refusal.conflict[0] == "n00, n01, n02 and 10 more are to be empty"


def test_what_just_fits_is_done():
    plan = drained(rows(), "n00", "n01")
    assert not plan.refusals
    assert len([step for step in plan.steps if step.action == "move"]) == 14


def test_servers_of_a_site_are_counted_with_its_nodes():
    fleet, observed = rows()
    sited = {name: b.server(name, size=PIECE, site="a") if name < "s10" else s for name, s in fleet.servers.items()}
    short = b.fleet(fleet.nodes.values(), sited.values())
    (refusal,) = drained((short, observed), "n00", "n01").refusals
    assert "70 servers take" in refusal.reason
    assert "at least 6 would have to stay" in refusal.reason


def test_a_pinned_server_is_nobody_s_total():
    fleet, observed = rows(each=4)
    pinned = [b.server(name, size=PIECE, node=f"n{name[1:3]}") for name in fleet.servers]
    problem = formulate(b.fleet(fleet.nodes.values(), pinned), observed)
    assert find_shortfall(problem, range(19)) is None


def test_in_a_large_fleet_a_pin_is_found_before_anything_is_searched():
    fleet, observed = rows(each=4)
    servers = [b.server(name, size=PIECE, node="n00" if name == "s001" else "") for name in fleet.servers]
    (refusal,) = drained((b.fleet(fleet.nodes.values(), servers), observed), "n00", "n01").refusals
    assert refusal.subject == "s001"
    assert refusal.conflict == ("n00 is to be empty", "s001 is pinned to n00")
    assert "no way to move others aside" not in refusal.reason


def test_a_node_that_is_overfull_may_stay_so():
    problem = formulate(*rows(memory=1024))
    assert find_shortfall(problem, ()) is None
    assert find_shortfall(problem, (0,)) is not None


def test_part_of_it_is_still_done_where_that_is_wanted():
    plan = drained(rows(), "n00", "n01", "n02", partial=True)
    moved = [step.server for step in plan.steps if step.action == "move"]
    assert len(moved) == 17
    assert len([note for note in plan.notes if " stays: " in note]) == 4


def test_large_numbers_are_written_out():
    nodes = rows(each=60, memory=1 << 20)
    (refusal,) = drained(
        (nodes[0], b.observed([b.seen(n, memory=61_440, disk=1 << 21) for n in nodes[0].nodes], nodes[1].servers)),
        "n00",
    ).refusals
    assert "e+" not in refusal.reason + "".join(refusal.conflict)
    assert "1228800 MiB" in refusal.reason
