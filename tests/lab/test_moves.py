# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Balance, migrate, drain and undrain on real nodes: what they do, how long servers are away, and what may go wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.request
from collections import Counter

import pytest
from support.disturb import begun, kill, power_cut
from support.prober import Prober
from support.recorder import recorded

pytestmark = pytest.mark.lab

MOST = 5.0
"""Seconds a tiny server may be away at most while it moves, with others moving beside it."""


def names(first, last):
    return {f"pbx{number:02}": {} for number in range(first, last + 1)}


def changed(output):
    """Tasks that changed something, from the recap."""
    return sum(int(count) for count in re.findall(r"changed=(\d+)", output))


def addresses(world):
    """Server -> its address, as it is written on it."""
    found = {}
    for node in world.nodes:
        for guest in json.loads(world.lab.ssh(node, "incus", "list", "-f", "json")):
            ((_network, address),) = json.loads(guest["config"]["user.switchyard.interfaces_spec"])
            found[guest["name"]] = address
    return found


def pages(world):
    """What every server answers: its own name."""
    return {
        name: urllib.request.urlopen(f"http://{address}/", timeout=5).read().decode().strip()
        for name, address in addresses(world).items()
    }


@pytest.fixture(autouse=True)
def undrained(world):
    """No test leaves a node drained to the next."""
    yield
    for node in world.nodes:
        world.lab.ssh(node, "incus", "config", "unset", "user.switchyard.maintenance.test", check=False)


@pytest.fixture
def small(world):
    """Nodes so small that where a dozen tiny servers run makes a difference."""
    world.fleet["node_memory"] = "640MiB"
    return world


def all_on(world, node, servers):
    """Everything on one node, as after a night of hasty migrations."""
    world.declare(servers)
    world.apply()
    world.play("migrate", migrate_servers="virtual_servers", migrate_node=node)
    assert set(world.running().values()) == {node}


# ---------------------------------------------------------------- balance


def test_balance_mends_what_was_piled_up_and_then_finds_nothing_to_do(small):
    all_on(small, "node1", names(1, 12))
    before = addresses(small)
    with Prober(before) as prober:
        output = small.play("balance")
    print(prober.table())
    print(output)
    assert Counter(small.running().values()) == {"node1": 4, "node2": 4, "node3": 4}
    assert addresses(small) == before
    assert pages(small) == {name: name for name in names(1, 12)}
    moved = set(re.findall(r"move (pbx\d+) \S+ → \S+ … ok", output))
    assert len(moved) == 8
    away = {name: gap for name, gap in prober.gaps.items() if gap > 0.5}
    assert set(away) == moved, "only what moves is away"
    assert max(away.values()) < MOST
    assert "gap in service" in output
    again = small.play("balance")
    assert changed(again) == 0
    assert "nothing to do" in again


def test_balance_moves_no_more_than_it_may_and_leaves_alone_what_it_is_told(small):
    all_on(small, "node1", names(1, 9))
    small.play("balance", balance_max_moves=2, balance_ignore="~pbx0[1-8]")
    where = small.running()
    assert [name for name, node in where.items() if node != "node1"] == ["pbx09"]
    small.play("balance", balance_max_moves=2)
    assert Counter(small.running().values())["node1"] == 6


def test_a_plan_somebody_has_read_is_carried_out_as_it_stands(small, tmp_path):
    plan = tmp_path / "plan.json"
    all_on(small, "node1", names(1, 6))
    output = small.play("plan", plan_goal="balance", plan_save=str(plan))
    assert re.search(r"wave +step +node +copies +gap +why", output)
    assert "to copy; gap in service expected" in output
    assert set(small.running().values()) == {"node1"}
    small.play("balance", apply_plan=str(plan))
    assert small.running() == json.loads(plan.read_text())["placement"]
    assert "does not fit any more" in small.play("balance", apply_plan=str(plan), check=False)


# ---------------------------------------------------------------- migrate


def test_a_named_server_moves_with_what_it_holds(world):
    world.declare(names(1, 3))
    world.apply()
    source = world.running()["pbx02"]
    target = next(node for node in world.nodes if node != source)
    world.lab.ssh(source, "incus", "exec", "pbx02", "--", "sh", "-c", "'echo kept > /root/kept'")
    with Prober(addresses(world)) as prober:
        world.play("migrate", migrate_servers="pbx02", migrate_node=target)
    print(prober.table())
    assert world.running()["pbx02"] == target
    assert world.lab.ssh(target, "incus", "exec", "pbx02", "--", "cat", "/root/kept").strip() == "kept"
    assert pages(world)["pbx02"] == "pbx02"
    again = world.play("migrate", migrate_servers="pbx02", migrate_node=target)
    assert changed(again) == 0
    world.play("migrate", migrate_servers=["~pbx0[12]", "!pbx01"])
    assert world.running()["pbx02"] != target


