# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the daily modules take is what their documentation says they take: options, types, choices, defaults."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible_collections.switchyard.fleet.plugins.action import (
    node,
    node_info,
    template,
    template_info,
    virtual_server,
    virtual_server_export,
    virtual_server_info,
)
from ansible_collections.switchyard.fleet.plugins.doc_fragments import controller
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.byhand import OPTIONS
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.inventory.vocabulary import VARIABLES
from ansible_collections.switchyard.fleet.plugins.modules import node as node_doc
from ansible_collections.switchyard.fleet.plugins.modules import node_info as node_info_doc
from ansible_collections.switchyard.fleet.plugins.modules import template as template_doc
from ansible_collections.switchyard.fleet.plugins.modules import template_info as template_info_doc
from ansible_collections.switchyard.fleet.plugins.modules import virtual_server as virtual_server_doc
from ansible_collections.switchyard.fleet.plugins.modules import virtual_server_export as virtual_server_export_doc
from ansible_collections.switchyard.fleet.plugins.modules import virtual_server_info as virtual_server_info_doc

PAIRS = [
    (node, node_doc),
    (node_info, node_info_doc),
    (template, template_doc),
    (template_info, template_info_doc),
    (virtual_server, virtual_server_doc),
    (virtual_server_export, virtual_server_export_doc),
    (virtual_server_info, virtual_server_info_doc),
]


def documented(module: ModuleType) -> dict[str, Any]:
    """A module's options, with those of its fragments."""
    document = yaml.safe_load(module.DOCUMENTATION)
    options: dict[str, Any] = {}
    for name in document["extends_documentation_fragment"]:
        part = name.removeprefix("switchyard.fleet.controller").removeprefix(".").upper() or "DOCUMENTATION"
        options |= yaml.safe_load(getattr(controller.ModuleDocFragment, part))["options"]
    return options | document["options"]


@pytest.mark.parametrize(("action", "module"), PAIRS, ids=lambda each: each.__name__.rpartition(".")[2])
def test_options_are_documented_as_they_are(action: ModuleType, module: ModuleType) -> None:
    options = documented(module)
    assert sorted(options) == sorted(action._OPTIONS)
    for name, taken in action._OPTIONS.items():
        said = {key: value for key, value in options[name].items() if key != "description"}
        assert said == taken, name


@pytest.mark.parametrize("module", [pair[1] for pair in PAIRS], ids=lambda each: each.__name__.rpartition(".")[2])
def test_examples_and_return_values_can_be_read(module: ModuleType) -> None:
    options = documented(module)
    short = module.__name__.rpartition(".")[2]
    tasks = [task for task in yaml.safe_load(module.EXAMPLES) if f"switchyard.fleet.{short}" in task]
    assert tasks
    for task in tasks:
        assert set(task[f"switchyard.fleet.{short}"] or {}) <= set(options), task["name"]
    assert yaml.safe_load(module.RETURN)["api_calls"]["type"] == "int"


def test_every_option_that_describes_a_server_is_a_variable_of_the_inventory() -> None:
    for option, variable in OPTIONS.items():
        assert VARIABLES[variable].scope == "server", option
