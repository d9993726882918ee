# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How mistakes are told: with a place, on one line, without secrets."""

from __future__ import annotations

import datetime

from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.inventory.mistakes import (
    InventoryError,
    Known,
    Mistake,
    Unreadable,
    show,
)
from inventory import Inventory


def test_a_mistake_names_host_variable_value_problem_and_what_is_accepted():
    told = Inventory().server("pbx-07", vs_memory="12 potatoes").complaints()
    assert told == [
        'pbx-07: vs_memory: "12 potatoes": not an amount of memory; '
        "accepted: a number of MiB, or a number with a unit: 512MiB, 2GiB"
    ]


def test_all_mistakes_are_told_at_once_and_sorted():
    inventory = (
        Inventory().server("b", vs_memory=[], vs_cores="many").server("a", vs_class="smal").node("n1", node_port=0)
    )
    assert [(m.host, m.variable) for m in inventory.mistakes()] == [
        ("a", "vs_class"),
        ("b", "vs_cores"),
        ("b", "vs_memory"),
        ("n1", "node_port"),
    ]


def test_hosts_that_inherit_one_mistake_share_its_line():
    inventory = Inventory()
    for number in range(300):
        inventory.server(f"pbx-{number:03d}", vs_templte="tiny")
    lines = InventoryError(inventory.mistakes()).lines()
    assert lines == [
        "pbx-000, pbx-001, pbx-002 and 297 more: vs_templte: unknown variable; accepted: vs_template (the nearest name)"
    ]


def test_a_variable_that_could_not_be_templated_says_why():
    inventory = Inventory().server("a", vs_memory=Unreadable("'size_of_pbx' is undefined"))
    assert inventory.complaints() == [
        "a: vs_memory: 'size_of_pbx' is undefined; accepted: a number of MiB, or a number with a unit: 512MiB, 2GiB"
    ]


def test_a_reason_with_line_ends_stays_on_one_line():
    assert "\n" not in str(Inventory().server("a", vs_checks=Unreadable("line 1\nline 2")).mistakes()[0])


def test_a_secret_is_not_told_even_where_it_is_wrong():
    secret = "hunter2"
    for wrong in (
        secret,
        {"agent": "fence_ipmilan", "parameters": secret},
        {"agent": "fence_ipmilan", "parameters": {"password": [secret]}},
        {"agent": f"fence ipmilan {secret}"},
        {"agent": "fence_ipmilan", "parameters": {"password": f"{secret}\n"}},
        Unreadable(f"cannot add 1 to {secret}"),
    ):
        told = Inventory().node("n1", node_fence=wrong).mistakes()
        assert [(m.host, m.variable.partition(".")[0]) for m in told] == [("n1", "node_fence")]
        assert secret not in repr(told)


def test_an_unknown_variables_value_is_not_told_as_it_may_be_a_secret():
    told = Inventory().node("n1", node_fence_password="hunter2").complaints()
    assert told == ["n1: node_fence_password: unknown variable; accepted: node_fence (the nearest name)"]


def test_a_private_key_among_the_public_ones_is_refused_and_not_told():
    told = Inventory().fleet(fleet_ssh_keys=["-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNzaC1rZXk"]).complaints()
    assert len(told) == 1
    assert "a private key" in told[0]
    assert "b3Blbn" not in told[0]


def test_credentials_in_a_url_are_not_told():
    action = {"action": "activate", "activate_url": "ftp://ops:hunter2@pbx"}
    told = Inventory().server("a", vs_failover_action=action).complaints()
    assert len(told) == 1
    assert "hunter2" not in told[0]


def test_values_of_every_type_are_shown_on_one_short_line():
    shown = [
        show(value)
        for value in (
            None,
            True,
            0.5,
            "a\nb",
            "ü",
            "x" * 500,
            1 << 70000,
            [1, 2],
            {"a": 1, 2: 3},
            {},
            datetime.date(2026, 1, 2),
            object(),
            "\ud800",
        )
    ]
    assert shown[:5] == ["null", "true", "0.5", '"a\\nb"', '"ü"']
    assert shown[6:11] == ["a number of 70001 bits", "[1, 2]", "{a: 1, 2: 3}", "{}", "2026-01-02"]
    assert all(len(text) <= 60 and text.isprintable() for text in shown)


def test_the_nearest_name_is_offered_and_otherwise_a_choice():
    known = Known(["pbx_small", "pbx_large"])
    assert known.nearest("pbx_smal") == "pbx_small (the nearest name)"
    assert known.nearest("zzz") == "pbx_large, pbx_small"
    assert Known([]).nearest("zzz", "none") == "none"


def test_many_unknown_names_in_a_large_inventory_do_not_take_forever():
    known = Known(f"server-{number:05d}" for number in range(10_000))
    answers = {known.nearest(f"sever-{number:05d}") for number in range(10_000)}
    assert "a name that exists" in answers
    assert any(answer.startswith("server-") for answer in answers)


def test_the_error_as_a_whole_reads_as_a_list():
    error = InventoryError(
        [Mistake("b", "vs_cores", "0", "out of range", "more"), Mistake("", "fleet_name", "", "empty")]
    )
    assert str(error) == (
        "2 mistakes in the inventory:\n  fleet: fleet_name: empty\n  b: vs_cores: 0: out of range; accepted: more"
    )
