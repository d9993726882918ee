# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan written, read again, compared by its base, and put into words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import fleets as b
import jsonschema
import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.digest import digest
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.document import from_document, to_document
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.explain import diff_of, headline, plan_text
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.converge import converge
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import ConvergeOptions
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Size

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "plan.schema.json").read_text())
NODES = [b.node("n1"), b.node("n2")]


def a_rich_plan():
    grown = b.server("grown", size=Size(2, 2048, 2048))
    new = [b.server("sip", start_order=10, start_delay=1.5, template="debian"), b.server("pbx")]
    there = b.observed(
        [b.seen("n1", templates=frozenset({("debian", "1"), ("tiny", "1")})), b.seen("n2")],
        [b.guest(grown, "n1", size=b.SMALL), b.guest(b.server("gone"), "n2")],
    )
    fleet = b.fleet(NODES, [grown, *new])
    return fleet, there, converge(fleet, there, ConvergeOptions(frozenset({"gone"})))


def test_a_plan_survives_being_written_and_read():
    _fleet, _there, plan = a_rich_plan()
    assert from_document(json.loads(json.dumps(to_document(plan)))) == plan


def test_a_plan_document_is_what_its_schema_says():
    _fleet, _there, plan = a_rich_plan()
    jsonschema.validate(json.loads(json.dumps(to_document(plan))), SCHEMA)
    refused = converge(b.fleet(NODES, [b.server("big", size=Size(99, 1, 1))]), b.observed([b.seen("n1"), b.seen("n2")]))
    jsonschema.validate(json.loads(json.dumps(to_document(refused))), SCHEMA)


@pytest.mark.parametrize(
    "broken", [{}, {"format": 99}, {"format": 1}, {"format": 1, "nodes": [], "goal": 3, "steps": 7}]
)
def test_what_is_no_plan_is_refused_in_words(broken):
    with pytest.raises(ValueError, match=r"format|not a plan"):
        from_document(broken)


def test_the_base_does_not_change_with_load():
    fleet, there, plan = a_rich_plan()
    busy = {name: replace(node, memory_used=999, load=7.0) for name, node in there.nodes.items()}
    assert digest(fleet, replace(there, nodes=busy)) == plan.base


def test_the_base_changes_with_a_guest_and_with_the_inventory():
    fleet, there, plan = a_rich_plan()
    assert digest(fleet, replace(there, servers=there.servers[:-1])) != plan.base
    assert digest(replace(fleet, servers={}), there) != plan.base


def test_the_words_say_what_why_and_how_full():
    fleet, _there, plan = a_rich_plan()
    assert (
        headline(plan) == "converge: 1 to copy template, 1 to stop, 1 to delete, 1 to resize, 2 to create, 2 to start"
    )
    text = plan_text(fleet, plan)
    assert "create pbx" in text
    assert "memory 1024 → 2048" in text
    assert "least used of 2 nodes that fit" in text
    assert "no longer in the inventory" in text


def test_a_diff_has_one_entry_per_server_with_both_sides():
    _fleet, _there, plan = a_rich_plan()
    diffs = {diff["before_header"]: diff for diff in diff_of(plan.steps)}
    assert diffs["grown"]["before"] == "cores: 1\nmemory: 1024\ndisk: 1024\n"
    assert diffs["grown"]["after"] == "cores: 2\nmemory: 2048\ndisk: 2048\n"
    assert diffs["pbx"]["before"] == ""
    assert "state: running" in diffs["pbx"]["after"]
    assert diffs["gone"]["after"] == "state: stopped\nexists: False\n"
