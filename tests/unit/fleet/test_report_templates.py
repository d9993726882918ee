# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who was made from which version, and which versions may go."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import (
    Observed,
    ObservedServer,
    Size,
    StoredTemplate,
    Template,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.report.templates import table, templates, why_kept
from inventory import Inventory

FLEET = replace(Inventory().parse(), templates={"pbx": Template("pbx", version="2"), "sbc": Template("sbc")})
OURS = FLEET.name


def made(name: str, version: str, fleet: str = OURS) -> ObservedServer:
    size = Size(1, 64, 64)
    return ObservedServer(name, "n1", "running", size, fleet=fleet, template="pbx", template_version=version)


def rows(*stored: StoredTemplate, servers: tuple[ObservedServer, ...] = ()) -> dict[tuple[str, str], dict]:
    return {(row["name"], row["version"]): row for row in templates(FLEET, Observed({}, servers), stored)}


def test_every_version_declared_held_or_used_has_a_row():
    found = rows(StoredTemplate("pbx", "2", "n1", OURS), servers=(made("a", "1"), made("b", "2"), made("c", "1")))
    assert list(found) == [("pbx", "1"), ("pbx", "2"), ("sbc", "1")]
    assert found["pbx", "1"]["servers"] == ["a", "c"] and found["pbx", "1"]["nodes"] == []
    assert found["pbx", "2"]["declared"] and found["pbx", "2"]["nodes"] == ["n1"]
    assert found["sbc", "1"]["declared"] and not found["sbc", "1"]["nodes"]


def test_only_what_is_ours_and_neither_declared_nor_used_may_go():
    held = [StoredTemplate("pbx", version, node, OURS) for version in ("0", "1", "2") for node in ("n2", "n1")]
    held += [StoredTemplate("old", "1", "n1", "other"), StoredTemplate("mixed", "1", "n1", OURS)]
    held += [StoredTemplate("mixed", "1", "n2", "")]
    found = rows(*held, servers=(made("a", "1"), made("x", "0", fleet="other")))
    assert not any(row["unused"] for row in found.values())
    assert why_kept(found["pbx", "1"]) == "made from it: a"
    assert why_kept(found["pbx", "0"]) == "made from it: x"
    assert "the inventory declares it" in why_kept(found["pbx", "2"])
    assert "another fleet's" in why_kept(found["old", "1"]) and "another fleet's" in why_kept(found["mixed", "1"])
    alone = rows(*held)
    assert [key for key, row in alone.items() if row["unused"]] == [("pbx", "0"), ("pbx", "1")]
    assert why_kept(alone["pbx", "1"]) == "" and alone["pbx", "1"]["nodes"] == ["n1", "n2"]


def test_the_table_names_a_few_servers_and_counts_the_others():
    servers = tuple(made(f"pbx{number:02d}", "1") for number in range(1, 9))
    lines = table(rows(StoredTemplate("pbx", "2", "n1", OURS), servers=servers).values()).splitlines()
    assert lines[0].split() == ["TEMPLATE", "VERSION", "NODES", "SERVERS"]
    assert lines[1].endswith("8: pbx01, pbx02, pbx03, pbx04, pbx05, pbx06 and 2 more")
    assert lines[2].split() == ["pbx", "2", "declared", "n1", "-"]
