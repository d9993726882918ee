# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The double's own table of endpoints against the official description of the API."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from double.endpoints import ROUTES
from double.errors import Refusal
from double.schema import table, verify
from double.table.__main__ import described, entry
from replay import SHARED

FILE = {9: "pve-9.2.3.json", 8: "pve-8.4.json"}
pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="the API's description is not here")


@cache
def official(major: int) -> dict[str, dict[str, Any]]:
    """All endpoints of a version."""
    return described(json.loads((SHARED / "schema" / FILE[major]).read_text()))


@pytest.mark.parametrize("major", [8, 9])
def test_every_endpoint_exists_and_takes_what_the_description_says(major: int) -> None:
    served = {name: what for name, what in table(major).items() if name != "GET /"}
    assert served.keys() == ROUTES.keys() & official(major).keys()
    assert {name for name, what in served.items() if what != entry(official(major)[name])} == set()


def test_nothing_is_served_that_no_version_has() -> None:
    assert ROUTES.keys() - official(8).keys() - official(9).keys() == {"GET /"}


@pytest.mark.parametrize("major", [8, 9])
def test_a_parameter_the_description_does_not_know_is_refused_everywhere(major: int) -> None:
    for name, what in table(major).items():
        assert "nonsense" in _errors(what["parameters"], {"nonsense": "1"}), name


@pytest.mark.parametrize("major", [8, 9])
def test_a_parameter_that_is_needed_is_asked_for_everywhere(major: int) -> None:
    for name, what in official(major).items():
        if name not in table(major):
            continue
        needed = {key for key, rule in what["parameters"].get("properties", {}).items() if not rule.get("optional")}
        assert needed <= _errors(table(major)[name]["parameters"], {}).keys(), name


@pytest.mark.parametrize("major", [8, 9])
def test_a_value_outside_of_what_is_allowed_is_refused_everywhere(major: int) -> None:
    for name, what in official(major).items():
        for key, rule in what["parameters"].get("properties", {}).items() if name in table(major) else []:
            for wrong in _wrong(rule):
                given = {key.replace("[n]", "0"): wrong}
                assert given.keys() & _errors(table(major)[name]["parameters"], given).keys(), (name, given)


def _wrong(rule: dict[str, Any]) -> list[str]:
    """Values that do not hold, by the description alone."""
    values = []
    if rule.get("enum"):
        values.append("none-of-these")
    if rule.get("type") in ("integer", "number"):
        values.append("abc")
        values += [str(int(float(rule["minimum"])) - 1)] if "minimum" in rule else []
        values += [str(int(float(rule["maximum"])) + 1)] if "maximum" in rule else []
    if rule.get("type") == "boolean":
        values += ["true", "2"]
    if rule.get("type") == "string" and rule.get("maxLength"):
        values.append("x" * (int(rule["maxLength"]) + 1))
    return values


def _errors(rules: dict[str, Any], given: dict[str, Any]) -> dict[str, str]:
    try:
        verify(rules, given)
    except Refusal as refusal:
        assert refusal.status == 400
        return refusal.errors or {}
    return {}
