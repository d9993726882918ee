# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans that cannot be carried out are found out."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Fleet,
    Observed,
    Plan,
    Step,
    Survival,
)
from planning import check, hbal_format, loss

CLUSTER = """\
g|g|preferred|

a|1000|0|200|1000|400|10|N|g
b|1000|0|500|1000|500|10|N|g
c|1000|0|1000|1000|1000|10|N|g

big|500|300|1|running|Y|a||ext|x:1
small|300|300|1|running|Y|a||ext|
pinned|200|200|1|running|N|b||ext|x:1
other|300|300|1|running|Y|b||ext|

htools:iextags:x
"""


def move(server: str, source: str, node: str, *needs: str, manner: str = "live") -> Step:
    """One move."""
    return Step(f"move/{server}@{node}", "move", node=node, server=server, source=source, needs=needs, manner=manner)  # type: ignore[arg-type]


def faults(*steps: Step, placement: Mapping[str, str] | None = None) -> list[str]:
    """What is wrong with these steps on the cluster."""
    fleet, observed = hbal_format.read(CLUSTER)
    return check.faults(fleet, observed, Plan("balance", steps, "", placement=placement or {}))


def test_a_plan_that_can_be_carried_out_has_no_faults() -> None:
    assert faults(move("big", "a", "c"), move("other", "b", "a", "move/big@c"), placement={"big": "c"}) == []


def test_a_server_counts_on_both_nodes_of_its_wave() -> None:
    # Only once big has left is there room for other.
    assert faults(move("big", "a", "c"), move("other", "b", "a")) == ["wave 1: a promises 1100 of 1000 memory"]


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ((move("big", "a", "b"),), "has to be apart"),
        ((move("big", "b", "c"),), "but the server is on a"),
        ((move("pinned", "b", "c"),), "is pinned"),
        ((move("big", "a", "c"), move("small", "a", "b")), "ends on c, not on a"),
    ],
)
def test_a_fault_is_named(steps: tuple[Step, ...], fault: str) -> None:
    assert any(fault in found for found in faults(*steps, placement={"big": "a"}))


def test_no_schedule_is_shorter_than_what_its_busiest_node_takes() -> None:
    fleet, _observed = hbal_format.read(CLUSTER)
    steps = (move("big", "a", "c"), move("small", "a", "c"), move("other", "b", "c"))
    assert check.fewest_waves(fleet, Plan("balance", steps, "")) == 3
    assert [len(wave) for wave in check.moves(Plan("balance", steps, ""))] == [3]


def test_a_server_that_goes_to_its_replica_takes_no_more_disk() -> None:
    fleet, observed = switched()
    steps = (move("big", "a", "c", manner="switch"), move("big", "c", "a", "move/big@c", manner="switch"))
    assert check.faults(fleet, observed, Plan("balance", steps, "")) == []


def switched() -> tuple[Fleet, Observed]:
    """The cluster with a replica of one server that fills its node's disk."""
    lines = CLUSTER.replace("c|1000|0|1000|1000|1000|", "c|1000|0|1000|300|0|").replace("|ext|", "|plain|")
    return hbal_format.read(lines.replace("big|500|300|1|running|Y|a||plain", "big|500|300|1|running|Y|a|c|drbd"))


@pytest.mark.parametrize(
    ("backups", "survivable"),
    [
        ({"big": "c", "small": "c", "pinned": "c", "other": "c"}, {"a", "b", "c"}),
        # b has 500 of 1000 left, and only one of a's two fits there.
        ({"big": "b", "small": "b", "pinned": "c", "other": "c"}, {"b", "c"}),
        ({"big": "b", "small": "c", "pinned": "c", "other": "c"}, {"a", "b", "c"}),
        ({"big": "c", "pinned": "c", "other": "c"}, {"b", "c"}),
        ({"big": "a", "small": "c", "pinned": "c", "other": "c"}, {"b", "c"}),
    ],
)
def test_a_node_may_die_where_everything_on_it_fits_on_its_backups(
    backups: Mapping[str, str], survivable: set[str]
) -> None:
    fleet, observed = hbal_format.read(CLUSTER)
    assert loss.survivable(fleet, observed, Plan("balance", (), "", backups=backups)) == survivable
    proof = tuple(Survival(node, "node") for node in observed.nodes)
    plan = Plan("balance", (), "", backups=backups, survival_after=proof)
    assert loss.disputed(fleet, observed, plan).keys() == {"a", "b", "c"} - survivable
