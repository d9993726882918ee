# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters of every endpoint, and what is said of one that does not hold.

``table/9.json`` and ``table/8.json`` hold, for the endpoints served here, what the API's own description says:
types, ranges, enumerations, formats and rights. ``python -m double.table`` writes them from a description.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from .errors import Refusal
from .formats import check_format

Rule = dict[str, Any]
UNKNOWN = "property is not defined in schema and the schema does not allow additional properties"
MISSING = "property is missing and it is not optional"


@cache
def table(major: int) -> dict[str, Any]:
    """All endpoints of one major version."""
    loaded: dict[str, Any] = json.loads((Path(__file__).parent / "table" / f"{major}.json").read_text())
    loaded["GET /"] = {"parameters": {}, "permissions": {"user": "all"}}  # the root is not described
    return loaded


def rule_of(rules: dict[str, Rule], name: str) -> Rule | None:
    """The rule for a parameter; ``net0`` is described as ``net[n]``."""
    if name in rules:
        return rules[name]
    series = re.fullmatch(r"([a-z]+)(\d{1,3})", name)
    return rules.get(f"{series[1]}[n]") if series else None


def verify(rules: dict[str, Rule], given: dict[str, Any]) -> dict[str, Any]:
    """The parameters as the endpoint gets them (integers and booleans as numbers), or a 400 with every mistake."""
    errors: dict[str, str] = {}
    result: dict[str, Any] = {}
    for name, value in given.items():
        rule = rule_of(rules, name)
        if rule is None:
            errors[name] = UNKNOWN
            continue
        problem, result[name] = check_value(rule, value, name)
        if problem:
            errors[name] = problem
    for name, rule in rules.items():
        if not rule.get("optional") and name not in given and "[n]" not in name:
            errors[name] = MISSING
        if name in given and rule.get("requires") and rule["requires"] not in given:
            errors[rule["requires"]] = f"missing property - '{name}' requires this property"
    if errors:
        raise Refusal("Parameter verification failed.", 400, errors)
    return result


def check_value(rule: Rule, value: Any, name: str) -> tuple[str, Any]:
    """What is wrong with a value (or nothing), and the value."""
    if rule.get("type") == "array" or isinstance(value, list):
        return "", value if isinstance(value, list) else [value]
    text = str(value)
    typed, problem = _typed(rule.get("type", "string"), text)
    if problem:
        return problem, value
    if isinstance(typed, int | float) and rule.get("format") != "pve-vmid":  # a format's check comes first
        if "minimum" in rule and typed < float(rule["minimum"]):
            return f"value must have a minimum value of {rule['minimum']}", value
        if "maximum" in rule and typed > float(rule["maximum"]):
            return f"value must have a maximum value of {rule['maximum']}", value
        return "", typed
    return _check_string(rule, text, name), typed


def _check_string(rule: Rule, text: str, name: str) -> str:
    form = rule.get("format")
    if isinstance(form, dict):
        problem = _check_fields(form, text, name)
        if problem:
            return problem
    elif form:
        problem = check_format(form, text, name)
        if problem:
            return f"invalid format - {problem}\n"
    if "maxLength" in rule and len(text) > int(rule["maxLength"]):
        return f"value may only be {rule['maxLength']} characters long"
    if "minLength" in rule and len(text) < int(rule["minLength"]):
        return f"value must be at least {rule['minLength']} characters long"
    if (
        "pattern" in rule
        and form not in ("pve-replication-job-id", "pve-vmid")
        and not re.fullmatch(_perl(rule["pattern"]), text)
    ):
        return "value does not match the regex pattern"
    if "enum" in rule and text not in rule["enum"]:
        return f"value '{text}' does not have a value in the enumeration '{', '.join(rule['enum'])}'"
    return ""


def _perl(pattern: str) -> str:
    return re.sub(r"\(\?\^[a-z]*:", "(?:", pattern).replace("{,", "{0,").replace("\\0", "\\x00")


def _typed(kind: str, text: str) -> tuple[Any, str]:
    failed = f"type check ('{kind}') failed - got '{text}'"
    if kind == "integer":
        return (int(text), "") if re.fullmatch(r"[+-]?\d+", text) else (text, failed)
    if kind == "number":
        return (float(text), "") if re.fullmatch(r"[+-]?\d+(\.\d+)?", text) else (text, failed)
    if kind == "boolean":
        lowered = text.lower()
        if lowered in ("1", "on", "yes"):
            return 1, ""
        return (0, "") if lowered in ("0", "off", "no") else (text, failed)
    return text, ""


def fields(form: dict[str, Rule], text: str) -> dict[str, str]:
    """A property string taken apart: ``virtio=BC:24:…,bridge=vmbr0`` has model, macaddr and bridge."""
    result: dict[str, str] = {}
    first = next((key for key, rule in form.items() if rule.get("default_key")), "")
    for part in text.split(","):
        if not part:
            continue
        key, equals, value = part.partition("=")
        if not equals:
            key, value = first, part
        rule = form.get(key, {})
        if "keyAlias" in rule:
            result[rule["keyAlias"]] = key
        result[rule.get("alias", key)] = value
    return result


def _check_fields(form: dict[str, Rule], text: str, name: str) -> str:
    problems: list[str] = []
    values = fields(form, text)
    for key, value in values.items():
        if key not in form:
            problems.append(f"{name}.{key}: {UNKNOWN}\n")
            continue
        problem, _typed_value = check_value(form[key], value, f"{name}.{key}")
        if problem:
            problems.append(f"{name}.{key}: {problem}\n")
    problems += [
        f"{name}.{key}: {MISSING}\n"
        for key, rule in form.items()
        if not rule.get("optional") and "alias" not in rule and key not in values
    ]
    for key, rule in form.items():
        if key in values and rule.get("requires") and rule["requires"] not in values:
            problems.append(f"{name}.{rule['requires']}: missing property required by '{name}.{key}'\n")
    return "invalid format - format error\n" + "".join(problems) if problems else ""
