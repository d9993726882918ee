# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What guests take, from two looks at them."""

from __future__ import annotations

from typing import Any

from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.measure import uses
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Use


def look(name: str, cpu: float, memory: int = 100 * 2**20, pid: int = 7, **facts: Any) -> dict[str, Any]:
    """A guest as it is listed, its CPU time in seconds."""
    state = {"pid": pid, "cpu": {"usage": int(cpu * 1e9)}, "memory": {"usage": memory}}
    return {"name": name, "project": "default", "state": state, **facts}


def test_cores_are_cpu_time_over_time_and_memory_is_rounded_up() -> None:
    found = uses([look("a", 10.0)], [look("a", 10.75, memory=100 * 2**20 + 1)], 1.5)
    assert found == {("default", "a"): Use(0.5, 101)}


def test_one_that_rested_took_no_cores() -> None:
    assert uses([look("a", 10.0)], [look("a", 10.0)], 1.0) == {("default", "a"): Use(0.0, 100)}


def test_one_that_was_restarted_came_or_went_meanwhile_is_left_out() -> None:
    first = [look("restarted", 10.0), look("gone", 1.0), look("ended", 1.0)]
    second = [look("restarted", 0.1, pid=8), look("new", 0.1), look("ended", 1.0, pid=0)]
    assert uses(first, second, 1.0) == {}


def test_a_kernel_that_keeps_no_account_tells_nothing() -> None:
    assert uses([look("a", 0.0, memory=0)], [look("a", 0.0, memory=0)], 1.0) == {}


def test_guests_of_the_same_name_in_two_projects_are_two() -> None:
    first = [look("a", 1.0), look("a", 1.0, project="other")]
    second = [look("a", 1.5), look("a", 2.0, project="other")]
    found = uses(first, second, 1.0)
    assert {key: use.cores for key, use in found.items()} == {("default", "a"): 0.5, ("other", "a"): 1.0}