def test_a_stopped_server_moves_asleep(world):
    world.declare({"pbx01": {"vs_state": "stopped"}})
    world.apply()
    ((_name, source, _state),) = world.lab.guests()
    target = next(node for node in world.nodes if node != source)
    world.play("migrate", migrate_servers="pbx01", migrate_node=target)
    assert world.lab.guests() == [("pbx01", target, "Stopped")]


WRONG = {
    "an unknown server": ("migrate", {"migrate_servers": "pbx99", "migrate_node": "node1"}, "pbx99"),
    "an unknown node": ("migrate", {"migrate_servers": "pbx01", "migrate_node": "node7"}, "node7"),
    "a pattern nobody matches": ("migrate", {"migrate_servers": "sip*"}, "no virtual server matches sip*"),
    "no server": ("migrate", {}, "names no server"),
    "no node": ("drain", {}, "names no node"),
    "an unknown node to drain": ("drain", {"drain_nodes": "node7"}, "node7"),
    "an unknown failure domain": ("drain", {"drain_failure_domain": "rack9"}, "rack9"),
    "an unknown node to undrain": ("undrain", {"undrain_nodes": "node7"}, "node7"),
    "words for a number": ("balance", {"balance_max_moves": "many"}, "many"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wish_that_makes_no_sense_is_one_clear_error(world, wrong):
    playbook, options, words = WRONG[wrong]
    world.declare(names(1, 1))
    world.apply()
    before = world.running()
    output = world.play(playbook, check=False, **options)
    assert words in output
    assert "Traceback" not in output
    errors = [line for line in output.splitlines() if "[ERROR]" in line]
    assert len(errors) == 1, output
    assert world.running() == before


# ---------------------------------------------------------------- drain and undrain


def test_a_drained_node_is_empty_stays_so_and_comes_back(small):
    small.declare(names(1, 9))
    small.apply()
    with Prober(addresses(small)) as prober:
        output = small.play("drain", drain_nodes="node2")
    print(prober.table())
    where = small.running()
    assert set(where) == set(names(1, 9))
    assert "node2" not in where.values()
    assert pages(small) == {name: name for name in names(1, 9)}
    moved = set(re.findall(r"move (pbx\d+) node2 → \S+ … ok", output))
    assert {name for name, gap in prober.gaps.items() if gap > 0.5} == moved
    assert changed(small.play("drain", drain_nodes="node2")) == 0
    # Nothing new comes, and nothing comes back by itself.
    small.declare(names(1, 10))
    small.apply()
    assert "nothing to do" in small.play("balance") or "node2" not in small.running().values()
    where = small.running()
    assert set(where) == set(names(1, 10))
    assert "node2" not in where.values()
    refused = small.play("migrate", migrate_servers="pbx01", migrate_node="node2", check=False)
    assert "node2" in refused
    assert small.running() == where
    small.play("undrain", undrain_nodes="node2")
    assert small.running() == where
    assert changed(small.play("undrain", undrain_nodes="node2")) == 0
    small.play("balance")
    assert Counter(small.running().values())["node2"] >= 3


def test_what_cannot_leave_is_named_and_nothing_is_begun(small):
    small.declare({"pbx01": {"vs_node": "node2"}, "pbx02": {}, "pbx03": {}})
    small.apply()
    before = small.running()
    output = small.play("drain", drain_nodes="node2", check=False)
    assert "pbx01" in output
    assert small.running() == before
    small.declare({**names(1, 4), "pbx01": {"vs_node": "node2"}})
    small.apply()
    small.play("drain", drain_nodes="node2", drain_partial=True)
    assert [name for name, node in small.running().items() if node == "node2"] == ["pbx01"]


# ---------------------------------------------------------------- nothing but words


@pytest.mark.parametrize(
    ("playbook", "options", "promise"),
    [
        ("balance", {}, "to move"),
        ("migrate", {"migrate_servers": "pbx01", "migrate_node": "node2"}, "move pbx01"),
        ("drain", {"drain_nodes": "node1"}, "node1"),
        ("plan", {"plan_goal": "drain", "drain_nodes": "node1"}, "node1"),
    ],
)
def test_check_mode_writes_nothing(small, playbook, options, promise, monkeypatch):
    all_on(small, "node1", names(1, 6))
    with recorded(small) as (writes, env):
        monkeypatch.setenv(*next(iter(env.items())))
        output = small.play(playbook, "--check", "--diff", **options)
    monkeypatch.undo()
    assert writes == []
    assert promise in output
    if playbook != "plan":
        # A plan changes nothing, so Ansible shows no difference.
        assert re.search(r"^-node: node1$", output, re.MULTILINE)
        assert re.search(r"^\+node: node[23]$", output, re.MULTILINE)


# ---------------------------------------------------------------- cut off, and run again


@pytest.mark.parametrize("after", [1, 4])
def test_a_balance_that_was_killed_is_simply_run_again(small, after):
    all_on(small, "node1", names(1, 12))
    process, _seen = begun(small, "balance", rf"\[ *{after}/")
    kill(process, small.inventory)
    running = small.running()
    assert len(running) < 12 or "node1" in running.values()
    output = small.play("balance")
    assert "taking over the lock" in output or "nothing to do" in output
    small.apply()
    assert Counter(small.running().values()) == {"node1": 4, "node2": 4, "node3": 4}
    assert {state for _name, _node, state in small.lab.guests()} == {"Running"}, "nothing is left behind"
    assert len(small.lab.guests()) == 12
    assert pages(small) == {name: name for name in names(1, 12)}


def test_a_drain_that_was_interrupted_ends_what_it_began_and_goes_on_when_asked(small):
    small.declare(names(1, 24))
    small.apply()
    process, _seen = begun(small, "drain", r"\[ *2/", drain_nodes="node1")
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=90)
    # Who was on his way has arrived, or is where he was: nobody is left standing still.
    assert set(small.running()) == set(names(1, 24))
    assert "node1" in small.running().values()
    assert "taking over" not in small.play("drain", drain_nodes="node1")
    where = small.running()
    assert set(where) == set(names(1, 24))
    assert "node1" not in where.values()


def test_a_source_that_dies_in_the_middle_takes_nobody_elses_servers_along(small):
    all_on(small, "node1", names(1, 18))
    # One after the other, so that there is a middle.
    small.fleet["node_concurrency"] = 1
    small.declare(names(1, 18))
    process, seen = begun(small, "balance", r"\[ *1/")
    with power_cut(small, "node1"):
        rest, _nothing = process.communicate(timeout=300)
        assert process.returncode
        assert "run again to go on from here" in rest, "".join(seen) + rest
        output = small.apply()
        assert "node1 does not answer" in output
        alive = [name for name, _node, state in small.lab.guests("node2", "node3") if state == "Running"]
        # What had moved runs; what had not is not made again.
        assert 0 < len(alive) == len(set(alive)) < 18
    small.apply()
    where = small.running()
    assert set(where) == set(names(1, 18))
    assert {name for name, node in where.items() if node != "node1"} == set(alive)
    small.play("balance")
    assert Counter(small.running().values()) == {"node1": 6, "node2": 6, "node3": 6}
    assert len(small.lab.guests()) == 18


def test_a_full_disk_over_there_is_told_and_the_server_runs_on(world):
    folder = "/var/tmp/switchyard-narrow"
    for node, size in (("node1", "200m"), ("node2", "20m")):
        world.lab.ssh(
            node,
            f"mkdir -p {folder} && mount -t tmpfs -o size={size} narrow {folder} && mkdir {folder}/pool"
            f" && incus storage create narrow dir source={folder}/pool",
        )
    try:
        world.fleet["node_pools"] = {"default": "8GiB", "narrow": "4GiB"}
        world.declare({"pbx01": {"vs_pool": "narrow", "vs_node": "node1"}})
        world.apply()
        ballast = f"{folder}/pool/containers/pbx01/rootfs/root/ballast"
        world.lab.ssh("node1", f"head -c 40000000 /dev/urandom > {ballast}")
        world.declare({"pbx01": {"vs_pool": "narrow"}})
        output = world.play("migrate", migrate_servers="pbx01", migrate_node="node2", check=False)
        # Of the two ends of the copy it is chance which one is heard first.
        assert re.search(r"(?i)no space|disk space|broken pipe|closed network", output)
        assert "the storage pool on this node is full" in output
        assert world.running() == {"pbx01": "node1"}
        assert pages(world) == {"pbx01": "pbx01"}
    finally:
        world.declare({})
        world.apply(apply_prune=["all"])
        for node in ("node1", "node2"):
            world.lab.ssh(node, f"incus storage delete narrow && umount -l {folder} && rmdir {folder}")
