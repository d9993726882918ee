# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks are followed to their real end, and what they ended with is told."""

from __future__ import annotations

import threading

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Refused, TimedOut, Unreachable
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox import task
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.client import Client
from cluster import client_of
from double import Double

WHY = "test"


def start(client: Client, vmid: int = 100, node: str = "pve1") -> str:
    return str(client.send("POST", f"/nodes/{node}/lxc/{vmid}/status/start", WHY, node=node))


def test_an_end_without_a_word_is_an_end(client: Client, double: Double) -> None:
    double.add_guest(100)
    assert task.follow(client, start(client), WHY, 10) == []
    assert task.follow(client, None, WHY, 10) == []


def test_warnings_are_told_and_no_failure(client: Client, double: Double) -> None:
    double.add_guest(100)
    double.faults.add("warn-task", "vzstart", text="something is odd")
    assert task.follow(client, start(client), WHY, 10) == ["something is odd"]


def test_a_failure_comes_in_the_tasks_own_words_with_what_to_do(client: Client, double: Double) -> None:
    double.add_guest(100)
    double.faults.add("fail-task", "vzstart", text="bridge 'vmbr9' does not exist")
    with pytest.raises(Refused, match=r"pve1: test: bridge 'vmbr9' does not exist \(the node has no such bridge"):
        task.follow(client, start(client), WHY, 10)


def test_the_reason_is_fetched_from_the_log_where_the_last_word_says_nothing(client: Client, double: Double) -> None:
    double.add_storage("only1", nodes="pve1")
    double.add_guest(100, disk="only1:1")
    upid = client.send("POST", "/nodes/pve1/lxc/100/migrate", WHY, {"target": "pve2"}, node="pve1")
    with pytest.raises(Refused, match=r"migration aborted: storage 'only1' is not available on node 'pve2' \("):
        task.follow(client, upid, WHY, 10)


@pytest.mark.parametrize("how", ["killed", "aborted"])
def test_a_task_that_was_killed_or_aborted_leaves_it_open_how_far_it_got(
    client: Client, double: Double, how: str
) -> None:
    double.add_guest(100, running=True)
    if how == "killed":
        double.faults.add("kill-task", "vzshutdown")
    double.faults.deafen(100)
    upid = client.send("POST", "/nodes/pve1/lxc/100/status/shutdown", WHY, {"timeout": 600}, node="pve1")
    if how == "aborted":
        client.send("DELETE", f"/nodes/pve1/tasks/{upid}", WHY, node="pve1")
    with pytest.raises(task.Killed, match="killed or aborted") as caught:
        task.follow(client, upid, WHY, 10)
    assert caught.value.unsure


def test_a_task_that_takes_too_long_is_left_behind(client: Client, double: Double) -> None:
    double.add_guest(100, running=True)
    double.faults.deafen(100)
    upid = client.send("POST", "/nodes/pve1/lxc/100/status/shutdown", WHY, {"timeout": 3600}, node="pve1")
    with pytest.raises(TimedOut, match=f"not finished after 0.3 s .task {upid}") as caught:
        task.follow(client, upid, WHY, 0.3)
    assert caught.value.unsure


def test_a_node_that_goes_down_in_the_middle_is_not_waited_for(double: Double) -> None:
    double.add_guest(100, "pve2", running=True)
    double.faults.deafen(100)
    client = client_of(double)
    upid = client.send("POST", "/nodes/pve2/lxc/100/status/shutdown", WHY, {"timeout": 3600}, node="pve2")
    threading.Timer(0.2, lambda: double.faults.kill("pve2")).start()
    with pytest.raises(Unreachable, match="went away in the middle") as caught:
        task.follow(client, upid, WHY, 30)
    assert caught.value.unsure


def test_a_lost_answer_does_not_lose_the_task(client: Client, double: Double) -> None:
    double.add_guest(100)
    upid = start(client)
    double.faults.add("lose-answer", "GET /nodes/*/tasks/*/status", times=3)
    assert task.follow(client, upid, WHY, 10) == []


def test_whatever_runs_with_a_guest_is_waited_for(client: Client, double: Double) -> None:
    double.add_guest(100, running=True)
    client.send("POST", "/nodes/pve1/lxc/100/status/shutdown", WHY, {"timeout": 60}, node="pve1")
    assert len(task.running(client, "pve1", 100, WHY)) == 1
    task.settle(client, "pve1", 100, WHY, 10)
    assert task.running(client, "pve1", 100, WHY) == []
    assert not double.world.cluster.guests[100].running
