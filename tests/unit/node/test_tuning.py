# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the kernel: limits are raised, never lowered; the file says what the kernel would not have by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.node.tuning import (
    DEFAULTS,
    Found,
    enough,
    mistakes,
    plan,
    raised,
    read_file,
    wanted,
    write_file,
)

ROOT = Path(__file__).parents[3]


def test_the_inventory_says_otherwise_adds_and_leaves_alone():
    asked = wanted(
        {"vm.swappiness": 1, "vm.dirty_bytes": "", "net.ipv4.tcp_congestion_control": "bbr", "fs.file-max": None}
    )
    assert asked["vm.swappiness"] == "1" and asked["net.ipv4.tcp_congestion_control"] == "bbr"
    assert "vm.dirty_bytes" not in asked and "fs.file-max" not in asked
    assert set(DEFAULTS) - set(asked) == {"vm.dirty_bytes", "fs.file-max"}


@pytest.mark.parametrize(
    ("key", "now", "value", "after"),
    [
        ("fs.file-max", "9223372036854775807", "2097152", "9223372036854775807"),
        ("fs.file-max", "65536", "2097152", "2097152"),
        ("net.ipv4.tcp_rmem", "4096\t131072\t6291456", "4096 131072 16777216", "4096 131072 16777216"),
        ("net.ipv4.tcp_rmem", "8192 87380 33554432", "4096 131072 16777216", "8192 131072 33554432"),
        ("vm.swappiness", "1", "10", "10"),
        ("net.ipv4.ip_forward", "1", "0", "0"),
    ],
)
def test_limits_are_raised_and_everything_else_is_set(key, now, value, after):
    assert raised(key, now, value) == after
    assert enough(key, now, value) is (after == " ".join(now.split()))


def test_what_is_enough_is_left_alone_and_what_cannot_be_set_is_named():
    asked = {"fs.file-max": "100", "vm.swappiness": "10", "net.core.somaxconn": "4096", "kernel.pid_max": "50"}
    found = {
        "fs.file-max": Found("10", writable=False),
        "vm.swappiness": Found("60"),
        "net.core.somaxconn": Found(None),
        "kernel.pid_max": Found("99"),
    }
    tuning = plan(asked, found, {})
    assert tuning.change == {"vm.swappiness": ("60", "10")}
    assert tuning.refused == {"fs.file-max": "read-only", "net.core.somaxconn": "absent"}
    assert tuning.keep == {"vm.swappiness": "10"}


def test_the_second_time_nothing_differs_and_the_file_stays():
    asked = {"vm.swappiness": "10", "net.netfilter.nf_conntrack_max": "1000"}
    first = plan(asked, {"vm.swappiness": Found("60"), "net.netfilter.nf_conntrack_max": Found("10")}, {})
    text = write_file(first.keep, "note")
    assert text == "# note\n-net.netfilter.nf_conntrack_max = 1000\nvm.swappiness = 10\n"
    again = plan(asked, {key: Found(value) for key, value in asked.items()}, read_file(text))
    assert not again.change and write_file(again.keep, "note") == text
    gone = plan({}, {}, read_file(text))
    assert write_file(gone.keep, "note") == ""


def test_a_limit_in_the_file_is_what_was_set_with_what_the_kernel_had_more_of():
    asked = {"net.ipv4.tcp_rmem": "4096 131072 16777216"}
    first = plan(asked, {"net.ipv4.tcp_rmem": Found("8192 87380 33554432")}, {})
    assert first.keep == {"net.ipv4.tcp_rmem": "8192 131072 33554432"}, "at the next start nothing is lowered"
    again = plan(asked, {"net.ipv4.tcp_rmem": Found("8192\t131072\t33554432")}, first.keep)
    assert (again.change, again.keep) == ({}, first.keep)


def test_what_was_raised_stays_in_the_file_when_less_is_wanted_later():
    later = plan({"fs.file-max": "100"}, {"fs.file-max": Found("500")}, {"fs.file-max": "500"})
    assert (later.change, later.keep) == ({}, {"fs.file-max": "100"})


def test_what_is_set_exactly_is_in_the_file_though_it_is_so_already():
    asked = {"vm.swappiness": "10", "net.ipv4.tcp_congestion_control": "bbr"}
    found = {"vm.swappiness": Found("10"), "net.ipv4.tcp_congestion_control": Found("bbr")}
    assert plan(asked, found, {"vm.swappiness": "60"}).keep == asked
    assert plan(asked, {key: Found(each.value, writable=False) for key, each in found.items()}, {}).keep == {}


@pytest.mark.parametrize(
    ("key", "value", "now", "said"),
    [
        ("vm.swappines", 1, Found(None), "no such setting of this node's kernel"),
        ("vm.swappiness", "lots", Found("60"), "accepted: a number"),
        ("vm.swappiness", True, Found("60"), "accepted: a number"),
        ("vm.swappiness", "1 2", Found("60"), "accepted: a number"),
        ("net.ipv4.tcp_rmem", "1, 2, 3", Found("4096\t131072\t6291456"), "accepted: 3 numbers"),
        ("kernel.printk_ratelimit", 7, Found("5", writable=False), "cannot be set here"),
    ],
)
def test_what_cannot_be_is_told_with_its_name_and_value(key, value, now, said):
    assert mistakes({key: value}, {key: now}) == [f'{key}: "{value}": {said}']


@pytest.mark.parametrize(
    ("key", "value", "now"),
    [
        ("vm.swappiness", "", Found("60")),
        ("vm.swappiness", None, Found("60")),
        ("vm.swappiness", 1, Found("60", writable=False)),
        ("net.core.somaxconn", 9000, Found(None)),
        ("net.ipv4.tcp_congestion_control", "bbr", Found("cubic")),
        ("kernel.printk_ratelimit", 5, Found("5", writable=False)),
        ("kernel.sched_rt_runtime_us", -1, Found("950000")),
        ("kernel.printk", 3, Found("4\t4\t1\t7")),
    ],
)
def test_what_may_be_or_is_only_named_is_no_mistake(key, value, now):
    assert mistakes({key: value}, {key: now} if value not in ("", None) else {}) == []


def test_every_setting_is_explained():
    page = (ROOT / "docs" / "tuning.md").read_text(encoding="utf-8")
    for key, value in DEFAULTS.items():
        assert f"`{key}` | `{value}` |" in page, key
