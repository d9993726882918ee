# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several at once: who wins, and what the others are told."""

from __future__ import annotations

from collections import Counter

from double import Answer, Double
from test_life import TEMPLATE


def at_once(double: Double, *requests: tuple[str, str, dict[str, object]]) -> list[Answer]:
    """All begun at the same moment, through the nodes in turn."""
    processes = [
        double.world.request(method, path, params, f"pve{number % 3 + 1}")
        for number, (method, path, params) in enumerate(requests)
    ]
    for process in processes:
        double._until(lambda process=process: process.done)
    return [process.result for process in processes]


def test_nextid_reserves_nothing(double: Double) -> None:
    assert {answer.data for answer in at_once(double, *[("GET", "/cluster/nextid", {})] * 6)} == {"100"}


def test_of_ten_creates_with_one_id_one_wins(double: Double) -> None:
    create = {"vmid": 100, "ostemplate": TEMPLATE, "rootfs": "local-zfs:1"}
    answers = at_once(double, *[("POST", f"/nodes/pve{number % 3 + 1}/lxc", create) for number in range(10)])
    assert Counter(answer.status for answer in answers) == {200: 1, 500: 9}
    refused = {answer.reason for answer in answers if answer.status == 500}
    assert refused == {
        f"unable to create CT 100 - CT 100 already exists on node '{double.world.cluster.guests[100].node}'"
    }


def test_a_pool_is_a_lock(double: Double) -> None:
    answers = at_once(double, *[("POST", "/pools", {"poolid": "lock", "comment": str(n)}) for n in range(12)])
    winner = [number for number, answer in enumerate(answers) if answer.status == 200]
    assert len(winner) == 1
    assert double.ask("GET", "/pools/lock").data["comment"] == str(winner[0])


def test_containers_are_cloned_one_at_a_time_and_vms_all_at_once(double: Double) -> None:
    double.add_guest(100)
    double.add_guest(200, kind="qemu", disk="shared:1/qcow2")
    clones = [("POST", "/nodes/pve1/lxc/100/clone", {"newid": 110 + n, "full": 1}) for n in range(5)]
    answers = at_once(double, *clones)
    assert Counter(answer.reason for answer in answers) == {"OK": 1, "CT is locked (disk)": 4}
    vms = at_once(double, *[("POST", "/nodes/pve1/qemu/200/clone", {"newid": 210 + n, "full": 1}) for n in range(5)])
    assert [double.wait(answer.data) for answer in vms] == ["OK"] * 5


def test_of_two_migrations_the_second_finds_nothing(double: Double) -> None:
    double.add_guest(100, disk="shared:1")
    both = at_once(double, *[("POST", "/nodes/pve1/lxc/100/migrate", {"target": f"pve{n}"}) for n in (2, 3)])
    assert sorted(double.wait(answer.data) for answer in both) == ["OK", "migration aborted"]


def test_a_digest_lets_one_writer_through(double: Double) -> None:
    double.add_guest(100)
    digest = double.ask("GET", "/nodes/pve1/lxc/100/config").data["digest"]
    path = "/nodes/pve1/lxc/100/config"
    answers = at_once(double, *[("PUT", path, {"description": str(n), "digest": digest}) for n in range(6)])
    assert Counter(answer.status for answer in answers) == {200: 1, 500: 5}


def test_creates_on_one_node_take_turns_at_its_cores(double: Double) -> None:
    double.world.cluster.nodes["pve1"].cores = 2
    begun = double.world.clock.now()
    for vmid in range(100, 110):
        double.send("POST", "/nodes/pve1/lxc", {"vmid": vmid, "ostemplate": TEMPLATE, "rootfs": "local-zfs:1"})
    double.settle()
    assert 7 < double.world.clock.now() - begun < 12
