# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered of nodes that may die."""

from __future__ import annotations

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus import ledger

A = {"a": (("node1",), ("10.0.0.1",))}
B = {"b": (("node2", "node3"), ())}


def test_a_ledger_is_read_back_as_it_was_written() -> None:
    book = ledger.Ledger(3, A | B)
    assert ledger.parse(ledger.text(book)) == book


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"serial": "x", "servers": {}}', '{"serial": 1}'])
def test_a_spoiled_ledger_remembers_nothing(text: str) -> None:
    assert ledger.parse(text) == ledger.Ledger()


def test_the_last_written_counts() -> None:
    old, new = ledger.Ledger(1, A), ledger.Ledger(2, B)
    assert ledger.newest([ledger.text(new), "", ledger.text(old), "spoiled"]) == new


def test_what_says_the_same_is_not_written_again() -> None:
    book = ledger.successor(ledger.Ledger(), A)
    assert book.serial == 1
    assert ledger.successor(book, dict(A)) is book
    assert ledger.successor(book, B) == ledger.Ledger(2, B)


def test_even_an_empty_fleet_is_written_once() -> None:
    assert ledger.successor(ledger.Ledger(), {}) == ledger.Ledger(1, {})


def test_one_written_when_a_server_had_one_node_alone_is_still_read() -> None:
    written = '{"serial": 4, "servers": {"a": ["node1", ["10.0.0.1"]]}}'
    assert ledger.parse(written) == ledger.Ledger(4, A)
