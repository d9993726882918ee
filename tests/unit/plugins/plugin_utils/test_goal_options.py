# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every registered goal can be asked for, with its own options and no others, and all of them are documented."""

from __future__ import annotations

from dataclasses import fields

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible_collections.switchyard.fleet.plugins.doc_fragments.goals import ModuleDocFragment
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.options import (
    BalanceOptions,
    ConvergeOptions,
    DrainOptions,
    MigrateOptions,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.goals.registry import GOALS
from ansible_collections.switchyard.fleet.plugins.modules import apply, plan
from ansible_collections.switchyard.fleet.plugins.plugin_utils.goal_options import PAPER, goal_options, wish
from ansible_collections.switchyard.fleet.plugins.plugin_utils.host_patterns import Inventory

GROUPS = {
    "all": ["node1", "node2", "pbx01", "pbx02", "pbx03", "sip1"],
    "nodes": ["node1", "node2"],
    "virtual_servers": ["pbx01", "pbx02", "pbx03", "sip1"],
    "pbxs": ["pbx01", "pbx02", "pbx03"],
}


@pytest.fixture
def inventory() -> Inventory:
    return Inventory(DataLoader(), GROUPS)


def asked(inventory: Inventory, goal: str, **options: object) -> object:
    return wish({"goal": goal, **options}, inventory).options


def test_what_is_not_told_is_left_to_the_goal(inventory: Inventory) -> None:
    told = dict.fromkeys(goal_options(list(GOALS)))
    assert asked(inventory, **(told | {"goal": "balance"})) == BalanceOptions()
    assert asked(inventory, **(told | {"goal": "converge"})) == ConvergeOptions()


def test_options_arrive_as_the_goal_wants_them(inventory: Inventory) -> None:
    assert asked(inventory, "migrate", servers=["pbx02", "sip1"], node="node2") == MigrateOptions(
        ("pbx02", "sip1"), "node2"
    )
    assert asked(inventory, "drain", nodes=["node*"], partial=True) == DrainOptions(("node1", "node2"), partial=True)
    assert asked(inventory, "converge", prune=["gone"]) == ConvergeOptions(prune=frozenset({"gone"}))
    assert asked(inventory, "balance", max_moves=3, ignore=["sip1"]) == BalanceOptions(
        max_moves=3, ignore=frozenset({"sip1"})
    )


def test_measured_use_is_looked_at_only_where_it_counts(inventory: Inventory) -> None:
    assert wish({"goal": "balance", "measured": 0.5}, inventory).measure
    assert not wish({"goal": "balance", "measured": 0.0}, inventory).measure
    assert not wish({"goal": "converge"}, inventory).measure


def test_an_option_of_another_goal_is_an_error_that_says_whose_there_are(inventory: Inventory) -> None:
    with pytest.raises(AnsibleActionFail, match="goal undrain does not take servers; it takes nodes, failure_domain"):
        asked(inventory, "undrain", servers=["pbx01"])


@pytest.mark.parametrize(
    ("patterns", "meant"),
    [
        (["pbx01"], ("pbx01",)),
        (["pbx*"], ("pbx01", "pbx02", "pbx03")),
        (["pbxs"], ("pbx01", "pbx02", "pbx03")),
        (["pbxs:!pbx02"], ("pbx01", "pbx03")),
        (["pbxs", "!pbx02", "sip1"], ("pbx01", "pbx03", "sip1")),
        (["pbxs[0:1]"], ("pbx01", "pbx02")),
        (["~(pbx|sip).*1"], ("pbx01", "sip1")),
        (["all"], ("pbx01", "pbx02", "pbx03", "sip1")),
        (["pbx77"], ("pbx77",)),
        ([], ()),
    ],
)
def test_servers_are_named_as_ansible_names_hosts(
    inventory: Inventory, patterns: list[str], meant: tuple[str, ...]
) -> None:
    assert inventory.servers(patterns, "servers") == meant


@pytest.mark.parametrize("nobody", ["db*", "~^db", "nodes", "pbxs:!db*", "pbx0[4:9]"])
def test_a_pattern_that_means_no_server_is_an_error(
    inventory: Inventory, nobody: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AnsibleActionFail, match="servers: no virtual server matches"):
        inventory.servers([nobody], "servers")
    assert "WARNING" not in "".join(capsys.readouterr()), "it is said once"


def documented(module: object) -> dict[str, dict[str, object]]:
    text = yaml.safe_load(module.DOCUMENTATION)
    return {**yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"], **text["options"]}


@pytest.mark.parametrize("module", [plan, apply])
def test_every_goal_and_option_is_documented_as_it_is_taken(module: object) -> None:
    options = documented(module)
    taken = [name for name in GOALS if module is plan or name not in PAPER]
    assert options["goal"]["choices"] == taken
    for name, specification in goal_options(taken).items():
        for fact in ("type", "elements", "choices", "default"):
            assert options[name].get(fact) == specification.get(fact), (name, fact)
    own = {"goal", "plan", "break_lock", "save", "explain"}
    assert set(options) - own <= {field.name for goal in GOALS.values() for field in fields(goal.options)}
