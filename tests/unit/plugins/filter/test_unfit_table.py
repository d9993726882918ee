# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with which node is one table, clocks that are apart from each other among it."""

from __future__ import annotations

from typing import Any

from ansible_collections.switchyard.fleet.plugins.filter.unfit_table import unfit_table


def probe(ahead: float = 0.0, *rows: tuple[str, str, str]) -> dict[str, Any]:
    unfit = [dict(zip(("check", "found", "needed"), row, strict=True)) for row in rows]
    return {"unfit": unfit, "clock": {"ahead": ahead, "error": 0.01, "limit": 2.0}}


def test_fit_nodes_make_no_table() -> None:
    assert unfit_table({"a": probe(), "b": probe(1.9)}) == ""
    assert unfit_table({}) == ""


def test_every_row_of_every_node_in_columns() -> None:
    table = unfit_table({"n1": probe(0, ("cores", "2", "4 or more")), "node2": probe(0, ("memory", "1 MiB", "2 MiB"))})
    assert table.splitlines() == [
        "NODE   CHECK   FOUND  NEEDED",
        "n1     cores   2      4 or more",
        "node2  memory  1 MiB  2 MiB",
    ]


def test_clocks_that_suit_the_controller_may_be_apart_from_each_other() -> None:
    table = unfit_table({"a": probe(-1.5), "b": probe(0), "c": probe(1.5)})
    assert table.splitlines()[1].split("  ") == ["a, c", "clock", "3.00 s apart", "2 s at most"]


def test_a_node_that_could_not_be_looked_at_is_in_it_without_a_limit() -> None:
    silent = {"unfit": [{"check": "python", "found": "no python3", "needed": "python3"}], "clock": {"ahead": 90.0}}
    assert unfit_table({"a": silent, "b": probe()}).count("\n") == 2
