# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of variables holds what it says, and is what the roles and the reference go by."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.inventory.kinds import WRONG
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.inventory.mistakes import Mistake, Notes
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.inventory.vocabulary import (
    PREFIXES,
    VARIABLES,
    Variable,
)

ROOT = Path(__file__).parents[3]


def read(variable: Variable, value: Any) -> tuple[Any, list[Mistake]]:
    mistakes: list[Mistake] = []
    return variable.kind.read(value, variable.name, Notes("host", mistakes)), mistakes


@pytest.mark.parametrize("name", VARIABLES)
def test_every_example_is_yaml_and_accepted(name):
    variable = VARIABLES[name]
    value = yaml.safe_load(variable.example.replace("9f:86:d0:81:…", "ab" * 32).replace("AAAAC3Nza…", "AAAAC3Nza"))
    assert read(variable, value)[1] == []


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_is_described(name):
    variable = VARIABLES[name]
    assert name.startswith(PREFIXES)
    assert variable.description.endswith(".")
    assert variable.kind.accepted
    assert variable.effect == "now" or variable.effect.startswith(("later: ", "Proxmox VE: ", "Incus: "))


@pytest.mark.parametrize("name", [name for name, variable in VARIABLES.items() if variable.secret])
def test_what_is_secret_says_so_in_the_reference(name):
    reference = (ROOT / "docs" / "inventory.md").read_text(encoding="utf-8")
    assert "never shown" in reference.partition(f"### {name}\n")[2].partition("### ")[0]


def options() -> list[tuple[str, str, dict[str, Any]]]:
    found = []
    for path in sorted(ROOT.glob("roles/*/meta/argument_specs.yml")):
        specs = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]
        for entry in specs.values():
            for name, option in entry.get("options", {}).items():
                if name.startswith(PREFIXES):
                    found.append((path.parts[-3], name, option))
    return found


@pytest.mark.parametrize(
    ("role", "name", "option"), options(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_a_role_takes_is_in_the_vocabulary_with_the_same_default(role, name, option):
    variable = VARIABLES[name]
    if "default" not in option or variable.default is None:
        return
    value, mistakes = read(variable, option["default"])
    assert mistakes == []
    # One pool `default` is what the role makes where none is declared.
    assert value is not WRONG
    assert value == variable.default or name == "node_storage_pools"


def test_the_reference_is_up_to_date():
    source = ROOT / "tests" / "tools" / "inventory_reference.py"
    spec = importlib.util.spec_from_file_location("inventory_reference", source)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "docs" / "inventory.md").read_text(encoding="utf-8")
    assert written == module.reference(), "run: python tests/tools/inventory_reference.py"


def test_every_variable_is_in_the_reference():
    written = (ROOT / "docs" / "inventory.md").read_text(encoding="utf-8")
    assert [line[4:] for line in written.splitlines() if line.startswith("### ")] == list(VARIABLES)
