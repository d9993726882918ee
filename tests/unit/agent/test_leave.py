# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a node that leaves in order waits for."""

from __future__ import annotations

from ansible_collections.switchyard.fleet.plugins.module_utils.agent.leave import behind
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.guests import Found


def copy(status="Stopped", **marks):
    config = {"role": "primary", "generation": "3", "pair": "node1 node2", "keeps": "running", **marks}
    return Found({"status": status, "config": {f"user.switchyard.{key}": text for key, text in config.items()}}, "")


def test_a_server_that_pacemaker_stopped_is_waited_for():
    assert behind("node1", {"b": copy(), "a": copy()}) == ["a", "b"]


def test_nobody_waits_for_what_another_node_has_by_now():
    assert behind("node1", {"a": copy(role="replica", pair="node2 node1")}) == []


def test_nobody_waits_for_what_runs_on_although_nobody_looks_after_it():
    assert behind("node1", {"a": copy("Running")}) == []


def test_nobody_waits_for_what_nobody_takes_over():
    assert behind("node1", {"a": copy(keeps="stopped"), "b": copy(pair=""), "c": copy(pair="node2 node1")}) == []
