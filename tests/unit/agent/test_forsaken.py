# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replicas whose server is no more are started by nobody; all others stay as they are."""

from __future__ import annotations

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.agent.forsaken import forsaken
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guests import Found

OTHERS = ("node2", "node3")


def copy(role: str = "replica", **marks: str) -> Found:
    config = {"role": role, "generation": "3", "fleet": "test", **marks}
    return Found({"status": "Stopped", "config": {f"user.switchyard.{key}": text for key, text in config.items()}}, "")


REPLICA = copy(pair="node2 node1", replicas="node1")
ELSEWHERE = copy(replicas="node1 node3")


def left(mine: Found = REPLICA, **copies: Found | None) -> list[str]:
    """``copies``: node -> its copy, None: it answers, and has none; the others are silent."""
    return forsaken({"pbx": mine}, {node: {"pbx": each} if each else {} for node, each in copies.items()}, OTHERS)


def test_a_replica_nobody_has_the_server_of() -> None:
    assert left(node2=None, node3=None) == ["pbx"]
    assert left(node2=ELSEWHERE, node3=ELSEWHERE) == ["pbx"], "other replicas are no server"


@pytest.mark.parametrize("other", [copy("primary"), copy(move="from node3"), copy("primary", move="to node3 running")])
def test_one_whose_server_is_somewhere_or_on_its_way(other: Found) -> None:
    assert left(node2=other, node3=None) == left(node2=None, node3=other) == []


def test_a_node_that_is_silent_may_have_it() -> None:
    assert left(node2=None) == left() == []


@pytest.mark.parametrize(
    "mine", [copy(), copy("primary", pair="node1 node2"), copy(pair="node2 node1", move="from node2")]
)
def test_copies_that_nobody_starts_or_that_are_no_replicas(mine: Found) -> None:
    assert left(mine, node2=None, node3=None) == []
